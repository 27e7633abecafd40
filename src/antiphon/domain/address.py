"""IP addresses: their canonical text, their order, and the networks a query names them by."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from antiphon.errors import IllegalArgument

_MAPPED = b"\0" * 10 + b"\xff\xff"


class Address(str):
    """The canonical text of an address; compares by the 16 bytes, an IPv4 one as the IPv6 address it is mapped to."""

    __slots__ = ()

    def __lt__(self, other: str) -> bool:
        return packed(self) < packed(other)

    def __gt__(self, other: str) -> bool:
        return packed(self) > packed(other)

    def __le__(self, other: str) -> bool:
        return packed(self) <= packed(other)

    def __ge__(self, other: str) -> bool:
        return packed(self) >= packed(other)


def ip_text(value: str) -> str:
    """Return the canonical text of an IPv4 or IPv6 address; IllegalArgument for anything else."""
    return str(_address(value))


@lru_cache(65_536)
def packed(text: str) -> bytes:
    """Return the 16 bytes of an address; IllegalArgument for anything else."""
    address = _address(text)
    return address.packed if address.version == 6 else _MAPPED + address.packed


def network(text: str) -> tuple[str, str]:
    """Return the first and last address of a network like ``10.0.0.0/8``; IllegalArgument for anything else."""
    base, _, length = text.partition("/")
    address = _address(base)
    if ":" in base and address.version == 4:
        raise IllegalArgument(
            f"CIDR notation is not allowed with IPv6-mapped IPv4 address [{base}] as it introduces ambiguity as to "
            "whether the prefix length should be interpreted as a v4 prefix length or a v6 prefix length"
        )
    if not length.isdecimal() or int(length) > address.max_prefixlen:
        raise IllegalArgument(
            f"Illegal prefix length [{length}] in [{text}]. Must be 0-32 for IPv4 ranges, 0-128 for IPv6 ranges"
        )
    found = ipaddress.ip_network(f"{address}/{length}", strict=False)
    return ip_text(str(found[0])), ip_text(str(found[-1]))


def _address(value: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        raise IllegalArgument(f"'{value}' is not an IP string literal.") from None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address

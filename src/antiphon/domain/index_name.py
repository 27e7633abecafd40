"""Which names an index and an alias may have: OpenSearch's rules, in its words."""

from __future__ import annotations

from antiphon.errors import IllegalArgument, InvalidAliasName, InvalidIndexName

_ILLEGAL = ' "*\\<|,>/?'
_MAX_BYTES = 255


def check_index_name(name: str) -> str:
    """Return ``name``; InvalidIndexName (400) when no index may be called so."""
    why = _problem(name)
    if not why and name.lower() != name:
        why = "must be lowercase"
    if why:
        raise invalid_index_name(name, why)
    return name


def check_alias_name(name: str) -> str:
    """Return ``name``; InvalidAliasName (400) when no alias may be called so. Upper case is legal."""
    if not name.strip():
        raise IllegalArgument("alias name is required")
    why = _problem(name)
    if why:
        raise InvalidAliasName(f"Invalid alias name [{name}]: {why}", metadata={"index": name, "index_uuid": "_na_"})
    return name


def invalid_index_name(name: str, why: str) -> InvalidIndexName:
    """Return the error for an index name, with the keys OpenSearch shows beside it."""
    return InvalidIndexName(f"Invalid index name [{name}], {why}", metadata={"index": name, "index_uuid": "_na_"})


def _problem(name: str) -> str:
    """Return what is wrong with a name whatever its case; empty when nothing is."""
    if any(char in _ILLEGAL for char in name):
        return 'must not contain the following characters [ , ", *, \\, <, |, ,, >, /, ?]'
    for char in "#:":
        if char in name:
            return f"must not contain '{char}'"
    if not name or name[0] in "_-+":
        return "must not start with '_', '-', or '+'" if name else "must not be empty"
    size = len(name.encode())
    if size > _MAX_BYTES:
        return f"index name is too long, ({size} > {_MAX_BYTES})"
    return "must not be '.' or '..'" if name in (".", "..") else ""

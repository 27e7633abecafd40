"""Time zones: offsets, and regions of the IANA database. Instants and local times are milliseconds since 1970.

A local time that a region skips (clocks go forward) is taken an hour later, one that comes twice is the first, as in
Java's ``ZonedDateTime.ofLocal``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from antiphon.domain.date_pattern import offset_ms
from antiphon.errors import IllegalArgument

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  local times are counted from it
_FIRST, _LAST = -62_135_510_400_000, 253_402_127_999_999
"""What ``datetime`` can express, less a day: beyond it a region keeps the offset it had."""


@dataclass(frozen=True, slots=True)
class Zone:
    """``fixed_ms`` milliseconds east of Greenwich, unless there is a ``region``."""

    fixed_ms: int = 0
    region: ZoneInfo | None = None

    def offset(self, instant: int) -> int:
        """Return the milliseconds east at an instant."""
        if self.region is None:
            return self.fixed_ms
        at = (_EPOCH + timedelta(milliseconds=min(max(instant, _FIRST), _LAST))).replace(tzinfo=UTC)
        return _milliseconds(at.astimezone(self.region).utcoffset())

    def local(self, instant: int) -> int:
        """Return what clocks show at an instant."""
        return instant + self.offset(instant)

    def instant(self, local: int) -> int:
        """Return when clocks show a local time."""
        if self.region is None:
            return local - self.fixed_ms
        shown = (_EPOCH + timedelta(milliseconds=min(max(local, _FIRST), _LAST))).replace(tzinfo=self.region)
        return local - _milliseconds(shown.utcoffset())


GREENWICH = Zone()


@lru_cache(maxsize=256)
def zone_of(name: str | None) -> Zone:
    """Return the zone of an offset (``+01:00``), ``Z``, ``UTC``, ``GMT`` or a region (``Europe/Berlin``); None is UTC.

    IllegalArgument for any other name.
    """
    if name is None or name in ("UTC", "GMT", "Z"):
        return GREENWICH
    fixed = offset_ms(name.removeprefix("UTC").removeprefix("GMT"))
    if fixed is not None:
        return Zone(fixed)
    try:
        return Zone(region=ZoneInfo(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise IllegalArgument(f"Unknown time-zone ID: {name}") from None


def _milliseconds(offset: timedelta | None) -> int:
    return 0 if offset is None else round(offset.total_seconds() * 1000)

"""Dates as OpenSearch reads and writes them: formats, date math, time zones. Instants are epoch milliseconds, UTC.

Rounding up (``gt`` and ``lte`` bounds) fills missing time parts with 23:59:59.999; a missing month or day is 1 either
way. Source: OpenSearch's ``JavaDateFormatter`` and ``JavaDateMathParser``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from antiphon.domain.date_pattern import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    SECOND_MS,
    Layout,
    civil_of,
    compile_layout,
    days_in_month,
    days_of,
)
from antiphon.domain.time_zone import GREENWICH, Zone, zone_of
from antiphon.errors import IllegalArgument

DEFAULT_FORMAT = "strict_date_optional_time||epoch_millis"
DYNAMIC_FORMATS = ("strict_date_optional_time", "yyyy/MM/dd HH:mm:ss||yyyy/MM/dd||epoch_millis")
"""What ``dynamic_date_formats`` is unless the mapping says otherwise."""

_MATH = re.compile(r"([+-])(\d*)([yMwdhHms])|/([yMwdhHms])")
_UNIT_MS = {"w": 7 * DAY_MS, "d": DAY_MS, "h": HOUR_MS, "H": HOUR_MS, "m": MINUTE_MS, "s": SECOND_MS}
_OF_INSTANTS = frozenset("hHms")
"""Units that pass however clocks are changed meanwhile; a day later is the same time of the next day."""
_MAX_STEPS = 10**12


@dataclass(frozen=True, slots=True)
class DateFormat:
    """One or more alternatives; ``text`` is the format as given."""

    text: str
    layouts: tuple[Layout, ...]

    def parse(self, text: str, *, round_up: bool = False, zone: Zone = GREENWICH) -> int:
        """Return the instant of ``text`` by the first alternative that fits; IllegalArgument when none does.

        ``zone`` is that of texts that name none.
        """
        for layout in self.layouts:
            instant = layout.parse(text, round_up, zone.fixed_ms)
            if instant is None:
                continue
            if zone.region is None or instant == layout.parse(text, round_up, HOUR_MS):  # it names its own
                return instant
            return zone.instant(instant)
        raise IllegalArgument(
            f"failed to parse date field [{text}] with format [{self.text}]",
            cause=IllegalArgument("Failed to parse with all enclosed parsers"),
        )

    def accepts(self, text: str) -> bool:
        """True when some alternative reads ``text``."""
        return any(layout.parse(text, False, 0) is not None for layout in self.layouts)

    def write(self, instant: int, *, zone: Zone = GREENWICH) -> str:
        """Return an instant by the first alternative, as clocks of ``zone`` show it."""
        return self.layouts[0].write(instant, zone.offset(instant))


@lru_cache(maxsize=256)
def date_format(text: str) -> DateFormat:
    """Return the compiled format; IllegalArgument ``Invalid format`` for one that is not known."""
    names = text.split("||")
    if not all(name.strip() for name in names):
        raise IllegalArgument(f"Invalid format: [{text}]: No date pattern provided")
    return DateFormat(text, tuple(compile_layout(name.removeprefix("8")) for name in names))


def write_date(instant: int, format_text: str = DEFAULT_FORMAT, time_zone: str | None = None) -> str:
    """Return an instant as OpenSearch prints it: ``2020-01-01T00:00:00.000Z`` unless the format says otherwise."""
    return date_format(format_text).write(instant, zone=zone_of(time_zone))


def parse_date_math(
    text: str, format_text: str, *, now_ms: int, round_up: bool = False, time_zone: str | None = None
) -> int:
    """Return the instant of a date, or of ``now`` or a date with ``||``, followed by ``+1d``, ``-2M``, ``/d`` ...

    ``/unit`` rounds down, with ``round_up`` to the last millisecond of the unit, in the time zone.
    """
    zone = zone_of(time_zone)
    if text.startswith("now"):
        return _with_math(text[3:], now_ms, round_up, zone, text)
    parsed = date_format(format_text)
    base, mark, math = text.partition("||")
    if not mark:
        return parsed.parse(text, round_up=round_up, zone=zone)
    return _with_math(math, parsed.parse(base, zone=zone), round_up, zone, text)


def _with_math(math: str, instant: int, round_up: bool, zone: Zone, text: str) -> int:
    at = 0
    while at < len(math):
        step = _MATH.match(math, at)
        if step is None:
            raise IllegalArgument(f"operator not supported for date math [{text[-len(math) :]}]")
        sign, count, unit, rounding = step.groups()
        if rounding:
            instant = zone.instant(_rounded(zone.local(instant), rounding, round_up))
        else:
            steps = min(int(count or 1), _MAX_STEPS) * (-1 if sign == "-" else 1)
            if unit in _OF_INSTANTS:
                instant = add_units(instant, unit, steps)
            else:
                instant = zone.instant(add_units(zone.local(instant), unit, steps))
        at = step.end()
    return instant


def add_units(instant: int, unit: str, steps: int) -> int:
    """Return the instant ``steps`` units on; months and years keep the day, or take the month's last one."""
    if unit in _UNIT_MS:
        return instant + steps * _UNIT_MS[unit]
    days, in_day = divmod(instant, DAY_MS)
    year, month, day = civil_of(days)
    months = year * 12 + month - 1 + steps * (12 if unit == "y" else 1)
    year, month = months // 12, months % 12 + 1
    return days_of(year, month, min(day, days_in_month(year, month))) * DAY_MS + in_day


def floor_unit(instant: int, unit: str) -> int:
    """Return the start of the year, month, week (Monday), day, hour, minute or second an instant lies in."""
    days = instant // DAY_MS
    year, month, _ = civil_of(days)
    match unit:
        case "y":
            return days_of(year, 1, 1) * DAY_MS
        case "M":
            return days_of(year, month, 1) * DAY_MS
        case "w":
            # 1970-01-01 was a Thursday
            return (days - (days + 3) % 7) * DAY_MS
        case _:
            return instant - instant % _UNIT_MS[unit]


def _rounded(instant: int, unit: str, round_up: bool) -> int:
    start = floor_unit(instant, unit)
    return add_units(start, unit, 1) - 1 if round_up else start

"""The buckets of a date_histogram: where one starts, and where the next one does. Epoch milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from antiphon.domain.dates import add_units, floor_unit
from antiphon.domain.time_zone import Zone, zone_of
from antiphon.query.aggregations import DateHistogram

Instants = NDArray[np.int64]

_UNITS = {"minute": ("m", 1), "hour": ("h", 1), "day": ("d", 1), "week": ("w", 1), "month": ("M", 1),
          "quarter": ("M", 3), "year": ("y", 1)}  # fmt: skip
_DAY_MS = 86_400_000
_QUARTER_MS = 900_000


def bucket_starts(histogram: DateHistogram, instants: Instants) -> Instants:
    """Return the start of the bucket of each instant, int64 ``[n]``.

    Buckets of less than a day are cut by the offset in force, longer ones begin when clocks show their beginning.
    """
    zone = zone_of(histogram.time_zone)
    moved = np.asarray(instants, np.int64) - histogram.offset_ms
    offsets = _offsets(zone, moved)
    starts = _local_starts(histogram, moved + offsets)
    by_clock = zone.region is not None and _width(histogram) >= _DAY_MS
    back = _each(zone.instant, starts) if by_clock else starts - offsets
    return np.asarray(back + histogram.offset_ms, np.int64)


def bucket_start(histogram: DateHistogram, instant: int) -> int:
    """Return the start of the bucket of one instant."""
    return int(bucket_starts(histogram, np.asarray([instant], np.int64))[0])


def next_start(histogram: DateHistogram, start: int) -> int:
    """Return the start of the bucket after the one that starts at ``start``."""
    zone = zone_of(histogram.time_zone)
    width = _width(histogram)
    if width < _DAY_MS:
        return start + width
    unit, steps = _UNITS[histogram.calendar] if histogram.calendar else ("ms", width)
    local = zone.local(start - histogram.offset_ms)
    later = local + steps if unit == "ms" else add_units(local, unit, steps)
    return zone.instant(later) + histogram.offset_ms


def _width(histogram: DateHistogram) -> int:
    """The milliseconds of a bucket; a day stands for every longer unit of the calendar."""
    return histogram.fixed_ms or {"minute": 60_000, "hour": 3_600_000}.get(histogram.calendar or "day", _DAY_MS)


def _local_starts(histogram: DateHistogram, local: Instants) -> Instants:
    if histogram.calendar in ("month", "quarter", "year"):
        days = np.floor_divide(local, _DAY_MS)
        distinct, places = np.unique(days, return_inverse=True)
        starts = np.fromiter((_month_start(int(day), histogram.calendar) for day in distinct), np.int64, len(distinct))
        return np.asarray(starts[places], np.int64)
    if histogram.calendar == "week":
        days = np.floor_divide(local, _DAY_MS)
        # 1970-01-01 was a Thursday
        return np.asarray((days - np.mod(days + 3, 7)) * _DAY_MS, np.int64)
    return local - np.mod(local, _width(histogram))


def _offsets(zone: Zone, instants: Instants) -> Instants:
    if zone.region is None:
        return np.full(len(instants), zone.fixed_ms, np.int64)
    return _each(zone.offset, np.floor_divide(instants, _QUARTER_MS) * _QUARTER_MS)  # clocks change at full quarters


def _each(change: Callable[[int], int], values: Instants) -> Instants:
    distinct, places = np.unique(values, return_inverse=True)
    return np.fromiter(map(change, distinct.tolist()), np.int64, len(distinct))[places]


@lru_cache(maxsize=4096)
def _month_start(day: int, calendar: str) -> int:
    start = floor_unit(day * _DAY_MS, "y" if calendar == "year" else "M")
    if calendar != "quarter":
        return start
    year = floor_unit(start, "y")
    quarter = year
    while (after := add_units(quarter, "M", 3)) <= start:
        quarter = after
    return quarter

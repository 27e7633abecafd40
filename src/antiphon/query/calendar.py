"""The buckets of a date_histogram: where one starts, and where the next one does. Epoch milliseconds."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from antiphon.domain.dates import add_units, floor_unit, zone_offset
from antiphon.query.aggregations import DateHistogram

Instants = NDArray[np.int64]

_UNITS = {"minute": ("m", 1), "hour": ("h", 1), "day": ("d", 1), "week": ("w", 1), "month": ("M", 1),
          "quarter": ("M", 3), "year": ("y", 1)}  # fmt: skip
_DAY_MS = 86_400_000


def bucket_starts(histogram: DateHistogram, instants: Instants) -> Instants:
    """Return the start of the bucket of each instant, int64 ``[n]``."""
    shift = zone_offset(histogram.time_zone) - histogram.offset_ms
    local = np.asarray(instants, np.int64) + shift
    if histogram.calendar in ("month", "quarter", "year"):
        days = np.floor_divide(local, _DAY_MS)
        distinct, places = np.unique(days, return_inverse=True)
        starts = np.fromiter((_month_start(int(day), histogram.calendar) for day in distinct), np.int64, len(distinct))
        return np.asarray(starts[places] - shift, np.int64)
    if histogram.calendar == "week":
        days = np.floor_divide(local, _DAY_MS)
        # 1970-01-01 was a Thursday
        return np.asarray((days - np.mod(days + 3, 7)) * _DAY_MS - shift, np.int64)
    width = histogram.fixed_ms or {"minute": 60_000, "hour": 3_600_000}.get(histogram.calendar or "day", _DAY_MS)
    return local - np.mod(local, width) - shift


def bucket_start(histogram: DateHistogram, instant: int) -> int:
    """Return the start of the bucket of one instant."""
    return int(bucket_starts(histogram, np.asarray([instant], np.int64))[0])


def next_start(histogram: DateHistogram, start: int) -> int:
    """Return the start of the bucket after the one that starts at ``start``."""
    if histogram.calendar is None:
        return start + (histogram.fixed_ms or _DAY_MS)
    unit, steps = _UNITS[histogram.calendar]
    shift = zone_offset(histogram.time_zone) - histogram.offset_ms
    return add_units(start + shift, unit, steps) - shift


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

"""Buckets of time."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.query import DateHistogram, bucket_start, bucket_starts
from antiphon.query.calendar import next_start

HOUR = 3_600_000


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("histogram", "start"),
    [
        (DateHistogram("d", "minute"), "2024-05-15T13:47"),
        (DateHistogram("d", "hour"), "2024-05-15T13:00"),
        (DateHistogram("d", "day"), "2024-05-15"),
        (DateHistogram("d", "week"), "2024-05-13"),
        (DateHistogram("d", "month"), "2024-05-01"),
        (DateHistogram("d", "quarter"), "2024-04-01"),
        (DateHistogram("d", "year"), "2024-01-01"),
        (DateHistogram("d", fixed_ms=6 * HOUR), "2024-05-15T12:00"),
        (DateHistogram("d", "day", time_zone="+02:00"), "2024-05-14T22:00"),
        (DateHistogram("d", "day", offset_ms=6 * HOUR), "2024-05-15T06:00"),
        (DateHistogram("d", "day", time_zone="Europe/Berlin"), "2024-05-14T22:00"),
        (DateHistogram("d", "month", time_zone="America/New_York"), "2024-05-01T04:00"),
        (DateHistogram("d", "year", time_zone="Europe/Berlin"), "2023-12-31T23:00"),
    ],
)
def test_starts(histogram: DateHistogram, start: str) -> None:
    assert bucket_start(histogram, ms("2024-05-15T13:47:21")) == ms(start)


CALENDARS = st.sampled_from(["minute", "hour", "day", "week", "month", "quarter", "year"])
ZONES = st.sampled_from(["UTC", "-05:30", "Europe/Berlin", "America/New_York", "Asia/Kolkata"])
HISTOGRAMS = st.one_of(
    st.builds(lambda unit, zone: DateHistogram("d", unit, time_zone=zone), CALENDARS, ZONES),
    st.builds(lambda width: DateHistogram("d", fixed_ms=width), st.integers(1, 10**9)),
)


@given(HISTOGRAMS, st.integers(-(10**12), 4 * 10**12))
def test_every_instant_lies_in_its_bucket(histogram: DateHistogram, instant: int) -> None:
    start = bucket_start(histogram, instant)
    after = next_start(histogram, start)
    assert start <= instant < after
    np.testing.assert_array_equal(
        bucket_starts(histogram, np.asarray([start, after - 1, after])), [start, start, after]
    )

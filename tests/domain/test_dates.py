"""Dates: formats, math, rounding, zones."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.domain.dates import DEFAULT_FORMAT, parse_date_math, write_date
from antiphon.domain.field import Family, Field, FieldType
from antiphon.domain.values import date_bound, term_value
from antiphon.errors import AntiphonError, IllegalArgument, ParseError

NOW = 1_577_880_000_123  # 2020-01-01T12:00:00.123Z
MOMENTS = st.integers(min_value=-62_135_596_800_000, max_value=253_402_300_799_999)


@given(MOMENTS)
def test_an_instant_is_written_as_datetime_writes_it_and_read_back(instant: int) -> None:
    text = write_date(instant)
    seconds, millis = divmod(instant, 1000)
    moment = datetime(1970, 1, 1, tzinfo=UTC).fromordinal(seconds // 86400 + 719163)
    assert text[:10] == moment.strftime("%Y").zfill(4) + moment.strftime("-%m-%d")
    assert text.endswith(f".{millis:03d}Z")
    assert parse_date_math(text, DEFAULT_FORMAT, now_ms=0) == instant


@pytest.mark.parametrize(
    ("text", "round_up", "expected"),
    [
        ("2020-01-01", False, "2020-01-01T00:00:00.000Z"),
        ("2020-01-01", True, "2020-01-01T23:59:59.999Z"),
        ("2020-03", True, "2020-03-01T23:59:59.999Z"),
        ("2020-01-01T10", False, "2020-01-01T10:00:00.000Z"),
        ("2020-01-01T10:00:00.123456+01:00", False, "2020-01-01T09:00:00.123Z"),
        ("1577836800000", False, "2020-01-01T00:00:00.000Z"),
        ("now-1d/d", False, "2019-12-31T00:00:00.000Z"),
        ("now/M", True, "2020-01-31T23:59:59.999Z"),
        ("now/w", False, "2019-12-30T00:00:00.000Z"),
        ("2020-01-31||+1M", False, "2020-02-29T00:00:00.000Z"),
        ("2020-02-29||-1y/d", False, "2019-02-28T00:00:00.000Z"),
    ],
)
def test_date_math(text: str, round_up: bool, expected: str) -> None:
    assert write_date(parse_date_math(text, DEFAULT_FORMAT, now_ms=NOW, round_up=round_up)) == expected


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("yyyy-MM-dd HH:mm:ss", "2020-01-02 03:04:05"),
        ("yyyy/MM/dd", "2020/01/02"),
        ("dd.MM.yyyy'T'HH:mm", "02.01.2020T03:04"),
        ("dd MMM yyyy", "02 Jan 2020"),
        ("basic_date", "20200102"),
        ("epoch_second", "1577934245"),
        ("hh:mm a dd/MM/yyyy", "03:04 PM 02/01/2020"),
    ],
)
def test_a_pattern_writes_what_it_reads(pattern: str, text: str) -> None:
    assert write_date(parse_date_math(text, pattern, now_ms=0), pattern) == text


def test_a_time_zone_moves_dates_that_name_none() -> None:
    assert write_date(parse_date_math("2020-01-01", DEFAULT_FORMAT, now_ms=0, time_zone="+02:00")).startswith("2019")


@pytest.mark.parametrize(
    ("text", "zone", "instant"),
    [
        ("2024-01-15", "Europe/Berlin", "2024-01-14T23:00:00.000Z"),
        ("2024-07-15", "Europe/Berlin", "2024-07-14T22:00:00.000Z"),
        ("2024-07-15T12:00:00Z", "Europe/Berlin", "2024-07-15T12:00:00.000Z"),
        ("2024-03-31T02:30:00", "Europe/Berlin", "2024-03-31T01:30:00.000Z"),  # skipped: an hour later
        ("2024-10-27T02:30:00", "Europe/Berlin", "2024-10-27T00:30:00.000Z"),  # comes twice: the first
        ("2024-03-31T12:00:00Z||/d", "Europe/Berlin", "2024-03-30T23:00:00.000Z"),
        ("2024-03-30T12:00:00||+1d", "Europe/Berlin", "2024-03-31T10:00:00.000Z"),
        ("2024-03-30T12:00:00||+24h", "Europe/Berlin", "2024-03-31T11:00:00.000Z"),
        ("2024-07-15", "America/New_York", "2024-07-15T04:00:00.000Z"),
        ("1705276800000", "Asia/Kolkata", "2024-01-15T00:00:00.000Z"),
    ],
)
def test_regions_know_summer(text: str, zone: str, instant: str) -> None:
    assert write_date(parse_date_math(text, DEFAULT_FORMAT, now_ms=0, time_zone=zone)) == instant


def test_an_instant_as_a_region_shows_it() -> None:
    summer = parse_date_math("2024-07-15T12:00:00Z", DEFAULT_FORMAT, now_ms=0)
    assert write_date(summer, time_zone="Europe/Berlin") == "2024-07-15T14:00:00.000+02:00"


def test_a_zone_that_there_is_not() -> None:
    with pytest.raises(IllegalArgument, match="Unknown time-zone ID: Europe/Atlantis"):
        parse_date_math("2020-01-01", DEFAULT_FORMAT, now_ms=0, time_zone="Europe/Atlantis")


@pytest.mark.parametrize("text", ["2020-02-30", "x", "2020-1-1", "", "2020-01-01T25"])
def test_what_is_no_date_is_refused(text: str) -> None:
    field = Field("d", FieldType.DATE, family=Family.WHOLE)
    with pytest.raises(ParseError, match="failed to parse date field"):
        date_bound(field, text, format=None, time_zone=None, now_ms=0, round_up=False)


@pytest.mark.parametrize(
    ("kind", "family", "value", "expected"),
    [
        (FieldType.KEYWORD, Family.KEYWORD, True, "true"),
        (FieldType.INTEGER, Family.WHOLE, "12", 12),
        (FieldType.INTEGER, Family.WHOLE, 1.5, 1.5),
        (FieldType.BOOLEAN, Family.WHOLE, "true", 1),
        (FieldType.DATE, Family.WHOLE, "1970-01-01", 0),
        (FieldType.DOUBLE, Family.REAL, "1.5", 1.5),
        (FieldType.IP, Family.KEYWORD, "10.0.0.1", "10.0.0.1"),
    ],
)
def test_the_terms_of_queries(kind: FieldType, family: Family, value: object, expected: object) -> None:
    assert term_value(Field("f", kind, family=family), value, NOW) == expected


def test_a_text_on_a_number_is_refused() -> None:
    with pytest.raises(AntiphonError, match='For input string: "abc"'):
        term_value(Field("f", FieldType.INTEGER, family=Family.WHOLE), "abc", NOW)

"""The histogram aggregations."""

from __future__ import annotations

import re
from typing import Any

from antiphon.domain.dates import DEFAULT_FORMAT
from antiphon.domain.field import Family, Field, FieldType
from antiphon.domain.time_zone import zone_of
from antiphon.errors import IllegalArgument
from antiphon.query import reading
from antiphon.query.aggregations import BY_KEY, DateHistogram, Histogram
from antiphon.query.parse.aggregation_fields import NUMERIC, Below, field_of, missing_of, order_of, refuse_options
from antiphon.query.parse.fields import date_of
from antiphon.query.parse.options import Body, flag
from antiphon.query.scope import Scope

_CALENDAR = {
    "minute": "minute", "1m": "minute", "hour": "hour", "1h": "hour", "day": "day", "1d": "day", "week": "week",
    "1w": "week", "month": "month", "1M": "month", "quarter": "quarter", "1q": "quarter", "year": "year", "1y": "year",
}  # fmt: skip
_UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def parse_histogram(spec: Any, below: Below, scope: Scope) -> Histogram:
    """Return buckets of equal width."""
    body = reading.an_object("histogram", spec)
    reading.only(
        "[histogram]",
        body,
        reading.words(
            "field interval offset min_doc_count extended_bounds keyed missing order hard_bounds script format"
        ),
    )
    refuse_options("histogram", body, "hard_bounds", "format")
    field = field_of("histogram", body, scope, *NUMERIC)
    interval = reading.number("interval", body.get("interval"))
    if interval <= 0:
        raise IllegalArgument("[interval] must be >0 for histogram aggregation [histogram]")
    missing = missing_of(body, field, scope)
    return Histogram(
        None if field is None else field.path,
        interval,
        reading.number("offset", body.get("offset", 0.0)),
        reading.integer("min_doc_count", body.get("min_doc_count", 0)),
        _bounds(body),
        flag(body, "keyed", False),
        None if missing is None else float(missing),
        below,
        order_of(body, below, BY_KEY),
    )


def _bounds(body: Body) -> tuple[float, float] | None:
    if body.get("extended_bounds") is None:
        return None
    bounds = reading.an_object("extended_bounds", body["extended_bounds"])
    low, high = reading.number("min", bounds.get("min")), reading.number("max", bounds.get("max"))
    if low > high:
        raise IllegalArgument(f"[extended_bounds.min][{low}] cannot be greater than [extended_bounds.max][{high}]")
    return low, high


def parse_date_histogram(spec: Any, below: Below, scope: Scope) -> DateHistogram:
    """Return buckets of time."""
    body = reading.an_object("date_histogram", spec)
    reading.only(
        "[date_histogram]",
        body,
        reading.words(
            "field calendar_interval fixed_interval interval offset time_zone format min_doc_count extended_bounds "
            "keyed missing order hard_bounds script"
        ),
    )
    refuse_options("date_histogram", body, "hard_bounds")
    field = field_of("date_histogram", body, scope, Family.WHOLE)
    calendar, fixed = interval_of(body)
    zone = str(body.get("time_zone", "UTC"))
    zone_of(zone)
    missing = missing_of(body, field, scope)
    format_ = body.get("format")
    if format_ is None and field is not None and field.type is FieldType.DATE:
        format_ = field.options.get("format", DEFAULT_FORMAT)
    return DateHistogram(
        None if field is None else field.path,
        calendar,
        fixed,
        _span(body.get("offset", 0)),
        zone,
        None if format_ is None else str(format_),
        reading.integer("min_doc_count", body.get("min_doc_count", 0)),
        _date_bounds(body, field, scope),
        flag(body, "keyed", False),
        None if missing is None else int(missing),
        below,
        order_of(body, below, BY_KEY),
    )


def interval_of(body: Body) -> tuple[str | None, int | None]:
    """Return the calendar unit or the fixed milliseconds of a date_histogram."""
    given = [key for key in ("calendar_interval", "fixed_interval", "interval") if body.get(key) is not None]
    if len(given) != 1:
        raise IllegalArgument(
            "Invalid interval specified, must be non-null and non-empty"
            if not given
            else f"Cannot use [{given[1]}] with [{given[0]}] configuration option."
        )
    text = str(body[given[0]])
    if given[0] != "fixed_interval" and text in _CALENDAR:
        return _CALENDAR[text], None
    if given[0] == "calendar_interval":
        raise IllegalArgument(f"The supplied interval [{text}] could not be parsed as a calendar interval.")
    fixed = _span(text)
    if fixed <= 0:
        raise IllegalArgument("Zero or negative time interval not supported")
    return None, fixed


def _span(value: Any) -> int:
    """Return milliseconds of a number or a text such as ``-6h``."""
    if isinstance(value, (int, float)):
        return int(value)
    found = re.fullmatch(r"([+-]?\d+)\s*(ms|s|m|h|d)", str(value).strip())
    if found is None:
        raise IllegalArgument(
            f"failed to parse setting [interval] with value [{value}] as a time value: unit is missing or unrecognized"
        )
    return int(found[1]) * _UNIT_MS[found[2]]


def _date_bounds(body: Body, field: Field | None, scope: Scope) -> tuple[int, int] | None:
    if body.get("extended_bounds") is None:
        return None
    bounds = reading.an_object("extended_bounds", body["extended_bounds"])
    if field is None or field.type is not FieldType.DATE:
        return reading.integer("min", bounds.get("min")), reading.integer("max", bounds.get("max"))
    format_ = None if body.get("format") is None else str(body["format"])
    low, high = (
        date_of(field, bounds.get(key), scope, format_=format_, time_zone=None, round_up=False)
        for key in ("min", "max")
    )
    return low, high

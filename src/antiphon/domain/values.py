"""What the values of a query mean on a field: the term it looks for, and the bound of a date range."""

from __future__ import annotations

from typing import Any

from antiphon.domain.address import ip_text
from antiphon.domain.dates import DEFAULT_FORMAT, parse_date_math
from antiphon.domain.field import Family, Field, FieldType
from antiphon.domain.numbers import to_boolean, to_real, to_whole
from antiphon.errors import AntiphonError, IllegalArgument, ParseError


def term_value(field: Field, value: Any, now_ms: int) -> str | int | float:
    """Return the value as the field's column keeps it: str (TEXT, KEYWORD), int (WHOLE) or float (REAL).

    ``now_ms`` is epoch milliseconds, for dates with ``now``. A fraction on an integer field stays a float, which no
    value equals; neither does one an unsigned_long beyond 63 bits. IllegalArgument, NumberFormat or ParseError for a
    value that the type cannot read.
    """
    match field.type:
        case FieldType.DATE:
            return date_bound(field, value, format=None, time_zone=None, now_ms=now_ms, round_up=False)
        case FieldType.BOOLEAN:
            return _boolean(value)
        case FieldType.IP:
            return ip_text(str(value))
        case _:
            pass
    match field.family:
        case Family.WHOLE:
            return _whole(field.type, value)
        case Family.REAL:
            return to_real(field.type, value, factor=float(field.options.get("scaling_factor", 1)))
        case _:
            return normalized(field, scalar_text(value))


def normalized(field: Field, text: str) -> str:
    """Return a text, or a pattern of texts, as the field's normalizer leaves it: lowercase is the one there is."""
    return text.lower() if field.options.get("normalizer") == "lowercase" else text


def date_bound(
    field: Field,
    value: Any,
    *,
    format: str | None,  # noqa: A002
    time_zone: str | None,
    now_ms: int,
    round_up: bool,
) -> int:
    """Return the epoch milliseconds of a date in a query, math and ``now`` included; ParseError when it has none.

    ``format`` None means the field's own. ``round_up`` (gt, lte) fills missing parts, and ``/d``, with their last
    millisecond. ``time_zone`` is an offset for dates that name none.
    """
    pattern = format or str(field.options.get("format", DEFAULT_FORMAT))
    text = scalar_text(value)
    try:
        return parse_date_math(text, pattern, now_ms=now_ms, round_up=round_up, time_zone=time_zone)
    except IllegalArgument as error:
        if not error.reason.startswith("failed to parse date field"):
            raise
        raise ParseError(f"{error.reason}: [{error.reason}]", cause=error) from error


def scalar_text(value: Any) -> str:
    """Return the text Java prints for a JSON scalar; IllegalArgument for an object or array."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case _:
            raise IllegalArgument(f"a value must be a text, a number or a boolean, not [{value}]")


def _boolean(value: Any) -> int:
    try:
        return to_boolean(value)
    except AntiphonError:
        raise IllegalArgument(f"Can't parse boolean value [{scalar_text(value)}], expected [true] or [false]") from None


def _whole(kind: FieldType, value: Any) -> int | float:
    # a fraction must not be truncated to a value the documents have
    if isinstance(value, float) and not value.is_integer():
        return value
    if isinstance(value, str) and "." in value:
        number = to_real(FieldType.DOUBLE, value)
        return int(number) if number.is_integer() else number
    return to_whole(kind, value)

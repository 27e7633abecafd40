"""Numbers as the numeric field types read them from JSON: coercion, ranges, and Java's words when they do not fit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from antiphon.domain.field import FieldType
from antiphon.errors import IllegalArgument, NumberFormat

RANGES = {
    FieldType.BYTE: (-(2**7), 2**7 - 1, "a byte"),
    FieldType.SHORT: (-(2**15), 2**15 - 1, "a short"),
    FieldType.INTEGER: (-(2**31), 2**31 - 1, "an integer"),
    FieldType.LONG: (-(2**63), 2**63 - 1, "a long"),
    FieldType.UNSIGNED_LONG: (0, 2**64 - 1, "an unsigned long"),
}
MAX_INT64 = 2**63 - 1
_FLOAT_MAX = float(np.finfo(np.float32).max)
_HALF_MAX = 65504.0


def to_whole(kind: FieldType, value: Any, *, coerce: bool = True) -> int:
    """Return the integer of a JSON number or text.

    NumberFormat (IllegalArgument for long) for a text that is no number, IllegalArgument out of range or, without
    ``coerce``, for a text or a fraction.
    """
    if not coerce and isinstance(value, str):
        raise IllegalArgument(f"{kind.title()} value passed as String")
    number = value if isinstance(value, int) and not isinstance(value, bool) else _exact(kind, value, coerce)
    low, high, words = RANGES[kind]
    if not low <= number <= high:
        raise IllegalArgument(f"Value [{_shown(value)}] is out of range for {words}")
    return number


def to_kept(kind: FieldType, value: Any, *, coerce: bool = True) -> int:
    """Return the integer as a column keeps it; IllegalArgument for an unsigned_long beyond 63 bits besides."""
    number = to_whole(kind, value, coerce=coerce)
    if number > MAX_INT64:
        raise IllegalArgument(
            f"[unsigned_long] above {MAX_INT64} is not supported by Antiphon: [{_shown(value)}] fits [keyword], or "
            "rounded [double]"
        )
    return number


def to_real(kind: FieldType, value: Any, *, coerce: bool = True, factor: float = 1.0) -> float:
    """Return the number a float type keeps: rounded to float32 (float), float16 (half_float) or 1/factor (scaled)."""
    if not coerce and isinstance(value, str):
        raise IllegalArgument(f"{kind.title()} value passed as String")
    number = _number(value, kind)
    if not math.isfinite(number):
        raise IllegalArgument(f"[{kind}] supports only finite values, but got [{_java(number)}]")
    match kind:
        case FieldType.HALF_FLOAT if abs(number) >= _HALF_MAX + 16:
            raise IllegalArgument(f"[half_float] supports only finite values, but got [{_java(number)}]")
        case FieldType.HALF_FLOAT:
            return float(np.float16(number))
        case FieldType.FLOAT if abs(number) > _FLOAT_MAX:
            raise IllegalArgument(f"[float] supports only finite values, but got [{_java(number)}]")
        case FieldType.FLOAT:
            return float(np.float32(number))
        case FieldType.SCALED_FLOAT:
            return math.floor(number * factor + 0.5) / factor
        case _:
            return number


def to_boolean(value: Any) -> int:
    """Return 1 or 0 of true, false, their texts, or the empty text (0); IllegalArgument otherwise."""
    match value:
        case True | "true":
            return 1
        case False | "false" | "":
            return 0
        case _:
            raise IllegalArgument(f"Failed to parse value [{_shown(value)}] as only [true] or [false] are allowed.")


def _exact(kind: FieldType, value: Any, coerce: bool) -> int:
    if isinstance(value, str):
        text = value.strip()
        try:
            return int(text) if "_" not in text else _refuse(kind, value)
        except ValueError:
            number = _number(value, kind)
    else:
        number = _number(value, kind)
    if not math.isfinite(number):
        raise IllegalArgument(f"Value [{_shown(value)}] is out of range for {RANGES[kind][2]}")
    if number != int(number) and not coerce:
        raise IllegalArgument(f"{_shown(value)} cannot be converted to {kind.title()} without data loss")
    return int(number)


def _number(value: Any, kind: FieldType) -> float:
    match value:
        case bool():
            _refuse(kind, value)
        case int() | float():
            try:
                return float(value)
            except OverflowError:
                return math.inf
        case str() if value.strip() and "_" not in value and value.isascii():
            try:
                return float(value)
            except ValueError:
                _refuse(kind, value)
    return _refuse(kind, value)


def _refuse(kind: FieldType, value: Any) -> int:
    if isinstance(value, bool | dict | list):
        raise IllegalArgument(f"[{kind}] is a number, not [{_shown(value)}]")
    reason = "empty String" if value == "" else f'For input string: "{_shown(value)}"'
    raise IllegalArgument(reason) if kind is FieldType.LONG else NumberFormat(reason)


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _java(number: float) -> str:
    return "NaN" if math.isnan(number) else str(number).replace("inf", "Infinity")

"""The values of ``script_language`` as Java has them: ints and longs that wrap, texts in UTF-16, methods.

A whole number is an int while it fits in 32 bits, unless it is a ``Long``.
"""

from __future__ import annotations

import math
from typing import Any

from antiphon.errors import ScriptError

QUESTIONS = frozenset({
    "containsKey", "contains", "size", "isEmpty", "length", "entrySet", "keySet", "getKey", "getValue", "get", "equals",
    "startsWith", "endsWith", "toLowerCase", "toUpperCase", "toString", "indexOf",
})  # fmt: skip
"""Methods without an effect."""
EFFECTS = frozenset({"remove", "add", "addAll", "put", "putAll", "clear"})
"""Methods that change what they are called on; the only ones a statement may call."""
_INT = 1 << 31


class Long(int):
    """A whole number of 64 bits: ``5L``, and what comes of it."""


def truth(value: Any) -> bool:
    """Return a boolean; ScriptError for any other value."""
    if isinstance(value, bool):
        return value
    raise _runtime(f"Cannot cast [{value}] to [boolean]")


def calculate(operator: str, left: Any, right: Any) -> Any:
    """Return ``left operator right``; ScriptError where the values do not fit."""
    if operator in ("==", "!="):
        return _equal(left, right) == (operator == "==")
    if operator == "+" and (isinstance(left, str) or isinstance(right, str)):
        return _text(left) + _text(right)
    first, second = _number(left), _number(right)
    wide = _is_long(first) or _is_long(second)
    match operator:
        case "+":
            return _wrapped(first + second, wide=wide)
        case "-":
            return _wrapped(first - second, wide=wide)
        case "*":
            return _wrapped(first * second, wide=wide)
        case "/" | "%":
            return _wrapped(_divide(operator, first, second), wide=wide)
        case "<":
            return first < second
        case "<=":
            return first <= second
        case ">":
            return first > second
        case _:
            return first >= second


def negative(value: Any) -> Any:
    """Return ``-value``; ScriptError for what is no number."""
    return _wrapped(-_number(value), wide=_is_long(value))


def _is_long(value: Any) -> bool:
    return isinstance(value, Long) or (isinstance(value, int) and not -_INT <= value < _INT)


def _wrapped(value: Any, *, wide: bool) -> Any:
    if not isinstance(value, int):
        return value
    half = _INT * _INT * 2 if wide else _INT
    return (Long if wide else int)((value + half) % (2 * half) - half)


def _divide(operator: str, first: float, second: float) -> float:
    if isinstance(first, int) and isinstance(second, int):
        if second == 0:
            raise _runtime("/ by zero")
        whole = abs(first) // abs(second) * (1 if (first < 0) == (second < 0) else -1)
        return whole if operator == "/" else first - whole * second
    if second == 0:
        return math.nan if operator == "%" or first == 0 else math.copysign(math.inf, first)
    return first / second if operator == "/" else math.fmod(first, second)


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, bool) != isinstance(right, bool):
        return False
    return bool(left == right)


def _text(value: Any) -> str:
    match value:
        case None | bool():
            return {None: "null", True: "true", False: "false"}[value]
        case float():
            return _float_text(value)
        case dict():
            return "{" + ", ".join(_text(entry) for entry in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_text, value)) + "]"
        case tuple():
            return "=".join(map(_text, value))
        case _:
            return str(value)


def _float_text(value: float) -> str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(value)
    shortest = next(text for text in (f"{value:.{digits}e}" for digits in range(1, 18)) if float(text) == value)
    digits, exponent = shortest.split("e")
    return f"{digits}E{int(exponent)}"


def _length(value: Any) -> int:
    return len(value.encode("utf-16-le", "surrogatepass")) // 2 if isinstance(value, str) else len(value)


def _number(value: Any) -> Any:
    if isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool) and abs(value) <= 1 << 63):
        return value
    raise _runtime("Cannot apply the operation to null" if value is None else f"Cannot use [{value}] as a number")


def member(holder: Any, key: Any, *, safe: bool) -> Any:
    """Return ``holder.key``; ScriptError where there is none, null where the holder is null and ``safe``."""
    if holder is None:
        if safe:
            return None
        raise _runtime(f"cannot access method/field [{key}] from a null def reference")
    if isinstance(holder, dict):
        return holder.get(key)
    if isinstance(holder, tuple) and key in ("key", "value"):
        return holder[key == "value"]
    if isinstance(holder, (list, str)) and key in ("length", "size"):
        return _length(holder)
    if isinstance(holder, list) and isinstance(key, int):
        return holder[_place(holder, key)]
    raise _runtime(f"dynamic getter [{key}] not found")


def ask(holder: Any, method: str, arguments: list[Any]) -> Any:
    """Call a method of ``QUESTIONS``; ScriptError where it does not fit."""
    if holder is None:
        raise _runtime(f"cannot access method/field [{method}] from a null def reference")
    try:
        return _answer(holder, method, arguments)
    except (TypeError, IndexError, AttributeError, ValueError):
        raise _missing(method, arguments) from None


def _answer(holder: Any, method: str, arguments: list[Any]) -> Any:  # noqa: C901  one case per method
    match method:
        case "containsKey":
            return arguments[0] in holder.keys()  # noqa: SIM118  an array has no keys and is refused
        case "contains":
            return arguments[0] in holder if isinstance(holder, str) else _place_of(arguments[0], holder) >= 0
        case "size" | "length":
            return _length(holder)
        case "isEmpty":
            return len(holder) == 0
        case "entrySet":
            return list(holder.items())
        case "keySet":
            return list(holder.keys())
        case "getKey" | "getValue":
            return holder[method == "getValue"]
        case "get":
            return holder.get(arguments[0]) if isinstance(holder, dict) else holder[_place(holder, arguments[0])]
        case "equals":
            return _equal(holder, arguments[0])
        case "startsWith":
            return holder.startswith(arguments[0])
        case "endsWith":
            return holder.endswith(arguments[0])
        case "toLowerCase":
            return holder.lower()
        case "toUpperCase":
            return holder.upper()
        case "indexOf":
            return _place_of(arguments[0], holder)
        case "toString" if not arguments:
            return _text(holder)
        case _:
            raise _missing(method, arguments)


def _place_of(wanted: Any, holder: Any) -> int:
    if isinstance(holder, str):
        before, found, _ = holder.partition(wanted)
        return _length(before) if found else -1
    return next((place for place, value in enumerate(list(holder)) if _equal(value, wanted)), -1)


def store(holder: Any, key: Any, value: Any) -> None:
    """Set ``holder.key``; ScriptError where it cannot be set."""
    if isinstance(holder, dict):
        holder[key] = value
    elif isinstance(holder, list) and isinstance(key, int):
        holder[_place(holder, key)] = value
    elif holder is None:
        raise _runtime(f"cannot access method/field [{key}] from a null def reference")
    else:
        raise _runtime(f"dynamic setter [{key}] not found")


def do(holder: Any, method: str, arguments: list[Any]) -> Any:
    """Call a method of ``EFFECTS`` and return what it gives in Java; ScriptError where it does not fit."""
    if holder is None:
        raise _runtime(f"cannot access method/field [{method}] from a null def reference")
    match holder, method, arguments:
        case dict(), "remove", [key]:
            return holder.pop(key, None)
        case list(), "remove", [int() as position]:
            return holder.pop(_place(holder, position))
        case dict(), "put", [key, value]:
            former, holder[key] = holder.get(key), value
            return former
        case dict(), "putAll", [dict() as values]:
            holder.update(values)
        case list(), "add", [value]:
            holder.append(value)
            return True
        case list(), "addAll", [list() as values]:
            holder.extend(values)
            return len(values) > 0
        case ((dict() | list()), "clear", []):
            holder.clear()
        case _:
            raise _missing(method, arguments)
    return None


def _place(holder: list[Any], position: int) -> int:
    if not 0 <= position < len(holder):
        raise _runtime(f"Index {position} out of bounds for length {len(holder)}")
    return position


def _runtime(reason: str) -> ScriptError:
    return ScriptError("runtime error", cause=ScriptError(reason))


def _missing(method: str, arguments: list[Any]) -> ScriptError:
    return _runtime(f"dynamic method [{method}/{len(arguments)}] not found or its arguments do not fit")

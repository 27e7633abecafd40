"""Small readers of JSON values shared by the parsers of this room; errors are worded as OpenSearch words them."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection
from typing import Any

from antiphon.errors import IllegalArgument, ParsingError

Scalar = str | int | float | bool

_MINIMUM = re.compile(r"-?\d{1,6}%?|\d{1,6}<-?\d{1,6}%?(\s+\d{1,6}<-?\d{1,6}%?)*")


def words(line: str) -> frozenset[str]:
    """Return the words of a line as a set."""
    return frozenset(line.split())


def token(value: object) -> str:
    """Return OpenSearch's name for the kind of a JSON value, as its error messages use it."""
    if isinstance(value, dict):
        return "START_OBJECT"
    if isinstance(value, list):
        return "START_ARRAY"
    if value is None:
        return "VALUE_NULL"
    if isinstance(value, bool):
        return "VALUE_BOOLEAN"
    return "VALUE_STRING" if isinstance(value, str) else "VALUE_NUMBER"


def an_object(where: str, value: object) -> dict[str, Any]:
    """Return a JSON object."""
    if not isinstance(value, dict):
        raise ParsingError(f"[{where}] must be an object, but found [{token(value)}]")
    return value


def only(what: str, body: dict[str, Any], allowed: Collection[str]) -> None:
    """ParsingError that names the first key of ``body``, which is ``what``, outside ``allowed``."""
    for key in body:
        if key not in allowed:
            raise ParsingError(f"{what} does not support [{key}]{did_you_mean(key, allowed)}")


def did_you_mean(word: str, known: Collection[str]) -> str:
    """Return a suggestion to append to a message; empty when no known word is close."""
    close = difflib.get_close_matches(word, known, n=1)
    return f" did you mean [{close[0]}]?" if close else ""


def scalar(where: str, value: object) -> Scalar:
    """Return a string, number or boolean."""
    if isinstance(value, (str, int, float)):
        return value
    if value is None:
        raise IllegalArgument(f"[{where}] value cannot be null")
    raise ParsingError(f"[{where}] does not support array or object values, found [{token(value)}]")


def text(where: str, value: object) -> str:
    """Return a scalar as text."""
    return as_text(scalar(where, value))


def as_text(value: Scalar) -> str:
    """Return a scalar's JSON text, a string as it is."""
    return value if isinstance(value, str) else json.dumps(value)


def texts(where: str, value: object) -> tuple[str, ...]:
    """Return an array of scalars as texts; a lone scalar is an array of one."""
    items = value if isinstance(value, list) else [value]
    return tuple(text(where, item) for item in items)


def boolean(where: str, value: object) -> bool:
    """Return a boolean; ``"true"`` and ``"false"`` pass."""
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return value == "true"
    raise IllegalArgument(f"Failed to parse value [{value}] of [{where}] as only [true] or [false] are allowed.")


def number(where: str, value: object) -> float:
    """Return a finite number; a string that spells one passes."""
    found = None if isinstance(value, bool) else as_number(value)
    if found is None:
        raise ParsingError(f"[{where}] must be a number, but found [{value}]")
    return found


def as_number(value: object) -> float | None:
    """Return the finite number that a JSON value is or spells; None when it does not."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str) and re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?", value, re.ASCII):
        return float(value)
    return None


def integer(where: str, value: object) -> int:
    """Return an integer; a string that spells one passes."""
    found = number(where, value)
    if not found.is_integer():
        raise ParsingError(f"[{where}] must be an integer, but found [{value}]")
    return int(found)


def boost(where: str, body: dict[str, Any]) -> float:
    """Return ``boost`` of a clause, 1 when absent; negative ones are refused."""
    value = number("boost", body.get("boost", 1.0))
    if value < 0:
        raise IllegalArgument(f"negative [boost] are not allowed in query [{where}], use a value between 0 and 1")
    return value


def minimum(where: str, value: object) -> str | None:
    """Return a ``minimum_should_match`` of legal shape, or None."""
    if value is None:
        return None
    spelled = text(where, value).strip()
    if not _MINIMUM.fullmatch(spelled):
        raise IllegalArgument(f"Failed to parse [minimum_should_match] of [{where}]: [{spelled}]")
    return spelled


def total_hits(value: Any) -> bool | int:
    """Return the ``track_total_hits`` of a search: True counts all, False none, a number up to that many."""
    if isinstance(value, bool) or value in ("true", "false"):
        return value in (True, "true")
    count = integer("track_total_hits", value)
    if count < -1:
        raise IllegalArgument(f"[track_total_hits] parameter must be positive or equals to -1, got {count}")
    return True if count == -1 else count

"""Compares a JSON value with a pattern and says, path by path, where they differ. Pure.

A pattern is JSON itself, with a few words in angle brackets:

* an object is a subset: every key of the pattern must be there and match; other keys do not matter.
  ``<keys>: [a, b]`` demands exactly these keys, in this order. A key with ``<absent>`` must not be there;
* an array must have the same length and match element by element; a last element ``<...>`` allows more;
* a string is equal to itself, ``/re/`` is a regular expression that must be found, and these words stand for a
  kind: ``<any> <int> <number> <str> <bool> <object> <array> <null> <ms>`` (an epoch time in milliseconds),
  ``<id>`` (20 or more URL-safe characters), ``<sha256>``;
* an object with one of these keys is an operator: ``<each>: p`` (every element), ``<length>: n``,
  ``<contains>: p`` (an element that matches, or a part of a string), ``<any of>: [p, ...]``, ``<all of>: [p, ...]``,
  ``<not>: p``, ``<at least>: n``, ``<near>: x`` with ``<within>: tolerance`` (numbers, or arrays of numbers).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

_EARLIEST_MS = 1_600_000_000_000
_LATEST_MS = 4_000_000_000_000
DEFAULT_TOLERANCE = 1e-6


class BadPattern(ValueError):
    """The pattern itself is wrong: an unknown word, an operator with a wrong operand."""


def differences(pattern: Any, value: Any, path: str = "$") -> list[str]:
    """Return one line for each place where ``value`` is not what ``pattern`` wants; an empty list when it is.

    Raises BadPattern for a pattern that could never be meant.
    """
    return list(_differences(pattern, value, path))


def _differences(pattern: Any, value: Any, path: str) -> Iterator[str]:
    if isinstance(pattern, dict):
        operators = [key for key in pattern if _is_word(key) and key not in ("<keys>", "<within>")]
        if operators:
            yield from _operate(operators, pattern, value, path)
        else:
            yield from _object(pattern, value, path)
    elif isinstance(pattern, list):
        yield from _array(pattern, value, path)
    elif isinstance(pattern, str):
        yield from _text(pattern, value, path)
    elif type(pattern) is not type(value) or pattern != value:
        yield _line(path, show(pattern), value)


def _object(pattern: dict[str, Any], value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield _line(path, "an object", value)
        return
    wanted = dict(pattern)
    keys = wanted.pop("<keys>", None)
    if keys is not None and list(value) != keys:
        yield f"{path}: expected exactly the keys {keys}, got {list(value)}"
    for key, inner in wanted.items():
        where = f"{path}.{key}" if re.fullmatch(r"[\w-]+", key) else f"{path}[{json.dumps(key)}]"
        if inner == "<absent>":
            if key in value:
                yield f"{where}: expected to be absent, got {show(value[key])}"
        elif key not in value:
            yield f"{where}: missing, expected {show(inner)}; there are {list(value)}"
        else:
            yield from _differences(inner, value[key], where)


def _array(pattern: list[Any], value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield _line(path, "an array", value)
        return
    more = bool(pattern) and pattern[-1] == "<...>"
    wanted = pattern[:-1] if more else pattern
    if len(value) < len(wanted) or (len(value) > len(wanted) and not more):
        yield f"{path}: expected {'at least ' if more else ''}{len(wanted)} elements, got {len(value)}: {show(value)}"
    for place, (inner, item) in enumerate(zip(wanted, value, strict=False)):
        yield from _differences(inner, item, f"{path}[{place}]")


def _text(pattern: str, value: Any, path: str) -> Iterator[str]:
    if _is_word(pattern):
        if pattern not in _KINDS:
            raise BadPattern(f"{path}: unknown word {pattern}; known are {sorted(_KINDS)}")
        if not _KINDS[pattern](value):
            yield _line(path, pattern, value)
    elif len(pattern) > 2 and pattern.startswith("/") and pattern.endswith("/"):
        if not isinstance(value, str) or not re.search(pattern[1:-1], value, re.DOTALL):
            yield _line(path, f"a match of {pattern}", value)
    elif pattern != value:
        yield _line(path, show(pattern), value)


def _operate(operators: list[str], pattern: dict[str, Any], value: Any, path: str) -> Iterator[str]:
    stray = [key for key in pattern if not _is_word(key)] + [key for key in operators if key not in _OPERATORS]
    if stray:
        raise BadPattern(f"{path}: {stray[0]!r} cannot stand beside {operators[0]}; operators are {sorted(_OPERATORS)}")
    for key in operators:
        if key == "<near>":
            yield from _near(pattern[key], value, path, pattern.get("<within>", DEFAULT_TOLERANCE))
        else:
            yield from _OPERATORS[key](pattern[key], value, path)


def _each(operand: Any, value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield _line(path, "an array", value)
        return
    for place, item in enumerate(value):
        yield from _differences(operand, item, f"{path}[{place}]")


def _length(operand: Any, value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, (list, str, dict)):
        yield _line(path, f"something of length {operand}", value)
    else:
        yield from _differences(operand, len(value), f"{path}.length")


def _contains(operand: Any, value: Any, path: str) -> Iterator[str]:
    if isinstance(value, str):
        if not isinstance(operand, str):
            raise BadPattern(f"{path}: <contains> on a string wants a string")
        if operand not in value:
            yield _line(path, f"a text with {operand!r} in it", value)
    elif not isinstance(value, list):
        yield _line(path, "an array or a string", value)
    elif not any(matches(operand, item) for item in value):
        yield _line(path, f"an element that matches {show(operand)}", value)


def _any_of(operand: Any, value: Any, path: str) -> Iterator[str]:
    if not any(matches(choice, value) for choice in operand):
        yield _line(path, f"one of {show(operand)}", value)


def _all_of(operand: Any, value: Any, path: str) -> Iterator[str]:
    for part in operand:
        yield from _differences(part, value, path)


def _not(operand: Any, value: Any, path: str) -> Iterator[str]:
    if matches(operand, value):
        yield _line(path, f"anything but {show(operand)}", value)


def _at_least(operand: Any, value: Any, path: str) -> Iterator[str]:
    if not _number(value) or value < operand:
        yield _line(path, f"at least {operand}", value)


def _near(operand: Any, value: Any, path: str, within: float) -> Iterator[str]:
    if isinstance(operand, list):
        if not isinstance(value, list) or len(value) != len(operand):
            yield _line(path, f"{len(operand)} numbers", value)
            return
        for place, (wanted, item) in enumerate(zip(operand, value, strict=True)):
            yield from _near(wanted, item, f"{path}[{place}]", within)
    elif not _number(operand):
        raise BadPattern(f"{path}: <near> wants a number or an array of numbers, not {show(operand)}")
    elif not _number(value) or not math.isfinite(value) or abs(value - operand) > within:
        yield _line(path, f"{operand} within {within}", value)


def matches(pattern: Any, value: Any) -> bool:
    """True when there is no difference."""
    return not differences(pattern, value)


def show(value: Any) -> str:
    """Return JSON text of at most 200 characters."""
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= 200 else f"{text[:197]}..."


def _line(path: str, wanted: str, value: Any) -> str:
    return f"{path}: expected {wanted}, got {show(value)}"


def _is_word(text: str) -> bool:
    return len(text) > 2 and text.startswith("<") and text.endswith(">")


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _found(pattern: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


_KINDS: dict[str, Callable[[Any], bool]] = {
    "<any>": lambda value: True,
    "<int>": _integer,
    "<number>": _number,
    "<str>": lambda value: isinstance(value, str),
    "<bool>": lambda value: isinstance(value, bool),
    "<object>": lambda value: isinstance(value, dict),
    "<array>": lambda value: isinstance(value, list),
    "<null>": lambda value: value is None,
    "<ms>": lambda value: _integer(value) and _EARLIEST_MS < value < _LATEST_MS,
    "<id>": _found(r"[A-Za-z0-9_-]{20,}"),
    "<sha256>": _found(r"[0-9a-f]{64}"),
}

_OPERATORS: dict[str, Callable[[Any, Any, str], Iterator[str]]] = {
    "<each>": _each,
    "<length>": _length,
    "<contains>": _contains,
    "<any of>": _any_of,
    "<all of>": _all_of,
    "<not>": _not,
    "<at least>": _at_least,
    "<near>": lambda operand, value, path: _near(operand, value, path, DEFAULT_TOLERANCE),
}

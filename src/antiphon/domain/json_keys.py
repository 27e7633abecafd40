"""Refuses JSON objects that have a key twice, as OpenSearch does; orjson keeps the last of them without a word."""

from __future__ import annotations

import json
from typing import Any

from antiphon.errors import JsonError


def check_keys(text: bytes, value: Any) -> None:
    """Raise JsonError, which names the key, when an object of ``text`` has one twice; ``value`` is what it parses to.

    Every key has a colon, and so may texts have: none is lost when there are as many as ``value`` accounts for. These
    are too few for a text among numbers, and may be too many when a colon is escaped: then a slow parser looks.
    """
    colons = text.count(b":")
    if type(value) is dict and colons == len(value):
        return
    if colons != _colons(value) or any(escaped in text for escaped in _ESCAPED):
        try:
            json.loads(text, object_pairs_hook=_refuse)
        except RecursionError:
            raise JsonError("too many objects or arrays lie in one another: send flatter JSON") from None


_ESCAPED = (b"\\u003a", b"\\u003A")
"""A colon, escaped."""


def _colons(value: Any) -> int:
    """How many colons the keys and texts of ``value`` make; arrays that begin with a number are passed over."""
    count, left = 0, [value]
    while left:
        item = left.pop()
        kind = type(item)
        if kind is str:
            count += item.count(":")
        elif kind is dict:
            count += len(item)
            left += item
            left += item.values()
        elif kind is list and item and type(item[0]) not in _NUMBERS:
            left += item
    return count


_NUMBERS = frozenset({int, float})


def _refuse(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise JsonError(f"Duplicate field '{key}': send each key once")
        seen.add(key)

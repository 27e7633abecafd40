"""Reads JSON bodies strictly, and fast: a key sent twice is refused, as OpenSearch refuses it."""

from __future__ import annotations

import codecs
import json
import re
from typing import Any

import orjson

from antiphon.errors import JsonError

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


def loads(text: bytes) -> Any:
    """Return the value of a JSON text; JsonError when it is none, or when an object has a key twice."""
    try:
        value = orjson.loads(text.removeprefix(codecs.BOM_UTF8))
    except orjson.JSONDecodeError as error:
        raise JsonError(f"the request body is not valid JSON: {error}") from None
    if _keys_written(text) != _keys_held(value):
        json.loads(
            text.removeprefix(codecs.BOM_UTF8), object_pairs_hook=_refuse_duplicates
        )  # slow, but it names the key
    return value


def _keys_written(text: bytes) -> int:
    """How many keys valid JSON has: one for every colon outside its strings."""
    inside: int = sum(found.count(b":") for found in _STRING.findall(text))
    return text.count(b":") - inside


def _keys_held(value: Any) -> int:
    """How many keys the objects of a parsed value have: orjson keeps the last of two."""
    count, left = 0, [value]
    while left:
        item = left.pop()
        if type(item) is dict:
            count += len(item)
            left.extend(inner for inner in item.values() if type(inner) in _HOLDERS)
        elif type(item) is list:
            left.extend(inner for inner in item if type(inner) in _HOLDERS)
    return count


_HOLDERS = frozenset({dict, list})


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise JsonError(f"Duplicate field '{key}' in the request body: send each key once")
        seen.add(key)

"""Reads the fields of one JSON object the way OpenSearch's parsers do, and keeps count of those nobody asked for.

Scalars are lenient: where text is expected a number is taken as its text; where a boolean is expected ``"true"``
and ``"false"`` pass; an integer may come as a string. Anything else is an IllegalArgument that names the field.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from antiphon.errors import IllegalArgument, ParsingError


class Fields:
    """A view of one object; every getter marks its key as read, ``unread`` returns the rest."""

    def __init__(self, body: object, where: str) -> None:
        if not isinstance(body, dict):
            raise ParsingError(f"[{where}] must be a JSON object, but was {kind(body)}")
        self._body: dict[str, Any] = body
        self._where = where
        self._read: set[str] = set()

    def raw(self, key: str) -> Any:
        """Return the value as parsed; None when absent or null."""
        self._read.add(key)
        return self._body.get(key)

    def has(self, key: str) -> bool:
        """True when the key is there, even with null."""
        self._read.add(key)
        return key in self._body

    def text(self, key: str) -> str | None:
        """Return a string; numbers and booleans become their JSON text."""
        value = self.raw(key)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, (bool, int, float)):
            return json.dumps(value)
        raise self._wrong(key, "a string", value)

    def boolean(self, key: str) -> bool | None:
        """Return a boolean; ``"true"`` and ``"false"`` pass."""
        value = self.raw(key)
        if value is None or isinstance(value, bool):
            return value
        if value in ("true", "false"):
            return bool(value == "true")
        raise self._wrong(key, "[true] or [false]", value)

    def integer(self, key: str) -> int | None:
        """Return an integer; a string of digits passes."""
        value = self.raw(key)
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, str):
            try:
                return int(value)
            except ValueError:
                raise self._wrong(key, "an integer", value) from None
        raise self._wrong(key, "an integer", value)

    def number(self, key: str) -> float | None:
        """Return a number; a string that is one passes."""
        value = self.raw(key)
        if value is None:
            return None
        if isinstance(value, (int, float, str)) and not isinstance(value, bool):
            try:
                return float(value)
            except ValueError:
                raise self._wrong(key, "a number", value) from None
        raise self._wrong(key, "a number", value)

    def words(self, key: str) -> tuple[str, ...] | None:
        """Return an array of strings; a lone string is an array of one."""
        value = self.raw(key)
        if value is None:
            return None
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list):
            raise self._wrong(key, "an array of strings", value)
        return tuple(self._scalar(key, position, item) for position, item in enumerate(items))

    def integers(self, key: str) -> tuple[int, ...] | None:
        """Return an array of integers."""
        words = self.words(key)
        if words is None:
            return None
        try:
            return tuple(int(word) for word in words)
        except ValueError:
            raise self._wrong(key, "an array of integers", words) from None

    def nested(self, key: str) -> dict[str, Any] | None:
        """Return a JSON object."""
        value = self.raw(key)
        if value is None or isinstance(value, dict):
            return value
        raise self._wrong(key, "an object", value)

    def skip(self, *keys: str) -> None:
        """Mark keys that are ignored on purpose."""
        self._read.update(keys)

    def unread(self) -> list[str]:
        """Return the keys nobody asked for, in the order of the body."""
        return [key for key in self._body if key not in self._read]

    def notices(self) -> list[str]:
        """Return one sentence for each key nobody asked for, for the ``Warning`` header."""
        return [f"ignored the unknown field [{key}] in [{self._where}]" for key in self.unread()]

    def _scalar(self, key: str, position: int, item: object) -> str:
        if isinstance(item, str):
            return item
        if isinstance(item, (int, float)) and not isinstance(item, bool):
            return json.dumps(item)
        raise self._wrong(f"{key}[{position}]", "a string", item)

    def _wrong(self, key: str, wanted: str, value: object) -> IllegalArgument:
        return IllegalArgument(f"[{key}] in [{self._where}] must be {wanted}, but was {kind(value)}")


def kind(value: object) -> str:
    """Return a short description of a JSON value for an error message: its type, and its text when short."""
    if value is None:
        return "null"
    if isinstance(value, (dict, list, tuple)):
        return "an object" if isinstance(value, dict) else "an array"
    shown = json.dumps(value, ensure_ascii=False)
    name = "a boolean" if isinstance(value, bool) else "a number" if isinstance(value, (int, float)) else "the string"
    return f"{name} {shown if len(shown) <= 80 else shown[:77] + '...'}"


def without_nulls(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return the document with its null fields left out, as OpenSearch prints documents."""
    return {key: value for key, value in pairs if value is not None}

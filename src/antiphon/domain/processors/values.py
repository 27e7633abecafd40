"""Processors that read a value anew: convert, json, date."""

from __future__ import annotations

import ipaddress
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from antiphon.domain.ingest_document import IngestDocument
from antiphon.domain.processors.text import cannot_cast, java_text
from antiphon.errors import IllegalArgument

_WHOLE = re.compile(r"[+-]?(?:\d+|0[xX][0-9a-fA-F]+)")
_REAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[fFdD]?")


@dataclass(frozen=True, slots=True)
class Convert:
    """Turns a value, or every item of a list, into ``type``."""

    field: str
    target_field: str
    type: str
    ignore_missing: bool = False

    def change(self, document: IngestDocument) -> None:
        """See ``Change``."""
        value = document.get_or(self.field) if self.ignore_missing else document.get(self.field)
        if value is None and self.ignore_missing:
            return
        if value is None:
            raise IllegalArgument(f"Field [{self.field}] is null, cannot be converted to type [{self.type}]")
        convert = CONVERSIONS[self.type]
        document.set(
            self.target_field, [convert(item) for item in value] if isinstance(value, list) else convert(value)
        )


@dataclass(frozen=True, slots=True)
class Json:
    """Parses a text as JSON, into ``target_field`` or, with ``add_to_root``, beside the document's own fields."""

    field: str
    target_field: str
    add_to_root: bool = False

    def change(self, document: IngestDocument) -> None:
        """See ``Change``."""
        value = document.get(self.field)
        parsed = _parse_json(value) if isinstance(value, str) else value
        if isinstance(value, (dict, list)):
            raise IllegalArgument(cannot_cast(self.field, value, "java.lang.String"))
        if not self.add_to_root:
            document.set(self.target_field, parsed)
        elif isinstance(parsed, dict):
            document.source.update(parsed)
        else:
            raise IllegalArgument("cannot add non-map fields to root of document")


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except ValueError as error:
        raise IllegalArgument(f"Unrecognized JSON in the text: {error}") from None
    except RecursionError:
        raise IllegalArgument("Unrecognized JSON in the text: it is nested too deeply") from None


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


def _whole(name: str, bits: int) -> Callable[[Any], Any]:
    def convert(value: Any) -> int:
        text = java_text(value)
        if _WHOLE.fullmatch(text):
            number = int(text, 16 if "x" in text.lower() else 10)
            if -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
                return number
        raise IllegalArgument(f"unable to convert [{text}] to {name}")

    return convert


def _real(name: str, largest: float) -> Callable[[Any], Any]:
    def convert(value: Any) -> float:
        text = java_text(value)
        if _REAL.fullmatch(text):
            number = float(text.rstrip("fFdD"))
            if math.isfinite(number) and abs(number) <= largest:
                return number
        raise IllegalArgument(f"unable to convert [{text}] to {name}")

    return convert


def _boolean(value: Any) -> bool:
    text = java_text(value)
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    raise IllegalArgument(f"[{text}] is not a boolean value, cannot convert to boolean")


def _ip(value: Any) -> str:
    text = java_text(value)
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise IllegalArgument(f"'{text}' is not an IP string literal.") from None
    return text


def _auto(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    for name in ("boolean", "integer", "long", "float", "double"):
        try:
            return CONVERSIONS[name](value)
        except IllegalArgument:
            continue
    return value


CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "integer": _whole("integer", 32),
    "long": _whole("long", 64),
    "float": _real("float", 3.4028234663852886e38),
    "double": _real("double", 1.7976931348623157e308),
    "boolean": _boolean,
    "string": java_text,
    "ip": _ip,
    "auto": _auto,
}
"""What ``convert`` can turn a value into."""

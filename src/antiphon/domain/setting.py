"""One setting: its key, its type, its range, and what OpenSearch says about a value that does not fit.

A value is kept the way OpenSearch keeps it: a scalar as the text that was sent, a list as a list of texts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from antiphon.errors import IllegalArgument, ParseError

SettingValue = str | list[str]
"""``"true"``, ``"99"``, ``"5gb"`` or ``["a", "b"]``."""

_MAX_DEPTH = 50


class SettingType(Enum):
    """What a value must look like."""

    BOOLEAN = auto()
    INTEGER = auto()
    FLOAT = auto()
    TEXT = auto()
    CHOICE = auto()
    WORDS = auto()
    REGEX = auto()
    REGEXES = auto()
    BYTES = auto()
    TIME = auto()


class Mutability(Enum):
    """When a value may change: at any time, only at start, or never."""

    DYNAMIC = auto()
    STATIC = auto()
    FINAL = auto()


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of a settings table. A key that ends in ``*`` stands for a family; ``low`` and ``high`` are inclusive.

    ``acts`` is False for a setting that is accepted and stored so that scripts for a cluster run, but changes nothing.
    """

    key: str
    type: SettingType
    default: SettingValue
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    mutability: Mutability = Mutability.DYNAMIC
    acts: bool = False

    @property
    def family(self) -> bool:
        """True when the key stands for all keys that begin like it."""
        return self.key.endswith("*")

    def check(self, key: str, value: SettingValue) -> None:
        """IllegalArgument in OpenSearch's words when ``value`` does not fit; ``key`` is the one sent."""
        read = _READERS[self.type](key, value)
        if self.choices and read not in self.choices:
            raise IllegalArgument(f"{_unfit(key, value)} must be one of [{', '.join(self.choices)}]")
        if self.low is not None and isinstance(read, (int, float)) and read < self.low:
            raise IllegalArgument(f"{_unfit(key, value)} must be >= {self.low}")
        if self.high is not None and isinstance(read, (int, float)) and read > self.high:
            raise IllegalArgument(f"{_unfit(key, value)} must be <= {self.high}")


def boolean(value: SettingValue) -> bool:
    """Return the boolean; only the exact words ``true`` and ``false`` are one."""
    if value not in ("true", "false"):
        raise IllegalArgument(f"Failed to parse value [{_shown(value)}] as only [true] or [false] are allowed.")
    return value == "true"


def integer(key: str, value: SettingValue) -> int:
    """Return the 32-bit integer that ``value`` spells."""
    text = _scalar(key, value)
    if not re.fullmatch(r"[+-]?[0-9]{1,10}", text) or not -(2**31) <= int(text) < 2**31:
        raise IllegalArgument(_unfit(key, value))
    return int(text)


def floating(key: str, value: SettingValue) -> float:
    """Return the finite number that ``value`` spells."""
    text = _scalar(key, value)
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,2})?", text):
        raise IllegalArgument(_unfit(key, value))
    return float(text)


def words(value: SettingValue) -> tuple[str, ...]:
    """Return a list's items; a text is a comma-separated list, blanks around its items and empty items are dropped."""
    if isinstance(value, list):
        return tuple(value)
    return tuple(word for item in value.split(",") if (word := item.strip()))


_BYTES = {unit + suffix: 1024**power for power, unit in enumerate("kmgtp", 1) for suffix in ("", "b")} | {"b": 1}


def size_bytes(key: str, value: SettingValue) -> int:
    """Return bytes (1024-based units); ``-1`` and ``0`` need no unit."""
    text = _scalar(key, value).strip().lower()
    if text in ("-1", "0"):
        return int(text)
    return int(_measure(key, value, text, _BYTES, "a size in bytes"))


_SECONDS = {"nanos": 1e-9, "micros": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def time_seconds(key: str, value: SettingValue) -> float:
    """Return seconds; ``-1`` (never) and ``0`` need no unit."""
    text = _scalar(key, value).strip().lower()
    if text in ("-1", "0"):
        return float(text)
    return _measure(key, value, text, _SECONDS, "a time value")


def _measure(key: str, value: SettingValue, text: str, units: dict[str, float] | dict[str, int], what: str) -> float:
    found = re.fullmatch(r"([^a-z]*)([a-z]*)", text)
    complaint = f"failed to parse setting [{key}] with value [{_shown(value)}] as {what}"
    if found is None or found[2] not in units:
        raise IllegalArgument(f"{complaint}: unit is missing or unrecognized, use one of [{', '.join(units)}]")
    if not re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,9})?", found[1].strip()):
        raise IllegalArgument(complaint)
    return float(found[1]) * units[found[2]]


def _regexes(key: str, value: SettingValue) -> tuple[str, ...]:
    patterns = words(value)
    for pattern in patterns:
        _regex(key, pattern)
    return patterns


def _regex(key: str, value: SettingValue) -> re.Pattern[str]:
    pattern = _scalar(key, value)
    try:
        return re.compile(pattern)
    except re.error as error:
        raise IllegalArgument(f"{_unfit(key, pattern)} it is not a regular expression: {error}") from error


def setting_leaves(section: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, SettingValue | None]]:
    """Yield dotted key and value of a nested section: texts, lists of texts, None for null. ParseError otherwise."""
    if prefix.count(".") > _MAX_DEPTH:
        raise ParseError(f"settings nested more than {_MAX_DEPTH} levels deep below [{prefix.partition('.')[0]}]")
    for name, value in section.items():
        key = prefix + name
        if isinstance(value, Mapping):
            yield from setting_leaves(value, f"{key}.")
        elif isinstance(value, list):
            yield key, [_text(key, item) for item in value]
        else:
            yield key, None if value is None else _text(key, value)


def _text(key: str, value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, int, float)):
        return json.dumps(value)
    held = "null" if value is None else "an object" if isinstance(value, Mapping) else "an array"
    raise ParseError(f"only value lists are allowed in serialized settings, but [{key}] holds {held}")


def _scalar(key: str, value: SettingValue) -> str:
    if isinstance(value, list):
        raise IllegalArgument(f"{_unfit(key, value)} it takes one value, not a list")
    return value


def _unfit(key: str, value: SettingValue) -> str:
    return f"Failed to parse value [{_shown(value)}] for setting [{key}]"


def _shown(value: SettingValue) -> str:
    return f"[{', '.join(value)}]" if isinstance(value, list) else value


_READERS: Mapping[SettingType, Callable[[str, SettingValue], object]] = {
    SettingType.BOOLEAN: lambda _, value: boolean(value),
    SettingType.INTEGER: integer,
    SettingType.FLOAT: floating,
    SettingType.TEXT: _scalar,
    SettingType.CHOICE: _scalar,
    SettingType.WORDS: lambda _, value: words(value),
    SettingType.REGEX: _regex,
    SettingType.REGEXES: _regexes,
    SettingType.BYTES: size_bytes,
    SettingType.TIME: time_seconds,
}

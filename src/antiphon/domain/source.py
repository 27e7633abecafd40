"""A document's ``_source``: how it is read, and which part of it is wanted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson

from antiphon.domain.json_keys import check_keys
from antiphon.domain.pattern import star_pattern
from antiphon.errors import IllegalArgument, JsonError, MapperParsing, ParseError

_EMPTY: tuple[Any, ...] = (None, {}, [])


@dataclass(frozen=True, slots=True)
class SourceFilter:
    """Dotted patterns with ``*``; one that names an object keeps all below it; excludes win; no includes means all."""

    enabled: bool = True
    includes: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()

    @property
    def everything(self) -> bool:
        """True when nothing is left out."""
        return self.enabled and not self.includes and not self.excludes

    def of(self, source: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the wanted part; the source itself when that is all of it."""
        if not self.includes and not self.excludes:
            return source
        wanted = tuple(_compiled(pattern) for pattern in self.includes)
        unwanted = tuple(_compiled(pattern) for pattern in self.excludes)
        return _object(source, "", not wanted, wanted, unwanted)

    def shown(self, source: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return the wanted part; None when there is to be none at all."""
        return self.of(source) if self.enabled else None


def parse_document(source: memoryview | bytes) -> dict[str, Any]:
    """Return the parsed document; ParseError when empty, MapperParsing when it is no JSON object or has a key twice."""
    try:
        parsed = orjson.loads(source)
        check_keys(bytes(source), parsed)
    except orjson.JSONDecodeError as error:
        if not bytes(source).strip():
            raise ParseError("request body is required") from None
        raise MapperParsing("failed to parse", cause=JsonError(str(error))) from None
    except JsonError as error:
        raise MapperParsing("failed to parse", cause=error) from None
    if not isinstance(parsed, dict):
        raise MapperParsing(
            "failed to parse",
            cause=IllegalArgument(f"a document must be a JSON object, but found [{token(parsed)}]"),
        )
    return parsed


def token(value: object) -> str:
    """Return Jackson's name of a JSON value's first token."""
    match value:
        case bool():
            return "VALUE_TRUE" if value else "VALUE_FALSE"
        case None:
            return "VALUE_NULL"
        case str():
            return "VALUE_STRING"
        case int():
            return "VALUE_NUMBER_INT"
        case float():
            return "VALUE_NUMBER_FLOAT"
        case list():
            return "START_ARRAY"
        case _:
            return "START_OBJECT"


_Patterns = tuple[re.Pattern[str], ...]


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return star_pattern(pattern)


def _object(
    source: Mapping[str, Any], prefix: str, included: bool, wanted: _Patterns, unwanted: _Patterns
) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in source.items():
        path = prefix + name
        if any(pattern.fullmatch(path) for pattern in unwanted):
            continue
        inside = included or any(pattern.fullmatch(path) for pattern in wanted)
        found = _value(value, path, inside, wanted, unwanted)
        if inside or found not in _EMPTY:
            kept[name] = found
    return kept


def _value(value: Any, path: str, included: bool, wanted: _Patterns, unwanted: _Patterns) -> Any:
    if isinstance(value, Mapping):
        return _object(value, f"{path}.", included, wanted, unwanted)
    if isinstance(value, list) and any(isinstance(item, (Mapping, list)) for item in value):
        items = [_value(item, path, included, wanted, unwanted) for item in value]
        return items if included else [item for item in items if item not in _EMPTY]
    return value if included else None

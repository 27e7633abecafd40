"""Which fields are what: the little of a mapping that catalog documents need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

_IGNORE_ABOVE = 256


class FieldType(Enum):
    """How a field's values are compared. PLAIN goes by each value's own type: keyword, number or boolean."""

    TEXT = auto()
    DATE = auto()
    PLAIN = auto()


@dataclass(frozen=True, slots=True)
class Schema:
    """Names of the analysed and the date fields; every text field ``f`` has an ``f.keyword`` beside it."""

    text: frozenset[str] = frozenset({"name", "description", "error"})
    dates: frozenset[str] = frozenset(
        {
            "created_time", "last_updated_time", "last_registered_time", "last_deployed_time", "last_undeployed_time",
            "create_time", "last_update_time",
        }
    )  # fmt: skip

    def type_of(self, field: str) -> FieldType:
        """Return how ``field`` is compared."""
        if field in self.text:
            return FieldType.TEXT
        return FieldType.DATE if field in self.dates else FieldType.PLAIN


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a catalog; dates in ``source`` are epoch milliseconds."""

    id: str
    source: Mapping[str, Any]
    version: int = 1
    seq_no: int = 0


def values_of(document: Document, field: str, schema: Schema) -> tuple[Any, ...]:
    """Return the scalars at a dotted path, arrays flattened, nulls left out; ``_id`` and ``f.keyword`` included."""
    if field == "_id":
        return (document.id,)
    owner, _, last = field.rpartition(".")
    if last == "keyword" and owner in schema.text:
        found = _walk(document.source, owner.split("."))
        return tuple(value for value in found if isinstance(value, str) and len(value) <= _IGNORE_ABOVE)
    return tuple(_walk(document.source, field.split(".")))


def has_value(document: Document, field: str, schema: Schema) -> bool:
    """True when there is a value at the path or anywhere below it."""
    if field == "_id" or values_of(document, field, schema):
        return True
    return any(True for _ in _below(_objects(document.source, field.split("."))))


def _walk(value: object, path: list[str]) -> Iterator[Any]:
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _walk(item, path)
    elif path and isinstance(value, Mapping):
        yield from _walk(value.get(path[0]), path[1:])
    elif not path and value is not None and not isinstance(value, Mapping):
        yield value


def _objects(value: object, path: list[str]) -> list[Any]:
    if isinstance(value, (list, tuple)):
        return [found for item in value for found in _objects(item, path)]
    if not isinstance(value, Mapping):
        return []
    return [value] if not path else _objects(value.get(path[0]), path[1:])


def _below(value: object) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _below(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _below(item)
    elif value is not None:
        yield value

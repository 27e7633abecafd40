"""What the fields of an index are, read from its mapping: dotted name to type, multi-fields among them."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

_SHOWN = 12


def read_fields(mappings: dict[str, Any]) -> dict[str, str]:
    """Return dotted name -> type of every field that can be searched, from an answer to ``GET /{index}/_mapping``."""
    found: dict[str, str] = {}
    for one in mappings.values():
        found |= dict(_below("", one["mappings"].get("properties", {})))
    return found


def vector_fields(mappings: dict[str, Any]) -> list[str]:
    """Return the dotted names of all fields that hold vectors, those of nested objects among them."""
    return [name for one in mappings.values() for name in _vectors("", one["mappings"].get("properties", {}))]


def text_fields(fields: dict[str, str]) -> list[str]:
    """Return the fields in which words are searched."""
    return [name for name, kind in fields.items() if kind in ("text", "semantic")]


def keyword_of(fields: dict[str, str], name: str) -> str | None:
    """Return the field that holds the whole value of a text field, if its mapping has one."""
    inside = [other for other in fields if other.rpartition(".")[0] == name and fields[other] == "keyword"]
    return inside[0] if inside else None


def known(fields: dict[str, str], wanted: str) -> str:
    """Return the words that tell which fields there are, those first that look like ``wanted``."""
    names = [name for name in fields if not keyword_like(fields, name)]
    close = get_close_matches(wanted, names, n=3)
    shown = [*close, *(name for name in names if name not in close)]
    return ", ".join(shown[:_SHOWN]) + (", ..." if len(shown) > _SHOWN else "") or "none"


def keyword_like(fields: dict[str, str], name: str) -> bool:
    """Return whether a field is the multi-field of another."""
    return fields.get(name.rpartition(".")[0]) is not None


def _below(prefix: str, properties: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, spec in properties.items():
        path = f"{prefix}{name}"
        if spec.get("type") == "nested" or name.endswith("_semantic_info"):
            continue
        if "properties" in spec:
            yield from _below(f"{path}.", spec["properties"])
        elif spec.get("index", True):
            yield path, spec["type"]
            yield from _below(f"{path}.", spec.get("fields", {}))


def _vectors(prefix: str, properties: dict[str, Any]) -> Iterator[str]:
    for name, spec in properties.items():
        if spec.get("type") == "knn_vector":
            yield f"{prefix}{name}"
        yield from _vectors(f"{prefix}{name}.", spec.get("properties", {}))

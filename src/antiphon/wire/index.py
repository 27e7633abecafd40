"""Indices: the body of a create request, settings, mappings of single fields, and what GET shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from antiphon.domain.index import Index, IndexBody
from antiphon.domain.index_settings import default_settings, flatten_settings
from antiphon.domain.mapping import IndexMapping
from antiphon.domain.pattern import star_pattern
from antiphon.domain.setting import SettingValue
from antiphon.errors import ParseError
from antiphon.wire.alias import read_aliases, write_aliases
from antiphon.wire.cluster_settings import write_section
from antiphon.wire.fields import kind


def read_create(body: object) -> IndexBody:
    """Return a create request; ParseError for a key beside settings, mappings and aliases."""
    if not isinstance(body, dict):
        raise ParseError(f"the body of create index must be a JSON object, but was {kind(body)}")
    for key in body:
        if key not in ("settings", "mappings", "aliases"):
            raise ParseError(f"unknown key [{key}] for create index")
    return read_index_body(body)


def read_index_body(body: Mapping[str, Any]) -> IndexBody:
    """Return the settings, mappings and aliases of an object that has been checked for other keys."""
    return IndexBody(
        flatten_settings(_object(body, "settings")),
        _object(body, "mappings"),
        read_aliases(body.get("aliases") or {}),
    )


def write_index_body(body: IndexBody) -> dict[str, Any]:
    """Return the object that ``read_index_body`` reads, without what is empty."""
    parts = {
        "settings": write_section(body.settings, flat=False),
        "mappings": dict(body.mappings),
        "aliases": write_aliases(body.aliases),
    }
    return {key: value for key, value in parts.items() if value}


def read_settings(body: object) -> dict[str, SettingValue | None]:
    """Return the changes of a ``PUT _settings``, with or without an outer ``settings``."""
    if not isinstance(body, dict):
        raise ParseError(f"the body of update settings must be a JSON object, but was {kind(body)}")
    inner = body.get("settings")
    return flatten_settings(inner if len(body) == 1 and isinstance(inner, dict) else body)


def write_settings(
    index: Index, *, names: str = "*", flat: bool = False, include_defaults: bool = False
) -> dict[str, Any]:
    """Return ``{"settings": {...}}``, with ``defaults`` when asked; ``names`` is a comma list of patterns."""
    patterns = [star_pattern("*" if word == "_all" else word) for word in names.split(",") if word]

    def picked(settings: Mapping[str, SettingValue]) -> dict[str, Any]:
        found = {key: value for key, value in settings.items() if any(item.fullmatch(key) for item in patterns)}
        return write_section(found, flat)

    defaults = {"defaults": picked(default_settings(index.settings))} if include_defaults else {}
    return {"settings": picked(index.settings)} | defaults


def write_index(index: Index, *, flat: bool = False, include_defaults: bool = False) -> dict[str, Any]:
    """Return an index as ``GET /{index}`` shows it."""
    return {
        "aliases": write_aliases(index.aliases),
        "mappings": index.mapping.body,
        **write_settings(index, flat=flat, include_defaults=include_defaults),
    }


def write_field_mappings(index: Index, patterns: Sequence[str]) -> dict[str, Any]:
    """Return the mappings of the fields that match, by full name."""
    mapping = index.mapping
    names = dict.fromkeys(name for pattern in patterns for name, _ in mapping.named(pattern) if name in mapping.fields)
    return {
        "mappings": {
            name: {"full_name": name, "mapping": {name.rpartition(".")[2]: _definition(mapping, name)}}
            for name in names
        }
    }


def _definition(mapping: IndexMapping, path: str) -> dict[str, Any]:
    """The JSON of one field, its multi-fields within."""
    inner = {
        sub.removeprefix(f"{path}."): dict(field.options)
        for sub, field in mapping.fields.items()
        if sub.startswith(f"{path}.") and field.source == path
    }
    return dict(mapping.fields[path].options) | ({"fields": inner} if inner else {})


def write_state(index: Index) -> dict[str, Any]:
    """Return an index as ``_cluster/state`` shows it."""
    return {
        "state": "close" if index.closed else "open",
        "settings": write_section(index.settings, flat=False),
        "mappings": {"_doc": index.mapping.body} if index.mapping.body else {},
        "aliases": list(index.aliases),
    }


def _object(body: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = body.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ParseError(f"key [{key}] must be an object, but was {kind(value)}")
    return value

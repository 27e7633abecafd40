"""An index as the catalog keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from antiphon.domain.index import Alias, Index
from antiphon.domain.index_settings import field_defaults
from antiphon.domain.mapping import IndexMapping
from antiphon.domain.shapes import prepare

prepare(Alias)


def write_definition(index: Index) -> dict[str, Any]:
    """Return the JSON of an index; its name is the key."""
    return {
        "uuid": index.uuid,
        "created_ms": index.created_ms,
        "settings": dict(index.settings),
        "mapping": index.mapping.body,
        "aliases": {name: msgspec.to_builtins(alias) for name, alias in index.aliases.items()},
        "closed": index.closed,
    }


def read_definition(name: str, body: Mapping[str, Any]) -> Index:
    """Return the index that ``write_definition`` wrote."""
    return Index(
        name,
        body["uuid"],
        body["created_ms"],
        body["settings"],
        IndexMapping.parse(
            body["mapping"],
            knn=body["settings"].get("index.knn") == "true",
            defaults=field_defaults(body["settings"]),
            stored=True,
        ),
        {alias: msgspec.convert(value, Alias) for alias, value in body["aliases"].items()},
        body["closed"],
    )

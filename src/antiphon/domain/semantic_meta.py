"""``semantic`` fields on an engine that does not know them: plain fields, and a note in the mapping's ``_meta``.

The field becomes a ``text``, its embeddings get the companion that ``expand_semantic`` makes, and the definition as it
was sent is kept below ``_meta.antiphon.semantic``, so that whoever reads the mapping knows what to embed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from antiphon.domain.mapping_parameters import SEMANTIC
from antiphon.domain.semantic import (
    Json,
    ModelFacts,
    SemanticField,
    expand_semantic,
    info_name,
    semantic_field,
    semantic_fields,
)

META, OURS, KEY = "_meta", "antiphon", "semantic"


def plain_mapping(body: Mapping[str, Any], lookup: Callable[[str], ModelFacts]) -> Json:
    """Return a mapping without ``semantic`` fields, which remembers them; one that has none as it is.

    IllegalArgument, in OpenSearch's words, for a model that is unknown or does not tell its dimension or space type.
    """
    if next(semantic_fields(body), None) is None:
        return dict(body)
    expanded = expand_semantic(body, lookup)
    found: dict[str, Json] = {}
    properties = _plain(expanded["properties"], "", found)
    return {**expanded, "properties": properties, META: noted(body.get(META), found)}


def noted(meta: Any, found: Mapping[str, Any]) -> Json:
    """Return ``_meta`` with these definitions by path beside those it holds."""
    held = dict(meta) if isinstance(meta, Mapping) else {}
    ours = dict(held[OURS]) if isinstance(held.get(OURS), Mapping) else {}
    if found:
        ours[KEY] = {**definitions(held), **found}
    return {**held, OURS: ours} if ours else held


def definitions(meta: Any) -> dict[str, Any]:
    """Return the definitions that ``_meta`` holds, by path."""
    held: Any = meta
    for key in (OURS, KEY):
        held = held.get(key) if isinstance(held, Mapping) else None
    return {path: one for path, one in held.items() if isinstance(one, Mapping)} if isinstance(held, Mapping) else {}


def remembered(meta: Any) -> Iterator[SemanticField]:
    """Yield the semantic fields that ``_meta`` remembers."""
    for path, definition in definitions(meta).items():
        above, _, last = path.rpartition(".")
        name = info_name(last, definition)
        yield semantic_field(path, f"{above}.{name}" if above else name, definition)


def shown_mapping(body: Mapping[str, Any]) -> Json:
    """Return a mapping as it was sent: ``semantic`` where ``_meta`` remembers it, and ``_meta`` without that note."""
    found = definitions(body.get(META))
    if not found or not isinstance(body.get("properties"), Mapping):
        return dict(body)
    ours = {key: value for key, value in body[META][OURS].items() if key != KEY}
    meta = {key: value for key, value in body[META].items() if key != OURS} | ({OURS: ours} if ours else {})
    shown = {**body, META: meta, "properties": _semantic(body["properties"], "", found)}
    return shown if meta else {key: value for key, value in shown.items() if key != META}


def _semantic(properties: Mapping[str, Any], prefix: str, found: Mapping[str, Any]) -> Json:
    shown: Json = {}
    for name, definition in properties.items():
        path = f"{prefix}{name}"
        if isinstance(definition, Mapping) and path in found:
            shown[name] = {**definition, "type": "semantic", **found[path]}
        elif isinstance(definition, Mapping) and isinstance(definition.get("properties"), Mapping):
            shown[name] = {**definition, "properties": _semantic(definition["properties"], f"{path}.", found)}
        else:
            shown[name] = definition
    return shown


def _plain(properties: Mapping[str, Any], prefix: str, found: dict[str, Json]) -> Json:
    plain: Json = {}
    for name, definition in properties.items():
        path = f"{prefix}{name}"
        if not isinstance(definition, Mapping):
            plain[name] = definition
        elif definition.get("type") == "semantic":
            own = {key: value for key, value in definition.items() if key in SEMANTIC and key != "type"}
            found[path] = {"raw_field_type": "text", **own}
            kept = {key: value for key, value in definition.items() if key not in SEMANTIC}
            plain[name] = {"type": definition.get("raw_field_type", "text"), **kept}
        elif isinstance(definition.get("properties"), Mapping):
            plain[name] = {**definition, "properties": _plain(definition["properties"], f"{path}.", found)}
        else:
            plain[name] = definition
    return plain

"""``_field_caps``: what can be done with the fields of several indices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from antiphon.domain.field import Family, Field
from antiphon.domain.index import Index


def write_field_caps(indices: Sequence[Index], patterns: Sequence[str]) -> dict[str, Any]:
    """Return types, searchable and aggregatable per field; ``indices`` beside a type where the indices differ."""
    found: dict[str, dict[str, list[tuple[str, Field]]]] = {}
    for index in indices:
        fields = {field.path: field for pattern in patterns for field in index.mapping.matching(pattern)}
        for path, field in fields.items():
            found.setdefault(path, {}).setdefault(field.type.value, []).append((index.name, field))
    return {
        "indices": [index.name for index in indices],
        "fields": {path: {kind: _caps(kind, held, types) for kind, held in types.items()} for path, types in
                   sorted(found.items())},
    }  # fmt: skip


def _caps(kind: str, held: Sequence[tuple[str, Field]], types: dict[str, Any]) -> dict[str, Any]:
    caps = {
        "type": kind,
        "searchable": all(field.indexed for _, field in held),
        "aggregatable": all(_aggregatable(field) for _, field in held),
    }
    return caps | ({"indices": [name for name, _ in held]} if len(types) > 1 else {})


def _aggregatable(field: Field) -> bool:
    return field.doc_values and field.family in (Family.KEYWORD, Family.WHOLE, Family.REAL)

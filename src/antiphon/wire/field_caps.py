"""``_field_caps``: what can be done with the fields of several indices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from antiphon.domain.field import Family, Field
from antiphon.domain.index import Index
from antiphon.domain.mapping_read import OBJECTS


def write_field_caps(indices: Sequence[Index], patterns: Sequence[str], *, unmapped: bool = False) -> dict[str, Any]:
    """Return types, searchable and aggregatable per field; ``indices`` beside a type where the indices differ.

    With ``unmapped`` the indices without a field that others have are listed under the type of that name.
    """
    found: dict[str, dict[str, list[tuple[str, Field]]]] = {}
    for index in indices:
        fields = dict(named for pattern in patterns for named in index.mapping.named(pattern))
        holders = {outer: index.mapping.fields.get(outer) for path in fields for outer in _around(path)}
        fields |= {path: held for path, held in holders.items() if held is not None and held.type in OBJECTS}
        for path, field in fields.items():
            kind = field.options.get("raw_field_type", field.type.value)
            found.setdefault(path, {}).setdefault(kind, []).append((index.name, field))
    names = [index.name for index in indices]
    return {
        "indices": names,
        "fields": {path: _types(types, names if unmapped else []) for path, types in sorted(found.items())},
    }


def _around(path: str) -> list[str]:
    """The paths of what a field lies in."""
    names = path.split(".")
    return [".".join(names[:end]) for end in range(1, len(names))]


def _types(types: Mapping[str, Sequence[tuple[str, Field]]], names: Sequence[str]) -> dict[str, Any]:
    holders = {name for held in types.values() for name, _ in held}
    without = [name for name in names if name not in holders]
    shared = len(types) > 1 or bool(without)
    shown = {kind: _caps(kind, held, shared=shared) for kind, held in types.items()}
    if without:
        shown["unmapped"] = {"type": "unmapped", "searchable": False, "aggregatable": False, "indices": without}
    return shown


def _caps(kind: str, held: Sequence[tuple[str, Field]], *, shared: bool) -> dict[str, Any]:
    caps = {
        "type": kind,
        "searchable": all(field.indexed for _, field in held),
        "aggregatable": all(_aggregatable(field) for _, field in held),
    }
    return caps | ({"indices": [name for name, _ in held]} if shared else {})


def _aggregatable(field: Field) -> bool:
    return field.doc_values and field.family in (Family.KEYWORD, Family.WHOLE, Family.REAL)

"""What put-mapping may change: new fields always, some parameters of old ones, never a type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from antiphon.domain.field import Field, FieldType
from antiphon.domain.mapping_parameters import UPDATEABLE
from antiphon.errors import IllegalArgument

_DEFAULTS: Mapping[str, Any] = {
    "index": True, "doc_values": True, "store": False, "norms": True, "analyzer": "default", "enabled": True,
    "format": "strict_date_optional_time||epoch_millis", "index_options": "positions", "similarity": "BM25",
    "data_type": "float", "term_vector": "no", "raw_field_type": "text", "chunking": False,
}  # fmt: skip


def check_conflicts(old: Mapping[str, Field], new: Mapping[str, Field]) -> None:
    """IllegalArgument, in OpenSearch's words, when a field of ``new`` does not fit the one ``old`` has."""
    for path, field in new.items():
        held = old.get(path)
        if held is not None:
            _check_field(held, field)


def merged_body(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``old`` with what ``new`` adds, ``properties`` and ``fields`` merged at every depth."""
    merged = {**old, **{key: value for key, value in new.items() if key not in ("properties", "fields")}}
    for key in ("properties", "fields"):
        if key in new:
            held = dict(old.get(key, {}))
            for name, definition in new[key].items():
                held[name] = merged_body(held[name], definition) if name in held else definition
            merged[key] = held
    # an object that got properties needs no type
    if merged.get("type") == "object" and merged.get("properties"):
        del merged["type"]
    return merged


def _check_field(held: Field, field: Field) -> None:
    path = held.path
    if held.type is not field.type:
        kinds = {held.type, field.type}
        if kinds == {FieldType.OBJECT, FieldType.NESTED}:
            way = "nested to non-nested" if held.type is FieldType.NESTED else "non-nested to nested"
            raise IllegalArgument(f"cannot change object mapping from {way}")
        if kinds & {FieldType.OBJECT, FieldType.NESTED}:
            raise IllegalArgument(
                f"can't merge a non object mapping [{path}] with an object mapping"
                if held.type in (FieldType.OBJECT, FieldType.NESTED)
                else f"can't merge an object mapping [{path}] with a non object mapping"
            )
        raise IllegalArgument(f"mapper [{path}] cannot be changed from type [{held.type}] to [{field.type}]")
    problems = [
        f"Cannot update parameter [{key}] from [{_shown(before)}] to [{_shown(after)}]"
        for key in dict.fromkeys([*held.options, *field.options])
        if key not in UPDATEABLE or (key == "model_id" and held.type is not FieldType.SEMANTIC)
        for before, after in [(_value(held, key), _value(field, key))]
        if before != after
    ]
    if problems:
        lines = "".join(f"\n\t{problem}" for problem in problems)
        raise IllegalArgument(f"Mapper for [{path}] conflicts with existing mapper:{lines}")


def _value(field: Field, key: str) -> Any:
    value = field.options.get(key, _DEFAULTS.get(key))
    return field.type.value if key == "type" else value


def _shown(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)

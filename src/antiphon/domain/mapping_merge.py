"""What put-mapping may change: new fields always, some parameters of old ones, never a type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from antiphon.domain.field import Field, FieldType
from antiphon.domain.mapping_parameters import SEMANTIC, UPDATEABLE
from antiphon.errors import IllegalArgument

_DEFAULTS: Mapping[str, Any] = {
    "index": True, "doc_values": True, "store": False, "norms": True, "analyzer": "default", "enabled": True,
    "format": "strict_date_optional_time||epoch_millis", "index_options": "positions", "similarity": "BM25",
    "data_type": "float", "term_vector": "no",
}  # fmt: skip
_RAW = "raw_field_type"


def check_conflicts(old: Mapping[str, Field], new: Mapping[str, Field]) -> None:
    """IllegalArgument, in OpenSearch's words, when a field of ``new`` does not fit the one ``old`` has."""
    for path, field in new.items():
        held = old.get(path)
        if held is not None:
            _check_field(held, field)


def merged_body(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``old`` with what ``new`` adds, ``properties`` and ``fields`` merged at every depth.

    What is not said again of a field that is no object is taken back: ``check_conflicts`` saw that it may.
    """
    kept = {} if new.get("type", "object") not in ("object", "nested") else old
    merged = {**kept, **{key: value for key, value in new.items() if key not in ("properties", "fields")}}
    for key in ("properties", "fields"):
        if key in new or key in old:
            held = dict(old.get(key, {}))
            for name, definition in new.get(key, {}).items():
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
    problems = {
        key: f"\n\tCannot update parameter [{key}] from [{_shown(before)}] to [{_shown(after)}]"
        for key in dict.fromkeys([*held.options, *field.options])
        if key not in UPDATEABLE or (key == "model_id" and held.type is not FieldType.SEMANTIC)
        for before, after in [(_value(held, key), _value(field, key))]
        if before != after
    }
    if problems:
        conflict = IllegalArgument(f"Mapper for [{path}] conflicts with existing mapper:{''.join(problems.values())}")
        raise _of_raw_type(held, field, conflict) if problems.keys() - SEMANTIC or _RAW in problems else conflict


def _of_raw_type(held: Field, field: Field, conflict: IllegalArgument) -> IllegalArgument:
    """Return the error of parameters that belong to the type below a semantic field, which OpenSearch asks first."""
    if held.type is not FieldType.SEMANTIC:
        return conflict
    raw, other = held.options[_RAW], field.options[_RAW]
    if raw != other:
        conflict = IllegalArgument(f"mapper [{held.path}] cannot be changed from type [{raw}] to [{other}]")
    return IllegalArgument(
        f"Failed to update the mapper {held.path} because failed to update the delegate mapper for the raw_field_type "
        f"{raw} due to {conflict.reason}",
        cause=conflict,
    )


def _value(field: Field, key: str) -> Any:
    value = field.options.get(key, _DEFAULTS.get(key))
    return field.type.value if key == "type" else value


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}={_shown(inner)}' for key, inner in value.items())}}}"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)

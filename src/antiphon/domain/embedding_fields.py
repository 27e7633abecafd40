"""A ``field_map``: which texts of a document are embedded, and where their vectors go.

The target sits beside its source. A text gives a vector, a list of texts a list of objects ``{"knn": vector}``, and
objects (or lists of objects) are walked into. Source: neural-search's ``InferenceProcessor``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from antiphon.domain.ingest_document import java_type
from antiphon.errors import IllegalArgument

KNN = "knn"
"""The key of a vector in a list of objects."""

_INVALID_MAP = "Unable to create the processor as field_map has invalid key or value"

FieldMap = Mapping[str, Any]
"""Source name -> target name (dots lead further down), or a nested FieldMap."""


@dataclass(slots=True)
class Wanted:
    """Vectors for one target: of ``texts``, unless ``kept`` holds those of the stored document.

    ``holder`` is the object the source lies in, ``path`` the vector field's full path; ``many`` marks a list layout.
    """

    holder: dict[str, Any]
    target: str
    path: str
    many: bool
    texts: list[str]
    kept: list[Any] | None = None

    def write(self, vectors: Sequence[Any]) -> None:
        """Put the vectors at the target, replacing whatever is there."""
        value = [{KNN: vector} for vector in vectors] if self.many else vectors[0]
        *parents, last = self.target.split(".")
        holder = self.holder
        for name in parents:
            inner = holder.setdefault(name, {})
            if not isinstance(inner, dict):
                raise IllegalArgument(
                    f"cannot write the embedding to [{self.target}]: [{name}] is of type [{java_type(inner)}]"
                )
            holder = inner
        holder[last] = value


@dataclass(slots=True)
class Walk:
    """What a document asks for; ``empties`` are targets of empty lists, written only when something was embedded."""

    wanted: list[Wanted] = field(default_factory=list)
    empties: list[Wanted] = field(default_factory=list)


def read_field_map(body: object) -> FieldMap:
    """Return the map with dotted keys unfolded; IllegalArgument for a blank key or a target that is no name."""
    if not isinstance(body, Mapping) or not body:
        raise IllegalArgument(_INVALID_MAP)
    found: dict[str, Any] = {}
    for key, value in body.items():
        if not key.strip() or (isinstance(value, str) and not value.strip()):
            raise IllegalArgument(_INVALID_MAP)
        if not isinstance(value, (str, Mapping)):
            raise IllegalArgument(_INVALID_MAP)
        steps = _steps(key)
        inner: Any = value if isinstance(value, str) else read_field_map(value)
        for step in reversed(steps):
            inner = {step: inner}
        _merge(found, inner)
    return found


def unflatten(source: dict[str, Any]) -> dict[str, Any]:
    """Return the document with dotted keys as objects, or itself when there are none."""
    return _unflatten(source) if _dotted(source) else source


def check_fields(source: Mapping[str, Any], fields: FieldMap, max_depth: int) -> None:
    """IllegalArgument, in OpenSearch's words, when a mapped value can be neither embedded nor chunked."""
    for key, target in fields.items():
        value = source.get(key)
        if value is not None:
            _check(key, value, target, 1, max_depth)


def walk(source: dict[str, Any], fields: FieldMap, existing: Mapping[str, Any] | None = None) -> Walk:
    """Return the texts to embed, in the order of the map; ``existing`` lends vectors of texts that did not change."""
    found = Walk()
    _walk(source, fields, "", existing, found)
    return found


def _steps(key: str) -> list[str]:
    steps = key.split(".")
    if not all(step.strip() for step in steps):
        raise IllegalArgument(f"Field name '{key}' contains invalid dot usage")
    return steps


def _merge(into: dict[str, Any], other: Mapping[str, Any]) -> None:
    for key, value in other.items():
        present = into.get(key)
        if isinstance(present, dict) and isinstance(value, Mapping):
            _merge(present, value)
        elif present is not None and isinstance(present, dict) != isinstance(value, Mapping):
            raise IllegalArgument(f"{_INVALID_MAP}: [{key}] is mapped both as a text and as an object")
        else:
            into[key] = dict(value) if isinstance(value, Mapping) else value


def _dotted(value: Any) -> bool:
    if isinstance(value, dict):
        return any("." in key or _dotted(item) for key, item in value.items())
    return isinstance(value, list) and any(_dotted(item) for item in value if isinstance(item, (dict, list)))


def _unflatten(value: Any) -> Any:
    if isinstance(value, list):
        return [_unflatten(item) for item in value] if _dotted(value) else value
    if not isinstance(value, dict):
        return value
    unfolded: dict[str, Any] = {}
    for key, item in value.items():
        inner = _unflatten(item)
        for step in reversed(_document_steps(key)):
            inner = {step: inner}
        _merge_values(unfolded, inner, key)
    return unfolded


def _document_steps(key: str) -> list[str]:
    steps = key.split(".")
    if len(steps) > 1 and not all(step.strip() for step in steps):
        raise IllegalArgument(f"Field name '{key}' contains invalid dot usage")
    return steps


def _merge_values(into: dict[str, Any], other: dict[str, Any], key: str) -> None:
    for name, value in other.items():
        if name not in into:
            into[name] = value
        elif isinstance(into[name], dict) and isinstance(value, dict):
            _merge_values(into[name], value, key)
        else:
            raise IllegalArgument(f"field [{key}] stands twice in the document: once with dots, once as [{name}]")


def _check(key: str, value: Any, target: Any, depth: int, max_depth: int) -> None:
    if isinstance(value, list):
        _check_list(key, value, target, depth, max_depth)
    elif isinstance(value, dict):
        _check_object(key, value, target, depth, max_depth)
    elif not isinstance(value, str):
        raise IllegalArgument(f"map type field [{key}] is neither string nor nested type, cannot process it")


def _check_object(key: str, value: Mapping[str, Any], target: Any, depth: int, max_depth: int) -> None:
    if depth > max_depth:
        raise IllegalArgument(f"map type field [{key}] reaches max depth limit, cannot process it")
    if isinstance(target, str):
        raise IllegalArgument(
            f"[{key}] configuration doesn't match actual value type, configuration type is: java.lang.String, "
            "actual value type is: java.util.HashMap"
        )
    for name, inner in target.items():
        if value.get(name) is not None:
            _check(name, value[name], inner, depth + 1, max_depth)


def _check_list(key: str, values: list[Any], target: Any, depth: int, max_depth: int) -> None:
    if depth > max_depth:
        raise IllegalArgument(f"map type field [{key}] reaches max depth limit, cannot process it")
    for value in values:
        if value is None:
            raise IllegalArgument(f"list type field [{key}] has null, cannot process it")
        if isinstance(value, list):
            raise IllegalArgument(f"list type field [{key}] is nested list type, cannot process it")
        if isinstance(value, dict):
            _check_object(key, value, target, depth + 1, max_depth)
        elif not isinstance(value, str):
            raise IllegalArgument(f"list type field [{key}] has non string value, cannot process it")


def _walk(holder: dict[str, Any], fields: FieldMap, at: str, existing: Any, found: Walk) -> None:
    old = existing if isinstance(existing, Mapping) else {}
    for key, target in fields.items():
        value = holder.get(key)
        if isinstance(target, str):
            _leaf(holder, key, target, at, old, found)
        elif isinstance(value, dict):
            _walk(value, target, f"{at}{key}.", old.get(key), found)
        elif isinstance(value, list):
            stored = old.get(key)
            before = stored if isinstance(stored, list) else []
            for number, item in enumerate(value):
                if isinstance(item, dict):
                    _walk(item, target, f"{at}{key}.", before[number] if number < len(before) else None, found)


def _leaf(holder: dict[str, Any], key: str, target: str, at: str, old: Mapping[str, Any], found: Walk) -> None:
    value = holder.get(key)
    many = isinstance(value, list)
    path = f"{at}{target}.{KNN}" if many else f"{at}{target}"
    if many and not value:
        found.empties.append(Wanted(holder, target, path, True, []))
    elif many or (isinstance(value, str) and value.strip()):
        texts = list(value) if isinstance(value, list) else [str(value)]
        kept = _kept(old, target, many) if key in old and old[key] == value else None
        found.wanted.append(
            Wanted(holder, target, path, many, texts, kept if kept and len(kept) == len(texts) else None)
        )


def _kept(old: Mapping[str, Any], target: str, many: bool) -> list[Any] | None:
    """Return the vectors that the stored document has at the target, None when it has none of that layout."""
    value: Any = old
    for name in target.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    if not isinstance(value, list) or not value:
        return None
    if not many:
        return [value]
    vectors = [item.get(KNN) if isinstance(item, Mapping) else None for item in value]
    return None if None in vectors else vectors

"""Reads the JSON of a mapping: the normal form that GET shows, and the fields it makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from antiphon.domain.dates import DEFAULT_FORMAT, date_format
from antiphon.domain.field import FAMILIES, Family, Field, FieldType
from antiphon.domain.mapping_parameters import flag, kept_options, raw_type, read_type
from antiphon.domain.mapping_vector import read_vector
from antiphon.errors import IllegalArgument, MapperParsing

Json = dict[str, Any]

DYNAMIC = ("true", "false", "strict", "strict_allow_templates", "false_allow_templates")
_ROOT = frozenset({
    "properties", "dynamic", "dynamic_templates", "date_detection", "numeric_detection", "dynamic_date_formats",
    "_meta", "_routing", "_source",
})  # fmt: skip
OBJECTS = (FieldType.OBJECT, FieldType.NESTED)


def read_mapping(body: Mapping[str, Any], *, knn: bool, known: Mapping[str, Field]) -> tuple[Json, dict[str, Field]]:
    """Return the normal form and the fields by path; MapperParsing or IllegalArgument for what is wrong.

    ``known`` are fields that are mapped already, which an alias may stand for.
    """
    unknown = {key: value for key, value in body.items() if key not in _ROOT}
    if unknown:
        listed = " ".join(f"[{key} : {value}]" for key, value in unknown.items())
        raise MapperParsing(f"Root mapping definition has unsupported parameters:  {listed}")
    _check_root(body)
    shown = {key: value for key, value in body.items() if key != "properties"}
    if "dynamic" in body:
        shown["dynamic"] = read_dynamic(body["dynamic"])
    reader = _Reader(knn)
    properties = reader.properties(body.get("properties", {}), "", "")
    if properties:
        shown["properties"] = properties
    reader.check_references(known)
    return shown, reader.fields


def read_dynamic(value: Any) -> str:
    """Return the word of a ``dynamic`` parameter; MapperParsing for one that is none."""
    word = str(value).lower() if isinstance(value, bool) else value
    if word not in DYNAMIC:
        raise MapperParsing(f"No enum constant for [dynamic]: [{value}]; use one of [{', '.join(DYNAMIC)}]")
    return str(word)


def _check_root(body: Mapping[str, Any]) -> None:
    source = body.get("_source", {})
    if not isinstance(source, Mapping) or source.get("enabled", True) not in (True, "true") or len(source) > 1:
        raise IllegalArgument(
            "[_source] without all fields is not supported by Antiphon: exclude fields in the search's _source instead"
        )
    for pattern in body.get("dynamic_date_formats", ()):
        date_format(pattern)
    templates = body.get("dynamic_templates", [])
    if not isinstance(templates, list):
        raise MapperParsing("Dynamic template syntax error. An array of named objects is expected.")
    for template in templates:
        _check_template(template)


def _check_template(template: Any) -> None:
    if not isinstance(template, Mapping) or len(template) != 1:
        raise MapperParsing("A dynamic template must be defined with a name")
    ((name, rule),) = template.items()
    if not isinstance(rule, Mapping) or not isinstance(rule.get("mapping"), Mapping):
        raise MapperParsing(f"template [{name}] must have a [mapping] object")
    known = ("match_mapping_type", "match", "unmatch", "path_match", "path_unmatch", "match_pattern", "mapping")
    for key in rule:
        if key not in known:
            raise MapperParsing(f"Illegal dynamic template parameter: [{key}] of template [{name}]")
    if rule["mapping"].get("type") == "semantic":
        raise MapperParsing(f"semantic field is not supported in dynamic template [{name}]: map the field by name")


class _Reader:
    """Walks properties and collects fields in mapping order."""

    def __init__(self, knn: bool) -> None:
        self.knn = knn
        self.fields: dict[str, Field] = {}

    def properties(self, body: Any, prefix: str, nested: str) -> Json:
        """Return the normal form of one ``properties`` object."""
        if not isinstance(body, Mapping):
            raise MapperParsing("Expected map for property [properties] but got a " + type(body).__name__)
        shown: Json = {}
        for name, definition in _unfolded(body).items():
            path = f"{prefix}{name}"
            if not isinstance(definition, Mapping):
                raise MapperParsing(
                    f"Expected map for property [fields] on field [{path}] but got a class java.lang.String"
                )
            shown[name] = self._field(name, path, definition, nested)
        return shown

    def _field(self, name: str, path: str, body: Mapping[str, Any], nested: str) -> Json:
        if "type" not in body and not ("properties" in body or "dynamic" in body or "enabled" in body or not body):
            raise MapperParsing(f"No type specified for field [{name}]")
        kind = read_type(name, body.get("type", "object"))
        if kind in OBJECTS:
            return self._object(name, path, kind, body, nested)
        shown = self._leaf(name, path, path, kind, body, nested)
        fields = body.get("fields")
        if fields:
            shown = {**shown, "fields": {sub: self._sub(sub, path, inner, nested) for sub, inner in fields.items()}}
        return shown

    def _sub(self, name: str, parent: str, body: Any, nested: str) -> Json:
        kind = read_type(name, body.get("type") if isinstance(body, Mapping) else None)
        if kind in (*OBJECTS, FieldType.ALIAS, FieldType.SEMANTIC, FieldType.FLAT_OBJECT):
            raise MapperParsing(f"Type [{kind}] cannot be used in multi field")
        return self._leaf(name, f"{parent}.{name}", parent, kind, body, nested)

    def _object(self, name: str, path: str, kind: FieldType, body: Mapping[str, Any], nested: str) -> Json:
        options = kept_options(name, kind, body)
        for key in ("include_in_parent", "include_in_root"):
            if flag(name, options, key, False):
                raise IllegalArgument(
                    f"[{key}] is not supported by Antiphon: search the objects with a nested query, "
                    "or copy their values to a field outside"
                )
        if "dynamic" in options:
            options["dynamic"] = read_dynamic(options["dynamic"])
        flag(name, options, "enabled")
        if kind is FieldType.OBJECT:
            # it is said only of an object without anything else
            options.pop("type", None)
        self.fields[path] = Field(path, kind, options, nested, path, indexed=False, doc_values=False)
        inside = path if kind is FieldType.NESTED else nested
        inner = self.properties(body.get("properties", {}), f"{path}.", inside)
        return {**options, **({"properties": inner} if inner else {})} or {"type": "object"}

    def _leaf(self, name: str, path: str, source: str, kind: FieldType, body: Mapping[str, Any], nested: str) -> Json:
        options = kept_options(name, kind, body)
        _check_leaf(name, kind, options)
        family = FAMILIES[raw_type(options) if kind is FieldType.SEMANTIC else kind]
        vector = None
        if kind is FieldType.KNN_VECTOR:
            vector, options = read_vector(name, options, knn=self.knn)
        analyzer = str(options.get("analyzer", "standard"))
        self.fields[path] = Field(
            path, kind, options, nested, source,
            indexed=family is not Family.NONE and flag(name, options, "index"),
            doc_values=family not in (Family.NONE, Family.TEXT, Family.FEATURES) and flag(name, options, "doc_values"),
            family=family,
            analyzer=analyzer,
            search_analyzer=str(options.get("search_analyzer", analyzer)),
            norms=family is Family.TEXT and kind is not FieldType.MATCH_ONLY_TEXT and flag(name, options, "norms"),
            ignore_above=options.get("ignore_above"),
            vector=vector,
            target=options.get("path") if kind is FieldType.ALIAS else None,
        )  # fmt: skip
        return options

    def check_references(self, known: Mapping[str, Field]) -> None:
        """MapperParsing for an alias that points nowhere, at another alias or at an object."""
        for path, field in self.fields.items():
            if field.type is not FieldType.ALIAS:
                continue
            target = self.fields.get(field.target or "") or known.get(field.target or "")
            if target is None or target.type in (*OBJECTS, FieldType.ALIAS):
                raise MapperParsing(
                    f"Invalid [path] value [{field.target}] for field alias [{path}]: an alias must refer to an "
                    "existing field in the mappings."
                )


def _check_leaf(name: str, kind: FieldType, options: Mapping[str, Any]) -> None:
    match kind:
        case FieldType.DATE:
            date_format(str(options.get("format", DEFAULT_FORMAT)))
        case FieldType.SCALED_FLOAT:
            factor = options.get("scaling_factor")
            if factor is None:
                raise MapperParsing(f"Field [{name}] misses required parameter [scaling_factor]")
            if isinstance(factor, bool) or not isinstance(factor, int | float) or factor <= 0:
                raise MapperParsing(f"[scaling_factor] must be a positive number, got [{factor}] for field [{name}]")
        case FieldType.ALIAS if not isinstance(options.get("path"), str):
            raise MapperParsing(f"The [path] property must be specified for field [{name}].")
        case _:
            pass
    above = options.get("ignore_above")
    if above is not None and (isinstance(above, bool) or not isinstance(above, int) or above < 0):
        raise MapperParsing(f"[ignore_above] must be a whole number of characters, got [{above}] for field [{name}]")
    if options.get("normalizer", "lowercase") != "lowercase":
        raise IllegalArgument(
            f"[normalizer: {options['normalizer']}] is not supported by Antiphon: use lowercase, "
            "or change the value in an ingest pipeline"
        )


def _unfolded(body: Mapping[str, Any]) -> Json:
    """Return properties with dotted names as objects."""
    if not any("." in name for name in body):
        return dict(body)
    found: Json = {}
    for name, definition in body.items():
        head, dot, rest = name.partition(".")
        if not head or (dot and not rest):
            raise IllegalArgument(f"field name cannot be an empty string: [{name}]")
        if not dot:
            found[name] = {**found.get(name, {}), **definition} if isinstance(definition, Mapping) else definition
            continue
        holder = dict(found.get(head, {}))
        holder["properties"] = {**holder.get("properties", {}), rest: definition}
        found[head] = holder
    return found

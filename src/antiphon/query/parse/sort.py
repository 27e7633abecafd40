"""The ``sort`` of a search, of inner hits and of top_hits, bound to fields."""

from __future__ import annotations

from typing import Any

from antiphon.domain.field import Family, Field, FieldType
from antiphon.errors import IllegalArgument, ParsingError, QueryShardError
from antiphon.query import reading
from antiphon.query.nodes import Query, SortKey
from antiphon.query.parse.fields import date_of, value_of
from antiphon.query.parse.options import Body, Parse
from antiphon.query.parse.reasons import ShardArgument, refused
from antiphon.query.scope import Scope

SPECIAL = ("_score", "_doc", "_id", "_seq_no", "_index", "_shard_doc")
_MODES = ("min", "max", "avg", "sum", "median")
_OPTIONS = reading.words("order missing unmapped_type mode nested nested_path nested_filter format numeric_type")


def text_fields_are_not_sorted(name: str) -> ShardArgument:
    """Return OpenSearch's words for a sort or aggregation on a text field."""
    return ShardArgument(
        "Text fields are not optimised for operations that require per-document field data like aggregations and "
        "sorting, so these operations are disabled by default. Please use a keyword field instead. Alternatively, set "
        f"fielddata=true on [{name}] in order to load field data by uninverting the inverted index. Note that this can "
        "use significant memory."
    )


def parse_sort(value: Any, scope: Scope, parse: Parse) -> tuple[SortKey, ...]:
    """Return the keys; none for an absent sort, or for ``_score`` alone, best first."""
    if value is None:
        return ()
    keys: list[SortKey] = []
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, str):
            keys.append(_key(item, {}, scope, parse))
        elif isinstance(item, dict):
            keys.extend(_key(name, _options(options), scope, parse) for name, options in item.items())
        else:
            raise IllegalArgument(
                f"malformed sort format, within the sort array, an object, or an actual string are "
                f"allowed, but found [{reading.token(item)}]"
            )
    return () if keys == [SortKey("_score", descending=True)] else tuple(keys)


def _options(value: Any) -> Body:
    if isinstance(value, dict):
        return value
    if isinstance(value, str):
        return {"order": value}
    raise ParsingError(f"[sort] must be an order or an object, but found [{reading.token(value)}]")


def _key(name: str, options: Body, scope: Scope, parse: Parse) -> SortKey:
    if name in ("_script", "_geo_distance"):
        raise refused(f"{name} sort", "sort by a field or by [_score] of a [script_score] query")
    if options.get("numeric_type") is not None:
        raise refused("numeric_type of a sort", "map the field with the same type in every index")
    for key in options:
        if key not in _OPTIONS:
            raise ParsingError(f"[sort] unknown field [{key}]{reading.did_you_mean(key, _OPTIONS)}")
    order = str(options.get("order", "desc" if name == "_score" else "asc")).lower()
    if order not in ("asc", "desc"):
        raise IllegalArgument(f"No enum constant org.opensearch.search.sort.SortOrder.{order.upper()}")
    if name in SPECIAL:
        return SortKey("_doc" if name == "_shard_doc" else name, order == "desc")
    return _field_key(name, order == "desc", options, scope, parse)


def _field_key(name: str, descending: bool, options: Body, scope: Scope, parse: Parse) -> SortKey:
    field = scope.mapping.field(name)
    if field is None:
        if options.get("unmapped_type") is None:
            raise QueryShardError(f"No mapping found for [{name}] in order to sort on")
        return SortKey(name, descending, _missing(options, None, scope), mapped=False)
    if field.family is Family.TEXT:
        raise text_fields_are_not_sorted(name)
    if field.family in (Family.VECTOR, Family.FEATURES, Family.NONE):
        raise ShardArgument(f"Fielddata is not supported on field [{name}] of type [{field.type.value}]")
    mode = None if options.get("mode") is None else str(options["mode"]).lower()
    if mode is not None and mode not in _MODES:
        raise IllegalArgument(f"Unknown SortMode [{mode}]")
    if mode in ("avg", "sum", "median") and field.family is Family.KEYWORD:
        raise QueryShardError("we only support AVG, MEDIAN and SUM on number based fields")
    path, kept = _nested(field, options, scope, parse)
    format_ = options.get("format")
    return SortKey(
        field.path,
        descending,
        _missing(options, field, scope),
        mode,
        path,
        kept,
        format=None if format_ is None else str(format_),
    )


def _nested(field: Field, options: Body, scope: Scope, parse: Parse) -> tuple[str, Query | None]:
    """Return which objects' values count; a nested field's own path when the sort names none."""
    nested = options.get("nested")
    if nested is None:
        return ("" if field.nested == scope.level else field.nested), None
    body = reading.an_object("nested", nested)
    reading.only("[nested]", body, ("path", "filter"))
    path = reading.text("path", body.get("path"))
    if path not in scope.mapping.nested_paths:
        raise QueryShardError(f"[nested] failed to find nested object under path [{path}]")
    kept = None if body.get("filter") is None else parse(body["filter"], scope.at(path))
    return path, kept


def _missing(options: Body, field: Field | None, scope: Scope) -> str | int | float:
    value = options.get("missing", "_last")
    if value in ("_last", "_first"):
        return str(value)
    if field is None:
        return value if isinstance(value, (int, float)) else str(value)
    if field.type is FieldType.DATE:
        return date_of(field, value, scope, format_=None, time_zone=None, round_up=False)
    return value_of(field, value, scope)

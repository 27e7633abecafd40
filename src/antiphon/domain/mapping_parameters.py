"""Which parameters each field type has, which of them may change later, and what is dropped or refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from antiphon.domain.field import FieldType
from antiphon.errors import IllegalArgument, MapperParsing

_COMMON = frozenset({"type", "store", "meta", "copy_to", "fields", "boost", "index", "doc_values", "similarity"})
_NUMBER = frozenset({"coerce", "ignore_malformed", "null_value", "skip_list"})
_OBJECT = frozenset({"type", "properties", "dynamic", "enabled"})
_TEXT = frozenset({
    "analyzer", "search_analyzer", "search_quote_analyzer", "norms", "index_options", "fielddata", "term_vector",
    "fielddata_frequency_filter", "index_prefixes", "index_phrases", "position_increment_gap", "eager_global_ordinals",
})  # fmt: skip
_VECTOR = frozenset({
    "type", "dimension", "method", "space_type", "data_type", "engine", "mode", "compression_level", "model_id",
    "store", "doc_values", "meta", "ignore_malformed", "index", "fields", "copy_to",
})  # fmt: skip
SEMANTIC = frozenset({
    "type", "model_id", "search_model_id", "raw_field_type", "semantic_info_field_name", "chunking",
    "dense_embedding_config", "sparse_encoding_config", "semantic_field_search_analyzer", "skip_existing_embedding",
})  # fmt: skip
"""What a semantic field has of its own; the rest belongs to its raw type."""

_PARAMETERS: Mapping[FieldType, frozenset[str]] = {
    FieldType.TEXT: _COMMON | _TEXT,
    FieldType.MATCH_ONLY_TEXT: _COMMON | _TEXT,
    FieldType.KEYWORD: _COMMON | {
        "ignore_above", "normalizer", "null_value", "norms", "index_options", "eager_global_ordinals",
        "split_queries_on_whitespace", "use_similarity", "skip_list",
    },
    FieldType.IP: _COMMON | {"ignore_malformed", "null_value", "skip_list"},
    FieldType.DATE: _COMMON | {"format", "locale", "ignore_malformed", "null_value", "print_format", "skip_list"},
    FieldType.BOOLEAN: _COMMON | {"null_value"},
    FieldType.SCALED_FLOAT: _COMMON | _NUMBER | {"scaling_factor"},
    FieldType.OBJECT: _OBJECT,
    FieldType.NESTED: _OBJECT | {"include_in_parent", "include_in_root"},
    FieldType.FLAT_OBJECT: _COMMON | {"ignore_above", "depth_limit"},
    FieldType.ALIAS: frozenset({"type", "path"}),
    FieldType.KNN_VECTOR: _VECTOR,
    FieldType.SEMANTIC: SEMANTIC,
    FieldType.BINARY: _COMMON,
    FieldType.RANK_FEATURE: _COMMON | {"positive_score_impact"},
    FieldType.RANK_FEATURES: _COMMON | {"positive_score_impact"},
}  # fmt: skip

DROPPED = frozenset({"store", "meta", "index", "doc_values", "index_options", "similarity"})
"""Dropped, as OpenSearch does with a warning, on a type that does not declare them."""
UPDATEABLE = frozenset({
    "ignore_above", "boost", "meta", "search_analyzer", "search_quote_analyzer", "fielddata", "eager_global_ordinals",
    "coerce", "ignore_malformed", "copy_to", "dynamic", "fielddata_frequency_filter", "split_queries_on_whitespace",
    "properties", "fields", "include_in_parent", "include_in_root", "norms", "model_id", "search_model_id",
    "skip_existing_embedding", "use_similarity",
})  # fmt: skip
"""Parameters that put-mapping may change."""

_REFUSED = {
    "geo_point": "there is no geo search here; keep the coordinates in two double fields",
    "geo_shape": "there is no geo search here; keep a bounding box in four double fields",
    "xy_point": "there is no geo search here; keep the coordinates in two double fields",
    "xy_shape": "there is no geo search here; keep a bounding box in four double fields",
    "search_as_you_type": "use text with match_phrase_prefix or match_bool_prefix",
    "wildcard": "use keyword, which takes wildcard queries",
    "token_count": "compute the count in an ingest pipeline and keep it in an integer field",
    "constant_keyword": "use keyword and set the value in an ingest pipeline",
    "completion": "use text with match_phrase_prefix",
    "join": "use nested",
    "percolator": "there are no stored queries here",
    "sparse_vector": "use rank_features with neural_sparse",
    "integer_range": "use two integer fields", "long_range": "use two long fields",
    "float_range": "use two float fields", "double_range": "use two double fields",
    "date_range": "use two date fields", "ip_range": "use two ip fields",
    "date_nanos": "use date, which keeps milliseconds", "version": "use keyword",
    "murmur3": "use keyword", "annotated_text": "use text", "star_tree": "use aggregations on the fields themselves",
    "derived": "compute the value in an ingest pipeline", "icu_collation_keyword": "use keyword",
    "hll": "use the cardinality aggregation",
}  # fmt: skip


def read_type(name: str, value: Any) -> FieldType:
    """Return the type of a field; MapperParsing for a word that is no type, IllegalArgument for one not here."""
    if not isinstance(value, str):
        raise MapperParsing(f"No type specified for field [{name}]")
    if value in _REFUSED:
        raise IllegalArgument(f"[{value}] is not supported by Antiphon: {_REFUSED[value]}")
    try:
        return FieldType(value)
    except ValueError:
        raise MapperParsing(f"No handler for type [{value}] declared on field [{name}]") from None


def parameters(kind: FieldType) -> frozenset[str]:
    """Return the parameters that a type declares."""
    return _PARAMETERS.get(kind, _COMMON | _NUMBER)


def kept_options(name: str, kind: FieldType, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a field without those that are dropped silently; MapperParsing for an unknown one.

    ``properties`` and ``fields`` are left out.
    """
    known = parameters(kind)
    raw = raw_type(body) if kind is FieldType.SEMANTIC else kind
    kept: dict[str, Any] = {"raw_field_type": raw.value} if kind is FieldType.SEMANTIC else {}
    for key, value in body.items():
        if key in known or key in parameters(raw):
            if key not in ("properties", "fields"):
                kept[key] = value
        elif key not in DROPPED:
            raise MapperParsing(f"unknown parameter [{key}] on mapper [{name}] of type [{raw}]")
    # a vector is always indexed by its method: index and doc_values mean nothing there
    if kind is FieldType.KNN_VECTOR:
        kept.pop("index", None)
    return kept


def raw_type(definition: Mapping[str, Any]) -> FieldType:
    """Return the type that a semantic field's texts have; IllegalArgument for one they cannot."""
    raw = definition.get("raw_field_type", "text")
    if raw in ("wildcard", "token_count"):
        raise IllegalArgument(f"[raw_field_type: {raw}] is not supported by Antiphon: use text, keyword or binary")
    if raw not in ("text", "keyword", "match_only_text", "binary"):
        raise IllegalArgument(
            f"raw_field_type {raw} is not supported. It should be one of "
            "[binary, wildcard, text, keyword, token_count, match_only_text]"
        )
    return FieldType(raw)


def flag(name: str, options: Mapping[str, Any], key: str, default: bool = True) -> bool:
    """Return a boolean parameter, given as JSON or as text; MapperParsing for anything else."""
    value = options.get(key, default)
    match value:
        case bool():
            return value
        case "true" | "false":
            return bool(value == "true")
        case _:
            reason = f"Failed to parse value [{value}] as only [true] or [false] are allowed."
            raise MapperParsing(f"Failed to parse [{key}] on mapper [{name}]: {reason}", cause=IllegalArgument(reason))

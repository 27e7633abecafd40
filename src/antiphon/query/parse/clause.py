"""One clause of the query language becomes a bound query: the table of clauses by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from antiphon.errors import IllegalArgument, ParsingError
from antiphon.query import reading
from antiphon.query.leaves import MatchAll, MatchNone
from antiphon.query.nodes import Named, Query
from antiphon.query.parse import compound, fulltext, scoring, terms, vector
from antiphon.query.parse.options import Body, Parse
from antiphon.query.parse.reasons import ShardArgument, not_found, only, refused
from antiphon.query.query_string import parse_query_string
from antiphon.query.scope import Scope
from antiphon.query.simple_query_string import parse_simple_query_string

_MAX_DEPTH = 60

LEAVES: dict[str, Callable[[Body, Scope], Query]] = {
    "match": fulltext.parse_match,
    "match_phrase": fulltext.parse_match_phrase,
    "match_phrase_prefix": fulltext.parse_match_phrase_prefix,
    "match_bool_prefix": fulltext.parse_match_bool_prefix,
    "multi_match": fulltext.parse_multi_match,
    "term": terms.parse_term,
    "terms": terms.parse_terms,
    "terms_set": terms.parse_terms_set,
    "range": terms.parse_range,
    "exists": terms.parse_exists,
    "ids": terms.parse_ids,
    "prefix": terms.parse_prefix,
    "wildcard": terms.parse_wildcard,
    "regexp": terms.parse_regexp,
    "fuzzy": terms.parse_fuzzy,
    "query_string": parse_query_string,
    "simple_query_string": parse_simple_query_string,
    "script": scoring.parse_script_query,
    "neural_sparse": vector.parse_neural_sparse,
}
"""Clauses without clauses inside."""

COMPOUNDS: dict[str, Callable[[Body, Scope, Parse], Query]] = {
    "bool": compound.parse_bool,
    "dis_max": compound.parse_dis_max,
    "constant_score": compound.parse_constant_score,
    "boosting": compound.parse_boosting,
    "nested": compound.parse_nested,
    "wrapper": compound.parse_wrapper,
    "function_score": scoring.parse_function_score,
    "script_score": scoring.parse_script_score,
    "knn": vector.parse_knn,
    "neural": vector.parse_neural,
}
"""Clauses that contain others."""

_REFUSED = {
    "more_like_this": "use a [match] query with the document's text, or [neural] for meaning",
    "rank_feature": "use [function_score] with [field_value_factor]",
    "distance_feature": "use [function_score] with a decay function",
    "span_term": "use [match_phrase] with [slop]",
    "span_near": "use [match_phrase] with [slop]",
    "span_or": "use [match_phrase] with [slop]",
    "span_not": "use [match_phrase] with [slop]",
    "span_first": "use [match_phrase] with [slop]",
    "span_multi": "use [match_phrase_prefix]",
    "span_containing": "use [match_phrase] with [slop]",
    "span_within": "use [match_phrase] with [slop]",
    "field_masking_span": "use [match_phrase] with [slop]",
    "intervals": "use [match_phrase] with [slop]",
    "geo_distance": "keep coordinates as numbers and use [range]",
    "geo_bounding_box": "keep coordinates as numbers and use [range]",
    "geo_polygon": "keep coordinates as numbers and use [range]",
    "geo_shape": "keep coordinates as numbers and use [range]",
    "xy_shape": "keep coordinates as numbers and use [range]",
    "has_child": "use [nested] objects",
    "has_parent": "use [nested] objects",
    "parent_id": "use [nested] objects",
    "percolate": "run the stored query as a search",
    "template": "fill in the query in the client",
    "agentic": "write the query out, for example with [neural] or [hybrid]",
    "combined_fields": "use [multi_match] with type [cross_fields]",
    "common": "use [match]",
    "pinned": "use [bool] with a boosted [ids] clause",
    "semantic": "use [neural] on the semantic field",
}
_NOT_WITHIN = (
    "hybrid query must be a top level query and cannot be wrapped into other queries. To use scoring wrapper queries "
    "(function_score, script_score, etc.) with hybrid sub-queries, replace the hybrid clause with a bool query using "
    "should clauses containing the same sub-queries"
)


def parse_query(body: object, scope: Scope) -> Query:
    """Return the bound query of ``{"<name>": {...}}``; its vectors are added to ``scope.slots``.

    ParsingError and the like for a body that cannot be read; QueryShardError for one that does not fit the mapping.
    """
    if scope.depth > _MAX_DEPTH:
        raise IllegalArgument(
            f"The nested depth of the query exceeds the maximum nested depth for queries set in "
            f"[indices.query.bool.max_nested_depth] of [{_MAX_DEPTH}]"
        )
    name, options = clause_of(body)
    if name == "hybrid":
        raise ShardArgument(_NOT_WITHIN)
    found = _parsed(name, options, scope.deeper())
    label = _label(options)
    return found if label is None or isinstance(found, MatchNone) else Named(label, found)


def clause_of(body: object) -> tuple[str, Body]:
    """Return the name and options of a clause of known name."""
    if not isinstance(body, dict):
        raise ParsingError("[_na] query malformed, must start with start_object")
    if not body:
        raise IllegalArgument("query malformed, empty clause found at [1:2]")
    name, *more = body
    options = body[name]
    if not isinstance(options, dict):
        raise ParsingError(f"[{name}] query malformed, no start_object after query name")
    if name in _REFUSED:
        raise refused(name, _REFUSED[name])
    known = (*LEAVES, *COMPOUNDS, "match_all", "match_none", "hybrid")
    if name not in known:
        reason = f"unknown query [{name}]{reading.did_you_mean(name, known)}"
        raise ParsingError(reason, cause=not_found(name))
    if more:
        raise ParsingError(f"[{name}] malformed query, expected [END_OBJECT] but found [FIELD_NAME]")
    return name, options


def _parsed(name: str, options: Body, scope: Scope) -> Query:
    if name in ("match_all", "match_none"):
        only(name, options, ())
        boost = reading.boost(name, options)
        return MatchAll(boost) if name == "match_all" else MatchNone()
    if name in LEAVES:
        return LEAVES[name](options, scope)
    return COMPOUNDS[name](options, scope, parse_query)


def _label(options: Body) -> str | None:
    """Return the ``_name`` of a clause, written beside its field or among the field's options."""
    value: Any = options.get("_name")
    if value is None or isinstance(value, dict):
        inner = [item for item in options.values() if isinstance(item, dict)]
        value = inner[0].get("_name") if len(options) == 1 and inner else None
    return None if value is None or isinstance(value, (dict, list)) else str(value)

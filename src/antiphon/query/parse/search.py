"""A search body, bound to one index."""

from __future__ import annotations

from typing import Any

from antiphon.domain.field import Family, FieldType
from antiphon.errors import IllegalArgument, ParsingError
from antiphon.query import reading
from antiphon.query.nodes import SortKey
from antiphon.query.parse import fetch
from antiphon.query.parse.aggregation import parse_aggregations
from antiphon.query.parse.clause import parse_query
from antiphon.query.parse.hybrid import Legs, parse_legs
from antiphon.query.parse.inner_hits import parse_inner_hits
from antiphon.query.parse.options import Body
from antiphon.query.parse.reasons import ShardArgument, refused
from antiphon.query.parse.sort import parse_sort
from antiphon.query.scope import Scope
from antiphon.query.search import Collapse, Rescore, Search

_OWN = reading.words(
    "query size from sort search_after track_total_hits min_score post_filter aggs aggregations track_scores "
    "terminate_after collapse rescore slice"
)
_ELSEWHERE = reading.words(
    "pit indices_boost search_pipeline ext verbose_pipeline timeout profile stats preference routing request_cache "
    "search_type batched_reduce_size include_named_queries_score"
)
"""Read by others, or accepted without effect."""
_REFUSED = {
    "suggest": "use a [match] query with [fuzziness]",
    "derived": "compute the value at ingest",
    "runtime_mappings": "map the field, or compute the value at ingest",
    "knn": "put the [knn] clause into [query]",
    "include_named_queries_score": "leave it out: [matched_queries] holds the names, [explain] the scores",
}
_NOT_COLLAPSED = (FieldType.DATE, FieldType.BOOLEAN, FieldType.IP, FieldType.FLAT_OBJECT)
_RESCORE_MODES = ("total", "multiply", "avg", "max", "min")


def parse_search(body: Body, scope: Scope) -> Search:
    """Return the search that a body spells, with slots of its own.

    Parse problems raise as they are; those for which ``is_shard_failure`` is true belong into a failed search phase.
    """
    _check_keys(body)
    scope = scope.fresh()
    legs = parse_legs(body["query"], scope) if body.get("query") is not None else None
    sort = parse_sort(body.get("sort"), scope, parse_query)
    from_, size = _window(body, scope)
    found = legs if legs is not None else Legs(Search().legs)
    _check_hybrid(found, body, sort, from_)
    return Search(
        legs=found.queries,
        hybrid=found.hybrid,
        pagination_depth=found.pagination_depth,
        from_=from_,
        size=size,
        sort=sort,
        search_after=_search_after(body, sort, from_),
        min_score=None if body.get("min_score") is None else reading.number("min_score", body["min_score"]),
        post_filter=None if body.get("post_filter") is None else parse_query(body["post_filter"], scope),
        track_total_hits=reading.total_hits(body.get("track_total_hits", 10_000)),
        track_scores=reading.boolean("track_scores", body.get("track_scores", False)),
        terminate_after=reading.integer("terminate_after", body.get("terminate_after", 0)),
        aggregations=_aggregations(body, scope),
        collapse=None if body.get("collapse") is None else _collapse(body["collapse"], scope),
        rescore=_rescore(body.get("rescore"), sort, scope),
        slice=None if body.get("slice") is None else _slice(body["slice"]),
        fetch=fetch.parse_fetch(body, scope, parse_query),
        slots=tuple(scope.slots),
    )


def _check_keys(body: Body) -> None:
    for key, value in body.items():
        if key in _REFUSED and value is not False:
            raise refused(key, _REFUSED[key])
        if key not in _OWN and key not in _ELSEWHERE and key not in fetch.KEYS:
            raise ParsingError(f"Unknown key for a {reading.token(value)} in [{key}].")


def _window(body: Body, scope: Scope) -> tuple[int, int]:
    size = reading.integer("size", body.get("size", 10))
    from_ = reading.integer("from", body.get("from", 0))
    for key, value in (("size", size), ("from", from_)):
        if value < 0:
            raise IllegalArgument(f"[{key}] parameter cannot be negative, found [{value}]")
    if from_ + size > scope.max_result_window:
        raise ShardArgument(
            f"Result window is too large, from + size must be less than or equal to: [{scope.max_result_window}] but "
            f"was [{from_ + size}]. See the scroll api for a more efficient way to request large data sets. This limit "
            "can be set by changing the [index.max_result_window] index level setting."
        )
    return from_, size


def _check_hybrid(legs: Legs, body: Body, sort: tuple[SortKey, ...], from_: int) -> None:
    if not legs.hybrid:
        return
    if from_ > 0 and legs.pagination_depth is None:
        raise ShardArgument("pagination_depth param is missing in the search request")
    if len(sort) > 1 and any(key.field == "_score" for key in sort):
        raise ShardArgument(
            "_score sort criteria cannot be applied with any other criteria. Please select one sort criteria out of "
            "them."
        )
    if sort and reading.boolean("track_scores", body.get("track_scores", False)):
        raise ShardArgument(
            "Hybrid search results when sorted by any field, docId or _id, track_scores must be set to false."
        )
    if body.get("rescore"):
        raise refused("rescore of a hybrid query", "rescore inside a sub-query, or rerank in the client")


def _search_after(body: Body, sort: tuple[SortKey, ...], from_: int) -> tuple[Any, ...] | None:
    given = body.get("search_after")
    if given is None:
        return None
    if not isinstance(given, list) or not given:
        raise IllegalArgument("Values must contains at least one value.")
    if from_ > 0:
        raise IllegalArgument("`from` parameter must be set to 0 when `search_after` is used.")
    if not sort:  # by score alone there is no position to go on from
        raise ShardArgument("Sort must contain at least one field.")
    if len(given) != len(sort):
        raise ShardArgument(f"search_after has {len(given)} value(s) but sort has {len(sort)}.")
    return tuple(given)


def _aggregations(body: Body, scope: Scope) -> Any:
    if "aggs" in body and "aggregations" in body:
        raise ParsingError("Found two [aggregations] in the search, write [aggs] or [aggregations]")
    given = body.get("aggs", body.get("aggregations"))
    return {} if given is None else parse_aggregations(given, scope, parse_query)


def _collapse(value: Any, scope: Scope) -> Collapse:
    body = reading.an_object("collapse", value)
    reading.only("[collapse]", body, ("field", "inner_hits", "max_concurrent_group_searches"))
    if "field" not in body:
        raise IllegalArgument("Required [field]")
    name = reading.text("field", body["field"])
    field = scope.field(name)
    if field is None:
        raise ShardArgument(f"no mapping found for `{name}` in order to collapse on")
    if field.family not in (Family.KEYWORD, Family.WHOLE, Family.REAL) or field.type in _NOT_COLLAPSED:
        raise ShardArgument(f"unknown type for collapse field `{name}`, only keywords and numbers are accepted")
    inner = body.get("inner_hits")
    groups = [] if inner is None else inner if isinstance(inner, list) else [inner]
    return Collapse(
        field.path,
        tuple(parse_inner_hits(reading.an_object("inner_hits", group), name, scope, parse_query) for group in groups),
    )


def _rescore(value: Any, sort: tuple[SortKey, ...], scope: Scope) -> tuple[Rescore, ...]:
    if value is None:
        return ()
    if sort:
        raise ShardArgument("Cannot use [sort] option in conjunction with [rescore].")
    found = []
    for item in value if isinstance(value, list) else [value]:
        body = reading.an_object("rescore", item)
        reading.only("[rescore]", body, ("window_size", "query"))
        query = reading.an_object("query", body.get("query"))
        reading.only("[rescore]", query, ("rescore_query", "query_weight", "rescore_query_weight", "score_mode"))
        mode = str(query.get("score_mode", "total")).lower()
        if mode not in _RESCORE_MODES:
            raise IllegalArgument(f"[rescore] illegal score_mode [{mode}]")
        found.append(
            Rescore(
                parse_query(query.get("rescore_query"), scope),
                _rescore_window(body, scope),
                reading.number("query_weight", query.get("query_weight", 1.0)),
                reading.number("rescore_query_weight", query.get("rescore_query_weight", 1.0)),
                mode,
            )
        )
    return tuple(found)


def _rescore_window(body: Body, scope: Scope) -> int:
    window, most = reading.integer("window_size", body.get("window_size", 10)), scope.max_rescore_window
    if window > most:
        raise ShardArgument(
            f"Rescore window [{window}] is too large. It must be less than [{most}]. This prevents allocating massive "
            "heaps for storing the results to be rescored. This limit can be set by changing the "
            "[index.max_rescore_window] index level setting."
        )
    return window


def _slice(value: Any) -> tuple[int, int]:
    body = reading.an_object("slice", value)
    reading.only("[slice]", body, ("id", "max", "field"))
    number, count = reading.integer("id", body.get("id", -1)), reading.integer("max", body.get("max", -1))
    if count < 2:
        raise IllegalArgument("max must be greater than 1")
    if not 0 <= number < count:
        raise IllegalArgument(
            "max must be greater than id" if number >= count else "id must be greater than or equal to 0"
        )
    return number, count

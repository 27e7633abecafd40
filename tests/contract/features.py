"""What a request of a story is about: its route; clauses, aggregations, processors and field types it sends. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from antiphon.query.parse.aggregation import _PARSERS
from antiphon.query.parse.clause import COMPOUNDS, LEAVES
from antiphon.rest.call import Route
from antiphon.rest.router import Router
from tests.contract.story import Request

AGGREGATIONS = frozenset(_PARSERS)
CLAUSES = frozenset({*LEAVES, *COMPOUNDS, "match_all", "match_none", "hybrid"})
_CLAUSE_PLACES = frozenset({
    "query", "filter", "post_filter", "must", "should", "must_not", "queries", "positive", "negative",
    "rescore_query", "no_match_query",
})  # fmt: skip
_PROCESSOR_PLACES = ("processors", "request_processors", "response_processors", "phase_results_processors")
_SEARCHES = ("_search", "_count", "query", "_explain")


@dataclass(frozen=True, slots=True)
class Feature:
    """Something used: ``kind`` is query, aggregation, processor or field; ``outer``: not inside another."""

    kind: str
    name: str
    outer: bool = True


def routed(router: Router, request: Request) -> Route | None:
    """Return the row that serves a request, whose variables are as good as any word."""
    found = router.find(re.sub(r"\$\{[^}]+\}", "x", _path(request)))
    return found.rows.get(request.method) if found else None


def features(request: Request) -> list[Feature]:
    """Return what the JSON body of a request uses; nothing for ML Commons' own searches, which read few queries."""
    path, body = _path(request), request.body
    if not isinstance(body, dict) or path.startswith("/_plugins/_ml"):
        return []
    found = [*_processors(body), *_fields(body)]
    if any(part in path.split("/") for part in _SEARCHES):
        found += _clauses(body, outer=True)
        found += _aggregations(body, outer=True)
    return found


def _path(request: Request) -> str:
    return request.path.partition("?")[0].replace("${ml}", "/_plugins/_ml")


def _clauses(value: Any, *, outer: bool, place: str = "") -> Iterator[Feature]:
    """The clauses in a search body: what stands where a query may stand."""
    if isinstance(value, list):
        for item in value:
            yield from _clauses(item, outer=outer, place=place)
    elif isinstance(value, dict):
        is_clause = place in _CLAUSE_PLACES
        for key, inner in value.items():
            if key in ("aggs", "aggregations"):
                continue
            named = is_clause and isinstance(inner, dict)
            if named:
                yield Feature("query", key, outer)
            yield from _clauses(inner, outer=outer and not named, place=key)


def _aggregations(value: Any, *, outer: bool) -> Iterator[Feature]:
    for key in ("aggs", "aggregations"):
        held = value.get(key) if isinstance(value, dict) else None
        for one in held.values() if isinstance(held, dict) else ():
            kinds = [kind for kind in one if kind in AGGREGATIONS or isinstance(one[kind], dict)]
            yield from (Feature("aggregation", kind, outer) for kind in kinds if kind not in ("aggs", "aggregations"))
            yield from _aggregations(one, outer=False)


def _processors(body: Mapping[str, Any]) -> Iterator[Feature]:
    for inner in (body, *(body[key] for key in ("pipeline", "search_pipeline") if isinstance(body.get(key), dict))):
        for place in _PROCESSOR_PLACES:
            listed = inner.get(place)
            for one in listed if isinstance(listed, list) else ():
                yield from (Feature("processor", name) for name in one)


def _fields(value: Any) -> Iterator[Feature]:
    """The types of fields in a mapping, however deep."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("properties", "fields") and isinstance(inner, dict):
                kinds = [field.get("type") for field in inner.values() if isinstance(field, dict)]
                yield from (Feature("field", kind) for kind in kinds if isinstance(kind, str))
            yield from _fields(inner)
    elif isinstance(value, list):
        for item in value:
            yield from _fields(item)

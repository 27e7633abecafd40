"""``hybrid``: the legs of a search, and the rules that hold for it alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from antiphon.errors import ParsingError
from antiphon.query import reading
from antiphon.query.leaves import MatchNone
from antiphon.query.nodes import Named, Query
from antiphon.query.parse.clause import clause_of, parse_query
from antiphon.query.parse.options import Body
from antiphon.query.parse.reasons import unbound
from antiphon.query.scope import Scope

MAX_LEGS = 5


@dataclass(frozen=True, slots=True)
class Legs:
    """The queries of a search: one, or a hybrid's sub-queries with its depth."""

    queries: tuple[Query, ...]
    hybrid: bool = False
    pagination_depth: int | None = None


def parse_legs(body: object, scope: Scope) -> Legs:
    """Return the legs of a search's ``query``."""
    if not (isinstance(body, dict) and "hybrid" in body):
        return Legs((parse_query(body, scope),))
    name, options = clause_of(body)
    for key in options:
        if key == "boost" and reading.number("boost", options[key]) != 1.0:
            raise ParsingError("[hybrid] query does not support [boost]")
        wrong = options[key] is None or (key == "filter" and not isinstance(options[key], dict))
        if wrong or key not in ("queries", "filter", "pagination_depth", "_name", "boost"):
            raise ParsingError(f"Field is not supported by [{name}] query")
    given = options.get("queries")
    items = given if isinstance(given, list) else [] if given is None else [given]
    if not items:
        raise ParsingError("[hybrid] requires 'queries' field with at least one clause")
    if len(items) > MAX_LEGS:
        raise ParsingError("Number of sub-queries exceeds maximum supported by [hybrid] query")
    kept = options.get("filter")
    if kept is not None:  # what is wrong with it is told without the query it is put around
        parse_query(kept, scope)
    queries = tuple(parse_query(item if kept is None else filtered(item, kept), scope) for item in items)
    label = options.get("_name")
    if label is not None:
        queries = tuple(item if isinstance(item, MatchNone) else Named(str(label), item) for item in queries)
    depth = options.get("pagination_depth")
    return Legs(queries, True, None if depth is None else _depth(depth, scope))


def _depth(value: Any, scope: Scope) -> int:
    depth = reading.integer("pagination_depth", value)
    if depth == 0:
        raise unbound("pagination_depth must not be zero")
    if depth < 0:
        raise unbound("pagination_depth should be greater than 0")
    if depth > scope.max_result_window:
        raise unbound("pagination_depth should be less than or equal to index.max_result_window setting")
    return depth


def filtered(query: object, kept: Body) -> object:
    """Return a sub-query's body with a filter: inside knn and neural, around anything else."""
    name, options = clause_of(query)
    if name in ("knn", "neural") and len(options) == 1:
        ((field, inner),) = options.items()
        if isinstance(inner, dict):
            own = inner.get("filter")
            both = kept if own is None else {"bool": {"filter": [own, kept]}}
            return {name: {field: inner | {"filter": both}}}
    return {"bool": {"must": [query], "filter": [kept]}}

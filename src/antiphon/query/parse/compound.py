"""Clauses made of clauses: bool, dis_max, constant_score, boosting, nested."""

from __future__ import annotations

import base64
from typing import Any

import orjson

from antiphon.errors import AntiphonError, IllegalArgument, JsonError, ParsingError, TooManyClauses
from antiphon.query import reading
from antiphon.query.leaves import MatchNone
from antiphon.query.nodes import (
    Bool,
    Boosting,
    ConstantScore,
    DisMax,
    InnerHits,
    Nested,
    Query,
    ScoreMode,
)
from antiphon.query.parse.inner_hits import parse_inner_hits
from antiphon.query.parse.options import Body, Parse, flag, nested_field
from antiphon.query.parse.reasons import failed_field, only, strict, unbound
from antiphon.query.scope import Scope

_CLAUSES = ("must", "filter", "should", "must_not")
_NESTED_MODES = {
    mode.value: mode for mode in (ScoreMode.AVG, ScoreMode.SUM, ScoreMode.MIN, ScoreMode.MAX, ScoreMode.NONE)
}


def parse_bool(body: Body, scope: Scope, parse: Parse) -> Query:
    """Return a bool; one that only excludes finds nothing without ``adjust_pure_negative``."""
    strict("bool", body, (*_CLAUSES, "minimum_should_match", "adjust_pure_negative"))
    clauses = {key: _clauses("bool", key, body.get(key), scope, parse) for key in _CLAUSES}
    if sum(map(len, clauses.values())) > scope.max_clauses:
        reason = f"maxClauseCount is set to {scope.max_clauses}"
        raise unbound(reason, TooManyClauses(reason))
    if not flag(body, "adjust_pure_negative", True) and [key for key in _CLAUSES if clauses[key]] == ["must_not"]:
        return MatchNone()
    return Bool(
        **clauses,
        minimum_should_match=reading.minimum("bool", body.get("minimum_should_match")),
        boost=reading.boost("bool", body),
    )


def parse_dis_max(body: Body, scope: Scope, parse: Parse) -> Query:
    """Return the best of several queries."""
    only("dis_max", body, ("queries", "tie_breaker"))
    queries = _clauses("dis_max", "queries", body.get("queries"), scope, parse)
    if not queries:
        raise ParsingError("[dis_max] requires 'queries' field with at least one clause")
    tie_breaker = reading.number("tie_breaker", body.get("tie_breaker", 0.0))
    return DisMax(queries, tie_breaker, reading.boost("dis_max", body))


def parse_constant_score(body: Body, scope: Scope, parse: Parse) -> Query:
    """Return a filter with a constant score."""
    only("constant_score", body, ("filter",))
    if isinstance(body.get("filter"), list):
        raise ParsingError("unexpected token [START_ARRAY]")
    if "filter" not in body:
        raise ParsingError("[constant_score] requires a 'filter' element")
    return ConstantScore(parse(body["filter"], scope), reading.boost("constant_score", body))


def parse_wrapper(body: Body, scope: Scope, parse: Parse) -> Query:
    """Return the query whose JSON stands in ``query``, as base64."""
    only("wrapper", body, ("query",))
    if not isinstance(body.get("query"), str):
        raise ParsingError("[wrapper] query malformed")
    if not body["query"]:
        raise IllegalArgument("query source text cannot be null or empty")
    try:
        inner = orjson.loads(base64.b64decode(body["query"], validate=True))
    except ValueError as error:  # of base64, and of JSON
        raise JsonError(f"[wrapper] [query] must be the JSON of a query as base64: {error}") from error
    return parse(inner, scope)


def parse_boosting(body: Body, scope: Scope, parse: Parse) -> Query:
    """Return a query that demotes what another matches."""
    only("boosting", body, ("positive", "negative", "negative_boost"))
    for key in ("positive", "negative"):
        if key not in body:
            raise ParsingError(f"[boosting] query requires '{key}' query to be set'")
    factor = reading.number("negative_boost", body.get("negative_boost", -1))
    if factor < 0:
        raise ParsingError("[boosting] query requires 'negative_boost' to be set to be a positive value'")
    return Boosting(
        parse(body["positive"], scope), parse(body["negative"], scope), factor, reading.boost("boosting", body)
    )


def parse_nested(body: Body, scope: Scope, parse: Parse) -> Query:
    """Return a query on the objects of a nested path."""
    only("nested", body, ("path", "query", "score_mode", "ignore_unmapped", "inner_hits"))
    for key in ("path", "query"):
        if key not in body:
            raise IllegalArgument(f"[nested] requires '{key}' field")
    path = reading.text("path", body["path"])
    if path not in scope.mapping.nested_paths and flag(body, "ignore_unmapped", False):
        return MatchNone()
    nested_field(path, scope)
    spelled = str(body.get("score_mode", "avg")).lower()
    if spelled not in _NESTED_MODES:
        raise IllegalArgument(f"No score mode for child query [{spelled}] found")
    inner: InnerHits | None = None
    if "inner_hits" in body:
        inner = parse_inner_hits(reading.an_object("inner_hits", body["inner_hits"]), path, scope.at(path), parse)
    return Nested(
        path, parse(body["query"], scope.at(path)), _NESTED_MODES[spelled], inner, reading.boost("nested", body)
    )


def _clauses(query: str, key: str, value: Any, scope: Scope, parse: Parse) -> tuple[Query, ...]:
    if value is None:
        return ()
    items = value if isinstance(value, list) else [value]
    try:
        return tuple(parse(item, scope) for item in items)
    except AntiphonError as error:
        wrapped = failed_field(query, key, error) if query == "bool" else error
        raise wrapped from error

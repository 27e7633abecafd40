from __future__ import annotations

from typing import Any

import pytest

from antiphon.domain.source import SourceFilter
from antiphon.errors import AntiphonError, IllegalArgument, ParsingError, ValidationError
from antiphon.query import CatalogSearch, Schema, required_matches
from antiphon.query import parse_catalog_query as parse_query
from antiphon.query import parse_catalog_search as parse_search
from antiphon.query.catalog.clauses import Bool, Query, Range, Term, Terms
from antiphon.query.catalog.search import Metric, MetricAggregation, Missing, Sort, TermsAggregation
from antiphon.query.leaves import (
    Exists,
    Ids,
    MatchAll,
    MatchNone,
    Operator,
    Pattern,
    PatternKind,
    TextMatch,
    TextPhrase,
)

SCHEMA = Schema()


@pytest.mark.parametrize(
    ("body", "clause"),
    [
        ({"match_all": {}}, MatchAll()),
        ({"match_all": {"boost": 2}}, MatchAll(2.0)),
        ({"match_none": {}}, MatchNone()),
        ({"match": {"name": "e5 small"}}, TextMatch("name", "e5 small")),
        ({"match": {"version": 5}}, Term("version", 5)),
        ({"match_phrase": {"version": "5"}}, Term("version", "5")),
        ({"match": {"name": {"query": 5, "operator": "AND"}}}, TextMatch("name", "5", Operator.AND)),
        (
            {"match": {"name": {"query": "x", "minimum_should_match": "75%", "zero_terms_query": "all", "boost": "3"}}},
            TextMatch("name", "x", minimum_should_match="75%", zero_terms_all=True, boost=3.0),
        ),
        ({"match_phrase": {"name": {"query": "e5 small", "slop": 0}}}, TextPhrase("name", "e5 small")),
        ({"term": {"model_state": "DEPLOYED"}}, Term("model_state", "DEPLOYED")),
        ({"term": {"name.keyword": {"value": "E5", "case_insensitive": True}}}, Term("name.keyword", "E5", True)),
        ({"terms": {"algorithm": ["A", 1, True], "boost": 2}}, Terms("algorithm", ("A", 1, True), 2.0)),
        ({"ids": {"values": ["a", 1]}}, Ids(("a", "1"))),
        ({"exists": {"field": "chunk_number"}}, Exists(("chunk_number",))),
        ({"prefix": {"name": "e"}}, Pattern("name", PatternKind.PREFIX, "e")),
        (
            {
                "wildcard": {
                    "name.keyword": {"wildcard": "*E5*", "case_insensitive": "true", "rewrite": "constant_score"}
                }
            },
            Pattern("name.keyword", PatternKind.WILDCARD, "*E5*", case_insensitive=True),
        ),
        ({"range": {"total_chunks": {"gte": 1, "lt": 5}}}, Range("total_chunks", gte=1, lt=5)),
        (
            {"range": {"total_chunks": {"from": 1, "to": 5, "include_lower": False}}},
            Range("total_chunks", gt=1, lte=5),
        ),
        ({"range": {"created_time": {"gte": "1970-01-01T00:00:01Z"}}}, Range("created_time", gte=1000)),
        (
            {"range": {"created_time": {"gte": "1970-01-02", "lt": 5e12}}},
            Range("created_time", gte=86_400_000, lt=5e12),
        ),
        ({"bool": {}}, Bool()),
        (
            {"bool": {"must": {"match_all": {}}, "mustNot": [{"match_none": {}}], "adjust_pure_negative": True}},
            Bool(must=(MatchAll(),), must_not=(MatchNone(),)),
        ),
        (
            {"bool": {"should": [{"match_all": {}}] * 2, "filter": [], "minimum_should_match": 2, "boost": 0.5}},
            Bool(should=(MatchAll(), MatchAll()), minimum_should_match="2", boost=0.5),
        ),
    ],
)
def test_a_clause(body: dict[str, Any], clause: Query) -> None:
    assert parse_query(body, SCHEMA) == clause


@pytest.mark.parametrize(
    ("body", "error", "reason"),
    [
        ([], ParsingError, "[query] must be an object, but found [START_ARRAY]"),
        ({}, IllegalArgument, "query malformed, empty clause found"),
        ({"foo": {}}, ParsingError, "unknown query [foo]"),
        ({"mtach": {}}, ParsingError, "unknown query [mtach] did you mean [match]?"),
        ({"match_all": {}, "ids": {}}, ParsingError, "[match_all] malformed query, expected [END_OBJECT] but found"),
        ({"match": "x"}, ParsingError, "[match] query malformed, no start_object after query name"),
        ({"match": {"a": 1, "b": 2}}, ParsingError, "[match] query takes exactly one field, found [a] and [b]"),
        ({"match": {}}, ParsingError, "[match] query takes exactly one field, found none"),
        ({"match": {"a": {"qery": "x"}}}, ParsingError, "[match] query does not support [qery] did you mean [query]?"),
        ({"match": {"a": {"query": "x", "fuzziness": 1}}}, ParsingError, "[match] query does not support [fuzziness]"),
        ({"match": {"a": None}}, IllegalArgument, "[match] value cannot be null"),
        ({"match": {"a": {"query": "x", "operator": "xor"}}}, IllegalArgument, "[operator] must be [or] or [and]"),
        ({"match": {"a": {"query": "x", "boost": -1}}}, IllegalArgument, "negative [boost] are not allowed"),
        ({"match": {"a": {"query": "", "zero_terms_query": "x"}}}, IllegalArgument, "Unsupported zero_terms_query"),
        ({"match_phrase": {"a": {"query": "x", "slop": 2}}}, IllegalArgument, "with a [slop] other than 0"),
        ({"query_string": {"query": "x"}}, IllegalArgument, "[query_string] queries are not supported in this search"),
        ({"term": {"a": ["x"]}}, ParsingError, "[term] does not support array or object values"),
        ({"terms": {"a": "x"}}, ParsingError, "[terms] query does not support [a] of VALUE_STRING"),
        ({"terms": {"a": ["x"], "b": ["y"]}}, ParsingError, "[terms] query requires exactly one field, found [a, b]"),
        ({"terms": {"a": {"index": "i"}}}, IllegalArgument, "terms lookup"),
        ({"terms": {"a": ["x"] * 65_537}}, IllegalArgument, "The number of terms [65537]"),
        ({"exists": {}}, IllegalArgument, "[exists] must be provided with a [field]"),
        ({"range": {"a": 5}}, ParsingError, "[range] query does not support [a]"),
        ({"range": {"created_time": {"gte": "now-1d"}}}, IllegalArgument, "failed to parse date field [now-1d]"),
        ({"bool": {"mst": []}}, ParsingError, "[bool] unknown field [mst]"),
        ({"bool": {"must": ["x"]}}, ParsingError, "[query] must be an object, but found [VALUE_STRING]"),
        ({"bool": {"minimum_should_match": "most"}}, IllegalArgument, "Failed to parse [minimum_should_match]"),
        ({"ids": {"values": [{}]}}, ParsingError, "[ids] does not support array or object values"),
    ],
)
def test_a_clause_that_is_not_legal(body: Any, error: type[AntiphonError], reason: str) -> None:
    with pytest.raises(AntiphonError) as caught:
        parse_query(body, SCHEMA)
    assert type(caught.value) is error
    assert reason in caught.value.reason


def test_depth_is_bounded() -> None:
    body: dict[str, Any] = {"match_all": {}}
    for _ in range(500):
        body = {"bool": {"must": body}}
    with pytest.raises(IllegalArgument, match="nested depth"):
        parse_query(body, SCHEMA)


def test_an_empty_body_asks_for_everything() -> None:
    assert parse_search(None) == parse_search({}) == CatalogSearch()


def test_a_whole_body() -> None:
    body = {
        "query": {"term": {"model_state": "DEPLOYED"}},
        "from": 0,
        "size": "5",
        "sort": ["_score", {"name.keyword": "desc"}, {"created_time": {"order": "desc", "missing": "_first"}}],
        "search_after": [1.0, "x", None],
        "_source": {"includes": ["a*"], "excludes": "ab"},
        "aggs": {
            "kinds": {"terms": {"field": "algorithm", "order": {"_key": "asc"}}, "aggs": {"n": {"max": {"field": "c"}}}}
        },
        "track_total_hits": True,
        "min_score": 0.5,
        "version": True,
        "seq_no_primary_term": True,
        "timeout": "5s",
    }
    assert parse_search(body) == CatalogSearch(
        query=Term("model_state", "DEPLOYED"),
        size=5,
        sort=(
            Sort("_score", descending=True, largest=True),
            Sort("name.keyword", descending=True, largest=True),
            Sort("created_time", descending=True, missing=Missing.FIRST, largest=True),
        ),
        search_after=(1.0, "x", None),
        source=SourceFilter(True, ("a*",), ("ab",)),
        aggregations={
            "kinds": TermsAggregation(
                "algorithm", 10, 1, "_key", False, {"n": MetricAggregation(Metric.MAX, "c")}
            )
        },
        track_total_hits=True,
        min_score=0.5,
        version=True,
        seq_no_primary_term=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("value", "source"),
    [
        (True, SourceFilter()),
        ("false", SourceFilter(enabled=False)),
        ("name", SourceFilter(includes=("name",))),
        (["name", "model_*"], SourceFilter(includes=("name", "model_*"))),
        ({"exclude": ["a"]}, SourceFilter(excludes=("a",))),
    ],
)
def test_source_filters(value: Any, source: SourceFilter) -> None:
    assert parse_search({"_source": value}).source == source


@pytest.mark.parametrize(
    ("body", "error", "reason"),
    [
        ([], ParsingError, "[search body] must be an object"),
        ({"foo": {}}, ParsingError, "Unknown key for a START_OBJECT in [foo]."),
        ({"sizes": 1}, ParsingError, "Unknown key for a VALUE_NUMBER in [sizes]. did you mean [size]?"),
        ({"highlight": {}}, IllegalArgument, "[highlight] is not supported in this search"),
        ({"size": -1}, IllegalArgument, "[size] parameter cannot be negative, found [-1]"),
        ({"from": -2}, IllegalArgument, "[from] parameter cannot be negative, found [-2]"),
        ({"size": 1.5}, ParsingError, "[size] must be an integer, but found [1.5]"),
        (
            {"from": 9_995, "size": 6}, IllegalArgument,
            "Result window is too large, from + size must be less than or equal to: [10000] but was [10001].",
        ),
        ({"sort": "name"}, IllegalArgument, "Text fields are not optimised for operations that require per-document"),
        ({"sort": {"a": {"mode": "avg"}}}, IllegalArgument, "[sort] on [a]: [mode] must be one of [min, max]"),
        ({"sort": {"a": "up"}}, IllegalArgument, "[sort] on [a]: [order] must be one of [asc, desc], but was [up]"),
        ({"sort": {"a": {"nested": {}}}}, ParsingError, "[sort] on [a] does not support [nested]"),
        ({"search_after": [1]}, IllegalArgument, "Sort must contain at least one field."),
        ({"search_after": 1}, IllegalArgument, "[search_after] must be an array"),
        ({"search_after": [1, 2], "sort": "a"}, IllegalArgument, "search_after has 2 value(s) but sort has 1."),
        ({"search_after": [1], "sort": "_doc"}, IllegalArgument, "[search_after] with a sort on [_doc]"),
        ({"search_after": [1], "sort": "a", "from": 1}, ValidationError, "`from` parameter must be set to 0"),
        ({"_source": {"only": []}}, ParsingError, "Unknown key for a START_ARRAY in [only]"),
        ({"track_total_hits": -2}, IllegalArgument, "[track_total_hits] parameter must be positive or equals to -1"),
        ({"track_scores": "yes"}, IllegalArgument, "Failed to parse value [yes] of [track_scores]"),
        ({"aggs": {"a": {"foo": {}}}}, ParsingError, "Unknown aggregation type [foo]"),
        ({"aggs": {"a": {"terms": {}, "max": {}}}}, ParsingError, "Expected exactly one aggregation type in [a]"),
        ({"aggs": {"a": {"terms": {}}}}, IllegalArgument, "Required one of fields [field, script]"),
        ({"aggs": {"a": {"terms": {"field": "name"}}}}, IllegalArgument, "Text fields are not optimised"),
        ({"aggs": {"a": {"terms": {"field": "x", "size": 0}}}}, IllegalArgument, "[size] must be greater than 0."),
        ({"aggs": {"a": {"terms": {"field": "x", "order": {"b": "asc"}}}}}, IllegalArgument, "[order] of [a] must be"),
        ({"aggs": {"a": {"max": {"field": "x"}, "aggs": {}}}}, ParsingError, "cannot accept sub-aggregations"),
        ({"aggs": {}, "aggregations": {}}, ParsingError, "are the same key"),
    ],
)  # fmt: skip
def test_a_body_that_is_not_legal(body: Any, error: type[AntiphonError], reason: str) -> None:
    with pytest.raises(AntiphonError) as caught:
        parse_search(body)
    assert type(caught.value) is error
    assert reason in caught.value.reason


@pytest.mark.parametrize(
    ("minimum", "optional", "needed"),
    [
        (None, 4, 1),
        ("2", 4, 2),
        ("-1", 4, 3),
        ("-9", 4, 0),
        ("9", 4, 9),
        ("75%", 4, 3),
        ("75%", 3, 2),
        ("-25%", 4, 3),
        ("-25%", 3, 3),
        ("2<75%", 2, 2),
        ("2<75%", 4, 3),
        ("2<-25% 9<-3", 2, 2),
        ("2<-25% 9<-3", 8, 6),
        ("2<-25% 9<-3", 10, 7),
    ],
)
def test_minimum_should_match(minimum: str | None, optional: int, needed: int) -> None:
    assert required_matches(minimum, optional, default=1) == needed

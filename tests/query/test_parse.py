"""Bodies become bound queries, or are refused in OpenSearch's words."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon.errors import AntiphonError
from antiphon.query import EmbedText, MatchAll, Query, Vector, is_shard_failure, parse_query
from antiphon.query.leaves import (
    Exists,
    Fuzziness,
    Ids,
    KeywordRange,
    KeywordTerms,
    MatchNone,
    NumberRange,
    NumberTerms,
    Operator,
    Pattern,
    PatternKind,
    TextMatch,
    TextPhrase,
    TextTerms,
)
from antiphon.query.nodes import (
    Bool,
    ConstantScore,
    DisMax,
    Knn,
    Named,
    Nested,
    ScoreMode,
    ScriptScore,
    TermsSet,
)
from antiphon.query.script import Binary, BinaryOperator, DocSize, Literal, VectorFunction
from tests.query.world import NOW, parsed, scope

DAY = 86_400_000
JANUARY_1 = 1_704_067_200_000
TAG_X = KeywordTerms("tag", ("x",), listed=False)


@pytest.mark.parametrize(
    ("body", "query"),
    [
        ({"match_all": {"boost": 2}}, MatchAll(2.0)),
        ({"match": {"title": "a b"}}, TextMatch("title", "a b")),
        ({"match": {"title": {"query": 3, "operator": "AND", "fuzziness": "AUTO"}}},
         TextMatch("title", "3", Operator.AND, fuzziness=Fuzziness())),
        ({"match": {"tag": "x"}}, TAG_X),
        ({"match": {"other": "x"}}, TAG_X),
        ({"match": {"count": "7"}}, NumberTerms("count", (7,))),
        ({"match": {"count": {"query": "seven", "lenient": True}}}, MatchNone()),
        ({"match": {"nowhere": "x"}}, MatchNone()),
        ({"match": {"part.name": "x"}}, MatchNone()),
        ({"match_phrase": {"title": {"query": "a b", "slop": 2}}}, TextPhrase("title", "a b", 2)),
        ({"match_phrase_prefix": {"title": "a b"}}, TextPhrase("title", "a b", prefix=True)),
        ({"match_bool_prefix": {"title": "a b"}}, TextMatch("title", "a b", last_prefix=True)),
        ({"term": {"tag": {"value": "x", "_name": "n"}}}, Named("n", TAG_X)),
        ({"term": {"title": "x"}}, TextTerms("title", ("x",))),
        ({"term": {"tag": {"value": "X", "case_insensitive": True}}},
         Pattern("tag", PatternKind.EXACT, "X", case_insensitive=True)),
        ({"term": {"flag": "true"}}, NumberTerms("flag", (1,), scored=True)),
        ({"term": {"count": 1.5}}, MatchNone()),
        ({"term": {"day": "2024-01-01"}}, NumberRange("day", JANUARY_1, JANUARY_1 + DAY - 1)),
        ({"term": {"day": "now"}}, NumberTerms("day", (NOW,))),
        ({"term": {"_id": 7}}, Ids(("7",))),
        ({"term": {"_index": "books"}}, MatchAll()),
        ({"terms": {"_id": ["a", "b"]}}, Ids(("a", "b"))),
        ({"terms": {"tag": ["x", "y"], "boost": 2}}, KeywordTerms("tag", ("x", "y"), boost=2.0)),
        ({"terms": {"tag": []}}, MatchNone()),
        ({"range": {"count": {"gt": 1, "lte": "5"}}}, NumberRange("count", 1, 5, include_low=False)),
        ({"range": {"tag": {"gte": "a"}}}, KeywordRange("tag", "a")),
        ({"range": {"day": {"gte": "2024-01-01", "lt": "2024-01-01||+1d/d"}}},
         NumberRange("day", JANUARY_1, JANUARY_1 + DAY, include_high=False)),
        ({"range": {"count": {"from": 1, "to": 2, "include_upper": False}}},
         NumberRange("count", 1, 2, include_high=False)),
        ({"range": {"count": {}}}, Exists(("count",))),
        ({"exists": {"field": "object"}}, Exists(("object.a", "object.b"))),
        ({"exists": {"field": "nowhere"}}, MatchNone()),
        ({"ids": {"values": "a"}}, Ids(("a",))),
        ({"wildcard": {"tag": {"wildcard": "a*"}}}, Pattern("tag", PatternKind.WILDCARD, "a*")),
        ({"bool": {}}, Bool()),
        ({"bool": {"filter": []}}, Bool()),
        ({"bool": {"must": {"range": {"count": {"gt": 1}}}, "should": [{"term": {"tag": "x"}}]}},
         Bool(must=(NumberRange("count", 1, include_low=False),), should=(TAG_X,))),
        ({"constant_score": {"filter": {"term": {"tag": "x"}}, "boost": 3}}, ConstantScore(TAG_X, 3.0)),
        ({"multi_match": {"query": "x", "fields": ["title^2", "tag"]}},
         DisMax((TextMatch("title", "x", boost=2.0), TAG_X))),
        ({"nested": {"path": "part", "query": {"term": {"part.name": "x"}}, "score_mode": "max"}},
         Nested("part", KeywordTerms("part.name", ("x",), listed=False), ScoreMode.MAX)),
        ({"nested": {"path": "nowhere", "query": {"match_all": {}}, "ignore_unmapped": True}}, MatchNone()),
        ({"knn": {"nowhere": {"vector": [1, 2], "k": 1, "ignore_unmapped": True}}}, MatchNone()),
        ({"terms_set": {"tag": {"terms": ["x"], "minimum_should_match_script": {
            "source": "Math.max(params.num_terms, doc[params.field].size())", "params": {"field": "tag"}}}}},
         TermsSet((TAG_X,), Binary(BinaryOperator.MAXIMUM, Literal(1.0, whole=True), DocSize("tag")))),
        ({"query_string": {"query": "*x~2*", "fields": ["tag"]}},
         Bool(should=(Pattern("tag", PatternKind.WILDCARD, "*x"), ConstantScore(Exists(("tag",)))))),
        ({"query_string": {"query": "a AND NOT b", "default_field": "body"}},
         Bool(must=(TextMatch("body", "a"),), must_not=(TextMatch("body", "b"),))),
        ({"query_string": {"query": "*:*"}}, MatchAll()),
        ({"simple_query_string": {"query": '+"a b"~1 | (', "fields": ["body"]}}, TextPhrase("body", "a b", 1)),
    ],
)  # fmt: skip
def test_bound(body: dict[str, Any], query: Query) -> None:
    assert parsed(body) == query


def test_a_multi_match_without_fields_takes_every_field_it_can() -> None:
    query = parsed({"multi_match": {"query": "x", "fuzziness": 0, "type": "most_fields", "operator": "OR"}})
    assert isinstance(query, DisMax)
    assert query.tie_breaker == 1.0
    assert [getattr(one, "field", None) for one in query.queries] == [
        "title", "title.keyword", "body", "tag", "plain", "long", "object.a",
    ]  # fmt: skip


def test_slots_are_numbered_and_shared() -> None:
    asked = scope()
    body = {
        "bool": {
            "should": [
                {"neural": {"vec": {"query_text": "x", "model_id": "m"}}},
                {"knn": {"l2": {"vector": [1, 2], "k": 3, "filter": {"term": {"tag": "x"}}}}},
                {"neural": {"vec": {"query_text": "x", "model_id": "m", "min_score": 0.5}}},
                {"neural": {"l2": {"query_text": "x"}}},
            ]
        }
    }
    assert parse_query(body, asked) == Bool(
        should=(Knn("vec", 0, 10), Knn("l2", 1, 3, filter=TAG_X), Knn("vec", 0, min_score=0.5), Knn("l2", 2, 10))
    )
    assert asked.slots == [
        EmbedText("m", "x", "vec"),
        Vector((1.0, 2.0)),
        EmbedText("enriched", "x", "l2"),
    ]


def test_a_filter_of_a_nested_vector_may_name_the_parent() -> None:
    near = {"knn": {"part.vec": {"vector": [1, 2], "k": 3, "filter": {"term": {"tag": "x"}}}}}
    assert parsed({"nested": {"path": "part", "query": near}}) == Nested("part", Knn("part.vec", 0, 3, filter=TAG_X))


def test_a_semantic_field_is_asked_by_its_embedding() -> None:
    asked = scope()
    assert parse_query({"neural": {"plain": {"query_text": "x", "k": 3}}}, asked) == Knn(
        "plain_semantic_info.embedding", 0, 3
    )
    near = parse_query({"neural": {"long": {"query_text": "x", "boost": 2, "_name": "n"}}}, asked)
    chunks = "long_semantic_info.chunks"
    assert near == Named("n", Nested(chunks, Knn(f"{chunks}.embedding", 1, 10), ScoreMode.MAX, boost=2.0))
    assert asked.slots == [
        EmbedText("p", "x", "plain_semantic_info.embedding"),
        EmbedText("s", "x", f"{chunks}.embedding"),
    ]
    assert parsed({"match": {"plain": "x"}}) == TextMatch("plain", "x")


def test_langchains_script() -> None:
    script = {
        "source": "(1.0 + cosineSimilarity(params.query_value, doc['vec']))",
        "params": {"field": "vec", "query_value": [1, 2]},
    }
    found = parsed({"script_score": {"query": {"match_all": {}}, "script": script}})
    assert isinstance(found, ScriptScore)
    assert isinstance(found.script, Binary)
    assert isinstance(found.script.right, VectorFunction)
    assert found.script.right.vector == (1.0, 2.0)


def deep(count: int) -> dict[str, Any]:
    body: dict[str, Any] = {"match_all": {}}
    for _ in range(count):
        body = {"bool": {"must": body}}
    return body


KNN = "[knn] requires "
SHARD = "failed to create query: "
OVERSAMPLED = (
    "[knn] errors in rescore parameter [Validation Failed: 1: Oversample factor [0.500000] cannot be less than "
    "[1.000000];]"
)
TWO_PROBLEMS = (
    "Invalid neural query: Either query_text or query_image must be provided.; Only one of k, max_distance, or "
    "min_score can be provided"
)
NOT_WITHIN = (
    "hybrid query must be a top level query and cannot be wrapped into other queries. To use scoring wrapper queries "
    "(function_score, script_score, etc.) with hybrid sub-queries, replace the hybrid clause with a bool query using "
    "should clauses containing the same sub-queries"
)


@pytest.mark.parametrize(
    ("body", "type_", "reason"),
    [
        ({}, "illegal_argument_exception", "query malformed, empty clause found at [1:2]"),
        ({"foo": {}}, "parsing_exception", "unknown query [foo]"),
        ({"match": 1}, "parsing_exception", "[match] query malformed, no start_object after query name"),
        ({"match": {"title": "x"}, "term": {}}, "parsing_exception",
         "[match] malformed query, expected [END_OBJECT] but found [FIELD_NAME]"),
        ({"match": {"title": "x", "body": "y"}}, "parsing_exception",
         "[match] query doesn't support multiple fields, found [title] and [body]"),
        ({"match": {"title": {"query": "x", "foo": 1}}}, "parsing_exception", "[match] query does not support [foo]"),
        ({"match": {"count": "x"}}, "query_shard_exception", SHARD + 'For input string: "x"'),
        ({"bool": {"x": 1}}, "x_content_parse_exception", "[1:1] [bool] unknown field [x]"),
        ({"bool": {"must": [{"foo": {}}]}}, "x_content_parse_exception", "[1:1] [bool] failed to parse field [must]"),
        ({"bool": {"must": [{"match": {"vec": "x"}}]}}, "query_shard_exception",
         SHARD + "KNN vector do not support exact searching, use KNN queries instead: [vec]"),
        ({"bool": {"should": [{"match_all": {}}] * 1025}}, "query_shard_exception",
         SHARD + "maxClauseCount is set to 1024"),
        ({"term": {"tag": ["x"]}}, "parsing_exception", "[term] query does not support array of values"),
        ({"terms": {"tag": {"index": "i", "id": "1", "path": "p"}}}, "illegal_argument_exception",
         "[terms lookup] is not supported by Antiphon: fetch the document first and list its values"),
        ({"span_near": {}}, "illegal_argument_exception",
         "[span_near] is not supported by Antiphon: use [match_phrase] with [slop]"),
        ({"bool": {"must": {"span_near": {}}}}, "illegal_argument_exception",
         "[span_near] is not supported by Antiphon: use [match_phrase] with [slop]"),
        ({"nested": {"path": "p", "query": {"match_all": {}}}}, "query_shard_exception",
         SHARD + "[nested] failed to find nested object under path [p]"),
        ({"knn": {"vec": {"vector": [1, 2]}}}, "illegal_argument_exception",
         KNN + "exactly one of k, distance or score to be set"),
        ({"knn": {"vec": {"vector": [1, 2], "k": 1, "min_score": 1}}}, "illegal_argument_exception",
         KNN + "exactly one of k, distance or score to be set"),
        ({"knn": {"vec": {"vector": [1, 2], "k": 0}}}, "illegal_argument_exception",
         KNN + "k to be in the range (0, 10000]"),
        ({"knn": {"vec": {"vector": [1, 2], "min_score": 0}}}, "illegal_argument_exception",
         KNN + "minScore to be greater than 0"),
        ({"knn": {"vec": {"k": 1}}}, "illegal_argument_exception", KNN + "query vector"),
        ({"knn": {"vec": {"vector": [], "k": 1}}}, "x_content_parse_exception",
         "[1:1] [knn] failed to parse field [vector]"),
        ({"knn": {"vec": {"vector": [1], "k": 1}, "l2": {}}}, "parsing_exception",
         "[knn] query doesn't support multiple fields, found [vec] and [l2]"),
        ({"knn": {"vec": {"vector": [1, 2], "foo": 1}}}, "x_content_parse_exception",
         "[1:1] [knn] unknown field [foo]"),
        ({"knn": {"vec": {"vector": [1, 2], "k": {}}}}, "x_content_parse_exception",
         "[1:1] [knn] k doesn't support values of type: START_OBJECT"),
        ({"knn": {"vec": {"vector": [1, 2], "k": 1, "filter": []}}}, "x_content_parse_exception",
         "[1:1] [knn] filter doesn't support values of type: START_ARRAY"),
        ({"knn": {"vec": {"vector": [1, 2], "k": 1, "method_parameters": {"x": 1}}}}, "x_content_parse_exception",
         "[1:1] [knn] failed to parse field [method_parameters]"),
        ({"knn": {"vec": {"vector": [1, 2], "max_distance": 1, "rescore": True}}}, "illegal_argument_exception",
         "The following fields are not allowed together: [rescore, max_distance]"),
        ({"knn": {"vec": {"vector": [1, 2], "k": 1, "rescore": {"oversample_factor": 0.5}}}},
         "illegal_argument_exception", OVERSAMPLED),
        ({"knn": {"nowhere": {"vector": [1, 2], "k": 1}}}, "query_shard_exception",
         SHARD + "Field 'nowhere' is not knn_vector type."),
        ({"knn": {"vec": {"vector": [1, 2, 3], "k": 1}}}, "query_shard_exception",
         SHARD + "Query vector has invalid dimension: 3. Dimension should be: 2"),
        ({"knn": {"vec": {"vector": [0, 0], "k": 1}}}, "query_shard_exception",
         SHARD + "zero vector is not supported when space type is [cosinesimil]"),
        ({"knn": {"l2": {"vector": [0, 0], "max_distance": -1}}}, "query_shard_exception",
         SHARD + KNN + "distance to be non-negative for space type: L2"),
        ({"knn": {"l2": {"vector": [0, 0], "min_score": 2}}}, "query_shard_exception",
         SHARD + KNN + "score to be in the range [0, 1] for space type: L2"),
        ({"knn": {"bytes": {"vector": [0.5, 0], "k": 2}}}, "query_shard_exception",
         SHARD + "[data_type] field was set as [byte] in index mapping. But, KNN vector values are floats instead of "
         "byte integers"),
        ({"neural": {"vec": {"query_text": "x"}}}, "illegal_argument_exception",
         "Invalid neural query: model_id must be provided."),
        ({"neural": {"vec": {"model_id": "m", "k": 1, "min_score": 1}}}, "illegal_argument_exception",
         TWO_PROBLEMS),
        ({"neural": {"vec": {"x": 1}}}, "parsing_exception", "[neural] query does not support [x]"),
        ({"hybrid": {"queries": []}}, "illegal_argument_exception",
         NOT_WITHIN),
        ({"query_string": {"query": "a AND (", "fields": ["title"]}}, "query_shard_exception",
         "Failed to parse query [a AND (]"),
        ({"query_string": {"query": "(" * 999 + "a" + ")" * 999}}, "query_shard_exception", None),
        ({"script": {"script": {"source": "doc['count'].value.foo()"}}}, "script_exception", "compile error"),
        ({"script": {"script": {"source": "+".join("1" * 999)}}}, "script_exception", "compile error"),
        (deep(99), "x_content_parse_exception", None),
    ],
)  # fmt: skip
def test_refused(body: dict[str, Any], type_: str, reason: str | None) -> None:
    with pytest.raises(AntiphonError) as raised:
        parsed(body)
    assert (raised.value.type, raised.value.status) == (type_, 400)
    if reason is not None:
        assert raised.value.reason == reason
    shard = type_ in ("query_shard_exception", "too_many_clauses", "script_exception") or reason == NOT_WITHIN
    assert is_shard_failure(raised.value) == shard


def test_the_cause_of_an_unknown_query_inside_a_bool() -> None:
    with pytest.raises(AntiphonError) as raised:
        parsed({"bool": {"must": [{"bool": {"filter": {"foo": {}}}}]}})
    inner = raised.value.cause
    assert inner is not None
    assert inner.reason == "[1:1] [bool] failed to parse field [filter]"
    assert inner.cause is not None
    assert inner.cause.reason == "unknown query [foo]"
    assert inner.cause.cause is not None
    assert inner.cause.cause.type == "named_object_not_found_exception"

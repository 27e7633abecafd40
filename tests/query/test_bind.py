"""Search bodies for an engine without models: neural clauses become knn clauses, and nothing else changes."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.errors import AntiphonError
from antiphon.query import BindScope, DefaultModels, EmbeddedField, EmbedText, bound_body, wanted_texts

SCOPE = BindScope(
    DefaultModels("default", {"w": "special"}),
    {
        "s": EmbeddedField("s_semantic_info.embedding", "sem"),
        "c": EmbeddedField("c_semantic_info.chunks.embedding", "sem", "c_semantic_info.chunks"),
    },
)
NEURAL: dict[str, Any] = {"neural": {"v": {"query_text": "tea"}}}
KNN: dict[str, Any] = {"knn": {"v": {"vector": [1.0, 2.0], "k": 10}}}


def bind(body: Any, scope: BindScope = SCOPE) -> Any:
    wanted = wanted_texts(body, scope)
    return bound_body(body, scope, {text: [1.0, 2.0] for text in wanted})


def places(clause: Any) -> list[Any]:
    """Bodies that hold a clause in every place where one may stand."""
    return [
        {"query": clause},
        {"query": {"bool": {"must": clause, "filter": [clause], "should": [clause], "must_not": [clause]}}},
        {"query": {"hybrid": {"queries": [{"match": {"t": "x"}}, clause]}}},
        {"query": {"dis_max": {"queries": [clause], "tie_breaker": 0.1}}},
        {"query": {"constant_score": {"filter": clause}}},
        {"query": {"function_score": {"query": clause, "functions": [{"filter": clause, "weight": 2}]}}},
        {"query": {"script_score": {"query": clause, "script": {"source": "_score"}}}},
        {"query": {"nested": {"path": "p", "query": clause, "inner_hits": {"size": 1}}}},
        {"query": {"boosting": {"positive": clause, "negative": clause, "negative_boost": 0.5}}},
        {"query": {"knn": {"v": {"vector": [0.0], "k": 1, "filter": {"bool": {"filter": [clause]}}}}}},
        {"post_filter": clause},
        {"rescore": {"window_size": 5, "query": {"rescore_query": clause}}},
        {"rescore": [{"query": {"rescore_query": clause, "query_weight": 1}}]},
        {"aggs": {"a": {"filter": clause, "aggs": {"b": {"filters": {"filters": {"x": clause}}}}}}},
        {"aggregations": {"a": {"terms": {"field": "n"}, "aggs": {"b": {"filters": {"filters": [clause]}}}}}},
        {"aggs": {"a": {"adjacency_matrix": {"filters": {"x": clause}}}}},
        {"aggs": {"a": {"significant_terms": {"field": "t", "background_filter": clause}}}},
        {"sort": [{"p.n": {"order": "asc", "nested": {"path": "p", "filter": clause}}}]},
        {"highlight": {"highlight_query": clause, "fields": {"t": {"highlight_query": clause}}}},
    ]


def test_a_clause_is_bound_wherever_it_may_stand() -> None:
    for body, expected in zip(places(NEURAL), places(KNN), strict=True):
        before = copy.deepcopy(body)
        assert bind(body) == expected
        assert body == before


def test_every_option_goes_over() -> None:
    options = {
        "k": 3, "boost": 2.0, "_name": "m", "method_parameters": {"ef_search": 9}, "rescore": {"oversample_factor": 2},
        "expand_nested_docs": True,
    }  # fmt: skip
    body = {"query": {"neural": {"v": {"query_text": "tea", "model_id": "own", "filter": NEURAL, **options}}}}
    assert bind(body) == {"query": {"knn": {"v": {"vector": [1.0, 2.0], **options, "filter": KNN}}}}
    assert wanted_texts(body, SCOPE) == [EmbedText("own", "tea", "v"), EmbedText("default", "tea", "v")]


@pytest.mark.parametrize("bound", ["max_distance", "min_score"])
def test_a_radius_stands_for_k(bound: str) -> None:
    assert bind({"query": {"neural": {"v": {"query_text": "tea", bound: 0.5}}}}) == {
        "query": {"knn": {"v": {"vector": [1.0, 2.0], bound: 0.5}}}
    }


def test_semantic_fields_are_asked_where_their_embeddings_are() -> None:
    assert bind({"query": {"neural": {"s": {"query_text": "tea", "k": 2}}}}) == {
        "query": {"knn": {"s_semantic_info.embedding": {"vector": [1.0, 2.0], "k": 2}}}
    }
    chunked = {"query": {"neural": {"c": {"query_text": "tea", "boost": 2.0, "_name": "m"}}}}
    assert bind(chunked) == {
        "query": {
            "nested": {
                "path": "c_semantic_info.chunks",
                "query": {"knn": {"c_semantic_info.chunks.embedding": {"vector": [1.0, 2.0], "k": 10}}},
                "score_mode": "max",
                "boost": 2.0,
                "_name": "m",
            }
        }
    }
    assert [text.model_id for text in wanted_texts(chunked, SCOPE)] == ["sem"]


def test_the_model_is_the_clauses_own_then_the_fields_then_the_default() -> None:
    body = {"query": {"dis_max": {"queries": [{"neural": {name: {"query_text": "x"}}} for name in ("v", "w")]}}}
    assert [text.model_id for text in wanted_texts(body, SCOPE)] == ["default", "special"]


def test_each_text_is_wanted_once() -> None:
    assert wanted_texts({"query": {"bool": {"should": [NEURAL, NEURAL]}}}, SCOPE) == [EmbedText("default", "tea", "v")]


@pytest.mark.parametrize(
    ("clause", "says"),
    [
        ({"neural": {"v": {"query_text": " ", "model_id": "m"}}}, "Either query_text or query_image must be provided."),
        ({"neural": {"v": {"query_text": "x", "model_id": " "}}}, "model_id field can not be empty"),
        ({"neural": {"v": {"query_image": "x", "model_id": "m"}}}, "query_image"),
        (
            {"neural": {"v": {"query_tokens": {"a": 1}, "model_id": "m"}}},
            "query_tokens is not supported",
        ),
        ({"neural": {"v": {"query_text": "x", "model_id": "m", "kk": 1}}}, "does not support [kk]"),
        ({"neural": {"v": {"query_text": "x", "model_id": "m", "k": 1, "min_score": 1}}}, "Only one of k"),
        ({"neural": {"v": {}, "w": {}}}, "multiple fields"),
        ({"neural_sparse": {"v": {"query_text": "x", "model_id": "m"}}}, "neural_sparse with query_text"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(clause: dict[str, Any], says: str) -> None:
    with pytest.raises(AntiphonError, match=says.replace("[", r"\[").replace("]", r"\]")):
        wanted_texts({"query": {"bool": {"must": [clause]}}}, BindScope())


def test_a_field_that_means_two_things_is_refused_where_it_is_asked() -> None:
    mixed = BindScope(DefaultModels("m"), SCOPE.semantic, frozenset({"s"}))
    assert len(wanted_texts({"query": NEURAL}, mixed)) == 1
    with pytest.raises(AntiphonError, match="one by one"):
        wanted_texts({"query": {"neural": {"s": {"query_text": "x"}}}}, mixed)


def test_a_clause_without_a_model_is_the_engines_but_for_its_filter() -> None:
    """It may ask a semantic field of the engine's own, with tokens too; what it must not be, the engine says."""
    scope = BindScope(DefaultModels(None, {"v": "m"}), {})
    body: Any
    for asked in ({"query_text": "x", "k": 3}, {"query_tokens": {"a": 1.0}}):
        body = {"query": {"neural": {"own": asked}}}
        assert bind(body, scope) is body
    body = {"query": {"neural": {"own": {"query_text": "x", "filter": NEURAL}}}}
    assert bind(body, scope) == {"query": {"neural": {"own": {"query_text": "x", "filter": KNN}}}}
    with pytest.raises(AntiphonError, match="model_id must be provided"):
        bind(body, replace(scope, others=False))


def test_nesting_has_a_limit() -> None:
    body: Any = NEURAL
    for _ in range(200):
        body = {"bool": {"must": [body]}}
    with pytest.raises(AntiphonError, match="100 levels"):
        wanted_texts({"query": body}, SCOPE)


@pytest.mark.parametrize(
    "body",
    [
        {"query": {"term": {"neural": {"value": "x"}}}},
        {"query": {"match": {"neural": "x"}}},
        {"query": {"terms": {"tag": ["neural"]}}},
        {"query": {"range": {"neural": {"gte": 1}}}},
        {"query": {"percolate": {"field": "q", "document": {"neural": {"v": {"query_text": "x"}}}}}},
        {"query": {"script_score": {"query": {"match_all": {}}, "script": {"params": {"query": NEURAL}}}}},
        {"query": {"nested": {"path": "p", "query": {"match_all": {}}, "inner_hits": {"name": "neural"}}}},
        {"aggs": {"neural": {"terms": {"field": "neural"}}}},
        {"sort": [{"neural": {"order": "asc"}}, "neural", {"neural": "asc"}]},
        {"_source": ["neural"], "ext": {"query": NEURAL}, "fields": ["neural"]},
    ],
)
def test_a_name_or_a_value_is_no_clause(body: Any) -> None:
    assert wanted_texts(body, SCOPE) == []
    assert bind(body) is body


KEYS = (
    "query", "bool", "must", "filter", "should", "aggs", "filters", "sort", "nested", "highlight", "fields", "knn", "v",
    "a", "rescore", "functions", "queries", "hybrid", "function_score", "dis_max",
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "query",
                    "bool",
                    "must",
                    "filter",
                    "should",
                    "aggs",
                    "filters",
                    "sort",
                    "nested",
                    "highlight",
                    "fields",
                    "knn",
                    "v",
                    "a",
                    "rescore",
                    "functions",
                    "queries",
                    "hybrid",
                    "function_score",
                    "dis_max",
                ]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=25,
)


@given(st.dictionaries(st.sampled_from(["query", "aggs", "sort", "rescore", "highlight", "post_filter"]), JSON))
def test_a_body_without_neural_comes_back_as_it_is(body: dict[str, Any]) -> None:
    before = copy.deepcopy(body)
    assert wanted_texts(body, SCOPE) == []
    assert bind(body) is body
    assert body == before


@given(st.lists(st.sampled_from(["bool", "dis_max", "constant_score", "boosting", "knn"]), max_size=6), JSON)
def test_a_clause_is_found_at_any_depth_and_its_neighbours_stay(path: list[str], neighbour: Any) -> None:
    body, expected = NEURAL, KNN
    for name in path:
        key = {"bool": "must", "dis_max": "queries", "constant_score": "filter", "boosting": "negative"}.get(name, "v")
        inner: Any = {"filter": body} if name == "knn" else body
        outer: Any = {"filter": expected} if name == "knn" else expected
        body, expected = {name: {key: inner, "zz": neighbour}}, {name: {key: outer, "zz": neighbour}}
    assert bind({"query": body, "zz": neighbour}) == {"query": expected, "zz": neighbour}

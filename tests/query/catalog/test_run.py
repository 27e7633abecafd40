from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.query import Document, Found, Total
from antiphon.query import parse_catalog_search as parse_search
from antiphon.query import run_catalog_search as run_search
from antiphon.query.catalog.analyse import terms_of

MODELS = [
    Document(
        f"id-{number}",
        {
            "name": name,
            "model_state": state,
            "model_version": str(number),
            "total_chunks": number,
            "is_hidden": number == 3,
            "created_time": 1000 * number,
            "planning_worker_nodes": nodes,
            "model_config": {"embedding_dimension": 384 * number, "query_prefix": "query: "},
        },
    )
    for number, name, state, nodes in (
        (1, "multilingual-e5-small", "DEPLOYED", ["n1", "n2"]),
        (2, "E5 small", "REGISTERED", []),
        (3, "E5 large instruct", "DEPLOYED", ["n2"]),
        (4, "bge small en", "UNDEPLOYED", None),
    )
]


def ids(query: dict[str, Any], **body: Any) -> list[str]:
    return [hit.document.id for hit in search({"query": query} | body).hits]


def search(body: dict[str, Any], documents: list[Document] = MODELS) -> Found:
    return run_search(parse_search(body), documents)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"match_all": {}}, "1234"),
        ({"match_none": {}}, ""),
        ({"match": {"name": "E5"}}, "213"),
        ({"match": {"name": {"query": "small E5", "operator": "and"}}}, "21"),
        ({"match": {"name": {"query": "e5 large x", "minimum_should_match": 2}}}, "3"),
        ({"match": {"name": "..."}}, ""),
        ({"match": {"name": {"query": "...", "zero_terms_query": "all"}}}, "1234"),
        ({"match": {"model_version": 2}}, "2"),
        ({"match_phrase": {"name": "e5-small"}}, "21"),
        ({"match_phrase": {"name": "small e5"}}, ""),
        ({"match_phrase": {"model_state": "DEPLOYED"}}, "13"),
        ({"term": {"name": "E5"}}, ""),
        ({"term": {"name": {"value": "E5", "case_insensitive": True}}}, "123"),
        ({"term": {"name.keyword": "E5 small"}}, "2"),
        ({"term": {"_id": "id-3"}}, "3"),
        ({"term": {"model_state": "deployed"}}, ""),
        ({"term": {"is_hidden": "true"}}, "3"),
        ({"term": {"is_hidden": True}}, "3"),
        ({"term": {"total_chunks": "2"}}, "2"),
        ({"term": {"total_chunks": 2.0}}, "2"),
        ({"term": {"model_config.embedding_dimension": 384}}, "1"),
        ({"term": {"planning_worker_nodes": "n2"}}, "13"),
        ({"terms": {"model_state": ["DEPLOYED", "UNDEPLOYED"]}}, "134"),
        ({"terms": {"_id": ["id-1", "id-9"]}}, "1"),
        ({"ids": {"values": ["id-4", "id-2"]}}, "24"),
        ({"exists": {"field": "planning_worker_nodes"}}, "13"),
        ({"exists": {"field": "model_config"}}, "1234"),
        ({"exists": {"field": "chunk_number"}}, ""),
        ({"exists": {"field": "_id"}}, "1234"),
        ({"prefix": {"name": "multi"}}, "1"),
        ({"prefix": {"name.keyword": {"value": "e5", "case_insensitive": True}}}, "23"),
        ({"wildcard": {"name.keyword": "*small*"}}, "124"),
        ({"wildcard": {"name.keyword": {"value": "E?*CT", "case_insensitive": True}}}, "3"),
        ({"wildcard": {"name": "e?"}}, "1234"),
        ({"wildcard": {"name.keyword": r"\*small"}}, ""),
        ({"range": {"total_chunks": {"gt": 1, "lte": "3"}}}, "23"),
        ({"range": {"created_time": {"gte": "1970-01-01T00:00:03Z"}}}, "34"),
        ({"range": {"model_state": {"lt": "E"}}}, "13"),
        ({"range": {"total_chunks": {"lt": "many"}}}, ""),
        ({"bool": {}}, "1234"),
        ({"bool": {"must_not": {"exists": {"field": "planning_worker_nodes"}}}}, "24"),
        (
            {"bool": {"must": {"match": {"name": "small"}}, "should": {"match": {"name": "bge"}}}},
            "421",
        ),
        ({"bool": {"should": [{"term": {"total_chunks": 1}}, {"term": {"total_chunks": 2}}]}}, "12"),
        ({"bool": {"filter": {"match_all": {}}, "should": {"match_none": {}}}}, "1234"),
        ({"bool": {"should": [{"match_all": {}}], "minimum_should_match": 2}}, ""),
    ],
)
def test_what_matches_best_first(query: dict[str, Any], found: str) -> None:
    assert ids(query) == [f"id-{number}" for number in found]


def test_scores_are_those_of_bm25() -> None:
    hits = search({"query": {"term": {"name": "bge"}}}).hits
    idf = math.log(1 + (4 - 1 + 0.5) / (1 + 0.5))
    length = 3 / ((3 + 2 + 3 + 3) / 4)
    assert hits[0].score == pytest.approx(idf / (1 + 1.2 * (0.25 + 0.75 * length)))
    keyword = search({"query": {"term": {"name.keyword": {"value": "E5 small", "boost": 2}}}}).hits
    assert keyword[0].score == pytest.approx(2 * idf / 2.2)


@pytest.mark.parametrize(
    ("query", "score"),
    [
        ({"match_all": {"boost": 3}}, 3.0),
        ({"term": {"total_chunks": 1}}, 1.0),
        ({"exists": {"field": "name"}}, 1.0),
        ({"bool": {"filter": {"match_all": {}}}}, 0.0),
        ({"bool": {"must_not": {"match_none": {}}}}, 0.0),
        ({"bool": {"must": [{"match_all": {}}], "should": [{"match_all": {}}], "boost": 2}}, 4.0),
    ],
)
def test_constant_scores(query: dict[str, Any], score: float) -> None:
    found = search({"query": query})
    assert (found.max_score, found.hits[0].score) == (score, score)


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("_doc", "1234"),
        ([{"_doc": "desc"}], "4321"),
        ([{"_id": "desc"}], "4321"),
        ("name.keyword", "3241"),
        ({"model_config.embedding_dimension": {"order": "desc"}}, "4321"),
        (["model_state", {"total_chunks": "desc"}], "3124"),
        ([{"planning_worker_nodes": "asc"}], "1324"),
        ([{"planning_worker_nodes": {"order": "desc", "missing": "_first"}}], "2413"),
        ([{"planning_worker_nodes": {"order": "desc", "mode": "min"}}], "3124"),
        ([{"is_hidden": "desc"}], "3124"),
        ("no_document_has_it", "1234"),
    ],
)
def test_sorting(sort: Any, order: str) -> None:
    assert ids({"match_all": {}}, sort=sort) == [f"id-{number}" for number in order]


def test_a_field_sort_shows_its_values_and_no_score() -> None:
    found = search({"sort": [{"total_chunks": "desc"}], "size": 1})
    assert (found.hits[0].sort, found.hits[0].score, found.max_score) == ((4,), None, None)
    scored = search({"sort": [{"total_chunks": "desc"}], "size": 1, "track_scores": True})
    assert (scored.hits[0].score, scored.max_score) == (1.0, 1.0)
    assert search({}).hits[0].sort is None


def test_pages_and_totals() -> None:
    assert ids({"match_all": {}}, **{"from": 1}, size=2) == ["id-2", "id-3"]
    assert search({"size": 0}) == Found((), Total(4), None)
    assert search({"track_total_hits": False}).total is None
    assert search({"track_total_hits": 3}).total == Total(3, "gte")
    assert search({"track_total_hits": True}).total == Total(4)
    assert search({"track_total_hits": None}).total == Total(4)
    assert search({}, []) == Found((), Total(0), None)
    assert search({"query": {"match": {"name": "e5"}}, "min_score": 99}).total == Total(0)


def test_walking_with_search_after_visits_every_document_once() -> None:
    body: dict[str, Any] = {"sort": [{"planning_worker_nodes": "desc"}, "_id"], "size": 1}
    seen: list[str] = []
    while hits := search(body).hits:
        seen.append(hits[0].document.id)
        body["search_after"] = list(hits[0].sort or ())
    assert seen == ["id-1", "id-3", "id-2", "id-4"]


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        (False, None),
        ("a", {"a": {"b": 1, "c": {"d": None}}}),
        ("a.b", {"a": {"b": 1}}),
        (["a.c", "x*"], {"a": {"c": {"d": None}}, "xyz": []}),
        ({"excludes": ["a", "l"]}, {"e": {}, "xyz": []}),
        ({"includes": ["a", "l.m"], "excludes": ["*.b"]}, {"a": {"c": {"d": None}}, "l": [{"m": 1}, {"m": 2}]}),
        ("nothing", {}),
    ],
)
def test_source_filtering(source: Any, shown: Any) -> None:
    document = {"a": {"b": 1, "c": {"d": None}}, "e": {}, "xyz": [], "l": [{"m": 1, "n": 1}, {"m": 2}]}
    assert search({"_source": source}, [Document("1", document)]).hits[0].source == shown


def test_aggregations() -> None:
    body = {
        "size": 0,
        "aggs": {
            "states": {
                "terms": {"field": "model_state", "size": 2},
                "aggs": {"largest": {"max": {"field": "total_chunks"}}},
            },
            "hidden": {"terms": {"field": "is_hidden", "order": {"_key": "desc"}}},
            "busy": {"terms": {"field": "planning_worker_nodes", "min_doc_count": 2}},
            "stats": {"stats": {"field": "total_chunks"}},
            "none": {"avg": {"field": "chunk_number"}},
            "nodes": {"cardinality": {"field": "planning_worker_nodes"}},
            "values": {"value_count": {"field": "planning_worker_nodes"}},
        },
    }
    assert search(body).aggregations == {
        "states": {
            "doc_count_error_upper_bound": 0,
            "sum_other_doc_count": 1,
            "buckets": [
                {"key": "DEPLOYED", "doc_count": 2, "largest": {"value": 3.0}},
                {"key": "REGISTERED", "doc_count": 1, "largest": {"value": 2.0}},
            ],
        },
        "hidden": {
            "doc_count_error_upper_bound": 0,
            "sum_other_doc_count": 0,
            "buckets": [
                {"key": 1, "key_as_string": "true", "doc_count": 1},
                {"key": 0, "key_as_string": "false", "doc_count": 3},
            ],
        },
        "busy": {
            "doc_count_error_upper_bound": 0,
            "sum_other_doc_count": 0,
            "buckets": [{"key": "n2", "doc_count": 2}],
        },
        "stats": {"count": 4, "min": 1.0, "max": 4.0, "avg": 2.5, "sum": 10.0},
        "none": {"value": None},
        "nodes": {"value": 2},
        "values": {"value": 3},
    }


def test_a_wildcard_of_many_stars_ends_at_once() -> None:
    document = Document("1", {"name": "a" * 256})
    query = {"wildcard": {"name.keyword": "*a" * 60 + "*b"}}
    assert search({"query": query}, [document]).total == Total(0)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("multilingual-e5-small v1.5", ["multilingual", "e5", "small", "v1.5"]),
        ("Don't use example.com, ok?", ["don't", "use", "example.com", "ok"]),
        ("1,000 a,b __ x_y", ["1,000", "a", "b", "x_y"]),
        ("日本 ひら Ünïcode हिन्दी", ["日", "本", "ひ", "ら", "ünïcode", "हिन्दी"]),
        ("", []),
    ],
)
def test_analysis(text: str, terms: list[str]) -> None:
    assert terms_of(text) == terms


LEAVES: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"match_all": {}},
        {"match_none": {}},
        {"match": {"name": "e5 bge"}},
        {"term": {"model_state": "DEPLOYED"}},
        {"range": {"total_chunks": {"gte": 2}}},
        {"exists": {"field": "planning_worker_nodes"}},
        {"wildcard": {"name.keyword": "*s*"}},
    ]
)
QUERIES: st.SearchStrategy[dict[str, Any]] = st.recursive(
    LEAVES,
    lambda inner: st.dictionaries(
        st.sampled_from(["must", "should", "filter", "must_not"]), st.lists(inner, max_size=3)
    ).map(lambda body: {"bool": body}),
    max_leaves=8,
)
EVERYTHING = {document.id for document in MODELS}


@given(QUERIES)
def test_must_not_is_the_complement(query: dict[str, Any]) -> None:
    assert set(ids({"bool": {"must_not": [query]}})) == EVERYTHING - set(ids(query))


@given(QUERIES, QUERIES)
def test_filters_intersect_and_shoulds_unite(one: dict[str, Any], other: dict[str, Any]) -> None:
    found = set(ids(one)), set(ids(other))
    assert set(ids({"bool": {"filter": [one, other]}})) == found[0] & found[1]
    assert set(ids({"bool": {"must": [one, other]}})) == found[0] & found[1]
    assert set(ids({"bool": {"should": [one, other]}})) == found[0] | found[1]
    assert set(ids({"bool": {"should": [one, other], "minimum_should_match": 2}})) == found[0] & found[1]


@given(QUERIES)
def test_better_scores_come_first_and_pages_tile_the_whole(query: dict[str, Any]) -> None:
    hits = search({"query": query}).hits
    scores = [hit.score or 0.0 for hit in hits]
    assert scores == sorted(scores, reverse=True)
    pages = [search({"query": query, "from": start, "size": 1}).hits for start in range(len(hits))]
    assert tuple(hit for page in pages for hit in page) == hits


@given(st.lists(st.sampled_from(["*", "?", "a", "b"]), max_size=6), st.text("ab", max_size=6))
def test_wildcards_agree_with_plain_backtracking(pattern: list[str], text: str) -> None:
    def fits(parts: list[str], rest: str) -> bool:
        if not parts:
            return not rest
        if parts[0] == "*":
            return any(fits(parts[1:], rest[cut:]) for cut in range(len(rest) + 1))
        return bool(rest) and parts[0] in ("?", rest[0]) and fits(parts[1:], rest[1:])

    query = {"wildcard": {"tag": "".join(pattern)}}
    found = search({"query": query}, [Document("1", {"tag": text})])
    assert bool(found.hits) == fits(pattern, text)

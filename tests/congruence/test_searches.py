"""Random searches find the same documents, with the same scores, totals, aggregations and sort values, on both."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.congruence.conftest import WORDS, Pair

Json = dict[str, Any]
TOLERANCE = 2e-4
_chance, _numbers = random.Random(11), np.random.default_rng(11)


def word() -> str:
    return _chance.choice(WORDS[:25])


def words(count: int) -> str:
    return " ".join(word() for _ in range(count))


def vector() -> list[float]:
    return [round(float(value), 4) for value in _numbers.standard_normal(8)]


def nearest(k: int) -> Json:
    return {"vector": vector(), "k": k}


def least() -> int:
    return _chance.randint(0, 50)


TEXT: dict[str, Callable[[], Json]] = {
    "match": lambda: {"match": {"title": words(2)}},
    "match all words": lambda: {"match": {"title": {"query": words(2), "operator": "and"}}},
    "match two of three": lambda: {"match": {"title": {"query": words(3), "minimum_should_match": 2}}},
    "match with edits": lambda: {"match": {"title": {"query": word(), "fuzziness": 1}}},
    "phrase": lambda: {"match_phrase": {"title": words(2)}},
    "fuzzy": lambda: {"fuzzy": {"title": "w12"}},
    "keyword": lambda: {"term": {"tag": _chance.choice("abcd")}},
    "fields": lambda: {"multi_match": {"query": words(2), "fields": ["title^2", "tag"]}},
    "dis_max": lambda: {"dis_max": {"queries": [{"match": {"title": word()}}] * 2, "tie_breaker": 0.3}},
    "boosting": lambda: {
        "boosting": {
            "positive": {"match": {"title": word()}},
            "negative": {"term": {"tag": "a"}},
            "negative_boost": 0.5,
        }
    },
    "simple query": lambda: {"simple_query_string": {"query": f"{word()} | {word()}", "fields": ["title"]}},
    "query string": lambda: {"query_string": {"query": f"title:{word()} OR title:{word()}"}},
    "bool": lambda: {
        "bool": {
            "must": [{"match": {"title": words(2)}}],
            "should": [{"match": {"title": word()}}],
            "filter": [{"range": {"n": {"gte": least()}}}],
            "must_not": [{"term": {"tag": "d"}}],
        }
    },
}
OTHERS: dict[str, Callable[[], Json]] = {
    "terms": lambda: {"terms": {"tag": ["a", "d"]}},
    "range": lambda: {"range": {"n": {"gte": least()}}},
    "dates": lambda: {"range": {"day": {"gte": "2024-06-01", "lt": "2024-09||/M"}}},
    "dates in Berlin": lambda: {
        "range": {"day": {"gte": "2024-03-31", "lt": "2024-10-27||+1d/d", "time_zone": "Europe/Berlin"}}
    },
    "exists": lambda: {"exists": {"field": "n"}},
    "prefix": lambda: {"prefix": {"title": "w1"}},
    "wildcard": lambda: {"wildcard": {"tag": "?"}},
    "regexp": lambda: {"regexp": {"title": "w[1-3]"}},
    "ids": lambda: {"ids": {"values": ["1", "17", "299", "300"]}},
    "constant": lambda: {"constant_score": {"filter": {"term": {"tag": "b"}}, "boost": 3}},
    "weights": lambda: {
        "function_score": {
            "functions": [
                {"filter": {"term": {"ok": True}}, "weight": 3},
                {"filter": {"term": {"tag": "a"}}, "weight": 2},
            ],
            "score_mode": "sum",
        }
    },
    "decay": lambda: {"function_score": {"query": {"match_all": {}}, "gauss": {"price": {"origin": 5, "scale": 2}}}},
    "only a filter": lambda: {"bool": {"filter": [{"term": {"tag": "a"}}], "must_not": [{"term": {"ok": True}}]}},
    "k-NN": lambda: {"knn": {"v": nearest(_chance.randint(1, 20))}},
    "k-NN, filtered": lambda: {"knn": {"v": nearest(5) | {"filter": {"term": {"tag": "a"}}}}},
    "k-NN by score": lambda: {"knn": {"v": {"vector": vector(), "min_score": 0.1}}},
    "k-NN by distance": lambda: {"knn": {"v": {"vector": vector(), "max_distance": 9.0}}},
    "exact k-NN": lambda: {
        "script_score": {
            "query": {"match": {"title": word()}},
            "script": {
                "source": "knn_score",
                "lang": "knn",
                "params": {"field": "v", "query_value": vector(), "space_type": "cosinesimil"},
            },
        }
    },
    "a formula": lambda: {
        "script_score": {
            "query": {"match_all": {}},
            "script": {"source": "1/(1+l2Squared(params.q, doc['v']))", "params": {"q": vector()}},
        }
    },
}

AGGREGATIONS: dict[str, Json] = {
    "terms": {"terms": {"field": "tag"}, "aggs": {"m": {"avg": {"field": "price"}}}},
    "numbers": {"terms": {"field": "n", "size": 3, "order": {"_key": "desc"}}},
    "booleans": {"terms": {"field": "ok"}},
    "stats": {"stats": {"field": "n"}},
    "cardinality": {"cardinality": {"field": "n"}},
    "value_count": {"value_count": {"field": "tag"}},
    "histogram": {"histogram": {"field": "n", "interval": 10}},
    "months": {"date_histogram": {"field": "day", "calendar_interval": "month"}},
    "ten days": {"date_histogram": {"field": "day", "fixed_interval": "10d", "format": "yyyy-MM-dd"}},
    "months in Berlin": {
        "date_histogram": {"field": "day", "calendar_interval": "month", "time_zone": "Europe/Berlin"}
    },
    "days in New York": {
        "date_histogram": {"field": "day", "calendar_interval": "day", "time_zone": "America/New_York"}
    },
    "weeks in Berlin": {"date_histogram": {"field": "day", "fixed_interval": "7d", "time_zone": "Europe/Berlin"}},
    "hours in Kolkata": {
        "date_histogram": {"field": "day", "fixed_interval": "6h", "time_zone": "Asia/Kolkata", "min_doc_count": 1}
    },
    "range": {"range": {"field": "price", "ranges": [{"to": 3}, {"from": 3, "to": 6}, {"from": 6}]}},
    "date_range": {"date_range": {"field": "day", "ranges": [{"from": "2024-03-01", "to": "2024-06-01"}]}},
    "filters": {"filters": {"filters": {"x": {"term": {"ok": True}}, "y": {"range": {"n": {"lt": 10}}}}}},
    "missing": {"missing": {"field": "n"}},
    "global": {"global": {}, "aggs": {"x": {"max": {"field": "price"}}}},
    "composite": {
        "composite": {
            "size": 5,
            "sources": [
                {"t": {"terms": {"field": "tag"}}},
                {"d": {"date_histogram": {"field": "day", "calendar_interval": "quarter"}}},
            ],
        }
    },
    "top_hits": {
        "terms": {"field": "tag"},
        "aggs": {"best": {"top_hits": {"size": 1, "sort": [{"price": "desc"}], "_source": ["price"]}}},
    },
}

SORTS: list[list[Any]] = [
    [{"n": "asc"}],
    [{"n": {"order": "desc", "missing": "_first"}}, "_id"],
    [{"n": {"order": "asc", "missing": "_first"}}, {"price": "desc"}],
    [{"price": "desc"}],
    ["tag", "_doc"],
    [{"tag": {"mode": "max", "order": "desc"}}, {"price": "asc"}],
]


@pytest.mark.parametrize("name", [*TEXT, *OTHERS])
def test_the_same_documents_with_the_same_scores(pair: Pair, name: str) -> None:
    for _ in range(5):
        query = (TEXT | OTHERS)[name]()
        own, other = pair.ask({"size": 300, "_source": False, "query": query, "track_total_hits": True})
        found, wanted = scores(own), scores(other)
        assert found.keys() == wanted.keys(), query
        assert own["hits"]["total"] == other["hits"]["total"], query
        for doc_id, score in wanted.items():
            assert found[doc_id] == pytest.approx(score, rel=TOLERANCE), (query, doc_id)


@pytest.mark.parametrize("name", AGGREGATIONS)
def test_the_same_aggregations(pair: Pair, name: str) -> None:
    body = {"size": 0, "query": {"match": {"title": "w0 w3"}}, "aggs": {"x": AGGREGATIONS[name]}}
    own, other = pair.ask(body)
    assert canonical(own["aggregations"]) == canonical(other["aggregations"])


@pytest.mark.parametrize("sort", SORTS, ids=str)
def test_the_same_order_and_sort_values_page_by_page(pair: Pair, sort: list[Any]) -> None:
    body: Json = {"size": 40, "_source": False, "query": {"match": {"title": "w0 w1"}}, "sort": sort}
    for _ in range(12):
        own, other = pair.ask(body)
        pages = [[(hit["_id"], hit["sort"]) for hit in answer["hits"]["hits"]] for answer in (own, other)]
        assert pages[0] == pages[1]
        if not pages[0]:
            break
        body["search_after"] = pages[0][-1][1]


@pytest.mark.parametrize("normalization", ["min_max", "l2"])
@pytest.mark.parametrize("combination", ["arithmetic_mean", "geometric_mean", "harmonic_mean"])
def test_the_same_hybrid_scores(pair: Pair, normalization: str, combination: str) -> None:
    processor = {
        "normalization": {"technique": normalization},
        "combination": {"technique": combination, "parameters": {"weights": [0.3, 0.7]}},
    }
    pipeline = {"phase_results_processors": [{"normalization-processor": processor}]}
    for client in (pair.own, pair.other):
        client.put("/_search/pipeline/congruence", json=pipeline).raise_for_status()
    for _ in range(5):
        exact = {"field": "v", "query_value": vector(), "space_type": "l2"}  # the other's k-NN may miss some
        script = {"source": "knn_score", "lang": "knn", "params": exact}
        near = {"script_score": {"query": {"term": {"tag": "a"}}, "script": script}}
        legs = [{"match": {"title": words(2)}}, near]
        body = {"size": 20, "_source": False, "query": {"hybrid": {"queries": legs}}}
        own, other = pair.ask(body, search_pipeline="congruence")
        assert own["hits"]["total"] == other["hits"]["total"]
        found, wanted = scores(own), scores(other)
        assert sorted(found.values()) == pytest.approx(sorted(wanted.values()), abs=TOLERANCE)
        for doc_id in found.keys() & wanted.keys():
            assert found[doc_id] == pytest.approx(wanted[doc_id], abs=TOLERANCE)
        cut = min(wanted.values())  # among equals at the cut, each server has its own choice
        for doc_id in found.keys() ^ wanted.keys():
            assert (found | wanted)[doc_id] == pytest.approx(cut, abs=TOLERANCE)


def scores(answer: Json) -> dict[str, float]:
    """Return score by id."""
    return {hit["_id"]: hit["_score"] for hit in answer["hits"]["hits"]}


def canonical(aggregations: Json) -> str:
    """Return JSON in one spelling."""
    return json.dumps(aggregations, sort_keys=True, indent=1)

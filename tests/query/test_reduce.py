"""Partials merge and become OpenSearch's JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from antiphon.query import (
    Aggregation,
    BucketPartial,
    BucketsPartial,
    MetricPartial,
    Partial,
    SearchHit,
    SinglePartial,
    TopHitsPartial,
    finish,
    finish_all,
    merge,
    parse_search,
)
from tests.query.world import scope

DAY = 86_400_000


def render(index: str, hit: Any) -> Mapping[str, Any]:
    return {"_index": index, "_id": hit.id}


def aggregation(body: dict[str, Any]) -> Aggregation:
    return parse_search({"aggs": {"x": body}}, scope()).aggregations["x"]


def buckets(counts: dict[Any, int], **options: Any) -> BucketsPartial:
    return BucketsPartial({key: BucketPartial(count) for key, count in counts.items()}, **options)


EMPTY = MetricPartial()
FIVE = MetricPartial(2, 6.0, 1.0, 5.0)


@pytest.mark.parametrize(
    ("body", "partial", "expected"),
    [
        ({"avg": {"field": "count"}}, MetricPartial(2, 6.0), {"value": 3.0}),
        ({"min": {"field": "count"}}, FIVE, {"value": 1.0}),
        ({"max": {"field": "count"}}, EMPTY, {"value": None}),
        ({"avg": {"field": "nowhere"}}, EMPTY, {"value": None}),
        ({"sum": {"field": "count"}}, EMPTY, {"value": 0.0}),
        ({"value_count": {"field": "tag"}}, FIVE, {"value": 2}),
        ({"cardinality": {"field": "tag"}}, MetricPartial(4, distinct={"a", "b", "c"}), {"value": 3}),
        ({"stats": {"field": "count"}}, FIVE, {"count": 2, "min": 1.0, "max": 5.0, "avg": 3.0, "sum": 6.0}),
        ({"stats": {"field": "count"}}, EMPTY, {"count": 0, "min": None, "max": None, "avg": None, "sum": 0.0}),
        (
            {"max": {"field": "day"}},
            MetricPartial(1, DAY, DAY, DAY),
            {"value": float(DAY), "value_as_string": "1970-01-02T00:00:00.000Z"},
        ),
        (
            {"terms": {"field": "tag", "size": 2}},
            buckets({"b": 1, "c": 1, "a": 3, "d": 1}),
            {
                "doc_count_error_upper_bound": 0,
                "sum_other_doc_count": 2,
                "buckets": [{"key": "a", "doc_count": 3}, {"key": "b", "doc_count": 1}],
            },
        ),
        (
            {"terms": {"field": "flag", "order": {"_key": "asc"}}},
            buckets({1: 2, 0: 5}, field_type="boolean"),
            {
                "doc_count_error_upper_bound": 0,
                "sum_other_doc_count": 0,
                "buckets": [
                    {"key": 0, "key_as_string": "false", "doc_count": 5},
                    {"key": 1, "key_as_string": "true", "doc_count": 2},
                ],
            },
        ),
        (
            {"terms": {"field": "day", "min_doc_count": 2}},
            buckets({0: 2, DAY: 1}, field_type="date"),
            {
                "doc_count_error_upper_bound": 0,
                "sum_other_doc_count": 0,
                "buckets": [{"key": 0, "key_as_string": "1970-01-01T00:00:00.000Z", "doc_count": 2}],
            },
        ),
        (
            {"terms": {"field": "tag", "include": ["a", "b"], "exclude": ["b"]}},
            buckets({"a": 1, "b": 2, "c": 3}),
            {
                "doc_count_error_upper_bound": 0,
                "sum_other_doc_count": 0,
                "buckets": [{"key": "a", "doc_count": 1}],
            },
        ),
        (
            {"terms": {"field": "tag", "include": "a.*", "exclude": ".*z"}},
            buckets({"ab": 1, "az": 2, "c": 3}),
            {
                "doc_count_error_upper_bound": 0,
                "sum_other_doc_count": 0,
                "buckets": [{"key": "ab", "doc_count": 1}],
            },
        ),
        (
            {"histogram": {"field": "count", "interval": 5, "extended_bounds": {"min": -5, "max": 14}}},
            buckets({0.0: 2, 10.0: 1}),
            {
                "buckets": [
                    {"key": -5.0, "doc_count": 0},
                    {"key": 0.0, "doc_count": 2},
                    {"key": 5.0, "doc_count": 0},
                    {"key": 10.0, "doc_count": 1},
                ]
            },
        ),
        (
            {"histogram": {"field": "price", "interval": 0.1, "min_doc_count": 1, "keyed": True}},
            buckets({0.0: 2, 0.1: 0}),
            {"buckets": {"0.0": {"key": 0.0, "doc_count": 2}}},
        ),
        ({"histogram": {"field": "count", "interval": 5}}, buckets({}), {"buckets": []}),
        (
            {"date_histogram": {"field": "day", "calendar_interval": "month", "format": "yyyy-MM"}},
            buckets({0: 1, 59 * DAY: 2}),
            {
                "buckets": [
                    {"key_as_string": "1970-01", "key": 0, "doc_count": 1},
                    {"key_as_string": "1970-02", "key": 31 * DAY, "doc_count": 0},
                    {"key_as_string": "1970-03", "key": 59 * DAY, "doc_count": 2},
                ]
            },
        ),
        (
            {"range": {"field": "price", "ranges": [{"from": 5}, {"to": 5}, {"key": "mid", "from": 1, "to": 9}]}},
            buckets({0: 3, 1: 2}),
            {
                "buckets": [
                    {"key": "*-5.0", "to": 5.0, "doc_count": 3},
                    {"key": "mid", "from": 1.0, "to": 9.0, "doc_count": 2},
                    {"key": "5.0-*", "from": 5.0, "doc_count": 0},
                ]
            },
        ),
        (
            {"date_range": {"field": "day", "keyed": True, "format": "yyyy", "ranges": [{"from": "1971", "key": "x"}]}},
            buckets({0: 3}),
            {"buckets": {"x": {"from": 365.0 * DAY, "from_as_string": "1971", "doc_count": 3}}},
        ),
        ({"filter": {"term": {"tag": "a"}}}, SinglePartial(BucketPartial(3)), {"doc_count": 3}),
        (
            {"filters": {"filters": {"a": {"term": {"tag": "a"}}}, "other_bucket_key": "rest"}},
            buckets({"a": 3, "rest": 1}),
            {"buckets": {"a": {"doc_count": 3}, "rest": {"doc_count": 1}}},
        ),
        (
            {"filters": {"filters": [{"match_all": {}}, {"match_none": {}}]}},
            buckets({"0": 3}),
            {"buckets": [{"doc_count": 3}, {"doc_count": 0}]},
        ),
        ({"missing": {"field": "tag"}}, SinglePartial(BucketPartial(1)), {"doc_count": 1}),
        ({"global": {}}, SinglePartial(BucketPartial(9)), {"doc_count": 9}),
        ({"nested": {"path": "part"}}, SinglePartial(BucketPartial(4)), {"doc_count": 4}),
        (
            {"composite": {"size": 2, "sources": [{"f": {"terms": {"field": "tag"}}}], "after": {"f": "a"}}},
            buckets({("c",): 1, ("a",): 5, ("b",): 2, ("d",): 1}),
            {
                "after_key": {"f": "c"},
                "buckets": [{"key": {"f": "b"}, "doc_count": 2}, {"key": {"f": "c"}, "doc_count": 1}],
            },
        ),
        ({"composite": {"sources": [{"f": {"terms": {"field": "tag"}}}]}}, buckets({}), {"buckets": []}),
        (
            {
                "composite": {
                    "sources": [
                        {"flag": {"terms": {"field": "flag", "order": "desc", "missing_bucket": True}}},
                        {"d": {"date_histogram": {"field": "day", "calendar_interval": "day", "format": "yyyy-MM-dd"}}},
                    ]
                }
            },
            buckets({(None, 0): 1, (1, DAY): 2, (0, 0): 3}),
            {
                "after_key": {"flag": None, "d": "1970-01-01"},
                "buckets": [
                    {"key": {"flag": True, "d": "1970-01-02"}, "doc_count": 2},
                    {"key": {"flag": False, "d": "1970-01-01"}, "doc_count": 3},
                    {"key": {"flag": None, "d": "1970-01-01"}, "doc_count": 1},
                ],
            },
        ),
    ],
)
def test_shapes(body: dict[str, Any], partial: Partial, expected: dict[str, Any]) -> None:
    assert finish(aggregation(body), partial, render) == expected


def test_order_by_a_metric_below_and_merge_of_two_indices() -> None:
    terms = aggregation(
        {
            "terms": {"field": "tag", "order": {"m": "desc"}},
            "aggs": {"m": {"avg": {"field": "count"}}, "n": {"stats": {"field": "nowhere"}}},
        }
    )

    def shard(totals: dict[str, float]) -> BucketsPartial:
        return BucketsPartial(
            {key: BucketPartial(1, {"m": MetricPartial(1, total, total, total)}) for key, total in totals.items()}
        )

    found = finish(terms, merge(shard({"a": 1, "b": 2}), shard({"a": 9, "c": 3})), render)
    assert [(bucket["key"], bucket["doc_count"], bucket["m"]["value"]) for bucket in found["buckets"]] == [
        ("a", 2, 5.0),
        ("c", 1, 3.0),
        ("b", 1, 2.0),
    ]
    assert found["buckets"][0]["n"] == {"count": 0, "min": None, "max": None, "avg": None, "sum": 0.0}


def test_top_hits_of_two_indices() -> None:
    top = aggregation({"top_hits": {"size": 2}})

    def shard(index: str, scores: list[float]) -> TopHitsPartial:
        hits = [((score,), index, SearchHit(f"{index}{score}", score, {})) for score in scores]
        return TopHitsPartial(len(hits), hits, max(scores))

    found = finish(top, merge(shard("i", [3.0, 1.0]), shard("j", [2.0])), render)
    assert found == {
        "hits": {
            "total": {"value": 3, "relation": "eq"},
            "max_score": 3.0,
            "hits": [{"_index": "i", "_id": "i3.0"}, {"_index": "j", "_id": "j2.0"}],
        }
    }
    sorted_top = aggregation({"top_hits": {"sort": [{"count": "asc"}]}})
    none = finish(sorted_top, TopHitsPartial(2, [((None,), "i", SearchHit("x", None, {})),
                                                 ((1,), "i", SearchHit("y", None, {}))]), render)  # fmt: skip
    assert [hit["_id"] for hit in none["hits"]["hits"]] == ["y", "x"]
    assert none["hits"]["max_score"] is None


def test_an_aggregation_without_a_partial_is_empty() -> None:
    search = parse_search({"aggs": {"a": {"terms": {"field": "tag"}}, "b": {"filter": {"match_all": {}}}}}, scope())
    assert finish_all(search.aggregations, {}, render) == {
        "a": {"doc_count_error_upper_bound": 0, "sum_other_doc_count": 0, "buckets": []},
        "b": {"doc_count": 0},
    }

"""Search bodies: keys, windows, sorts, hybrids, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon.errors import AntiphonError
from antiphon.query import MatchAll, Search, is_shard_failure, parse_search
from antiphon.query.leaves import KeywordTerms, TextMatch
from antiphon.query.nodes import Bool, Knn, SortKey
from tests.query.world import scope

QUERIES = [{"match": {"title": "x"}}, {"knn": {"vec": {"vector": [1, 2], "k": 3}}}]
TAG_X = KeywordTerms("tag", ("x",), listed=False)


def search(body: dict[str, Any]) -> Search:
    return parse_search(body, scope())


def test_an_empty_body_matches_everything() -> None:
    assert search({}) == Search(legs=(MatchAll(),))


def test_a_hybrid_with_a_filter() -> None:
    found = search({"query": {"hybrid": {"queries": QUERIES, "filter": {"term": {"tag": "x"}}, "pagination_depth": 9}}})
    assert found.hybrid
    assert found.pagination_depth == 9
    assert found.legs == (Bool(must=(TextMatch("title", "x"),), filter=(TAG_X,)), Knn("vec", 0, 3, filter=TAG_X))


def test_slots_belong_to_the_search() -> None:
    asked = scope()
    found = parse_search({"query": QUERIES[1]}, asked)
    assert len(found.slots) == 1
    assert asked.slots == []


@pytest.mark.parametrize(
    ("sort", "keys"),
    [
        ("count", (SortKey("count"),)),
        (["_score"], ()),
        ([{"_score": "asc"}], (SortKey("_score"),)),
        ([{"count": "desc"}, "_doc"], (SortKey("count", descending=True), SortKey("_doc"))),
        ({"count": {"order": "desc", "missing": "_first", "mode": "avg"}},
         (SortKey("count", True, "_first", "avg"),)),
        ([{"day": {"missing": "1970-01-02", "format": "yyyy"}}], (SortKey("day", missing=86_400_000, format="yyyy"),)),
        ([{"nowhere": {"unmapped_type": "long"}}], (SortKey("nowhere", mapped=False),)),
        ([{"part.name": {"nested": {"path": "part", "filter": {"term": {"part.name": "x"}}}}}],
         (SortKey("part.name", nested="part", nested_filter=KeywordTerms("part.name", ("x",), listed=False)),)),
    ],
)  # fmt: skip
def test_sort(sort: Any, keys: tuple[SortKey, ...]) -> None:
    assert search({"sort": sort}).sort == keys


WINDOW = (
    "Result window is too large, from + size must be less than or equal to: [10000] but was [10001]. See the scroll "
    "api for a more efficient way to request large data sets. This limit can be set by changing the "
    "[index.max_result_window] index level setting."
)
TEXT = (
    "Text fields are not optimised for operations that require per-document field data like aggregations and sorting, "
    "so these operations are disabled by default. Please use a keyword field instead. Alternatively, set "
    "fielddata=true on [title] in order to load field data by uninverting the inverted index. Note that this can use "
    "significant memory."
)

INSTEAD = "list the values, or write [.*] only"
REGULAR = f"[regular expression [a|b] in a terms aggregation] is not supported by Antiphon: {INSTEAD}"


def hybrid(**options: Any) -> dict[str, Any]:
    return {"query": {"hybrid": {"queries": QUERIES} | options}}


@pytest.mark.parametrize(
    ("body", "type_", "reason", "shard"),
    [
        ({"foo": {}}, "parsing_exception", "Unknown key for a START_OBJECT in [foo].", False),
        ({"foo": 1}, "parsing_exception", "Unknown key for a VALUE_NUMBER in [foo].", False),
        ({"size": -1}, "illegal_argument_exception", "[size] parameter cannot be negative, found [-1]", False),
        ({"from": -1}, "illegal_argument_exception", "[from] parameter cannot be negative, found [-1]", False),
        ({"size": 10_001}, "illegal_argument_exception", WINDOW, True),
        ({"sort": "title"}, "illegal_argument_exception", TEXT, True),
        ({"aggs": {"a": {"terms": {"field": "title"}}}}, "illegal_argument_exception", TEXT, True),
        ({"sort": "nowhere"}, "query_shard_exception", "No mapping found for [nowhere] in order to sort on", True),
        ({"aggs": {"a": {"stats": {"field": "tag"}}}}, "illegal_argument_exception",
         "Field [tag] of type [keyword] is not supported for aggregation [stats]", True),
        ({"aggs": {"a": {"foo": {}}}}, "parsing_exception", "Unknown aggregation type [foo]", False),
        ({"script_fields": {"a": {}}}, "illegal_argument_exception",
         "[script_fields] is not supported by Antiphon: compute the value from [_source] in the client", False),
        ({"suggest": {}}, "illegal_argument_exception",
         "[suggest] is not supported by Antiphon: use a [match] query with [fuzziness]", False),
        ({"aggs": {"a": {"terms": {"field": "tag", "include": "a|b"}}}}, "illegal_argument_exception",
         ("[regular expression [a|b] in a terms aggregation] is not supported by Antiphon: list the values, or write "
          "[.*] only"), False),
        ({"search_after": [1], "from": 3, "sort": "count"}, "illegal_argument_exception",
         "`from` parameter must be set to 0 when `search_after` is used.", False),
        ({"search_after": [1, 2], "sort": "count"}, "illegal_argument_exception",
         "search_after has 2 value(s) but sort has 1.", True),
        (hybrid(queries=[]), "parsing_exception", "[hybrid] requires 'queries' field with at least one clause", False),
        (hybrid(queries=QUERIES * 3), "parsing_exception",
         "Number of sub-queries exceeds maximum supported by [hybrid] query", False),
        (hybrid(boost=2), "parsing_exception", "[hybrid] query does not support [boost]", False),
        (hybrid(filter=[]), "parsing_exception", "Field is not supported by [hybrid] query", False),
        (hybrid(x=1), "parsing_exception", "Field is not supported by [hybrid] query", False),
        (hybrid(pagination_depth=0), "query_shard_exception",
         "failed to create query: pagination_depth must not be zero", True),
        (hybrid(pagination_depth=-1), "query_shard_exception",
         "failed to create query: pagination_depth should be greater than 0", True),
        (hybrid(pagination_depth=10_001), "query_shard_exception",
         "failed to create query: pagination_depth should be less than or equal to index.max_result_window setting",
         True),
        (hybrid() | {"from": 5}, "illegal_argument_exception",
         "pagination_depth param is missing in the search request", True),
        (hybrid() | {"sort": ["_score", "count"]}, "illegal_argument_exception",
         "_score sort criteria cannot be applied with any other criteria. Please select one sort criteria out of them.",
         True),
    ],
)  # fmt: skip
def test_refused(body: dict[str, Any], type_: str, reason: str, shard: bool) -> None:
    with pytest.raises(AntiphonError) as raised:
        search(body)
    assert (raised.value.type, raised.value.reason) == (type_, reason)
    assert is_shard_failure(raised.value) == shard


def test_a_body_with_everything() -> None:
    found = search(
        {
            "query": {"match_all": {}},
            "post_filter": {"term": {"tag": "x"}},
            "min_score": 0.0,
            "collapse": {"field": "tag", "inner_hits": {"name": "all", "size": 2}},
            "slice": {"id": 0, "max": 2},
            "track_total_hits": True,
            "_source": {"exclude": ["vec"]},
            "fields": ["a*", {"field": "day", "format": "yyyy"}],
            "highlight": {"pre_tags": ["<b>"], "fields": {"title": {"number_of_fragments": 0}}},
            "rescore": {"query": {"rescore_query": {"match_all": {}}, "query_weight": 0.5}},
            "explain": True,
            "timeout": "1s",
        }
    )
    assert found.post_filter == TAG_X
    assert found.min_score == 0.0
    assert found.track_total_hits is True
    assert found.slice == (0, 2)
    assert found.collapse is not None
    assert [inner.name for inner in found.collapse.inner_hits] == ["all"]
    assert found.fetch.source.excludes == ("vec",)
    assert [request.pattern for request in found.fetch.fields] == ["a*", "day"]
    assert found.fetch.highlight[0].pre_tag == "<b>"
    assert found.rescore[0].query_weight == 0.5
    assert found.fetch.explain

"""Answers of searches as JSON: which keys, in which order, and how numbers are written."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from antiphon.domain.search_pipeline import read_search_pipeline
from antiphon.errors import AntiphonError, IllegalArgument
from antiphon.query import Explanation, InnerResult, Page, PageHit, SearchHit
from antiphon.wire.msearch import check_search_type, read_search_header
from antiphon.wire.search import read_pit_ids, read_scroll, render_page


def written(page: Page, **options: Any) -> str:
    shown = render_page(page, lambda error: {"type": error.type}, **{"node_id": "n1"} | options)
    return orjson.dumps(shown, option=orjson.OPT_SERIALIZE_NUMPY).decode()


def test_an_empty_page() -> None:
    assert written(Page(took_ms=3)) == (
        '{"took":3,"timed_out":false,"_shards":{"total":0,"successful":0,"skipped":0,"failed":0},'
        '"hits":{"total":{"value":0,"relation":"eq"},"max_score":null,"hits":[]}}'
    )


@pytest.mark.parametrize(("score", "text"), [(1.0, "1.0"), (0.1, "0.1"), (1 / 3, "0.33333334"), (None, "null")])
def test_scores_are_the_shortest_text_of_a_float32(score: float | None, text: str) -> None:
    page = Page([PageHit("a", SearchHit("1", score, {}))], 1, max_score=score)
    assert f'"max_score":{text},"hits":[{{"_index":"a","_id":"1","_score":{text},"_source":{{}}}}]' in written(page)


def test_everything_a_hit_may_have() -> None:
    inner = InnerResult(1, 2.0, (SearchHit("1", 2.0, {"x": 1}, nested={"field": "f", "offset": 0}),))
    hit = SearchHit(
        "1", None, {"x": 1}, routing="r", version=2, seq_no=7, sort=(5, None), fields={"f": [1]},
        highlight={"t": ["y"]}, inner_hits={"f": inner}, matched_queries=("q",), explanation=Explanation(1.0, "why"),
    )  # fmt: skip
    shown = orjson.loads(written(Page([PageHit("a", hit)], 1, scroll_id="s", pit_id="p")))
    assert list(shown)[:2] == ["_scroll_id", "pit_id"]
    (found,) = shown["hits"]["hits"]
    assert list(found) == [
        "_shard", "_node", "_index", "_id", "_version", "_seq_no", "_primary_term", "_score", "_routing", "_source",
        "fields", "highlight", "sort", "matched_queries", "_explanation", "inner_hits",
    ]  # fmt: skip
    assert found["sort"] == [5, None]
    assert found["_explanation"] == {"value": 1.0, "description": "why", "details": []}
    assert found["inner_hits"]["f"]["hits"]["hits"][0]["_nested"] == {"field": "f", "offset": 0}


@pytest.mark.parametrize(
    ("page", "options", "total"),
    [
        (Page(total=5, exact=False), {}, {"value": 5, "relation": "gte"}),
        (Page(total=5), {"total_as_int": True}, 5),
        (Page(total=None), {}, "absent"),
    ],
)
def test_totals(page: Page, options: dict[str, Any], total: Any) -> None:
    assert orjson.loads(written(page, **options))["hits"].get("total", "absent") == total


def test_failures_of_some_indices() -> None:
    page = Page(shards=2, failures=[("b", IllegalArgument("no"))])
    assert orjson.loads(written(page, node_id="n"))["_shards"] == {
        "total": 2,
        "successful": 1,
        "skipped": 0,
        "failed": 1,
        "failures": [{"shard": 0, "index": "b", "node": "n", "reason": {"type": "illegal_argument_exception"}}],
    }


def test_scroll_and_pit_bodies() -> None:
    assert read_scroll({"scroll_id": "x", "scroll": "1m"}) == (["x"], "1m")
    assert read_scroll({"scroll_id": ["x", "y"]}) == (["x", "y"], None)
    assert read_pit_ids({"pit_id": ["x"]}) == ["x"]
    bodies: list[object] = [{"id": "x"}, [], {"scroll_id": [1]}]
    for body in bodies:
        with pytest.raises(IllegalArgument):
            read_scroll(body)


def test_headers_of_an_msearch() -> None:
    head = read_search_header({"index": ["a", "b"], "ignore_unavailable": "true", "expand_wildcards": ["open"]}, "c")
    assert (head.expression, head.options) == ("a,b", {"ignore_unavailable": True, "expand_wildcards": "open"})
    assert read_search_header({}, "c").expression == "c"
    with pytest.raises(IllegalArgument, match=r"key \[foo\] is not supported in the metadata section"):
        read_search_header({"foo": 1}, "")


@pytest.mark.parametrize("index", [{"a": 1}, [None], [["a"]], 1.5])
def test_an_index_of_an_msearch_is_a_text(index: object) -> None:
    with pytest.raises(IllegalArgument, match=r"^\[index\] must be a text or a list of texts, but is "):
        read_search_header({"index": index}, "")


@pytest.mark.parametrize("kind", ["dfs_query_then_fetch", "scan"])
def test_search_types(kind: str) -> None:
    check_search_type("query_then_fetch", {"query": {"hybrid": {}}})
    with pytest.raises(IllegalArgument):
        check_search_type(kind, {"query": {"hybrid": {}}})


BY_FIELD = {"by_field": {"target_field": "x"}}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"request_processors": [{"foo": {}}]}, "Invalid processor type foo"),
        ({"request_processors": {}}, r"\[request_processors\] property isn't a list"),
        ({"request_processors": [{"oversample": {"sample_factor": 0.5}}]}, "Value must be >= 1.0"),
        ({"request_processors": [{"filter_query": {}}]}, "Did not specify the query property"),
        ({"request_processors": [{"script": {}}]}, r"\[script\] processor is not supported by Antiphon"),
        ({"phase_results_processors": [{"foo": {}}]}, "Invalid processor type foo"),
        ({"response_processors": [{"rerank": {}}]}, "No rerank type found"),
        ({"response_processors": [{"rerank": BY_FIELD | {"ml_opensearch": {}}}]}, "Multiple rerank types found"),
        ({"response_processors": [{"rerank": {"ml_opensearch": {}}}]}, "there are no cross-encoders here"),
        ({"response_processors": [{"rerank": BY_FIELD | {"x": 1}}]}, r"configuration parameters: \[x\]"),
        ({"response_processors": [{"sort": {"field": "x", "order": "up"}}]}, r"Sort direction \[up\] not recognized"),
        ({"foo": 1}, r"pipeline \[p\] doesn't support one or more provided configuration parameters \[foo\]"),
    ],
)
def test_pipelines_that_cannot_be_put(body: dict[str, Any], says: str) -> None:
    with pytest.raises(AntiphonError, match=says):
        read_search_pipeline("p", body)

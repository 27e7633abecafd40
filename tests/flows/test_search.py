"""Searches through the flow: several indices, one embedding call, hybrids, scrolls, points in time, pipelines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.domain.index import Alias, IndexBody
from antiphon.errors import AntiphonError, IllegalArgument, SearchPhaseError, ValidationError
from antiphon.flows.documents import Refresh
from antiphon.flows.search import Searcher, SearchRequest
from antiphon.flows.search_rank import Ranked, merged
from antiphon.query import Leg, Page, Search, ShardResult
from antiphon.wire.index import read_create
from tests.flows.conftest import Bench
from tests.flows.document_bench import KNN, DocumentBench

FIELDS = {"n": {"type": "integer"}, "t": {"type": "text"}, "k": {"type": "keyword"}}
FOX = {"match": {"t": "fox"}}


class Searching:
    """Indices ``a`` and ``b`` of three documents each: ``n`` 0, 1, 2 and as many foxes."""

    def __init__(self, bench: Bench) -> None:
        self.docs = DocumentBench.over(bench)
        self.bench = bench
        self.searcher: Searcher = bench.node.searcher
        self.fill("a", only={"type": "integer"})
        self.fill("b")

    def fill(self, name: str, **fields: Any) -> None:
        self.docs.indices.create(name, read_create({"settings": KNN, "mappings": {"properties": FIELDS | fields}}))
        lines: list[dict[str, Any]] = []
        for n in range(3):
            lines += [{"index": {"_id": f"{name}{n}"}}, {"n": n, "t": "fox " * n + "dog", "k": "x" if n else "y"}]
        self.docs.bulk(*lines, refresh=Refresh.TRUE, index=name)

    def page(self, expression: str, *, pipeline: str | None = None, from_: int = 0, **body: Any) -> Page:
        body |= {"from": from_} if from_ else {}
        return self.searcher.search(SearchRequest(expression, body, pipeline), lambda _, hit: {"_id": hit.id})


@pytest.fixture
def searching(bench: Bench) -> Searching:
    return Searching(bench)


def ids(page: Page) -> list[str]:
    return [one.hit.id for one in page.hits]


def test_hits_of_two_indices_are_merged_by_score_then_by_index(searching: Searching) -> None:
    page = searching.page("a,b", query=FOX)
    assert ids(page) == ["a2", "b2", "a1", "b1"]
    assert (page.total, page.exact, page.shards) == (4, True, 2)
    assert page.max_score == page.hits[0].hit.score


def test_hits_of_two_indices_are_merged_by_sort_values(searching: Searching) -> None:
    page = searching.page("b,a", sort=[{"n": "desc"}], size=3, from_=1)
    assert [(one.hit.id, one.hit.sort) for one in page.hits] == [("a2", (2,)), ("b1", (1,)), ("a1", (1,))]
    assert page.max_score is None


@pytest.mark.parametrize(("limit", "total"), [(2, (2, False)), (5, (5, False)), (6, (6, True)), (True, (6, True))])
def test_the_total_is_cut_at_the_threshold_of_all_indices_together(
    searching: Searching, limit: int, total: tuple[int, bool]
) -> None:
    page = searching.page("a,b", track_total_hits=limit)
    assert (page.total, page.exact) == total


def test_an_alias_adds_its_filter_and_keeps_scores(searching: Searching) -> None:
    body = IndexBody({}, {"properties": FIELDS}, {"few": Alias(filter={"term": {"k": "x"}})})
    searching.docs.indices.create("c", body)
    lines: list[dict[str, Any]] = [{"index": {"_id": "1"}}, {"k": "x"}, {"index": {"_id": "2"}}, {"k": "y"}]
    searching.docs.bulk(*lines, refresh=Refresh.TRUE, index="c")
    page = searching.page("few")
    assert [(one.hit.id, one.hit.score) for one in page.hits] == [("1", 1.0)]
    hybrid = searching.page("few", query={"hybrid": {"queries": [{"match_all": {}}, {"term": {"k": "y"}}]}})
    assert ids(hybrid) == ["1"]


def test_an_index_that_fails_is_reported_beside_the_others(searching: Searching) -> None:
    page = searching.page("a,b", sort=["only"])
    assert (len(page.hits), page.shards, page.total) == (3, 2, 3)
    ((name, error),) = page.failures
    assert (name, error.reason) == ("b", "No mapping found for [only] in order to sort on")


def test_partial_answers_can_be_refused(searching: Searching) -> None:
    request = SearchRequest("a,b", {"sort": ["only"]}, allow_partial=False)
    with pytest.raises(SearchPhaseError) as failed:
        searching.searcher.search(request, lambda _, hit: {})
    assert failed.value.reason == "Partial shards failure"


def test_no_index_that_can_answer_is_an_error(searching: Searching) -> None:
    with pytest.raises(SearchPhaseError, match="all shards failed") as failed:
        searching.page("b", sort=["only"])
    assert failed.value.failure.metadata["index"] == "b"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"profile": True}, r"\[profile\] is not supported"),
        ({"verbose_pipeline": True}, r"\[verbose_pipeline\] is not supported"),
        ({"search_pipeline": "none-such"}, "Pipeline none-such is not defined"),
        ({"query": {"hybrid": {"queries": [FOX], "pagination_depth": 9}}, "from_": 4}, "The phase has failed"),
    ],
)
def test_refused(searching: Searching, body: dict[str, Any], says: str) -> None:
    with pytest.raises(AntiphonError, match=says):
        searching.page("a", **body)


def test_a_text_is_embedded_once_for_all_legs_and_indices(bench: Bench) -> None:
    searching = Searching(bench)
    model = bench.deployed()
    vector = {"type": "knn_vector", "dimension": 8}
    for name in ("v", "w"):
        searching.docs.create(name, settings=KNN, mappings={"properties": {"p": vector, "q": vector}})
        searching.docs.put(name, "1", {"p": [1.0] * 8, "q": [1.0] * 8})
        searching.docs.indices.store(searching.docs.indices.get(name)).refresh()
    legs = [{"neural": {field: {"query_text": "fox", "model_id": model, "k": 1}}} for field in ("p", "q")]
    before = bench.node.predictor.requests[model]
    assert searching.page("v,w", query={"hybrid": {"queries": legs}}).total == 2
    assert bench.node.predictor.requests[model] == before + 1
    narrow = {"properties": {"p": {"type": "knn_vector", "dimension": 4}}}
    searching.docs.create("narrow", settings=KNN, mappings=narrow)
    with pytest.raises(SearchPhaseError) as failed:
        searching.page("narrow", query=legs[0])
    assert "Query vector has invalid dimension: 8. Dimension should be: 4" in failed.value.failure.reason


@pytest.mark.parametrize("weights", [None, [0.25, 0.75]])
def test_a_hybrid_explains_itself_when_its_pipeline_asks(searching: Searching, weights: list[float] | None) -> None:
    combination = {"combination": {"parameters": {"weights": weights}}} if weights else {}
    processors = {
        "phase_results_processors": [{"normalization-processor": combination}],
        "response_processors": [{"hybrid_score_explanation": {}}],
    }
    query = {"hybrid": {"queries": [FOX, {"term": {"n": 2}}]}}
    page = searching.page("a", query=query, explain=True, search_pipeline=processors)
    tree = page.hits[0].hit.explanation
    assert tree is not None
    given = ", weights [0.25, 0.75]" if weights else ""
    assert (tree.value, tree.description) == (1.0, f"arithmetic_mean{given} combination of:")
    assert [detail.description for detail in tree.details] == ["min_max normalization of:"] * 2
    assert tree.details[0].details[0].value == pytest.approx(searching.page("a", query=FOX).max_score)


def test_a_hybrid_that_sorts_collapses_and_ends(searching: Searching) -> None:
    query = {"hybrid": {"queries": [FOX, {"match_all": {}}], "pagination_depth": 10}}
    page = searching.page("a,b", query=query, sort=[{"n": "asc"}], collapse={"field": "k"})
    assert [(one.hit.id, dict(one.hit.fields)) for one in page.hits] == [("a0", {"k": ["y"]}), ("a1", {"k": ["x"]})]
    with pytest.raises(SearchPhaseError) as failed:
        searching.page("a", query=query, sort=["n"], from_=3)
    assert failed.value.failure.reason.startswith("Reached end of search result")


@pytest.mark.parametrize("sort", [["_doc"], [{"k": "asc"}], None])
@pytest.mark.parametrize("expression", ["a", "a,b"])
def test_a_scroll_returns_every_hit_once(searching: Searching, expression: str, sort: list[Any] | None) -> None:
    body = {"size": 2, "aggs": {"n": {"max": {"field": "n"}}}} | ({} if sort is None else {"sort": sort})
    page = searching.searcher.open_scroll(SearchRequest(expression, body), 60_000, lambda _, hit: {})
    assert page.aggregations == {"n": {"value": 2.0}}
    searching.docs.delete("a", "a2")
    searching.docs.indices.store(searching.docs.indices.get("a")).refresh()
    seen, total = ids(page), page.total
    while page.hits:
        assert page.scroll_id is not None
        page = searching.searcher.next_page(page.scroll_id, None, lambda _, hit: {})
        assert (page.total, page.aggregations) == (total, None)
        seen += ids(page)
    assert sorted(seen) == sorted(f"{name}{n}" for name in expression.split(",") for n in range(3))


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"size": 0}, ValidationError),
        ({"from": 1}, ValidationError),
        ({"collapse": {"field": "k"}}, ValidationError),
        ({"track_total_hits": False}, ValidationError),
        ({"search_after": [1], "sort": ["n"]}, ValidationError),
        ({"query": {"hybrid": {"queries": [FOX]}}}, SearchPhaseError),
    ],
)
def test_what_a_scroll_cannot_do(searching: Searching, body: dict[str, Any], kind: type[AntiphonError]) -> None:
    with pytest.raises(kind):
        searching.searcher.open_scroll(SearchRequest("a", body), 60_000, lambda _, hit: {})
    assert searching.searcher.scrolls.all() == []


def test_scrolls_and_points_in_time_expire_in_a_round_of_housekeeping(searching: Searching) -> None:
    scroll = searching.searcher.open_scroll(SearchRequest("a", {"size": 1}), 60_000, lambda _, hit: {})
    searching.searcher.open_point("a", 1_000_000, {})
    searching.bench.clock.advance(50)
    searching.searcher.next_page(scroll.scroll_id or "", None, lambda _, hit: {})
    searching.bench.clock.advance(50)
    searching.bench.node.housekeeper.tidy()
    assert (len(searching.searcher.scrolls.all()), len(searching.searcher.points.all())) == (1, 1)
    searching.bench.clock.advance(61)
    searching.bench.node.housekeeper.tidy()
    assert (len(searching.searcher.scrolls.all()), len(searching.searcher.points.all())) == (0, 1)
    with pytest.raises(SearchPhaseError) as gone:
        searching.searcher.next_page(scroll.scroll_id or "", None, lambda _, hit: {})
    assert (gone.value.status, gone.value.failure.type) == (404, "search_context_missing_exception")


def test_there_is_a_limit_to_open_scrolls(searching: Searching) -> None:
    searching.bench.node.configurator.change({"persistent": {"search.max_open_scroll_context": "2"}})
    request = SearchRequest("a", {"size": 1})
    for _ in range(2):
        searching.searcher.open_scroll(request, 60_000, lambda _, hit: {})
    with pytest.raises(SearchPhaseError) as full:
        searching.searcher.open_scroll(request, 60_000, lambda _, hit: {})
    assert full.value.status == 429
    assert "Trying to create too many scroll contexts. Must be less than or equal to: [2]." in full.value.failure.reason


def test_a_context_in_use_outlives_its_deletion(searching: Searching) -> None:
    contexts = searching.searcher.points
    point = searching.searcher.open_point("a", 60_000, {})
    with contexts.use(point.id, None, searching.bench.clock()) as held:
        assert contexts.free_all() == [point.id]
        assert held.content[0].snapshot.documents == 3
    assert contexts.free([point.id]) == []


def test_counting_takes_a_least_score(searching: Searching) -> None:
    counted = searching.searcher.count(SearchRequest("a,b", {}))
    assert (counted.total, counted.shards) == (6, 2)
    assert searching.searcher.count(SearchRequest("a,b", {"query": FOX, "min_score": "1000"})).total == 0


def test_why_a_query_cannot_run_on_each_index(searching: Searching) -> None:
    query = {"match": {"only": "no number"}}
    problems = {one.index: one.error for one in searching.searcher.check(SearchRequest("a,b", {"query": query}))}
    assert problems["b"] is None
    assert problems["a"] is not None
    assert problems["a"].type == "query_shard_exception"


@pytest.mark.parametrize(
    ("doc_id", "exists", "matched"), [("a2", True, True), ("a0", True, False), ("no", False, False)]
)
def test_explaining_one_document(searching: Searching, doc_id: str, exists: bool, matched: bool) -> None:
    index, found, why = searching.searcher.explain(SearchRequest("a", {"query": FOX}), doc_id)
    assert (index, found, why is not None) == ("a", exists, matched)


def test_processors_see_the_page_in_order(searching: Searching) -> None:
    body: dict[str, Any] = {
        "request_processors": [
            {"oversample": {"sample_factor": 3, "context_prefix": "o"}},
            {"filter_query": {"query": {"range": {"n": {"gte": 1}}}}},
        ],
        "response_processors": [
            {"rerank": {"by_field": {"target_field": "n", "keep_previous_score": True}}},
            {"split": {"field": "t", "separator": " ", "target_field": "words"}},
            {"sort": {"field": "words", "order": "asc"}},
            {"rename_field": {"field": "k", "target_field": "kind"}},
            {"collapse": {"field": "n"}},
            {"truncate_hits": {"context_prefix": "o"}},
        ],
    }
    searching.searcher.pipelines.put("p", body)
    page = searching.page("a,b", size=1, pipeline="p")
    assert (ids(page), page.max_score, page.total) == (["a2"], 2.0, 4)
    source = page.hits[0].hit.source
    assert source is not None
    assert (source["words"], source["kind"], source["previous_score"]) == (["dog", "fox", "fox"], "x", 1.0)


@pytest.mark.parametrize("ignore", [True, False])
def test_a_failing_processor_may_be_ignored(searching: Searching, ignore: bool) -> None:
    rename = {"rename_field": {"field": "nowhere", "target_field": "x", "ignore_failure": ignore}}
    pipeline = {"response_processors": [rename]}
    if ignore:
        assert len(searching.page("a", search_pipeline=pipeline).hits) == 3
    else:
        with pytest.raises(IllegalArgument, match="Document with id a0 is missing field nowhere"):
            searching.page("a", search_pipeline=pipeline)


@given(
    st.lists(st.lists(st.floats(0, 4, width=16), max_size=6), min_size=1, max_size=3),
    st.integers(0, 4),
    st.integers(0, 5),
)
def test_merging_pages_is_cutting_one_sorted_list(scores: list[list[float]], from_: int, size: int) -> None:
    search = Search(from_=from_, size=size)
    ordered = [sorted(one, reverse=True) for one in scores]
    results = [ShardResult((Leg(np.arange(len(one)), np.array(one, np.float32)),), len(one)) for one in ordered]
    whole = [Ranked(shard, row, score) for shard, one in enumerate(ordered) for row, score in enumerate(one)]
    whole.sort(key=lambda one: (-(one.score or 0.0), one.shard, one.row))
    assert merged(search, results) == whole[from_ : from_ + size]

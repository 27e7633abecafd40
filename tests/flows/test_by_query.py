"""Delete and update by query: what matches, conflicts, limits, scripts, pipelines, and tasks that go on."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from antiphon.domain.by_query import BackgroundTask, ByQuery, ByQueryKind, TaskEnd
from antiphon.errors import IllegalArgument, MissingResource, ValidationError
from antiphon.flows.background import Progress
from antiphon.flows.documents import Refresh
from antiphon.wire.by_query import read_delete_by_query, read_update_by_query, render_counts, render_task_get
from tests.flows.conftest import Bench, NewBench
from tests.flows.document_bench import KNN, VECTOR, DocumentBench


@pytest.fixture
def docs(bench: Bench) -> DocumentBench:
    return DocumentBench.over(bench)


def fill(docs: DocumentBench, count: int, index: str = "a") -> None:
    lines: list[dict[str, Any]] = []
    for number in range(count):
        lines += [{"index": {"_id": str(number)}}, {"n": number, "even": number % 2 == 0}]
    docs.bulk(*lines, index=index, refresh=Refresh.TRUE)


def run(docs: DocumentBench, asked: ByQuery) -> BackgroundTask:
    docs.bench.node.by_query.check(asked)
    return docs.bench.node.background.run(asked)


def delete(body: dict[str, Any], **options: Any) -> ByQuery:
    return read_delete_by_query("a", body, options)


def update(body: dict[str, Any], pipeline: str | None = None, **options: Any) -> ByQuery:
    return read_update_by_query("a", body, pipeline, options)


def test_delete_by_query(docs: DocumentBench) -> None:
    fill(docs, 10)
    docs.put("a", "late", {"even": True})
    task = run(docs, delete({"query": {"term": {"even": True}}}, batch=2))
    shown = render_counts(task, 0)
    assert (shown["total"], shown["deleted"], shown["batches"], shown["failures"]) == (6, 6, 3, [])
    assert "updated" not in shown
    assert docs.source("a", "late") is None
    assert docs.source("a", "1") == {"n": 1, "even": False}


def test_a_query_is_required_and_an_empty_bool_is_everything(docs: DocumentBench) -> None:
    fill(docs, 3)
    with pytest.raises(ValidationError, match="query is missing"):
        delete({})
    assert run(docs, delete({"query": {"bool": {"filter": []}}})).counts.deleted == 3


def test_update_by_query_runs_a_script(docs: DocumentBench) -> None:
    fill(docs, 4)
    task = run(docs, update({"script": {"source": "ctx._source.n += params.by", "params": {"by": 10}}}))
    assert (task.counts.updated, task.counts.total) == (4, 4)
    assert [(docs.source("a", str(number)) or {})["n"] for number in range(4)] == [10, 11, 12, 13]
    task = run(docs, update({"script": "ctx.op = 'noop'"}))
    assert (task.counts.noops, task.counts.updated) == (4, 0)
    task = run(docs, update({"script": "ctx.op = 'delete'", "query": {"ids": {"values": ["1"]}}}))
    assert (task.counts.deleted, docs.source("a", "1")) == (1, None)


def test_update_by_query_embeds_anew_through_a_pipeline(docs: DocumentBench) -> None:
    model = docs.bench.deployed()
    docs.create("a", settings=KNN, mappings={"properties": {"vec": VECTOR}})
    docs.put("a", "1", {"text": "one"})
    docs.pipeline("p", model)
    assert run(docs, update({}, "p")).counts.updated == 1
    assert len((docs.source("a", "1") or {})["vec"]) == 8


def test_max_docs(docs: DocumentBench) -> None:
    fill(docs, 10)
    task = run(docs, delete({"query": {"match_all": {}}, "max_docs": 5}, batch=3))
    assert (task.counts.total, task.counts.deleted) == (5, 5)


def test_an_alias_filter_limits_what_is_deleted(docs: DocumentBench) -> None:
    docs.create("a", aliases={"evens": {"filter": {"term": {"even": True}}}})
    fill(docs, 4)
    assert run(docs, read_delete_by_query("evens", {"query": {"match_all": {}}}, {})).counts.deleted == 2
    assert docs.source("a", "1") is not None


@pytest.mark.parametrize("conflicts", ["abort", "proceed"])
def test_a_document_that_changed_meanwhile_is_a_conflict(docs: DocumentBench, conflicts: str) -> None:
    fill(docs, 4)
    node = docs.bench.node
    asked = update({"script": "ctx._source.n += 1"}, batch=1, conflicts=conflicts)

    class Racing(Progress):
        def note(self) -> None:
            if self.task.counts.batches == 1:
                docs.put("a", "2", {"n": 50})

    task = BackgroundTask(1, asked, 0)
    node.by_query.work(Racing(task, lambda _: None, threading.Event()))
    assert (docs.source("a", "2") or {})["n"] == 50
    assert task.counts.version_conflicts == 1
    assert (task.counts.updated, len(task.counts.failures)) == ((3, 0) if conflicts == "proceed" else (2, 1))


def finished(docs: DocumentBench, task_id: str) -> BackgroundTask:
    deadline = time.monotonic() + 20
    background = docs.bench.node.background
    while (task := background.get(task_id)).state is TaskEnd.RUNNING:
        assert time.monotonic() < deadline
        background.wait(0.005)
    return task


def test_a_background_task_is_kept_with_its_result(docs: DocumentBench) -> None:
    fill(docs, 5)
    background = docs.bench.node.background
    task_id = background.start(delete({"query": {"term": {"even": True}}}))
    task = finished(docs, task_id)
    shown = render_task_get(task, "node", 0)
    assert shown["completed"] is True
    assert shown["response"]["deleted"] == 3
    assert shown["task"]["action"] == "indices:data/write/delete/byquery"
    with pytest.raises(MissingResource, match="hasn't stored its results"):
        background.get("other:1")
    with pytest.raises(MissingResource, match="is not found"):
        background.cancel(task_id)


def test_a_task_goes_on_after_a_restart_from_where_it_was(new_bench: NewBench) -> None:
    docs = DocumentBench.over(new_bench())
    fill(docs, 10)
    node = docs.bench.node
    asked = update({"script": "ctx._source.n += 100"}, batch=2)
    stop = threading.Event()

    class Dying(Progress):
        def note(self) -> None:
            super().note()
            if self.task.counts.batches == 2:
                stop.set()

    catalog = docs.bench.catalog
    keeper = node.background
    task = BackgroundTask(7, asked, 0)
    node.by_query.work(Dying(task, keeper.keep, stop))
    assert task.counts.updated == 4
    assert catalog.definition("background_task", "7") is not None
    assert keeper.resume() == 1
    done = finished(docs, keeper.task_id(task))
    assert (done.counts.updated, done.counts.total) == (10, 10)
    found = [(docs.source("a", str(number)) or {})["n"] for number in range(10)]
    assert found == [100 + number for number in range(10)]


def test_what_is_not_here_is_refused_by_name() -> None:
    with pytest.raises(IllegalArgument, match=r"\[slice\] is not supported by Antiphon"):
        delete({"query": {}, "slice": {"id": 0, "max": 2}})
    assert delete({"query": {}}).kind is ByQueryKind.DELETE

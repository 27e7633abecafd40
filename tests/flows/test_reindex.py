"""Reindexing: into another index, through its pipeline, filtered, scripted, again."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon.domain.by_query import Counts
from antiphon.errors import IllegalArgument, ValidationError
from antiphon.wire.by_query import read_reindex
from tests.flows.conftest import Bench
from tests.flows.document_bench import KNN, VECTOR, DocumentBench
from tests.flows.test_by_query import fill, run


@pytest.fixture
def docs(bench: Bench) -> DocumentBench:
    return DocumentBench.over(bench)


def copy(
    docs: DocumentBench, source: dict[str, Any] | None = None, dest: dict[str, Any] | None = None, **more: Any
) -> Counts:
    body = {"source": {"index": "a"} | (source or {}), "dest": {"index": "b"} | (dest or {}), **more}
    return run(docs, read_reindex(body, {})).counts


def test_everything_is_copied_with_its_id(docs: DocumentBench) -> None:
    fill(docs, 5)
    assert copy(docs).created == 5
    assert docs.source("b", "3") == docs.source("a", "3")
    assert copy(docs).updated == 5


def test_a_query_and_a_source_filter(docs: DocumentBench) -> None:
    fill(docs, 4)
    assert copy(docs, {"query": {"term": {"even": True}}, "_source": ["n"]}).created == 2
    assert (docs.source("b", "2"), docs.source("b", "1")) == ({"n": 2}, None)


def test_the_destination_embeds(docs: DocumentBench) -> None:
    model = docs.bench.deployed()
    docs.put("a", "1", {"text": "one"})
    docs.pipeline("p", model)
    docs.create("b", settings=KNN | {"index.default_pipeline": "p"}, mappings={"properties": {"vec": VECTOR}})
    assert copy(docs).created == 1
    assert len((docs.source("b", "1") or {})["vec"]) == 8


def test_only_new_ones_are_created(docs: DocumentBench) -> None:
    fill(docs, 3)
    docs.put("b", "1", {"mine": True})
    counts = copy(docs, None, {"op_type": "create"}, conflicts="proceed")
    assert (counts.created, counts.version_conflicts, counts.failures) == (2, 1, [])
    assert docs.source("b", "1") == {"mine": True}
    failed = copy(docs, None, {"op_type": "create"})
    assert failed.failures[0]["status"] == 409


def test_a_script_changes_what_is_copied(docs: DocumentBench) -> None:
    fill(docs, 2)
    copy(docs, script="ctx._source.remove('even'); ctx._source.n += 1")
    assert docs.source("b", "1") == {"n": 2}


def test_refusals(docs: DocumentBench) -> None:
    fill(docs, 1)
    with pytest.raises(IllegalArgument, match=r"reindex cannot write into an index its reading from \[a\]"):
        copy(docs, None, {"index": "a"})
    with pytest.raises(IllegalArgument, match=r"\[remote\] is not supported by Antiphon"):
        copy(docs, {"remote": {"host": "x"}})
    with pytest.raises(ValidationError):
        read_reindex({"source": {}, "dest": {}}, {})

"""Partial updates: merging, noops, upserts, scripts, conflicts, and embeddings that follow their text."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon.errors import ContentParse, DocumentMissing, ValidationError, VersionConflict
from tests.flows.conftest import Bench
from tests.flows.document_bench import KNN, VECTOR, DocumentBench


@pytest.fixture
def docs(bench: Bench) -> DocumentBench:
    return DocumentBench.over(bench)


MERGES: list[tuple[dict[str, Any], str, dict[str, Any]]] = [
    ({"doc": {"o": {"b": 2}, "l": [3]}}, "updated", {"o": {"a": 1, "b": 2}, "l": [3], "n": 1}),
    ({"doc": {"n": 1}}, "noop", {"o": {"a": 1}, "l": [1, 2], "n": 1}),
    ({"doc": {"n": 1}, "detect_noop": False}, "updated", {"o": {"a": 1}, "l": [1, 2], "n": 1}),
    ({"doc": {"n": None}}, "updated", {"o": {"a": 1}, "l": [1, 2], "n": None}),
    ({"script": "ctx._source.n += 1"}, "updated", {"o": {"a": 1}, "l": [1, 2], "n": 2}),
    ({"script": {"source": "ctx.op = 'none'"}}, "noop", {"o": {"a": 1}, "l": [1, 2], "n": 1}),
    ({"doc": {"n": 9}, "upsert": {"u": 1}}, "updated", {"o": {"a": 1}, "l": [1, 2], "n": 9}),
]


@pytest.mark.parametrize(("body", "result", "after"), MERGES)
def test_an_update_of_a_document(docs: DocumentBench, body: dict[str, Any], result: str, after: dict[str, Any]) -> None:
    docs.put("a", "1", {"o": {"a": 1}, "l": [1, 2], "n": 1}, routing="r")
    done = docs.update("a", "1", body)
    assert done.result == result
    assert (done.version, done.seq_no) == ((1, 0) if result == "noop" else (2, 1))
    assert docs.source("a", "1") == after
    _, found = docs.documents.get("a", "1")
    assert found is not None
    assert found.routing == "r"


def test_a_script_may_delete(docs: DocumentBench) -> None:
    docs.put("a", "1", {"n": 1})
    assert docs.update("a", "1", {"script": "ctx.op = 'delete'"}).result == "deleted"
    assert docs.source("a", "1") is None


UPSERTS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"doc": {"n": 1}, "doc_as_upsert": True}, {"n": 1}),
    ({"doc": {"n": 1}, "upsert": {"u": 1}}, {"u": 1}),
    ({"script": "ctx._source.n = 5", "upsert": {"u": 1}}, {"u": 1}),
    ({"script": "ctx._source.n = 5", "upsert": {"u": 1}, "scripted_upsert": True}, {"u": 1, "n": 5}),
]


@pytest.mark.parametrize(("body", "after"), UPSERTS)
def test_an_upsert(docs: DocumentBench, body: dict[str, Any], after: dict[str, Any]) -> None:
    done = docs.update("a", "1", body)
    assert (done.result, done.status) == ("created", 201)
    assert docs.source("a", "1") == after


def test_what_is_refused(docs: DocumentBench) -> None:
    docs.create("a")
    with pytest.raises(DocumentMissing, match=r"\[1\]: document missing") as caught:
        docs.update("a", "1", {"doc": {}})
    assert caught.value.metadata["index"] == "a"
    with pytest.raises(ContentParse, match=r"\[1:2\] \[UpdateRequest\] unknown field \[x\]"):
        docs.update("a", "1", {"x": 1})
    with pytest.raises(ValidationError, match="script or doc is missing"):
        docs.update("a", "1", {})
    docs.put("a", "1", {})
    with pytest.raises(VersionConflict, match=r"required seqNo \[7\]"):
        docs.update("a", "1", {"doc": {"x": 1}}, if_seq_no=7, if_primary_term=1)


def test_the_changed_source_comes_back_when_asked_for(docs: DocumentBench) -> None:
    docs.put("a", "1", {"n": 1, "m": 2})
    assert docs.update("a", "1", {"doc": {"n": 2}, "_source": ["n"]}).got == {"n": 2}


def test_an_update_embeds_changed_texts_anew_and_no_others(docs: DocumentBench) -> None:
    model = docs.bench.deployed()
    docs.pipeline("p", model, {"text": "vec", "title": "title_vec"})
    fields = {"vec": VECTOR, "title_vec": VECTOR}
    docs.create("a", settings=KNN | {"index.default_pipeline": "p"}, mappings={"properties": fields})
    docs.put("a", "1", {"text": "one", "title": "two"})
    before = docs.source("a", "1") or {}
    docs.calls.clear()
    docs.update("a", "1", {"doc": {"n": 1}})
    assert docs.calls == []
    docs.update("a", "1", {"doc": {"text": "three"}})
    assert docs.calls == [["three"]]
    after = docs.source("a", "1") or {}
    assert after["vec"] != before["vec"]
    assert after["title_vec"] == before["title_vec"]
    docs.put("b", "1", {"text": "three", "title": "t"}, pipeline="p")
    assert (docs.source("b", "1") or {})["vec"] == after["vec"]


def test_an_upsert_runs_the_pipeline(docs: DocumentBench) -> None:
    docs.pipelines.put("p", {"processors": [{"set": {"field": "by", "value": "p"}}]})
    docs.create("a", settings={"index.default_pipeline": "p"})
    docs.update("a", "1", {"doc": {"n": 1}, "doc_as_upsert": True})
    assert docs.source("a", "1") == {"n": 1, "by": "p"}

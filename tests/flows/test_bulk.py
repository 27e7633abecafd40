"""A bulk: order, items that fail alone, pipelines, semantic fields, and how few model calls it takes."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon.domain.bulk import Done, Failed
from antiphon.domain.model import ModelConfig
from antiphon.errors import InferenceError
from antiphon.flows.documents import Refresh
from tests.flows.conftest import Bench
from tests.flows.document_bench import KNN, VECTOR, DocumentBench, results


@pytest.fixture
def docs(bench: Bench) -> DocumentBench:
    return DocumentBench.over(bench)


@pytest.fixture
def model(docs: DocumentBench) -> str:
    return docs.bench.deployed()


def vectors(docs: DocumentBench, name: str = "a", **settings: Any) -> None:
    docs.create(name, settings=KNN | settings, mappings={"properties": {"vec": VECTOR}})


def test_actions_run_in_order_and_see_each_other(docs: DocumentBench) -> None:
    report = docs.bulk(
        {"index": {"_index": "a", "_id": 1}}, {"n": 1},
        {"create": {"_index": "a", "_id": "1"}}, {"n": 2},
        {"update": {"_index": "a", "_id": "1"}}, {"doc": {"m": 3}},
        {"update": {"_index": "a", "_id": "1"}}, {"script": "ctx._source.n += 4"},
        {"delete": {"_index": "a", "_id": "1"}},
        {"delete": {"_index": "a", "_id": "1"}},
        {"update": {"_index": "a", "_id": "1"}}, {"doc": {"m": 3}},
        {"index": {"_index": "b", "_id": "1"}}, {"n": 5},
        refresh=Refresh.TRUE,
    )  # fmt: skip
    assert results(report.outcomes) == [
        "created", "version_conflict_engine_exception", "updated", "updated", "deleted", "not_found",
        "document_missing_exception", "created",
    ]  # fmt: skip
    assert [one.version for one in report.outcomes if isinstance(one, Done)] == [1, 2, 3, 4, 5, 1]
    assert docs.source("b", "1") == {"n": 5}
    assert all(one.forced_refresh for one in report.outcomes if isinstance(one, Done))


def test_a_bad_document_fails_alone_and_has_its_place(docs: DocumentBench) -> None:
    docs.create("a", mappings={"properties": {"n": {"type": "long"}}})
    report = docs.bulk(
        {"index": {"_id": "1"}}, {"n": 1}, {"index": {"_id": "2"}}, {"n": "x"}, {"index": {"_id": "3"}}, {"n": 3},
        index="a",
    )  # fmt: skip
    assert results(report.outcomes) == ["created", "mapper_parsing_exception", "created"]
    assert report.outcomes[1].id == "2"
    assert report.ingest_ms is None


def test_new_fields_of_many_documents_make_one_mapping(docs: DocumentBench) -> None:
    report = docs.bulk(
        {"index": {"_id": "1"}}, {"n": 1}, {"index": {"_id": "2"}}, {"n": "x"}, {"index": {"_id": "3"}}, {"t": "w"},
        index="a",
    )  # fmt: skip
    assert results(report.outcomes) == ["created", "mapper_parsing_exception", "created"]
    properties = docs.indices.get("a").mapping.body["properties"]
    assert [properties[name]["type"] for name in ("n", "t")] == ["long", "text"]


def test_one_model_call_embeds_a_whole_bulk(docs: DocumentBench, model: str) -> None:
    docs.pipeline("p", model)
    vectors(docs, **{"index.default_pipeline": "p"})
    lines: list[dict[str, Any]] = []
    for number in range(50):
        lines += [{"index": {"_id": str(number)}}, {"text": f"text {number}", "n": number}]
    report = docs.bulk(*lines, index="a")
    assert results(report.outcomes) == ["created"] * 50
    assert len(docs.calls) == 1
    assert report.ingest_ms is not None
    source = docs.source("a", "7")
    assert source is not None
    assert (source["text"], source["n"], len(source["vec"])) == ("text 7", 7, 8)


def test_pipelines_are_chosen_by_item_request_and_index(docs: DocumentBench) -> None:
    for name in ("default", "request", "item", "final"):
        docs.pipelines.put(name, {"processors": [{"append": {"field": "by", "value": name}}]})
    docs.create("a", settings={"index.default_pipeline": "default", "index.final_pipeline": "final"})
    docs.bulk({"index": {"_id": "1"}}, {}, {"index": {"_id": "2", "pipeline": "_none"}}, {}, index="a")
    docs.bulk(
        {"index": {"_id": "3", "pipeline": "item"}}, {}, {"index": {"_id": "4"}}, {}, index="a", pipeline="request"
    )
    found = [(docs.source("a", str(number)) or {})["by"] for number in (1, 2, 3, 4)]
    assert found == [["default", "final"], ["final"], ["item", "final"], ["request", "final"]]


def test_a_missing_pipeline_fails_its_item_only(docs: DocumentBench) -> None:
    report = docs.bulk({"index": {"_id": "1", "pipeline": "none"}}, {}, {"index": {"_id": "2"}}, {}, index="a")
    assert results(report.outcomes) == ["illegal_argument_exception", "created"]
    assert isinstance(report.outcomes[0], Failed)
    assert report.outcomes[0].error.reason == "pipeline with id [none] does not exist"


def test_a_pipeline_may_drop_move_and_rename(docs: DocumentBench) -> None:
    docs.pipelines.put("drop", {"processors": [{"drop": {"if": "ctx.x == 'drop'"}}]})
    docs.pipelines.put(
        "move",
        {"processors": [{"set": {"field": "_index", "value": "b"}}, {"set": {"field": "_id", "value": "new"}}]},
    )
    report = docs.bulk(
        {"index": {"_id": "1", "pipeline": "drop"}}, {"x": "drop"},
        {"index": {"_id": "2", "pipeline": "move"}}, {"x": 1},
        index="a",
    )  # fmt: skip
    assert results(report.outcomes) == ["noop", "created"]
    assert docs.source("a", "1") is None
    assert docs.source("b", "new") == {"x": 1}


def test_a_failing_model_fails_the_documents_it_was_to_embed(docs: DocumentBench, model: str) -> None:
    docs.pipeline("p", model)
    vectors(docs, **{"index.default_pipeline": "p"})
    docs.bench.loader.fail_encode = InferenceError("engine down")
    report = docs.bulk({"index": {"_id": "1"}}, {"text": "a"}, {"index": {"_id": "2"}}, {"n": 1}, index="a")
    assert results(report.outcomes) == ["m_l_exception", "created"]
    assert docs.source("a", "1") is None


@pytest.mark.parametrize("chunking", [False, True])
def test_semantic_fields_are_embedded_by_themselves(docs: DocumentBench, chunking: bool) -> None:
    model = docs.model(ModelConfig("bert", 8, additional_config={"space_type": "cosinesimil"}))
    docs.create("s", settings=KNN, mappings={"properties": {"t": semantic(model, chunking)}})
    lines: list[dict[str, Any]] = []
    for number in range(3):
        lines += [{"index": {"_id": str(number)}}, {"t": f"text {number}"}]
    assert results(docs.bulk(*lines, {"index": {"_id": "3"}}, {"n": 1}, index="s").outcomes) == ["created"] * 4
    assert len(docs.calls) == 1
    info = (docs.source("s", "1") or {})["t_semantic_info"]
    assert info["model"] == {"id": model, "type": "TEXT_EMBEDDING", "name": "tiny"}
    found = info["chunks"][0]["embedding"] if chunking else info["embedding"]
    assert len(found) == 8
    assert docs.source("s", "3") == {"n": 1}
    docs.update("s", "1", {"doc": {"n": 2}})
    assert len(docs.calls) == 1
    docs.update("s", "1", {"doc": {"t": "other words"}})
    assert docs.calls[1:] == [["other words"]]


def semantic(model: str, chunking: bool) -> dict[str, Any]:
    return {"type": "semantic", "model_id": model, "chunking": chunking}


def test_truncated_texts_are_counted_and_told(docs: DocumentBench, model: str) -> None:
    docs.pipeline("p", model)
    vectors(docs, **{"index.default_pipeline": "p"})
    long = "word " * 600
    report = docs.bulk({"index": {"_id": "1"}}, {"text": "a"}, {"index": {"_id": "2"}}, {"text": long}, index="a")
    (notice,) = report.truncation.notices()
    assert notice.startswith("1 of 2 texts were truncated, losing ")
    assert notice.endswith("the first in document [2] field [vec]")
    docs.indices.store(docs.indices.get("a")).refresh()
    count, (field,) = docs.reports.report(docs.indices.get("a"))
    assert (count, field.present, field.missing, field.model_id) == (2, 2, 0, model)
    assert (field.counts.documents, field.counts.truncated_documents) == (2, 1)
    assert 0 < field.counts.lost_tokens < field.counts.tokens

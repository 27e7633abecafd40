"""Pipelines over batches: one model call per model and step, nothing half done, vectors where they belong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from antiphon.domain.ingest_document import IngestDocument
from antiphon.domain.pipeline import Dropped
from antiphon.domain.prediction import Prediction
from antiphon.domain.role import Role
from antiphon.errors import AntiphonError, IllegalArgument, IllegalState, MissingResource, NotFound
from antiphon.flows.pipelines import Outcome, PipelineRunner, Pipelines
from antiphon.store import MemoryCatalog

MISMATCH = (
    "[t] configuration doesn't match actual value type, configuration type is: java.lang.String, actual value type is: "
    "java.util.HashMap"
)
EMBED = {"text_embedding": {"model_id": "m", "field_map": {"t": "v"}}}


@dataclass
class Model:
    """Vectors that tell which text they are of; model ``gone`` fails. Texts of more than five letters are cut."""

    calls: list[tuple[str, list[str], Role]] = field(default_factory=list)

    def __call__(self, model_id: str, texts: Sequence[str], role: Role) -> Prediction:
        self.calls.append((model_id, list(texts), role))
        if model_id == "gone":
            raise NotFound("Failed to find model")
        rows = [np.array(vector(text), np.float32) for text in texts]
        kept = tuple(min(5, len(text)) for text in texts)
        return Prediction(rows, tokens=kept, lost=tuple(max(0, len(text) - 5) for text in texts))


def vector(text: str) -> list[float]:
    return [len(text) / 2, float(sum(map(ord, text)) % 97)]


def knn(*texts: str) -> list[dict[str, Any]]:
    return [{"knn": vector(text)} for text in texts]


@dataclass
class Bench:
    pipelines: Pipelines
    model: Model
    runner: PipelineRunner

    def put(self, *processors: Mapping[str, Any], name: str = "p", **rest: Any) -> None:
        self.pipelines.put(name, {"processors": list(processors), **rest})

    def run(self, *sources: dict[str, Any], pipelines: Sequence[str] = ("p",)) -> list[Outcome]:
        return self.runner.run(pipelines, [IngestDocument("i", source) for source in sources])

    def sources(self, *sources: dict[str, Any]) -> list[dict[str, Any]]:
        return [done.source for done in self.run(*sources) if isinstance(done, IngestDocument)]


@pytest.fixture
def bench() -> Iterator[Bench]:
    catalog, model = MemoryCatalog(), Model()
    pipelines = Pipelines(catalog)
    yield Bench(pipelines, model, PipelineRunner(pipelines, model, lambda: 1_700_000_000_000))
    catalog.close()


@pytest.mark.parametrize(
    ("field_map", "source", "written"),
    [
        ({"t": "v"}, {"t": "abc"}, {"t": "abc", "v": vector("abc")}),
        ({"t": "v"}, {"t": ["a", " "]}, {"t": ["a", " "], "v": knn("a", " ")}),
        ({"a.t": "v"}, {"a": {"t": "abc"}}, {"a": {"t": "abc", "v": vector("abc")}}),
        ({"a": {"t": "v"}}, {"a.t": "abc"}, {"a": {"t": "abc", "v": vector("abc")}}),
        (
            {"a.t": "v"},
            {"a": [{"t": "x"}, {"t": "yy"}, {"t": " "}, {}]},
            {"a": [{"t": "x", "v": vector("x")}, {"t": "yy", "v": vector("yy")}, {"t": " "}, {}]},
        ),
        ({"a.t": "v"}, {"a": {"t": ["x", "y"]}}, {"a": {"t": ["x", "y"], "v": knn("x", "y")}}),
        ({"t": "b.v"}, {"t": "abc"}, {"t": "abc", "b": {"v": vector("abc")}}),
        ({"t": "v", "u": "v"}, {"t": "a", "u": "bb"}, {"t": "a", "u": "bb", "v": vector("bb")}),
        ({"a": {"t": "v", "u": "w"}}, {"a": {"t": "x"}}, {"a": {"t": "x", "v": vector("x")}}),
        (
            {"a.b.t": "v"},
            {"a": [{"b": [{"t": "x"}]}, {"b": []}]},
            {"a": [{"b": [{"t": "x", "v": vector("x")}]}, {"b": []}]},
        ),
        ({"a.t": "v"}, {"a": {"t": "x", "v": [9.0, 9.0]}}, {"a": {"t": "x", "v": vector("x")}}),
        ({"t": "v", "u": "w"}, {"t": [], "u": "x"}, {"t": [], "u": "x", "v": [], "w": vector("x")}),
        ({"t": "v"}, {"t": None}, {"t": None}),
        ({"t": "v"}, {"t": "  "}, {"t": "  "}),
        ({"t": "v"}, {"t": []}, {"t": []}),
        ({"t": "v"}, {}, {}),
        ({"t": "v"}, {"t": "a", "n": 5}, {"t": "a", "n": 5, "v": vector("a")}),
    ],
)
def test_where_vectors_are_written(
    bench: Bench, field_map: dict[str, Any], source: dict[str, Any], written: dict[str, Any]
) -> None:
    bench.put({"text_embedding": {"model_id": "m", "field_map": field_map}})
    untouched = source == written
    assert bench.sources(source) == [written]
    assert all(role is Role.PASSAGE for _, _, role in bench.model.calls)
    assert bool(bench.model.calls) != untouched


@pytest.mark.parametrize(
    ("field_map", "source", "reason"),
    [
        ({"t": "v"}, {"t": 1}, "map type field [t] is neither string nor nested type, cannot process it"),
        ({"t": "v"}, {"t": True}, "map type field [t] is neither string nor nested type, cannot process it"),
        ({"t": "v"}, {"t": ["a", None]}, "list type field [t] has null, cannot process it"),
        ({"t": "v"}, {"t": [["a"]]}, "list type field [t] is nested list type, cannot process it"),
        ({"t": "v"}, {"t": ["a", 1]}, "list type field [t] has non string value, cannot process it"),
        (
            {"t": "v"},
            {"t": {"x": "y"}},
            MISMATCH,
        ),
        ({"t": "v"}, {"a..b": "x", "t": "y"}, "Field name 'a..b' contains invalid dot usage"),
    ],
)
def test_values_that_cannot_be_embedded_are_named_before_any_model_call(
    bench: Bench, field_map: dict[str, Any], source: dict[str, Any], reason: str
) -> None:
    bench.put({"text_embedding": {"model_id": "m", "field_map": field_map}})
    bad, good = bench.run(source, {"t": "fine"})
    assert isinstance(bad, IllegalArgument)
    assert bad.reason == reason
    assert isinstance(good, IngestDocument)
    assert [texts for _, texts, _ in bench.model.calls] == [["fine"]]


def test_objects_deeper_than_the_index_allows_are_refused(bench: Bench) -> None:
    bench.put({"text_embedding": {"model_id": "m", "field_map": {"a.b.c": "v"}}})
    (failed,) = bench.runner.run(["p"], [IngestDocument("i", {"a": {"b": {"c": "x"}}}, max_depth=1)])
    assert isinstance(failed, IllegalArgument)
    assert failed.reason == "map type field [b] reaches max depth limit, cannot process it"


def test_a_whole_batch_makes_one_call_per_model_and_step(bench: Bench) -> None:
    chunk = {"text_chunking": {"field_map": {"t": "c"}, "algorithm": {"delimiter": {"delimiter": "."}}}}
    bench.put(EMBED, chunk, {"text_embedding": {"model_id": "m", "field_map": {"c": "cv"}}})
    done = bench.sources(*[{"t": f"a{n}.b"} for n in range(50)])
    assert [len(texts) for _, texts, _ in bench.model.calls] == [50, 100]
    assert done[49]["cv"] == knn("a49.", "b")
    assert done[49]["v"] == vector("a49.b")


def test_batch_size_changes_nothing(bench: Bench) -> None:
    bench.put({"text_embedding": {**EMBED["text_embedding"], "batch_size": 2}})
    assert [done["v"] for done in bench.sources({"t": "a"}, {"t": "bb"}, {"t": "ccc"})] == list(
        map(vector, ("a", "bb", "ccc"))
    )
    assert len(bench.model.calls) == 1


def test_a_failed_call_fails_every_document_that_waited_for_it_and_no_other(bench: Bench) -> None:
    gone = {"text_embedding": {"model_id": "gone", "field_map": {"t": "v"}}}
    bench.put(gone)
    first, second, third = bench.run({"t": "a"}, {"t": "b"}, {"u": 1})
    assert [type(first), type(second)] == [NotFound, NotFound]
    assert isinstance(third, IngestDocument)
    assert len(bench.model.calls) == 1
    bench.put(gone, on_failure=[{"set": {"field": "error", "value": "{{_ingest.on_failure_message}}"}}])
    assert bench.sources({"t": "a"}) == [{"t": "a", "error": "Failed to find model"}]
    bench.put({"text_embedding": {**gone["text_embedding"], "ignore_failure": True}})
    assert bench.sources({"t": "a"}) == [{"t": "a"}]


def test_what_was_embedded_and_what_was_cut_is_on_the_document(bench: Bench) -> None:
    bench.put({"text_embedding": {"model_id": "m", "field_map": {"a.t": "v", "u": "w"}}})
    long, short = bench.run({"u": ["12345678", "x"], "a": {"t": "1234567"}}, {"u": "x"})
    assert isinstance(long, IngestDocument)
    assert isinstance(short, IngestDocument)
    assert long.embedded == [("a.v", "m"), ("w.knn", "m")]
    assert short.embedded == [("w", "m")]
    assert (long.embedded_texts, long.truncated_texts, long.lost_tokens) == (3, 2, 5)
    assert (short.embedded_texts, short.truncated_texts, short.lost_tokens) == (1, 0, 0)


def test_float32_vectors_are_the_shortest_decimals(bench: Bench) -> None:
    def tenth(_: str, texts: Sequence[str], __: Role) -> Prediction:
        return Prediction([np.full(2, 0.1, np.float32) for _ in texts])

    bench.put(EMBED)
    (done,) = PipelineRunner(bench.pipelines, tenth, lambda: 0).run(["p"], [IngestDocument("i", {"t": "a"})])
    assert isinstance(done, IngestDocument)
    assert done.source["v"] == [0.1, 0.1]


def test_skip_existing_takes_vectors_of_unchanged_texts_over(bench: Bench) -> None:
    bench.put({"text_embedding": {"model_id": "m", "field_map": {"t": "v", "a.t": "w"}, "skip_existing": True}})
    stored = {"t": ["x", "y"], "v": [{"knn": [1.0]}, {"knn": [2.0]}], "a": [{"t": "p", "w": [3.0]}, {"t": "q"}]}
    source = {"t": ["x", "y"], "a": [{"t": "p"}, {"t": "q"}]}
    (done,) = bench.runner.run(["p"], [IngestDocument("i", source, stored=lambda: stored)])
    assert isinstance(done, IngestDocument)
    assert done.source["v"] == stored["v"]
    assert done.source["a"] == [{"t": "p", "w": [3.0]}, {"t": "q", "w": vector("q")}]
    assert [texts for _, texts, _ in bench.model.calls] == [["q"]]


def test_pipelines_run_one_after_the_other_and_through_each_other(bench: Bench) -> None:
    bench.put({"pipeline": {"name": "inner"}}, {"drop": {"if": "ctx.t == 'drop'"}})
    bench.put(EMBED, name="inner")
    bench.put({"set": {"field": "last", "value": True}}, name="final")
    kept, dropped = bench.run({"t": "a"}, {"t": "drop"}, pipelines=["p", "final"])
    assert isinstance(kept, IngestDocument)
    assert kept.source == {"t": "a", "v": vector("a"), "last": True}
    assert dropped == Dropped()
    assert len(bench.model.calls) == 1


def test_a_missing_pipeline_and_a_cycle_fail_the_document(bench: Bench) -> None:
    bench.put({"pipeline": {"name": "p"}})
    (missing,) = bench.run({}, pipelines=["x"])
    (cycle,) = bench.run({})
    assert isinstance(missing, IllegalArgument)
    assert missing.reason == "pipeline with id [x] does not exist"
    assert isinstance(cycle, IllegalState)
    assert cycle.reason == "Cycle detected for pipeline: p"


def test_a_new_definition_counts_at_once(bench: Bench) -> None:
    for value in (1, 2):
        bench.put({"set": {"field": "a", "value": value}})
        assert bench.sources({}) == [{"a": value}]
    assert bench.pipelines.get() == {"p": {"processors": [{"set": {"field": "a", "value": 2}}]}}


def test_patterns_find_and_delete(bench: Bench) -> None:
    for name in ("a1", "a2", "b"):
        bench.put(name=name)
    assert list(bench.pipelines.get(["a*", "c"])) == ["a1", "a2"]
    bench.pipelines.delete("a*")
    assert list(bench.pipelines.get()) == ["b"]
    with pytest.raises(MissingResource, match=r"pipeline \[a1\] is missing"):
        bench.pipelines.delete("a1")
    bench.pipelines.delete("*")
    bench.pipelines.delete("*")
    (gone,) = bench.run({}, pipelines=["b"])
    assert isinstance(gone, AntiphonError)


def test_a_verbose_simulation_tells_of_every_processor(bench: Bench) -> None:
    bench.put(
        {"set": {"field": "a", "value": 1, "tag": "first"}},
        {"set": {"field": "b", "value": 1, "if": "ctx.a == 2"}},
        {"fail": {"message": "no", "ignore_failure": True}},
        EMBED,
        {"drop": {}},
    )
    (done,) = bench.runner.simulate(bench.runner.pipeline("p"), [IngestDocument("i", {"t": "x"})], verbose=True)
    assert done.steps is not None
    assert [(step.processor.type, step.status) for step in done.steps] == [
        ("set", "success"),
        ("set", "skipped"),
        ("fail", "error_ignored"),
        ("text_embedding", "success"),
        ("drop", "dropped"),
    ]
    assert done.steps[0].document is not None
    assert done.steps[0].document.source == {"t": "x", "a": 1}

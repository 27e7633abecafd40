"""Vectors of different models never meet in one field."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.domain.fingerprint import Fingerprint, fingerprints, stamped
from antiphon.domain.model import ModelConfig
from antiphon.errors import IllegalArgument
from tests.flows.conftest import Bench
from tests.flows.document_bench import KNN, VECTOR, DocumentBench, results


@pytest.fixture
def docs(bench: Bench) -> DocumentBench:
    return DocumentBench.over(bench)


def two_models(docs: DocumentBench) -> tuple[str, str]:
    """Two deployed models that differ in their passage prefix only."""
    first = docs.bench.deployed()
    return first, docs.model(ModelConfig("bert", 8, query_prefix="query: ", passage_prefix="text: "))


def index_of(docs: DocumentBench, model: str) -> None:
    docs.pipeline("p", model)
    docs.create("a", settings=KNN | {"index.default_pipeline": "p"}, mappings={"properties": {"vec": VECTOR}})
    docs.put("a", "1", {"text": "one"})


def test_the_first_write_records_the_model(docs: DocumentBench) -> None:
    model = docs.bench.deployed()
    index_of(docs, model)
    found = fingerprints(docs.indices.get("a").mapping.body)["vec"]
    assert (found.model_id, found.role, found.prefix, found.pooling) == (model, "passage", "passage: ", "mean")
    assert (found.dimension, len(found.model)) == (8, 64)


def test_another_model_is_refused_with_both_fingerprints(docs: DocumentBench) -> None:
    first, second = two_models(docs)
    index_of(docs, first)
    docs.pipeline("q", second)
    report = docs.bulk(
        {"index": {"_id": "2", "pipeline": "q"}}, {"text": "two"}, {"index": {"_id": "3"}}, {"text": "three"}, index="a"
    )
    assert results(report.outcomes) == ["illegal_argument_exception", "created"]
    with pytest.raises(IllegalArgument, match=r"prefix \[passage: \].*prefix \[text: \].*_reindex"):
        docs.put("a", "4", {"text": "four"}, pipeline="q")
    assert docs.source("a", "4") is None


def test_an_empty_index_may_change_its_model(docs: DocumentBench) -> None:
    first, second = two_models(docs)
    index_of(docs, first)
    docs.pipeline("q", second)
    docs.delete("a", "1")
    assert docs.put("a", "2", {"text": "two"}, pipeline="q").result == "created"
    assert fingerprints(docs.indices.get("a").mapping.body)["vec"].model_id == second


def test_a_pipeline_in_use_keeps_its_model(docs: DocumentBench) -> None:
    first, second = two_models(docs)
    index_of(docs, first)
    docs.pipeline("other", second)
    swapped = docs.pipelines.find("other")
    assert swapped is not None
    docs.fingerprints.check_pipeline_change(swapped)
    with pytest.raises(IllegalArgument, match="cannot be compared"):
        docs.fingerprints.check_pipeline_change(dataclasses.replace(swapped, id="p"))


def test_a_query_through_the_same_model_may_have_another_prefix(docs: DocumentBench) -> None:
    first, second = two_models(docs)
    index_of(docs, first)
    index = docs.indices.get("a")
    docs.fingerprints.check_query(index, "vec", first)
    docs.fingerprints.check_query(index, "vec", second)  # same weights: only the passage's prefix differs
    docs.fingerprints.check_query(index, "other", second)
    held = fingerprints(index.mapping.body)["vec"]
    other = dataclasses.replace(held, model="0" * 64)
    meta = stamped(index.mapping.body, {"vec": other})
    with pytest.raises(IllegalArgument, match="a query embedded by"):
        docs.fingerprints.check_query(dataclasses.replace(index, mapping=index.mapping.with_meta(meta)), "vec", first)


PRINTS = st.builds(
    Fingerprint,
    model=st.sampled_from(["a", "b"]),
    role=st.sampled_from(["", "passage"]),
    prefix=st.sampled_from(["", "p: "]),
    pooling=st.sampled_from(["mean", "cls"]),
    normalize=st.booleans(),
    dimension=st.sampled_from([8, 16]),
    model_id=st.text(max_size=3),
)


@given(PRINTS, PRINTS)
def test_agreement_is_an_equivalence_and_survives_json(one: Fingerprint, other: Fingerprint) -> None:
    assert one.agrees(one)
    assert one.agrees(other) == other.agrees(one)
    assert one.comparable(other) or not one.agrees(other)
    body = {"_meta": stamped({"_meta": {"mine": 1}}, {"f": one})}
    assert fingerprints(body) == {"f": one}
    assert body["_meta"]["mine"] == 1

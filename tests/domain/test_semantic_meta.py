"""Semantic fields on a cluster that does not know them; and which pipelines need a model."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from antiphon.domain.processors.embeds import embeds
from antiphon.domain.search_pipeline import enricher_of
from antiphon.domain.semantic import ModelFacts
from antiphon.domain.semantic_meta import plain_mapping, remembered, shown_mapping
from antiphon.errors import IllegalArgument

FACTS = ModelFacts("model", 8, "cosinesimil")
EMBED: dict[str, Any] = {"text_embedding": {"model_id": "m", "field_map": {"a": "b"}}}


def facts(model_id: str) -> ModelFacts:
    if model_id == "gone":
        raise IllegalArgument("Failed to find model")
    return FACTS


def test_a_semantic_field_is_plain_and_remembered() -> None:
    body: dict[str, Any] = {
        "_meta": {"mine": 1},
        "properties": {
            "t": {"type": "semantic", "model_id": "m", "raw_field_type": "keyword", "ignore_above": 9},
            "o": {"properties": {"t": {"type": "semantic", "model_id": "m", "chunking": True, "search_model_id": "s"}}},
            "n": {"type": "integer"},
        },
    }
    before = copy.deepcopy(body)
    plain = plain_mapping(body, facts)
    assert body == before
    assert plain["properties"]["t"] == {"type": "keyword", "ignore_above": 9}
    assert plain["properties"]["o"]["properties"]["t"] == {"type": "text"}
    assert plain["properties"]["t_semantic_info"]["properties"]["embedding"]["dimension"] == 8
    found = {field.path: field for field in remembered(plain["_meta"])}
    assert [found[path].vector for path in ("t", "o.t")] == [
        "t_semantic_info.embedding", "o.t_semantic_info.chunks.embedding",
    ]  # fmt: skip
    assert (found["o.t"].search_model_id, found["t"].search_model_id) == ("s", "m")
    shown = shown_mapping(plain)
    assert shown["_meta"] == {"mine": 1}
    assert shown["properties"]["t"] == body["properties"]["t"]
    assert shown["properties"]["o"]["properties"]["t"]["type"] == "semantic"


@pytest.mark.parametrize("body", [{}, {"properties": {"a": {"type": "text"}}}, {"_meta": {"antiphon": 5}}])
def test_a_mapping_without_one_stays(body: dict[str, Any]) -> None:
    assert plain_mapping(body, facts) == body
    assert shown_mapping(body) == body
    assert list(remembered(body.get("_meta"))) == []


def test_an_unknown_model_is_named() -> None:
    with pytest.raises(IllegalArgument, match=r"Failed to fetch model \[gone\]: Failed to find model"):
        plain_mapping({"properties": {"t": {"type": "semantic", "model_id": "gone"}}}, facts)


@pytest.mark.parametrize(
    ("processors", "needs"),
    [
        ([EMBED], True),
        ([{"set": {"field": "a", "value": 1}}, EMBED], True),
        ([{"grok": {"field": "a", "on_failure": [EMBED]}}], True),
        ([{"foreach": {"field": "a", "processor": EMBED}}], True),
        ([{"pipeline": {"name": "other"}}], True),
        ([{"pipeline": {"name": "loop"}}], False),
        ([{"pipeline": {"name": "{{name}}"}}], False),
        ([{"text_chunking": {}}, {"set": {"field": "text_embedding", "value": "x"}}], False),
        ("nothing", False),
        ([5, {"set": 5}], False),
    ],
)
def test_which_pipelines_need_a_model(processors: Any, needs: bool) -> None:
    others: dict[str, Any] = {
        "other": {"processors": [], "on_failure": [EMBED]},
        "loop": {"processors": [{"pipeline": {"name": "loop"}}]},
    }
    assert embeds({"processors": processors}, others.get) is needs


def test_the_enricher_of_a_pipeline_with_processors_unknown_here() -> None:
    enricher = {"neural_query_enricher": {"default_model_id": "m", "neural_field_default_id": {"v": "w"}}}
    found = enricher_of({"request_processors": [{"ml_inference": {}}, enricher], "response_processors": [{"rag": {}}]})
    assert found is not None
    assert (found.model_id, found.by_field) == ("m", {"v": "w"})
    assert enricher_of({"request_processors": [{"script": {}}]}) is enricher_of(None) is None

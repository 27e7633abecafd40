"""Semantic fields: their sibling in the mapping, their texts in a document."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon.domain.mapping import IndexMapping
from antiphon.domain.semantic import ModelFacts, expand_semantic, semantic_fields, semantic_texts
from antiphon.errors import IllegalArgument

MODEL = ModelFacts("e5", 3, "cosinesimil")


def body(**options: Any) -> dict[str, Any]:
    return {"properties": {"o": {"properties": {"f": {"type": "semantic", "model_id": "M", **options}}}}}


def test_the_sibling_holds_a_vector_or_chunks() -> None:
    plain = IndexMapping.parse(expand_semantic(body(), lambda _: MODEL), knn=True)
    chunked = IndexMapping.parse(expand_semantic(body(chunking=True), lambda _: MODEL), knn=True)
    vector, inner = plain.field("o.f_semantic_info.embedding"), chunked.field("o.f_semantic_info.chunks.embedding")
    assert vector is not None
    assert vector.vector is not None
    assert (vector.vector.dimension, vector.vector.space) == (3, "cosinesimil")
    assert inner is not None
    assert inner.nested == "o.f_semantic_info.chunks"


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (ModelFacts("m", None, "l2"), "Model M is a text embedding model, but the embedding dimension is not defined"),
        (ModelFacts("m", 3, None), "space_type is not defined or not a string in the additional_config of the model M"),
    ],
)
def test_a_model_that_tells_too_little(model: ModelFacts, reason: str) -> None:
    with pytest.raises(IllegalArgument) as caught:
        expand_semantic(body(), lambda _: model)
    assert caught.value.reason.startswith(
        f"Failed to transform the mapping for the semantic field at o.f due to {reason}"
    )


def test_texts_get_their_embeddings_beside_them() -> None:
    document: dict[str, Any] = {"o": [{"f": "a"}, {"g": 1}, {"f": "b"}]}
    texts = list(semantic_texts(list(semantic_fields(body())), document))
    assert [text.text for text in texts] == ["a", "b"]
    texts[1].write(MODEL, ["b"], [[1, 2, 3]])
    info = {"model": {"id": "M", "type": "TEXT_EMBEDDING", "name": "e5"}, "embedding": [1, 2, 3]}
    assert document["o"][2] == {"f": "b", "f_semantic_info": info}


def test_a_value_that_is_no_text_is_refused() -> None:
    with pytest.raises(IllegalArgument, match=r"to be a string but found: class java\.lang\.Integer"):
        list(semantic_texts(list(semantic_fields(body())), {"o.f": 1}))

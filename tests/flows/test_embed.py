"""The embedder without a server: roles, order, and as many texts as one likes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from antiphon.domain.deployment import Precision
from antiphon.domain.model import ModelConfig
from antiphon.domain.role import Role
from antiphon.encode import FakeLoader
from antiphon.errors import IllegalArgument
from antiphon.flows import TextEmbedder

E5 = ModelConfig("bert", 8, query_prefix="query: ", passage_prefix="passage: ")


def embedder(config: ModelConfig = E5) -> TextEmbedder:
    return TextEmbedder(FakeLoader().load(Path(), config, Precision.FP32), config)


def test_roles_put_their_prefix() -> None:
    plain = embedder(ModelConfig("bert", 8))
    with embedder() as model:
        assert np.array_equal(model.embed_queries(["a b"]), plain.embed_queries(["query: a b"]))
        assert np.array_equal(model.embed_passages(["a b"]), plain.embed_passages(["passage: a b"]))
        assert model.embed_queries(["a b"]).dtype == np.float32
    assert np.array_equal(plain.embed_queries(["x"]), plain.embed_passages(["x"]))


def test_no_texts_no_rows() -> None:
    assert embedder().embed_queries([]).shape == (0, 8)


def test_one_string_is_not_a_list_of_letters() -> None:
    with pytest.raises(IllegalArgument, match="wrap it in a list"):
        embedder().embed_queries("hello")


def test_many_texts_keep_their_order_and_positions() -> None:
    texts = [f"text {number}" for number in range(9000)]
    texts[5000] = "query: text 5000"
    texts[8999] = "word " * 600
    prediction = embedder().predict(texts, Role.PASSAGE)
    assert len(prediction.rows) == 9000
    assert prediction.doubled == (5000,)
    assert prediction.truncated == (8999,)
    for position in (0, 4095, 4096, 8998):
        assert np.array_equal(prediction.rows[position], embedder().embed_passages([texts[position]])[0])


@pytest.mark.parametrize(("text", "says"), [(None, "NoneType"), (3, "int"), ("\ud800", "not valid Unicode")])
def test_what_is_no_text_is_named_by_position(text: object, says: str) -> None:
    with pytest.raises(IllegalArgument, match=rf"texts\[1\] .*{says}"):
        embedder().embed_queries(["fine", text])  # type: ignore[list-item]


def test_any_iterable_of_texts_will_do() -> None:
    assert embedder().embed_queries(text for text in ("a", "b")).shape == (2, 8)


@pytest.mark.parametrize(("text", "says"), [("word " * 600, "were truncated"), ("query: a", "already start with")])
def test_what_happened_to_a_text_is_warned_of(text: str, says: str) -> None:
    with pytest.warns(UserWarning, match=says):
        embedder().embed_queries([text])

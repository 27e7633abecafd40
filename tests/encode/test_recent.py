"""A text that comes alone a second time is answered from memory; nothing else is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from antiphon.domain.deployment import Precision
from antiphon.domain.model import ModelConfig, Pooling
from antiphon.encode import Loader
from antiphon.encode.encoder import ModelEncoder
from antiphon.encode.encoding import Encoding
from antiphon.encode.recent import Recent
from antiphon.errors import Unavailable
from tests.encode.test_loader import E5
from tests.support.tiny import tiny_folder


def load(tmp_path: Path, config: ModelConfig = E5) -> ModelEncoder:
    return Loader().load(tiny_folder(tmp_path), config, Precision.FP32)


def encoding(number: float) -> Encoding:
    return Encoding([np.full(4, number, np.float32)], (3,), (0,))


def test_a_query_that_comes_again_is_not_run_again(tmp_path: Path) -> None:
    encoder = load(tmp_path)
    first = encoder.encode(["query: tea"])
    again, passage = encoder.encode(["query: tea"]), encoder.encode(["passage: tea"])
    assert encoder.stats().batches == 2
    assert np.array_equal(again.matrix(), first.matrix())
    assert (again.tokens, again.lost) == (first.tokens, first.lost)
    assert not np.allclose(passage.matrix(), first.matrix())
    with pytest.raises(ValueError, match="read-only"):
        again.rows[0][0] = 1
    encoder.close()
    with pytest.raises(Unavailable):
        encoder.encode(["query: tea"])


def test_texts_that_come_together_are_run(tmp_path: Path) -> None:
    encoder = load(tmp_path)
    both = encoder.encode(["query: tea", "query: milk"])
    again = encoder.encode(["query: tea", "query: milk"])
    assert encoder.stats().texts == 4
    alone = encoder.encode(["query: tea"])
    assert encoder.stats().texts == 5
    assert np.allclose(alone.rows[0], both.rows[0], atol=1e-5)
    assert np.allclose(again.matrix(), both.matrix(), atol=1e-5)
    encoder.close()


def test_the_vectors_of_single_tokens_are_not_kept(tmp_path: Path) -> None:
    encoder = load(tmp_path, ModelConfig("bert", pooling_mode=Pooling.NONE))
    text = "a text"
    for _ in range(2):
        encoder.encode([text])
    assert encoder.stats().batches == 2
    encoder.close()


def test_what_was_not_asked_for_the_longest_time_goes_first() -> None:
    recent = Recent(most=2)
    for number, text in enumerate("ab"):
        recent.put(text, encoding(number))
    assert recent.get("a") is not None
    recent.put("c", encoding(2))
    assert [recent.get(text) is None for text in "abc"] == [False, True, False]
    recent.put("x" * 1001, encoding(3))
    assert recent.get("x" * 1001) is None
    recent.close()
    recent.put("a", encoding(4))
    assert recent.get("a") is None

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from antiphon.domain.model import ModelConfig
from antiphon.encode.tokenize import TextTokenizer
from antiphon.errors import IllegalArgument, InferenceError
from tests.support.tiny import tokenizer_of_bytes

BERT = ModelConfig("bert")


@pytest.mark.parametrize(
    ("truncation", "fixed_padding", "model_max_length", "limit"),
    [
        (None, None, None, 512),
        (128, None, None, 128),
        (8192, None, None, 512),
        (None, 128, None, 128),
        (256, 128, None, 256),
        (256, None, 100, 100),
        (100, None, 256, 100),
        (None, None, 8192, 512),
    ],
)
def test_limit(truncation: int | None, fixed_padding: int | None, model_max_length: int | None, limit: int) -> None:
    config = ModelConfig("bert", model_max_length=model_max_length)
    assert TextTokenizer(tokenizer_of_bytes(truncation, fixed_padding), config).max_tokens == limit


def test_neither_padding_nor_truncation_of_the_file_is_applied_by_the_library() -> None:
    tokens = TextTokenizer(tokenizer_of_bytes(20, 30), BERT)(["ab", "x" * 50])
    assert [len(one.ids) for one in tokens] == [5, 20]
    assert [one.lost for one in tokens] == [0, 33]


def test_truncation_is_what_the_library_would_do() -> None:
    text = "Straße 東京 " * 60
    cut = TextTokenizer(tokenizer_of_bytes(100), BERT)([text])[0]
    assert cut.ids.tolist() == tokenizer_of_bytes(100).encode(text).ids
    assert cut.lost == len(tokenizer_of_bytes().encode(text).ids) - 100


def test_special_tokens_written_in_a_text_are_cut_like_any_other() -> None:
    text = "a</s>" * 100
    assert (
        TextTokenizer(tokenizer_of_bytes(50), BERT)([text])[0].ids.tolist() == tokenizer_of_bytes(50).encode(text).ids
    )


def test_an_empty_text_is_its_special_tokens() -> None:
    assert TextTokenizer(tokenizer_of_bytes(), BERT)([""])[0].ids.tolist() == [0, 2]


def test_a_text_without_any_token_is_refused_by_position() -> None:
    bare = Tokenizer(models.WordLevel({"a": 0, "?": 1}, unk_token="?"))
    bare.pre_tokenizer = pre_tokenizers.Whitespace()
    with pytest.raises(IllegalArgument, match=r"\[1\] has no tokens"):
        TextTokenizer(bare, BERT)(["a", ""])


def test_a_limit_below_the_special_tokens_is_refused() -> None:
    with pytest.raises(InferenceError, match="A limit of 2 tokens"):
        TextTokenizer(tokenizer_of_bytes(), ModelConfig("bert", model_max_length=2))


def test_a_file_that_is_no_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(InferenceError, match="fast tokenizer"):
        TextTokenizer.load(tmp_path, BERT)

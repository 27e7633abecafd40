"""Our own Unigram tokenizer against the library's, on the 250,002 pieces of multilingual-e5-small: ids, bit for bit."""

from __future__ import annotations

import copy
import random
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from antiphon.encode.unigram_file import read_unigram
from antiphon.encode.unigram_text import UnigramTexts

SPECIAL = ("<s>", "</s>", "<pad>", "<unk>", "<mask>")
ODD = [
    *"\0\t\n\r\x0b\x0c\x1c\x1f \x85\xa0\u00ad\u1680\u2000\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202e\u202f\u205f",
    *"\u2581\u3000\ufeff\ufe0f\ufffd\uffff\u0301\u0308\u0e33\u1100\u1161\uac00<>",
    "\u2581\u2581", "\r\n", "e\u0301", " \u0301", "\U0001f469\u200d\U0001f4bb", "\U0001f1e9\U0001f1ea",
    "\U0001f44d\U0001f3fd", "\uff1cs\uff1e", "\uff1cunk\uff1e", "\ufe64mask\ufe65", "s>", "<s", "\u1234\u1235",
]  # fmt: skip

anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
mixtures = st.lists(st.sampled_from(ODD) | st.text(st.characters(exclude_categories=["Cs"]), max_size=3), max_size=20)


@pytest.fixture(scope="session")
def texts(e5_tokenizer: Path) -> UnigramTexts:
    found = read_unigram(e5_tokenizer / "tokenizer.json", None)
    assert found is not None
    return found


@pytest.fixture(scope="session")
def pieces(e5_tokenizer: Path) -> list[str]:
    document = orjson.loads((e5_tokenizer / "tokenizer.json").read_bytes())
    return [piece for piece, _ in document["model"]["vocab"]]


def assert_equal(texts: UnigramTexts, judge: Tokenizer, corpus: Iterable[str]) -> None:
    """All of ``corpus`` has the judge's ids and special tokens; what holds none of the added tokens is read by us."""
    corpus = list(corpus)
    for text, encoding in zip(corpus, judge.encode_batch_fast(corpus), strict=True):
        read = texts(text, 1 << 40)
        assert (read is None) == any(token in text for token in SPECIAL), repr(text)
        if read is not None:
            assert read[0].tolist() == encoding.ids, repr(text)
            assert read[1].tolist() == list(map(bool, encoding.special_tokens_mask)), repr(text)


def test_scores_are_those_in_the_library(texts: UnigramTexts, judge: Tokenizer) -> None:
    """It reads a quarter of the file's decimals one bit off, and so must we."""
    vocabulary = orjson.loads(judge.to_str())["model"]["vocab"]
    assert list(texts._unigram._scores) == [score for _, score in vocabulary]


def test_pieces_alone_and_behind_a_blank(texts: UnigramTexts, judge: Tokenizer, pieces: list[str]) -> None:
    some = pieces[::11]
    assert_equal(texts, judge, some)
    assert_equal(texts, judge, ("x " + piece.replace("\u2581", "") for piece in some[::2]))


def test_pieces_side_by_side_where_ways_are_nearly_equal(
    texts: UnigramTexts, judge: Tokenizer, pieces: list[str]
) -> None:
    chance = random.Random(3)
    scripts = [some for some in _by_script(pieces).values() if len(some) > 20]

    def word() -> str:
        return "".join(chance.choices(chance.choice(scripts), k=chance.randint(1, 8)))

    assert_equal(texts, judge, (word() for _ in range(6_000)))
    assert_equal(texts, judge, (" ".join(word() for _ in range(4)) for _ in range(1_000)))


def test_repetitions_which_have_many_equal_ways(texts: UnigramTexts, judge: Tokenizer) -> None:
    repeated = [*"aen.-=_*#0!", "\u54c8", "\u7684", "\u0e01", "ab", "ha", "=-", "..,", "\u54c8\u5475", "\u1234"]
    assert_equal(texts, judge, (one * times for one in repeated for times in range(1, 80)))


def test_long_texts(texts: UnigramTexts, judge: Tokenizer, pieces: list[str]) -> None:
    chance = random.Random(4)
    assert_equal(
        texts,
        judge,
        [
            "a" * 20_000,
            "\u1234" * 20_000,
            "\u2581" * 5_000,
            " " * 100_000,
            "".join(chance.choices(pieces[1_000:-1], k=5_000)),
            " ".join(chance.choices(pieces[1_000:-1], k=20_000))[:100_000],
        ],
    )


def test_every_character_that_the_normalizer_may_change(texts: UnigramTexts, judge: Tokenizer) -> None:
    characters = [chr(code) for code in (*range(0x3000), *range(0xA000, 0xD800, 7), *range(0xF900, 0x10000))]
    assert_equal(texts, judge, (f"a{one}b {one}" for one in characters))


@pytest.mark.parametrize(
    "text", ["", " ", "\n\t", "\0", "\u2581", "\u3000", "\u200b", "a\u2581b", "\u2581\u2581a", "<"]
)
def test_blank_and_nearly_blank(texts: UnigramTexts, judge: Tokenizer, text: str) -> None:
    assert_equal(texts, judge, [text, f"{text}a", f"a{text}", f"{text} {text}"])


@pytest.mark.parametrize(
    "text", ["\uff1cs\uff1e", "a \uff1cunk\uff1e\u1234", "\ufe64/s\ufe65", "\uff1cmask\uff1e\uff1cpad\uff1e"]
)
def test_what_only_the_normalizer_makes_a_special_token(texts: UnigramTexts, judge: Tokenizer, text: str) -> None:
    """It is not one, but the vocabulary has a piece of that text."""
    assert_equal(texts, judge, [text])


@given(anything)
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text(texts: UnigramTexts, judge: Tokenizer, text: str) -> None:
    assert_equal(texts, judge, [text])


@given(mixtures)
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_mixture_of_odd_characters(texts: UnigramTexts, judge: Tokenizer, parts: list[str]) -> None:
    assert_equal(texts, judge, ["".join(parts)])


@given(
    st.lists(st.sampled_from([*ODD, "\n", "a b", "  ", "word", "x\n\u0301", "\u6771\u4eac"]) | anything, max_size=30),
    st.integers(1, 12),
)
@settings(max_examples=1_000, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_long_text_begins_as_the_whole_of_it(
    texts: UnigramTexts, judge: Tokenizer, monkeypatch: pytest.MonkeyPatch, parts: list[str], wanted: int
) -> None:
    """Whatever is read of it: what is kept of the tokens is the same, and that some are lost."""
    text = "".join(parts)
    expected = judge.encode(text).ids
    for most in (2, 5, 9, 20):
        monkeypatch.setattr("antiphon.encode.unigram_text.MOST_CHARACTERS", most)
        read = texts(text, wanted)
        if read is None:
            assert any(token in text for token in SPECIAL)
            continue
        ids = read[0].tolist()
        if len(ids) < len(expected):
            assert len(ids) - 2 > wanted
            assert ids[: wanted + 2][:-1] == expected[: wanted + 1]
        else:
            assert ids == expected


def test_of_an_endless_text_little_is_read(texts: UnigramTexts, judge: Tokenizer) -> None:
    for word, most in (("word ", 20_010), ("\u6771\u4eac\n", 66_700), (" " * 90_000 + "a \n", 7)):
        text = word * (450_000 // len(word))
        read = texts(text, 2)
        assert read is not None
        assert 4 < len(read[0]) < most
        assert read[0][:4].tolist() == judge.encode(text).ids[:4]


def test_what_is_remembered_stays_bounded_and_right(texts: UnigramTexts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("antiphon.encode.unigram._MAX_WORDS", 10)
    monkeypatch.setattr(texts, "_unigram", copy.copy(texts._unigram))
    texts._unigram._known, texts._unigram._older = {}, {}
    words = [f"\u2581word{number}" for number in range(100)]
    first = texts._unigram(words)
    np.testing.assert_array_equal(texts._unigram(words), first)
    np.testing.assert_array_equal(texts._unigram(words[-15:] * 3), np.tile(texts._unigram(words[-15:]), 3))
    assert len(texts._unigram._known) <= 10
    assert len(texts._unigram._older) <= 10


def test_many_threads_get_what_one_gets(texts: UnigramTexts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("antiphon.encode.unigram._MAX_WORDS", 50)
    corpus = [f"{number} unforgettable words, word{number % 70}" for number in range(200)]
    expected = [texts._unigram(texts._split(text)).tolist() for text in corpus]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda text: texts._unigram(texts._split(text)).tolist(), corpus * 8))
    assert found == expected * 8


def _by_script(pieces: Sequence[str]) -> dict[str, list[str]]:
    """Group pieces by the first word of the Unicode name of their first letter."""
    groups: dict[str, list[str]] = defaultdict(list)
    for piece in pieces:
        letters = piece.strip("\u2581")
        if letters:
            groups[unicodedata.name(letters[0], "?").split()[0]].append(piece)
    return groups

"""Chunks are substrings in order, within their limits; the examples are OpenSearch's documented ones."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.domain.chunking import (
    TOKENIZERS,
    UNLIMITED,
    ChunkBudget,
    Chunker,
    Delimiter,
    FixedCharLength,
    FixedTokenLength,
    token_starts,
)
from antiphon.errors import IllegalState

DOCUMENTED = (
    "This is an example document to be chunked. The document contains a single paragraph, two sentences and 24 "
    "tokens by standard tokenizer in OpenSearch."
)


def budget(limit: int = 100, strings: int = 1) -> ChunkBudget:
    return ChunkBudget(limit, strings)


def test_words_as_the_documentation_cuts_them() -> None:
    assert FixedTokenLength(10, overlap_rate=0.2).chunk(DOCUMENTED, budget()) == [
        "This is an example document to be chunked. The document ",
        "The document contains a single paragraph, two sentences and 24 ",
        "and 24 tokens by standard tokenizer in OpenSearch.",
    ]


@pytest.mark.parametrize(
    ("tokenizer", "text", "words"),
    [
        ("standard", "The quick fox's e.g. 3.14", ["The ", "quick ", "fox's ", "e.g. ", "3.14"]),
        ("standard", "你好 カタカナ कि snake_case", ["你", "好 ", "カタカナ ", "कि ", "snake_case"]),
        ("standard", "a-b c,d 1,000", ["a-", "b ", "c,", "d ", "1,000"]),
        ("letter", "one2two", ["one2", "two"]),
        ("lowercase", "It's", ["It'", "s"]),
        ("whitespace", " a-b  c", ["a-b  ", "c"]),
        ("uax_url_email", "see me@example.com now", ["see ", "me@example.com ", "now"]),
    ],
)
def test_where_words_begin(tokenizer: str, text: str, words: list[str]) -> None:
    starts = [*token_starts(text, tokenizer), len(text)]
    assert [text[start:end] for start, end in pairwise(starts)] == words


@pytest.mark.parametrize(
    ("chunker", "text", "limit", "chunks"),
    [
        (FixedTokenLength(2), "", 100, []),
        (FixedTokenLength(2), " .. ", 100, []),
        (FixedTokenLength(2), "  a b c", 100, ["  a b ", "c"]),
        (FixedTokenLength(1), "a b c d", 2, ["a ", "b c d"]),
        (FixedTokenLength(1), "a b c d", UNLIMITED, ["a ", "b ", "c ", "d"]),
        (FixedCharLength(3), "abcdefg", 100, ["abc", "def", "g"]),
        (FixedCharLength(4, overlap_rate=0.5), "abcdefgh", 100, ["abcd", "cdef", "efgh"]),
        (FixedCharLength(2), "😀a😀", 100, ["😀", "a", "😀"]),
        (FixedCharLength(2), "abcdef", 2, ["ab", "cdef"]),
        (Delimiter("\n\n"), "a\n\nb\n\n\n\nc", 100, ["a\n\n", "b\n\n", "\n\n", "c"]),
        (Delimiter("."), "a.b.", 100, ["a.", "b."]),
        (Delimiter("."), "a.b.c.d", 2, ["a.", "b.c.d"]),
        (Delimiter("."), "", 100, []),
    ],
)
def test_chunks(chunker: Chunker, text: str, limit: int, chunks: list[str]) -> None:
    assert chunker.chunk(text, budget(limit)) == chunks


def test_strings_to_come_keep_their_slots() -> None:
    assert FixedTokenLength(1).chunk("a b c d", budget(4, strings=3)) == ["a ", "b c d"]


def test_more_words_than_the_index_allows_is_an_error() -> None:
    with pytest.raises(IllegalState, match=r"exceeded the allowed maximum of \[3\]"):
        FixedTokenLength().chunk("a b c d", ChunkBudget(100, 1, max_token_count=3))


@given(
    text=st.text(max_size=60), size=st.integers(1, 6), tokenizer=st.sampled_from(TOKENIZERS), limit=st.integers(1, 9)
)
def test_without_overlap_chunks_join_to_the_original(text: str, size: int, tokenizer: str, limit: int) -> None:
    for chunker in (FixedTokenLength(size, tokenizer), FixedCharLength(size), Delimiter("a")):
        chunks = chunker.chunk(text, budget(limit))
        assert len(chunks) <= limit
        assert "".join(chunks) == (text if chunks else "")
        assert chunks or not text or not list(token_starts(text, tokenizer))

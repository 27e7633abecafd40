"""Long texts in pieces: nothing lost, none too long, cut where a reader would."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.cli.chunks import count_tokens, in_pieces, pieces
from antiphon.cli.files import Item

TEXTS = st.lists(
    st.one_of(
        st.text(max_size=40),
        st.sampled_from(["word ", "a. ", "\n\n", "水稻。", "endlessword" * 9, "- ", "!\n", "\t", "\u2028"]),
    ),
    max_size=60,
).map("".join)


@given(TEXTS, st.integers(2, 40))
def test_pieces_are_the_text_and_none_is_too_long(text: str, limit: int) -> None:
    found = list(pieces(text, limit))
    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(0 < count_tokens(piece) <= limit for piece in found)
    assert all(piece == piece.strip() for piece in found)
    assert len(found) <= 1 + 2 * count_tokens(text) / limit + 1


@given(TEXTS)
def test_a_text_within_the_limit_is_one_piece(text: str) -> None:
    assert list(pieces(text, max(count_tokens(text), 2))) == ([text.strip()] if text.strip() else [])


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("ein Wort, zwei", 4), ("internationalization", 3), ("绿茶要用", 4), ("ポット", 3)]
)
def test_tokens_are_counted_as_models_count_them(text: str, tokens: int) -> None:
    assert count_tokens(text) == tokens


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("one two three four five.\n\nsix seven. eight nine ten", "one two three four five."),
        ("one two three four five six. seven eight nine ten", "one two three four five six."),
        ("一二三四五六。七八九十一二", "一二三四五六。"),
        ("one two three four five six seven eight nine ten", "one two three four five six seven eight"),
        ("x" * 100, "x" * 64),
    ],
)
def test_a_piece_ends_where_a_paragraph_a_sentence_or_a_word_does(text: str, first: str) -> None:
    assert next(pieces(text, 8)) == first


def test_a_document_in_pieces_keeps_its_other_fields_and_knows_its_parent() -> None:
    long = Item("a", {"text": "word " * 20, "lang": "en"}, "f:1", 7)
    short, without = Item("b", {"text": "word"}, "f:2"), Item("c", {"text": 5}, "f:3")
    found = list(in_pieces([long, short, without], "text", 8))
    assert [item.id for item in found] == ["a#0", "a#1", "a#2", "b", "c"]
    assert [(item.parent, item.chunk, item.pieces) for item in found[:3]] == [("a", n, 3) for n in range(3)]
    assert all(item.source["lang"] == "en" and item.place == "f:1" and item.read_bytes == 7 for item in found[:3])
    assert found[3:] == [short, without]

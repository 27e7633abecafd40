"""A role is never guessed, and a prefix is put exactly once unless the caller doubled it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.domain.role import DoublePrefix, Role, parse_content_type, put_prefix
from antiphon.errors import IllegalArgument

PREFIXES = ("query: ", "passage: ")
texts = st.lists(st.text(max_size=30) | st.sampled_from(PREFIXES).flatmap(lambda p: st.text(max_size=9).map(p.__add__)))


@given(word=st.sampled_from(["query", "passage"]), upper=st.lists(st.booleans(), min_size=7, max_size=7))
def test_content_type_ignores_case(word: str, upper: list[bool]) -> None:
    spelled = "".join(c.upper() if up else c for c, up in zip(word, upper, strict=False)) + word[7:]
    assert parse_content_type(spelled) is Role(word)


@given(word=st.text(max_size=12).filter(lambda w: w.lower() not in ("query", "passage")))
def test_any_other_content_type_is_refused_by_value(word: str) -> None:
    with pytest.raises(IllegalArgument) as caught:
        parse_content_type(word)
    assert f"[{word}]" in caught.value.reason
    assert "[query] or [passage]" in caught.value.reason


@given(texts=texts, prefix=st.sampled_from(PREFIXES))
def test_warn_prefixes_every_text_and_names_the_doubled(texts: list[str], prefix: str) -> None:
    prefixed = put_prefix(texts, prefix, PREFIXES)
    assert prefixed.texts == [prefix + text for text in texts]
    assert prefixed.doubled == tuple(i for i, text in enumerate(texts) if text.startswith(PREFIXES))


@given(texts=texts, prefix=st.sampled_from(PREFIXES))
def test_strip_equals_the_bare_text(texts: list[str], prefix: str) -> None:
    prefixed = put_prefix(texts, prefix, PREFIXES, DoublePrefix.STRIP)
    bare = [next((t.removeprefix(p) for p in PREFIXES if t.startswith(p)), t) for t in texts]
    assert prefixed.texts == [prefix + text for text in bare]


def test_reject_names_the_first_position_and_the_count() -> None:
    with pytest.raises(IllegalArgument, match=r"text_docs\[1\].*2 of 3 texts"):
        put_prefix(["a", "query: b", "passage: c"], "query: ", PREFIXES, DoublePrefix.REJECT)


def test_an_empty_or_blank_prefix_is_not_watched_for() -> None:
    assert put_prefix(["anything", " x"], "query: ", ("", " ")).doubled == ()

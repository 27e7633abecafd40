"""Where a text is cut around its matches; the expected cuts are a real node's."""

from __future__ import annotations

import pytest

from antiphon.engine.highlight_passages import Match, beginning, best_passages, whole_values

ANIMALS = "The quick brown fox jumps over the lazy dog. Quick brown foxes leap. A brown quick animal is not a fox."
LONG = (
    "Jones, however, stayed at home with the brown bear, the quick cat and a very long list of other animals that left."
)


def cut(
    text: str, words: str, size: int, count: int = 5, *, by_word: bool = False, by_score: bool = False
) -> list[str]:
    lowered = text.lower()
    found: list[Match] = []
    for word in words.split():
        at = lowered.find(word)
        while at >= 0:
            found.append(Match(at, at + len(word), word))
            at = lowered.find(word, at + 1)
    found.sort(key=lambda match: match.start)
    passages = best_passages([text], [found], size, count, words=by_word, by_score=by_score)
    return [text[one.start : one.end].strip() for one in passages]


@pytest.mark.parametrize(
    ("text", "size", "fragments"),
    [
        (ANIMALS, 100, [ANIMALS[: ANIMALS.index(" A brown")], "A brown quick animal is not a fox."]),
        (ANIMALS, 18, ["The quick brown fox", "Quick brown foxes leap", "A brown quick animal"]),
        (
            LONG,
            100,
            ["Jones, however, stayed at home with the brown bear, the quick cat and a very long list of other animals"],
        ),
        ("One two three. Four quick five! Six seven?", 100, ["Four quick five! Six seven?"]),
        ("line one quick\nline two brown", 100, ["line one quick\nline two brown"]),
        ("He said why. Mr. Jones is quick", 10, ["Jones is quick"]),
    ],
)
def test_fragments_are_sentences_joined_or_cut_between_words(text: str, size: int, fragments: list[str]) -> None:
    assert cut(text, "quick brown", size) == fragments


def test_the_best_fragments_are_kept_in_the_order_of_the_text_or_of_their_score() -> None:
    text = "The brown bear is here. A quick brown fox is not sleeping. All the others are."
    in_order = ["The brown bear is here.", "A quick brown fox is not sleeping"]
    assert cut(text, "quick brown fox", 30) == in_order
    assert cut(text, "quick brown fox", 30, by_score=True) == in_order[::-1]
    assert cut(text, "quick brown fox", 30, 1) == in_order[1:]


def test_words_may_be_fragments() -> None:
    assert cut("a quick, brown fox", "quick brown", 50, by_word=True) == ["quick", "brown"]


def test_values_without_a_match_are_left_out() -> None:
    assert [one.text for one in whole_values(["a", "b"], [[], [Match(0, 1, "b")]])] == ["b"]


@pytest.mark.parametrize(("size", "start"), [(3, "one "), (5, "one two"), (7, "one two "), (99, "one two three")])
def test_a_beginning_ends_with_a_word(size: int, start: str) -> None:
    assert beginning("one two three", size) == start

"""Texts are indexed by their words in a row: the same terms as the whole analyzer makes of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.engine import analysis_words
from antiphon.engine.analysis import Analyzers
from antiphon.engine.analysis_tokenizers import standard_words

SETTINGS = {
    "index.analysis.analyzer.web.tokenizer": "uax_url_email",
    "index.analysis.analyzer.letters.tokenizer": "letter",
    "index.analysis.tokenizer.short.type": "standard",
    "index.analysis.tokenizer.short.max_token_length": "3",
    "index.analysis.analyzer.short.tokenizer": "short",
    "index.analysis.analyzer.page.tokenizer": "standard",
    "index.analysis.analyzer.page.char_filter": "html_strip",
}
ANALYZERS = ["standard", "whitespace", "simple", "stop", "english", "german", "web", "letters", "short", "page"]
UNUSUAL = [
    *"abZ09_.,:;'\u2019-/@\"()<b>& \t\r\n\x1c\x1f\x85\u00a0\u1680\u2028\u202f\u3000",
    *"日本語ひらカタ한국ー、。\uff01ßéñאבתท\u0301\u3099\u309a\uff9e\ufe00\u302a\u200b\u200d😀\U000e0100",
    "don't ", "3.14 ", "U.S.A. ", "http://a.b/ü?x=1 ", "x@y.org ", "the houses ", "x" * 260,
]  # fmt: skip


@pytest.mark.parametrize("analyzer", ANALYZERS)
@given(parts=st.lists(st.sampled_from(UNUSUAL), max_size=30))
def test_a_prepared_text_has_the_same_terms(analyzer: str, parts: list[str]) -> None:
    text, built = "".join(parts), Analyzers(SETTINGS)
    chain = built.chain(analyzer)
    terms = [piece.text for piece in chain.pieces(text)]
    assert chain.indexed.analyze(chain.prepared(text)) == terms
    assert built.terms(analyzer, text) == terms


def test_words_are_forgotten_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analysis_words, "_KEPT", 3)
    text = "eins, zwei; drei: vier. fünf (sechs) 3.14 don't " * 2
    words = ["eins", "zwei", "drei", "vier", "fünf", "sechs", "3.14", "don't"]
    assert standard_words().spaced(text).split() == words * 2


@pytest.mark.parametrize(
    ("text", "spaced"),
    [
        ("Plain words, and more.", ["Plain", "words", "and", "more"]),
        ("a.. b 'quoted' it's", ["a", "b", "quoted", "it's"]),
        ("snake_case 1,000.5 10:30", ["snake_case", "1,000.5", "10", "30"]),
        ("自然语言处理。", ["自", "然", "语", "言", "处", "理"]),
        ("z" * 600, ["z" * 255, "z" * 255, "z" * 90]),
    ],
)
def test_the_standard_words(text: str, spaced: list[str]) -> None:
    assert standard_words().spaced(text).split() == spaced

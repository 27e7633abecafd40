"""Texts become terms as OpenSearch's analyzers make them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from antiphon.domain.analysis import AnalyzeRequest
from antiphon.engine.analysis import Analyzers
from antiphon.errors import IllegalArgument

BUILT_IN = [
    (
        "standard",
        "The quick don't 3.14 foo_bar U.S.A. x2y",
        ["the", "quick", "don't", "3.14", "foo_bar", "u.s.a", "x2y"],
    ),
    ("standard", "日本語 カタカナ ひら 한국어", ["日", "本", "語", "カタカナ", "ひ", "ら", "한국어"]),
    ("simple", "It's 2 Late", ["it", "s", "late"]),
    ("whitespace", "It's 2 Late", ["It's", "2", "Late"]),
    ("stop", "The End of it", ["end"]),
    ("keyword", "The End", ["The End"]),
    ("english", "the running dogs", ["run", "dog"]),
    ("german", "die Häuser", ["haus"]),
    ("turkish", "KIZ kitaplar İstanbul'da", ["k\u0131z", "kitap", "istanbul"]),
    ("greek", "ΆΝΘΡΩΠΟΣ βιβλίο", ["ανθρωπ", "βιβλι"]),
    ("cjk", "日本語 hello 京", ["日本", "本語", "hello", "京"]),
]


@pytest.mark.parametrize(("analyzer", "text", "terms"), BUILT_IN)
def test_built_in_analyzers(analyzer: str, text: str, terms: list[str]) -> None:
    assert Analyzers({}).terms(analyzer, text) == terms


FILTERS = [
    ("unique", "a b a", ["a", "b"]),
    ("reverse", "abc", ["cba"]),
    ("uppercase", "abc", ["ABC"]),
    ({"type": "length", "min": 2}, "a bb", ["bb"]),
    ({"type": "truncate", "length": 2}, "abc", ["ab"]),
    ({"type": "edge_ngram", "min_gram": 1, "max_gram": 2}, "abc", ["a", "ab"]),
    ({"type": "edge_ngram", "min_gram": 1, "max_gram": 2, "side": "back"}, "abc", ["c", "bc"]),
    ({"type": "stemmer", "language": "minimal_english"}, "cities foxes bus passes", ["city", "foxe", "bus", "passe"]),
    ({"type": "lowercase", "language": "turkish"}, "KIZ", ["k\u0131z"]),
    ({"type": "lowercase", "language": "irish"}, "nAthair", ["n-athair"]),
    ({"type": "synonym", "synonyms": ["car, auto", "tv => television"]}, "car tv", ["car", "auto", "television"]),
    ({"type": "elision", "articles": ["l"]}, "l'avion", ["avion"]),
    ({"type": "asciifolding", "preserve_original": True}, "été", ["ete", "été"]),
    ({"type": "stop", "stopwords": ["b"]}, "a b", ["a"]),
]


@pytest.mark.parametrize(("token_filter", "text", "terms"), FILTERS)
def test_token_filters(token_filter: str | Mapping[str, Any], text: str, terms: list[str]) -> None:
    request = AnalyzeRequest((text,), tokenizer="whitespace", filters=(token_filter,))
    assert [token.token for token in Analyzers({}).analyze(request)] == terms


def test_offsets_count_utf16_units_of_the_original_text() -> None:
    settings = {
        "index.analysis.analyzer.web.tokenizer": "standard",
        "index.analysis.analyzer.web.char_filter": "html_strip",
    }
    tokens = Analyzers(settings).tokens("web", "😀 <b>hot</b> tea")
    assert [(t.token, t.start_offset, t.end_offset) for t in tokens] == [("hot", 6, 13), ("tea", 14, 17)]


def test_positions_remember_removed_stop_words_and_part_the_values() -> None:
    tokens = Analyzers({}).analyze(AnalyzeRequest(("the dog and cat", "bird"), analyzer="english"))
    assert [token.position for token in tokens] == [1, 3, 104]


UNKNOWN = [
    (AnalyzeRequest(("x",), analyzer="nope"), r"failed to find global analyzer \[nope\]"),
    (AnalyzeRequest(("x",), tokenizer="nope"), r"failed to find tokenizer under \[nope\]"),
    (AnalyzeRequest(("x",), tokenizer="standard", filters=("nope",)), r"failed to find filter under \[nope\]"),
    (
        AnalyzeRequest(("x",), tokenizer="standard", char_filters=("nope",)),
        r"failed to find char_filter under \[nope\]",
    ),
]


@pytest.mark.parametrize(("request_", "reason"), UNKNOWN)
def test_what_is_not_there_is_refused_by_name(request_: AnalyzeRequest, reason: str) -> None:
    with pytest.raises(IllegalArgument, match=reason):
        Analyzers({}).analyze(request_)


@pytest.mark.parametrize("analyzer", ["standard", "simple", "whitespace", "stop", "english", "german"])
def test_long_words_are_cut(analyzer: str) -> None:
    text = "x" * 265 + " house " + "y" * 600
    tokens = Analyzers({}).tokens(analyzer, text)
    assert [(token.start_offset, token.end_offset, token.position) for token in tokens] == [
        (0, 255, 0), (255, 265, 1), (266, 271, 2), (272, 527, 3), (527, 782, 4), (782, 872, 5)
    ]  # fmt: skip
    assert Analyzers({}).terms(analyzer, text) == [token.token for token in tokens]


def test_a_tokenizer_may_cut_earlier() -> None:
    asked = AnalyzeRequest(("Abcdefghijklm op",), None, {"type": "standard", "max_token_length": 5}, ("lowercase",))
    assert [token.token for token in Analyzers({}).analyze(asked)] == ["abcde", "fghij", "klm", "op"]

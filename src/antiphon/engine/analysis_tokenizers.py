"""Tokenizers by OpenSearch's names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import tantivy

from antiphon.domain.regular_expression import RegularExpression
from antiphon.engine.analysis_chain import Piece, Typed, cut
from antiphon.engine.analysis_standard import LETTERS, STANDARD, STRETCHES, URL_EMAIL, plainly_spaced, standard_type
from antiphon.engine.analysis_words import Words
from antiphon.errors import IllegalArgument

Cutter = Words | tantivy.Tokenizer | Callable[[str], list[Piece]]
CHARACTER_CLASSES: Mapping[str, Callable[[str], bool]] = {
    "letter": str.isalpha,
    "digit": str.isdigit,
    "whitespace": str.isspace,
    "punctuation": lambda c: not c.isalnum() and not c.isspace() and c.isprintable(),
    "symbol": lambda c: c in "$+<=>^`|~",
}

LONGEST_WORD = 255
"""Characters of a word before it is cut, unless ``max_token_length`` says otherwise."""


def _longest_word(options: Mapping[str, Any]) -> int:
    length = int(options.get("max_token_length", LONGEST_WORD))
    if length < 1:
        raise IllegalArgument(f"maxTokenLength must be greater than zero, but was [{length}]")
    return length


@lru_cache(maxsize=16)
def standard_words(longest: int = LONGEST_WORD) -> Words:
    """Return the standard tokenizer, the same for all indexes."""
    return Words(STANDARD, longest, STRETCHES, plainly_spaced)


_words = lru_cache(maxsize=16)(Words)


def tokenizer(kind: str, options: Mapping[str, Any]) -> tuple[Cutter, Typed | None]:
    """Return the tokenizer of a type and what names its tokens; IllegalArgument for one that is not there."""
    match kind:
        case "standard" | "classic":
            return standard_words(_longest_word(options)), standard_type
        case "uax_url_email":
            return _words(URL_EMAIL, _longest_word(options)), standard_type
        case "whitespace":
            return _words(r"\S+", _longest_word(options)), None
        case "letter":
            return _words(LETTERS, LONGEST_WORD), None
        case "lowercase":
            return _lowercased, None
        case "keyword":
            return tantivy.Tokenizer.raw(), None
        case "pattern":
            return _pattern(options), None
        case "ngram" | "nGram":
            return _ngrams(options, edge=False), None
        case "edge_ngram" | "edgeNGram":
            return _ngrams(options, edge=True), None
    raise IllegalArgument(f"failed to find tokenizer under [{kind}]")


def _lowercased(text: str) -> list[Piece]:
    found = re.finditer(r"[^\W\d_]+", text)
    return cut([Piece(m[0].lower(), m.start(), m.end(), n) for n, m in enumerate(found)], LONGEST_WORD)


def _pattern(options: Mapping[str, Any]) -> Callable[[str], list[Piece]]:
    source = str(options.get("pattern", r"\W+"))
    try:
        pattern = RegularExpression(source, ignore_case="CASE_INSENSITIVE" in str(options.get("flags", "")))
    except ValueError as error:
        raise IllegalArgument(f"cannot read the pattern [{source}]: {error}") from error
    group = int(options.get("group", -1))

    def cut(text: str) -> list[Piece]:
        spans = []
        if group >= 0:
            spans = [m.span(group) for m in pattern.finditer(text)]
        else:
            last = 0
            for found in pattern.finditer(text):
                spans.append((last, found.start()))
                last = found.end()
            spans.append((last, len(text)))
        kept = [span for span in spans if span[1] > span[0]]
        return [Piece(text[start:end], start, end, n) for n, (start, end) in enumerate(kept)]

    return cut


def gram_sizes(options: Mapping[str, Any]) -> tuple[int, int]:
    """Return (min_gram, max_gram); IllegalArgument when they contradict each other."""
    low, high = int(options.get("min_gram", 1)), int(options.get("max_gram", 2))
    if low < 1 or low > high:
        raise IllegalArgument(f"min_gram [{low}] must be at least 1 and not above max_gram [{high}]")
    return low, high


def _ngrams(options: Mapping[str, Any], *, edge: bool) -> Callable[[str], list[Piece]]:
    low, high = gram_sizes(options)
    names = options.get("token_chars") or ()
    names = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    if unknown := [name for name in names if name not in CHARACTER_CLASSES]:
        raise IllegalArgument(f"Unknown token type: '{unknown[0]}', must be one of {sorted(CHARACTER_CLASSES)}")
    classes = [CHARACTER_CLASSES[name] for name in names]

    def cut(text: str) -> list[Piece]:
        pieces: list[Piece] = []
        for first, last in _runs(text, classes):
            for start in [first] if edge else range(first, last):
                for end in range(start + low, min(start + high, last) + 1):
                    pieces.append(Piece(text[start:end], start, end, len(pieces)))
        return pieces

    return cut


def _runs(text: str, classes: list[Callable[[str], bool]]) -> list[tuple[int, int]]:
    if not classes:
        return [(0, len(text))]
    runs: list[tuple[int, int]] = []
    start = None
    for position, character in enumerate(text):
        inside = any(belongs(character) for belongs in classes)
        if inside and start is None:
            start = position
        elif not inside and start is not None:
            runs.append((start, position))
            start = None
    if start is not None:
        runs.append((start, len(text)))
    return runs

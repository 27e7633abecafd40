"""Passages: where a text is cut around its matches, and which are best (after Lucene's unified highlighter).

Sentences and words end where Java's break iterators end them.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

_CLOSING = r"[.!?。！？．\"'”’)\]}»]*"  # noqa: RUF001
_SENTENCE_END = re.compile(
    rf"\u2029|[!?。！？]{_CLOSING}\s*|[.．]{_CLOSING}\s+(?=[\"'“‘(\[{{«]*[^\sa-zß-öø-ÿ])"  # noqa: RUF001
)
_WORD = re.compile(r"[^\W_]+(?:[-\u2010-\u2015.,'\"\u2027][^\W_]+)*|\s+|.", re.DOTALL)
_K1, _B, _PIVOT = 1.2, 0.75, 87.0


@dataclass(frozen=True, slots=True)
class Match:
    """A marked term, from ``start`` up to ``end`` (characters of its value)."""

    start: int
    end: int
    term: str


@dataclass(slots=True)
class Passage:
    """A part of a value with matches in it; ``base`` is where the value begins when all are joined."""

    start: int
    end: int
    text: str
    base: int = 0
    matches: list[Match] = field(default_factory=list)


def whole_values(values: Sequence[str], matches: Sequence[Sequence[Match]]) -> list[Passage]:
    """Return each value that has a match, uncut."""
    pairs = zip(values, matches, strict=True)
    return [Passage(0, len(text), text, matches=list(found)) for text, found in pairs if found]


def best_passages(
    values: Sequence[str], matches: Sequence[Sequence[Match]], size: int, count: int, *, words: bool, by_score: bool
) -> list[Passage]:
    """Return the ``count`` best passages of about ``size`` characters, in order of text (or of score).

    ``words`` cuts at words instead of sentences, whatever the size.
    """
    passages: list[Passage] = []
    base = 0
    for text, found in zip(values, matches, strict=True):
        passages += _passages(text, base, found, size, words=words)
        base += len(text) + 1
    totals = Counter(match.term for found in matches for match in found)
    length = max(0, base - 1)
    ranked = sorted(passages, key=lambda one: (_score(one, totals, length), one.base + one.start), reverse=True)[:count]
    return ranked if by_score else sorted(ranked, key=lambda one: one.base + one.start)


def beginning(text: str, size: int) -> str:
    """Return the start of a text up to the first end of a word after ``size`` characters."""
    if size >= len(text):
        return text
    ends = [found.end() for found in _WORD.finditer(text)]
    return text[: ends[bisect_right(ends, size)]]


def _passages(text: str, base: int, matches: Sequence[Match], size: int, *, words: bool) -> list[Passage]:
    breaks = _Breaks(text, size, words=words)
    found: list[Passage] = []
    for match in matches:
        if not found or match.start >= found[-1].end:
            start, end = breaks.around(match.start)
            found.append(Passage(max(start, found[-1].end if found else 0), end, text, base))
        found[-1].matches.append(match)
    return found


class _Breaks:
    """Where passages of one text begin and end: sentences joined up to ``size``, longer ones cut between words."""

    def __init__(self, text: str, size: int, *, words: bool) -> None:
        self._words = [0, *(one.end() for one in _WORD.finditer(text))]
        ends = [one.end() for one in _SENTENCE_END.finditer(text)]
        self._main = self._words if words else sorted({0, *ends, len(text)})
        self._size = len(text) if words else size
        self._joined = not words
        self._window = (-1, -1)
        self._inner = (-1, -1)

    def around(self, start: int) -> tuple[int, int]:
        """Return the passage of the match that begins at ``start``; later matches must follow."""
        offset = start + 1
        if self._window[0] < offset < self._window[1]:
            low, high = self._inner[1], self._window[1]
        else:
            low, high = _before(self._main, offset), _after(self._main, offset - 1)
            while self._joined and high - low < self._size:
                longer = _after(self._main, high)
                if longer <= high or longer - low > self._size:
                    break
                high = longer
            self._window = (low, high)
        if high - low > self._size:
            if offset - self._size > low:
                low = max(low, _before(self._words, offset - self._size))
            remaining = max(0, self._size - (offset - low))
            if offset + remaining < self._window[1]:
                high = min(self._window[1], _after(self._words, offset + remaining))
        self._inner = (low, high)
        return self._inner


def _before(breaks: Sequence[int], offset: int) -> int:
    return breaks[max(0, bisect_left(breaks, offset) - 1)]


def _after(breaks: Sequence[int], offset: int) -> int:
    return breaks[min(len(breaks) - 1, bisect_right(breaks, offset))]


def _score(passage: Passage, totals: Counter[str], length: int) -> float:
    """Lucene's PassageScorer: BM25 in which passages are the documents, and early ones count a little more."""
    held = Counter(match.term for match in passage.matches)
    norm = _K1 * ((1 - _B) + _B * (passage.end - passage.start) / _PIVOT)
    documents = 1 + length / _PIVOT
    score = sum(
        count / (count + norm) * (_K1 + 1) * math.log(1 + (documents + 0.5) / (totals[term] + 0.5))
        for term, count in held.items()
    )
    return score * (1 + 1 / math.log(_PIVOT + passage.base + passage.start))

"""Words to pieces of a Unigram vocabulary: the arithmetic of ``tokenizers`` over a plain dict.

``tokenizers`` keeps a trie of hash maps: 280 MiB for the 250,002 pieces of XLM-R, where a dict takes 40. What it
computes is short, and is repeated here to the letter: double precision, sums from the left, the first of equals wins.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_UNKNOWN_PENALTY = 10.0
"""How much worse an unknown character is than the worst piece: a constant of sentencepiece and ``tokenizers``."""

_MAX_WORDS = 32_768
"""Words of one generation. Two are remembered, some 250 bytes each: of the older one what is asked for again moves."""

_MAX_WORD_LENGTH = 48
"""Longer words hardly come again."""


class Unigram:
    """Splits words into pieces. Thread-safe: what is remembered is only ever replaced by the same.

    ``pieces``: distinct, none empty, in id order; ``scores``: log probabilities, none above 0; ``unknown``: the id of
    characters that no piece has, of which neighbours become one token.
    """

    def __init__(self, pieces: Sequence[str], scores: array[float], unknown: int) -> None:
        self._ids = dict(zip(pieces, range(len(pieces)), strict=True))
        self._scores = scores
        self._unknown = unknown
        self._unknown_score = min(scores) - _UNKNOWN_PENALTY
        self._reach = _reach(pieces)
        self._known: dict[str, bytes] = {}
        self._older: dict[str, bytes] = {}

    def __call__(self, words: Sequence[str]) -> NDArray[np.int64]:
        """Return the ids of all words, one after the other: int64 ``[tokens]``."""
        known = self._known
        found = [known.get(word) or self._split(word) for word in words]
        return np.frombuffer(b"".join(found), np.intc).astype(np.int64)

    def _split(self, word: str) -> bytes:
        """Return the ids of ``word`` as C ints, and remember them."""
        ids = self._older.get(word) or array("i", self._ids_of(word, self._starts(word))).tobytes()
        if len(word) <= _MAX_WORD_LENGTH:
            if len(self._known) >= _MAX_WORDS:
                self._older, self._known = self._known, {}
            self._known[word] = ids
        return ids

    def _starts(self, word: str) -> list[int]:
        """Return, for every end of a piece in ``word``, where the last piece of the best way there starts (Viterbi).

        A single character comes before longer pieces with the same start, known or not: no other of them ends where
        it ends, so that every end sees its candidates in the order of ``tokenizers``.
        """
        ids, scores, reach, unknown = self._ids.get, self._scores, self._reach.get, self._unknown_score
        length = len(word)
        best = [-np.inf] * (length + 1)
        starts = [0] * (length + 1)
        best[0] = 0.0
        for start in range(length):
            here = best[start]
            piece = ids(word[start])
            score = (unknown if piece is None else scores[piece]) + here
            if score > best[start + 1]:
                best[start + 1] = score
                starts[start + 1] = start
            for end in range(start + 2, min(start + reach(word[start : start + 3], 2), length) + 1):
                piece = ids(word[start:end])
                if piece is not None:
                    score = scores[piece] + here
                    if score > best[end]:
                        best[end] = score
                        starts[end] = start
        return starts

    def _ids_of(self, word: str, starts: list[int]) -> list[int]:
        """Return the ids on the way that ``starts`` describes; neighbouring unknowns are one token."""
        ids: list[int] = []
        end, unknown = len(word), self._unknown
        while end:
            start = starts[end]
            piece = self._ids.get(word[start:end], unknown)
            if piece != unknown or not ids or ids[-1] != unknown:
                ids.append(piece)
            end = start
        ids.reverse()
        return ids


def _reach(pieces: Sequence[str]) -> dict[str, int]:
    """Return the length of the longest piece that starts with each three characters, in characters."""
    reach: dict[str, int] = {}
    for piece in pieces:
        length = len(piece)
        if length > 2:
            first = piece[:3]
            if length > reach.get(first, 0):
                reach[first] = length
    return reach

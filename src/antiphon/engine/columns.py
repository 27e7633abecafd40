"""The values of one field over the rows of one segment, as arrays (in memory or mapped from a file). Immutable."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Starts = NDArray[np.int64]
"""int64 ``[rows + 1]``: row r holds the values ``starts[r]:starts[r + 1]``."""


@dataclass(frozen=True, slots=True)
class NumberColumn:
    """int64 (WHOLE) or float64 (REAL) ``values``, ascending within a row; ``starts`` None: exactly one per row."""

    values: NDArray[np.int64] | NDArray[np.float64]
    starts: Starts | None


@dataclass(frozen=True, slots=True)
class TermList:
    """Distinct strings in code-point order, as one UTF-8 ``blob`` and int64 ``ends`` ``[terms]``."""

    blob: NDArray[np.uint8]
    ends: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ends)

    def term(self, code: int) -> str:
        """Return the string of a code."""
        start = int(self.ends[code - 1]) if code else 0
        return self.blob[start : int(self.ends[code])].tobytes().decode()

    def all(self) -> list[str]:
        """Return every string in order."""
        return [self.term(code) for code in range(len(self))]

    def find(self, term: str) -> int:
        """Return the code of a string, or -1."""
        code = self.insertion(term)
        return code if code < len(self) and self.term(code) == term else -1

    def insertion(self, term: str, *, after: bool = False) -> int:
        """Return how many strings sort before ``term`` (with ``after``: before or equal)."""
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            found = self.term(middle)
            if found < term or (after and found == term):
                low = middle + 1
            else:
                high = middle
        return low


@dataclass(frozen=True, slots=True)
class KeywordColumn:
    """int32 ``codes`` into ``terms``, ascending and distinct within a row; ``starts`` None: exactly one per row."""

    codes: NDArray[np.int32]
    starts: Starts | None
    terms: TermList


@dataclass(frozen=True, slots=True)
class TextColumn:
    """Which rows have a text in the field: bool ``[rows]``. The terms themselves are in the lexicon."""

    present: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class FeatureColumn:
    """rank_features: int32 ``codes`` into ``tokens`` and their float32 ``weights``, by ``starts``."""

    codes: NDArray[np.int32]
    weights: NDArray[np.float32]
    starts: Starts
    tokens: TermList

"""Ranks passages for queries by cosine, and by how much the right one leads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Ranking:
    """For each query: the index of the best text, and the right text's cosine minus the best wrong one's."""

    name: str
    best: tuple[int, ...]
    margins: tuple[float, ...]

    @property
    def right(self) -> int:
        """How many queries have the right text first."""
        return sum(margin > 0 for margin in self.margins)


def rank(
    name: str, queries: Sequence[Sequence[float]], passages: Sequence[Sequence[float]], answers: Sequence[int]
) -> Ranking:
    """Rank by cosine; ``queries`` ``[q, d]``, ``passages`` ``[p, d]``, ``answers`` the right index of each query."""
    q, p = np.asarray(queries, np.float64), np.asarray(passages, np.float64)
    cosines = (q @ p.T) / (np.linalg.norm(q, axis=1)[:, None] * np.linalg.norm(p, axis=1)[None, :])
    margins = [float(row[right] - np.delete(row, right).max()) for row, right in zip(cosines, answers, strict=True)]
    return Ranking(name, tuple(int(top) for top in cosines.argmax(axis=1)), tuple(margins))


def mean_margin(ranking: Ranking) -> float:
    """Return the mean lead of the right text."""
    return float(np.mean(ranking.margins))

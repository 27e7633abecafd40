"""Exact scans: how near the vectors of a column are, by float32 arithmetic, for all of them or all that can matter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from antiphon.domain.space import Space
from antiphon.engine.graph import load_faiss

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Positions = NDArray[np.int64]

SCANNED = frozenset({Space.L2, Space.COSINESIMIL, Space.INNERPRODUCT})
"""The spaces whose nearness comes from inner products."""
PROVED_FROM = 4_096
"""Candidates from which faiss's scan, which keeps only the best, is asked first: below, a product costs less."""
_SPARE = 64
_SURE_SHARE = 8
_GATHERED = 256
"""Vectors gathered at once: few enough to be multiplied while they are in the processor's cache."""
_GATHERED_SHARE = 0.1
"""Below this share of the vectors it is cheaper to gather them than to pass over the others."""
_ROUNDING = 1e-5
"""How much two float32 sums over one vector can differ, as a share of the largest there can be."""
_UNIT_SPREAD = 1e-3
"""Up to here the lengths of vectors differ so little that the largest products are those of the largest cosines."""


@dataclass(frozen=True, slots=True)
class Scan:
    """``near`` float32 by candidate, at most about ``largest`` either way; ``positions`` None: all of the column."""

    positions: Positions | None
    near: Floats
    largest: float

    def at_least(self, least: float) -> Positions:
        """Return the positions of everything that may be as near as ``least``."""
        kept = np.flatnonzero(self.near >= least - _slack(self.largest))
        return kept if self.positions is None else self.positions[kept]


@dataclass(frozen=True, slots=True)
class Scanner:
    """float32 ``vectors`` ``[n, d]`` with their squared lengths ``[n]``, seen from ``query`` ``[d]``."""

    space: Space
    vectors: Floats
    squares: Floats
    query: Floats

    def scan(self, k: int, allowed: Mask | None, count: int) -> Scan:
        """Return all ``count`` candidates (those ``allowed``), or fewer, but every one that may be among the k best."""
        asked = 4 * k + _SPARE
        many = count >= max(PROVED_FROM, _SURE_SHARE * asked, _GATHERED_SHARE * len(self.vectors))
        proved = self._proved(k, asked, allowed) if many else None
        return proved or self._whole(allowed, count)

    def _whole(self, allowed: Mask | None, count: int) -> Scan:
        if allowed is None:
            return Scan(None, self._near(self.vectors @ self.query, self.squares), self._largest())
        positions = np.flatnonzero(allowed)
        few = count < _GATHERED_SHARE * len(self.vectors)
        products = self._gathered(positions) if few else (self.vectors @ self.query)[positions]
        return Scan(positions, self._near(products, self.squares[positions]), self._largest())

    def _gathered(self, positions: Positions) -> Floats:
        products = np.empty(len(positions), np.float32)
        room = np.empty((min(_GATHERED, len(positions)), self.vectors.shape[1]), np.float32)
        for start in range(0, len(positions), _GATHERED):
            some = positions[start : start + _GATHERED]
            gathered = room[: len(some)]
            self.vectors.take(some, axis=0, out=gathered, mode="clip")  # another mode would copy twice
            products[start : start + len(some)] = gathered @ self.query
        return products

    def _proved(self, k: int, asked: int, allowed: Mask | None) -> Scan | None:
        """The best by faiss's scan; None unless what it left out is certainly not among the k best."""
        largest = float(np.linalg.norm(self.query)) * self._longest()
        loose = _slack(largest if self.space is not Space.L2 else self._largest())
        if self.space is Space.COSINESIMIL:
            shortest = float(self.squares.min()) ** 0.5
            if self._longest() > (1 + _UNIT_SPREAD) * shortest:
                return None
            loose += 2 * (self._longest() / shortest - 1) * largest
        values, positions = self._best(asked, allowed)
        least = values[k - 1] - loose
        if len(values) == asked and values[-1] >= least:
            return None
        kept = np.flatnonzero(values >= least)
        near = values[kept] if self.space is Space.L2 else self._near(values[kept], self.squares[positions[kept]])
        return Scan(positions[kept], near, self._largest())

    def _best(self, asked: int, allowed: Mask | None) -> tuple[Floats, Positions]:
        """The ``asked`` best, or as many as are ``allowed``: inner products, for L2 what ``_near`` says, and where."""
        faiss = load_faiss()
        bits, selector = None, None
        if allowed is not None:
            bits = np.packbits(allowed, bitorder="little")
            selector = faiss.IDSelectorBitmap(len(bits), faiss.swig_ptr(bits))
        values = np.empty(asked, np.float32)
        positions = np.empty(asked, np.int64)
        wanted = np.ascontiguousarray(self.query)
        room = [faiss.swig_ptr(array) for array in (wanted, self.vectors, values, positions)]
        shape = (self.vectors.shape[1], 1, len(self.vectors), asked)
        if self.space is Space.L2:
            faiss.knn_L2sqr(*room[:2], *shape, *room[2:], None, selector)
            values = np.asarray(np.float32(wanted @ wanted) - values, np.float32)
        else:
            faiss.knn_inner_product(*room[:2], *shape, *room[2:], selector)
        there = positions >= 0
        return values[there], positions[there]

    def _near(self, products: Floats, squares: Floats) -> Floats:
        match self.space:
            case Space.L2:
                return np.asarray(2 * products - squares, np.float32)
            case Space.COSINESIMIL:
                norms = np.sqrt(squares) * np.float32(np.linalg.norm(self.query))
                return np.divide(products, norms, out=np.zeros_like(products), where=norms > 0)
            case _:
                return products

    def _largest(self) -> float:
        length, longest = float(np.linalg.norm(self.query)), self._longest()
        match self.space:
            case Space.L2:
                return longest * (2 * length + longest)
            case Space.COSINESIMIL:
                return 1.0
            case _:
                return longest * length

    def _longest(self) -> float:
        return float(np.sqrt(self.squares.max(initial=0.0)))


def _slack(largest: float) -> float:
    return _ROUNDING * max(1.0, largest)

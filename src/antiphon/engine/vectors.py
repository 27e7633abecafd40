"""The vectors of one field over the rows of one segment: a graph proposes, exact numbers decide.

A search first finds candidates cheaply (float32 products in BLAS, or the graph) and then scores them in float64, so
that a published score is the formula's to the last digit of float32, and equal vectors tie.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from antiphon.domain.field import VectorSpec
from antiphon.domain.space import Space, raw_distance, score_of
from antiphon.engine.graph import Graph

Floats = NDArray[np.float32]
Positions = NDArray[np.int64]

EXACT_BELOW = 10_000
"""Up to so many candidates an exact scan is no slower than the graph, and it never misses."""
_EF = 100
_OVERSAMPLED = 4
_CHUNK = 16_384
_GATHERED_SHARE = 0.1
"""Below this share of the vectors it is cheaper to gather them than to multiply all."""


@dataclass(frozen=True, slots=True)
class VectorColumn:
    """float32 ``vectors`` ``[n, d]`` of the local ``rows`` int64 ``[n]``, ascending.

    ``squares`` float32 ``[n]`` are the vectors' squared lengths (None: computed on first use); ``graph`` is over the
    same positions.
    """

    spec: VectorSpec
    vectors: Floats
    rows: NDArray[np.int64]
    squares: Floats | None = None
    graph: Graph | None = None

    def nearest(
        self, query: Floats, k: int, mask: NDArray[np.bool_] | None, ef_search: int | None = None
    ) -> tuple[NDArray[np.int64], Floats]:
        """Return (local rows, published scores) of the ``min(k, candidates)`` best among rows where ``mask`` is True.

        ``mask`` bool ``[rows of the segment]`` (None: all). Best first, ties by lower row. ``ef_search`` tunes a
        graph; an exact scan has no use for it.
        """
        allowed = self._allowed(mask)
        count = len(self.rows) if allowed is None else int(np.count_nonzero(allowed))
        k = min(k, count)
        if k <= 0:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        positions = self._proposed(query, k, allowed, count, ef_search)
        if positions is None:
            positions = self._candidates(query, k, allowed)
        scores = score_of(self.spec.space, exact_raw(self.spec.space, self.vectors[positions], query))
        order = np.lexsort((positions, -scores))[:k]
        return self.rows[positions[order]], scores[order]

    def scores(self, query: Floats, mask: NDArray[np.bool_] | None) -> tuple[NDArray[np.int64], Floats]:
        """Return (local rows ascending, published scores) of every vector where ``mask`` is True."""
        allowed = self._allowed(mask)
        rows, vectors = (self.rows, self.vectors) if allowed is None else (self.rows[allowed], self.vectors[allowed])
        return rows, score_of(self.spec.space, exact_raw(self.spec.space, vectors, query))

    def raw(self, query: Floats) -> tuple[NDArray[np.int64], Floats]:
        """Return (local rows, raw quantities of ``domain.space``) of every vector."""
        return self.rows, exact_raw(self.spec.space, self.vectors, query)

    def lengths_squared(self) -> Floats:
        """Return the squared lengths of the vectors, float32 ``[n]``."""
        if self.squares is None:
            found = np.concatenate(
                [np.einsum("ij,ij->i", part, part) for part in _parts(self.vectors)] or [np.zeros(0, np.float32)]
            )
            object.__setattr__(self, "squares", found.astype(np.float32))  # the value is a function of the others
        assert self.squares is not None
        return self.squares

    def _allowed(self, mask: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
        """The mask by position; None when it lets everything pass."""
        if mask is None:
            return None
        allowed = mask if len(mask) == len(self.rows) else mask[self.rows]
        return None if allowed.all() else allowed

    def _proposed(
        self, query: Floats, k: int, allowed: NDArray[np.bool_] | None, count: int, ef_search: int | None
    ) -> Positions | None:
        """The graph's candidates; None when there is no graph, it would not pay, or it found too few."""
        if self.graph is None or count <= EXACT_BELOW or k * _OVERSAMPLED > count // 10:
            return None
        found = self.graph.propose(query, k * _OVERSAMPLED, max(ef_search or _EF, k * _OVERSAMPLED), allowed)
        return found if len(found) >= k else None

    def _candidates(self, query: Floats, k: int, allowed: NDArray[np.bool_] | None) -> Positions:
        """The positions of everything that may be among the k best, by float32 arithmetic and its error."""
        positions = None if allowed is None else np.flatnonzero(allowed)
        if self.spec.space not in (Space.L2, Space.COSINESIMIL, Space.INNERPRODUCT):
            return np.arange(len(self.rows)) if positions is None else positions
        if positions is None:
            near = self._nearness(self.vectors @ query, self.lengths_squared(), query)
        elif len(positions) < _GATHERED_SHARE * len(self.rows):
            near = self._nearness(self.vectors[positions] @ query, self.lengths_squared()[positions], query)
        else:
            near = self._nearness(self.vectors @ query, self.lengths_squared(), query)[positions]
        if k < len(near):
            least = np.partition(near, len(near) - k)[len(near) - k]
            largest = float(np.abs(near).max(initial=0.0))
            kept = np.flatnonzero(near >= least - 1e-5 * max(1.0, largest))
            positions = kept if positions is None else positions[kept]
        elif positions is None:
            positions = np.arange(len(self.rows))
        return positions

    def _nearness(self, products: Floats, squares: Floats, query: Floats) -> Floats:
        """Something that grows as vectors come nearer."""
        match self.spec.space:
            case Space.L2:
                return np.asarray(2 * products - squares, np.float32)
            case Space.COSINESIMIL:
                norms = np.sqrt(squares) * np.float32(np.linalg.norm(query))
                return np.divide(products, norms, out=np.zeros_like(products), where=norms > 0)
            case _:
                return products


def exact_raw(space: Space, vectors: Floats, query: Floats) -> Floats:
    """Return ``domain.space.raw_distance`` of every row, computed in float64 and rounded once."""
    if space is Space.HAMMING:
        return raw_distance(space, vectors, query)
    wanted = query.astype(np.float64)
    parts = [_raw64(space, part.astype(np.float64), wanted) for part in _parts(vectors)]
    return np.concatenate(parts).astype(np.float32) if parts else np.zeros(0, np.float32)


def _raw64(space: Space, vectors: NDArray[np.float64], query: NDArray[np.float64]) -> NDArray[np.float64]:
    if space in (Space.L2, Space.L1, Space.LINF):
        difference = np.abs(vectors - query)
        if space is Space.L2:
            return np.asarray(np.einsum("ij,ij->i", difference, difference))
        return np.asarray(difference.sum(axis=1) if space is Space.L1 else difference.max(axis=1, initial=0.0))
    products = vectors @ query
    if space is Space.INNERPRODUCT:
        return np.asarray(products)
    norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors)) * np.linalg.norm(query)
    return np.asarray(np.divide(products, norms, out=np.zeros_like(products), where=norms > 0))


def _parts(vectors: Floats) -> list[Floats]:
    return [vectors[start : start + _CHUNK] for start in range(0, len(vectors), _CHUNK)]

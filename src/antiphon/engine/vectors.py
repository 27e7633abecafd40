"""The vectors of one field over the rows of one segment: a graph proposes, exact numbers decide.

A search first finds candidates cheaply (float32 products in BLAS, or the graph) and then scores them in float64, so
that a published score is the formula's to the last digit of float32, and equal vectors tie.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from antiphon.domain.field import VectorSpec
from antiphon.domain.space import Space, raw_distance, score_of
from antiphon.engine.graph import Graph
from antiphon.engine.scan import SCANNED, Scan, Scanner

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Positions = NDArray[np.int64]

EXACT_BELOW = 10_000
"""Up to so many candidates an exact scan is no slower than the graph, and it never misses."""
_EF = 100
_OVERSAMPLED = 4
_CHUNK = 16_384


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

    def scores(self, query: Floats, mask: Mask | None) -> tuple[NDArray[np.int64], Floats]:
        """Return (local rows ascending, published scores) of every vector where ``mask`` is True."""
        allowed = self.allowed(mask)
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

    def allowed(self, mask: Mask | None) -> Mask | None:
        """The mask by position; None when it lets everything pass."""
        if mask is None:
            return None
        allowed = mask if len(mask) == len(self.rows) else mask[self.rows]
        return None if allowed.all() else allowed

    def proposed(
        self, query: Floats, k: int, allowed: Mask | None, count: int, ef_search: int | None
    ) -> Positions | None:
        """The graph's candidates; None when there is no graph, it would not pay, or it found too few."""
        if self.graph is None or count <= EXACT_BELOW or k * _OVERSAMPLED > count // 10:
            return None
        found = self.graph.propose(query, k * _OVERSAMPLED, max(ef_search or _EF, k * _OVERSAMPLED), allowed)
        return found if len(found) >= k else None

    def scanned(self, query: Floats, k: int, allowed: Mask | None, count: int) -> Scan:
        """Every candidate that may be among the k best."""
        return Scanner(self.spec.space, self.vectors, self.lengths_squared(), query).scan(k, allowed, count)


def nearest(
    columns: Sequence[VectorColumn], masks: Sequence[Mask | None], query: Floats, k: int, ef_search: int | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Return (column number, local row, published score) of the ``min(k, candidates)`` best over columns of one space.

    ``masks`` bool ``[rows of the segment]`` tell which rows may be found (None: all). Best first, ties by column and
    row. ``ef_search`` tunes graphs; an exact scan has no use for it.
    """
    picked: dict[int, Positions] = {}
    scans: dict[int, Scan] = {}
    for number, (column, mask) in enumerate(zip(columns, masks, strict=True)):
        allowed = column.allowed(mask)
        count = len(column.rows) if allowed is None else int(np.count_nonzero(allowed))
        if not (wanted := min(k, count)):
            continue
        found = column.proposed(query, wanted, allowed, count, ef_search)
        if found is not None:
            picked[number] = found
        elif column.spec.space in SCANNED:
            scans[number] = column.scanned(query, wanted, allowed, count)
        else:
            picked[number] = np.arange(count) if allowed is None else np.flatnonzero(allowed)
    picked |= _best_of(scans, k)
    if not picked:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32)
    numbers = np.repeat(list(picked), [len(positions) for positions in picked.values()])
    rows = np.concatenate([columns[number].rows[positions] for number, positions in picked.items()])
    vectors = np.concatenate([columns[number].vectors[positions] for number, positions in picked.items()])
    space = columns[0].spec.space
    scores = score_of(space, exact_raw(space, vectors, query))
    order = np.lexsort((rows, numbers, -scores))[:k]
    return numbers[order], rows[order], scores[order]


def _best_of(scans: Mapping[int, Scan], k: int) -> dict[int, Positions]:
    """The positions of everything that may be among the k best of all scans, by column number."""
    if not scans:
        return {}
    near = np.concatenate([scan.near for scan in scans.values()])
    least = float(np.partition(near, len(near) - k)[len(near) - k]) if k < len(near) else -np.inf
    return {number: scan.at_least(least) for number, scan in scans.items()}


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

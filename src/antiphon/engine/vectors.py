"""The vectors of one field over the rows of one segment: a graph proposes, exact float32 decides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from antiphon.domain.field import VectorSpec
from antiphon.domain.space import raw_distance, score_of


@dataclass(frozen=True, slots=True)
class VectorColumn:
    """float32 ``vectors`` ``[n, d]`` of the local ``rows`` int64 ``[n]``, ascending."""

    spec: VectorSpec
    vectors: NDArray[np.float32]
    rows: NDArray[np.int64]

    def nearest(
        self, query: NDArray[np.float32], k: int, mask: NDArray[np.bool_] | None, ef_search: int | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return (local rows, published scores) of the ``min(k, candidates)`` best among rows where ``mask`` is True.

        ``mask`` bool ``[rows of the segment]`` (None: all). Best first, ties by lower row. Exact scores.
        ``ef_search`` tunes a graph; an exact scan has no use for it.
        """
        del ef_search
        rows, scores = self.scores(query, mask)
        if len(rows) > k:
            threshold = np.partition(scores, len(scores) - k)[len(scores) - k] if k else np.inf
            kept = np.flatnonzero(scores >= threshold)
            rows, scores = rows[kept], scores[kept]
        order = np.lexsort((rows, -scores))[:k]
        return rows[order], scores[order]

    def scores(
        self, query: NDArray[np.float32], mask: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return (local rows ascending, published scores) of every vector where ``mask`` is True."""
        rows, vectors = self.rows, self.vectors
        if mask is not None:
            wanted = mask[rows]
            if not wanted.all():
                rows, vectors = rows[wanted], vectors[wanted]
        return rows, score_of(self.spec.space, raw_distance(self.spec.space, vectors, query))

    def raw(self, query: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return (local rows, raw quantities of ``domain.space``) of every vector."""
        return self.rows, raw_distance(self.spec.space, self.vectors, query)

"""The vectors of one field over the rows of one segment: a graph proposes, exact float32 decides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from antiphon.domain.field import VectorSpec


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
        """
        raise NotImplementedError

    def scores(
        self, query: NDArray[np.float32], mask: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return (local rows ascending, published scores) of every vector where ``mask`` is True."""
        raise NotImplementedError

    def raw(self, query: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return (local rows, raw quantities of ``domain.space``) of every vector."""
        raise NotImplementedError

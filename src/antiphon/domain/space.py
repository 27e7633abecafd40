"""Vector spaces and their published scores (k-NN plugin, "Spaces"; formulas in docs/compatibility.md).

All functions take float32 ``[n, d]`` and ``[d]`` and return float32 ``[n]``.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Space(StrEnum):
    """How two vectors are compared."""

    L2 = "l2"
    L1 = "l1"
    LINF = "linf"
    COSINESIMIL = "cosinesimil"
    INNERPRODUCT = "innerproduct"
    HAMMING = "hamming"


def raw_distance(space: Space, vectors: Floats, query: Floats) -> Floats:
    """Return the space's raw quantity per row: squared distance, L1, Linf, cosine, inner product or differing bits.

    A zero vector has cosine 0. HAMMING takes packed bytes (int8 values held as float32).
    """
    match space:
        case Space.L2:
            difference = vectors - query
            return np.asarray(np.einsum("ij,ij->i", difference, difference), np.float32)
        case Space.L1:
            return np.asarray(np.abs(vectors - query).sum(axis=1), np.float32)
        case Space.LINF:
            return np.asarray(np.abs(vectors - query).max(axis=1, initial=0.0), np.float32)
        case Space.INNERPRODUCT:
            return np.asarray(vectors @ query, np.float32)
        case Space.COSINESIMIL:
            norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors)) * np.float32(np.linalg.norm(query))
            products = vectors @ query
            return np.asarray(np.divide(products, norms, out=np.zeros_like(products), where=norms > 0), np.float32)
        case Space.HAMMING:
            mixed = vectors.astype(np.int8).view(np.uint8) ^ query.astype(np.int8).view(np.uint8)
            return np.asarray(np.bitwise_count(mixed).sum(axis=1), np.float32)


def score_of(space: Space, raw: Floats) -> Floats:
    """Return the published ``_score`` of raw quantities: always >= 0, higher is nearer."""
    match space:
        case Space.COSINESIMIL:
            return np.maximum((1 + raw) / 2, 0).astype(np.float32)
        case Space.INNERPRODUCT:
            # the unused branch of where must not divide by zero
            return np.where(raw > 0, raw + 1, 1 / (1 - np.minimum(raw, 0))).astype(np.float32)
        case Space.L2 | Space.L1 | Space.LINF | Space.HAMMING:
            return (1 / (1 + raw)).astype(np.float32)

"""From token vectors to one vector: ML Commons' formulas, exact under padding.

``hidden`` is float32 ``[batch, tokens, hidden]``; ``mask`` int64 ``[batch, tokens]`` is 1 for a token (special ones
included) and 0 for padding, which is on the right. A fully masked row gives zeros (mean, mean_sqrt_len).
"""

from __future__ import annotations

from typing import Any, assert_never

import numpy as np
from numpy.typing import NDArray

from antiphon.domain.model import Pooling

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

_TINY = np.float32(1e-9)
_LOW = np.float32(-1e9)


def pool(hidden: Floats, mask: Ints, mode: Pooling) -> list[Floats]:
    """Return one new array per text: float32 ``[hidden]``, or ``[its tokens, hidden]`` for NONE."""
    if mode is Pooling.NONE:
        return [hidden[i, :n].copy() for i, n in enumerate(mask.sum(axis=1).tolist())]
    return list(_reduce(hidden, mask, mode))


def normalize(row: Floats) -> Floats:
    """Return ``row`` at unit length along its last axis; a zero vector stays zero."""
    length = np.linalg.norm(row, axis=-1, keepdims=True)
    return _float32(row / np.maximum(length, np.float32(1e-12)))


def _reduce(hidden: Floats, mask: Ints, mode: Pooling) -> Floats:
    match mode:
        case Pooling.MEAN:
            return _weighted_mean(hidden, mask)
        case Pooling.MEAN_SQRT_LEN:
            return _float32(_weighted_sum(hidden, mask) / np.sqrt(_total(mask)))
        case Pooling.WEIGHTED_MEAN:
            return _weighted_mean(hidden, mask * np.arange(1, mask.shape[1] + 1))
        case Pooling.MAX:
            return _float32(np.where(mask[:, :, None] == 1, hidden, _LOW).max(axis=1))
        case Pooling.CLS:
            return _float32(hidden[:, 0].copy())
        case Pooling.LAST_TOKEN:
            return _float32(hidden[np.arange(len(hidden)), np.maximum(mask.sum(axis=1) - 1, 0)])
        case Pooling.NONE:
            raise ValueError("NONE has no single vector per text")
        case _:
            assert_never(mode)


def _weighted_mean(hidden: Floats, weights: Ints) -> Floats:
    return _float32(_weighted_sum(hidden, weights) / _total(weights))


def _weighted_sum(hidden: Floats, weights: Ints) -> Floats:
    return _float32((weights.astype(np.float32)[:, None, :] @ hidden)[:, 0])


def _total(weights: Ints) -> Floats:
    return _float32(np.maximum(weights.sum(axis=1, keepdims=True), _TINY))


def _float32(values: NDArray[Any]) -> Floats:
    return np.asarray(values, np.float32)

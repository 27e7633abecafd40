from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from antiphon.domain.model import Pooling
from antiphon.encode.pooling import normalize, pool

Floats = NDArray[np.float32]


@st.composite
def padded_batches(draw: st.DrawFn) -> tuple[Floats, list[int]]:
    """Hidden states [batch, tokens, hidden] and the number of real tokens per text."""
    tokens, hidden = draw(st.integers(1, 9)), draw(st.integers(1, 6))
    counts = draw(st.lists(st.integers(1, tokens), min_size=1, max_size=5))
    seed = draw(st.integers(0, 2**32 - 1))
    values = np.random.default_rng(seed).normal(size=(len(counts), tokens, hidden)).astype(np.float32)
    return values, counts


def naive(x: Floats, mode: Pooling) -> Any:
    """One unpadded text [n, h], written out as in ML Commons, in plain Python."""
    n, h = x.shape
    rows = [[float(value) for value in row] for row in x]
    sums = [sum(rows[i][j] for i in range(n)) for j in range(h)]
    match mode:
        case Pooling.MEAN:
            return [value / n for value in sums]
        case Pooling.MEAN_SQRT_LEN:
            return [value / math.sqrt(n) for value in sums]
        case Pooling.MAX:
            return [max(rows[i][j] for i in range(n)) for j in range(h)]
        case Pooling.WEIGHTED_MEAN:
            return [sum((i + 1) * rows[i][j] for i in range(n)) / (n * (n + 1) / 2) for j in range(h)]
        case Pooling.CLS:
            return rows[0]
        case Pooling.LAST_TOKEN:
            return rows[n - 1]
        case Pooling.NONE:
            return rows


@pytest.mark.parametrize("mode", list(Pooling))
@given(batch=padded_batches())
def test_pooling_equals_the_formula_whatever_the_padding(mode: Pooling, batch: tuple[Floats, list[int]]) -> None:
    hidden, counts = batch
    mask = (np.arange(hidden.shape[1]) < np.array(counts)[:, None]).astype(np.int64)
    rows = pool(hidden, mask, mode)
    assert len(rows) == len(counts)
    for row, x, n in zip(rows, hidden, counts, strict=True):
        assert row.dtype == np.float32
        np.testing.assert_allclose(row, np.array(naive(x[:n], mode)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mode", list(Pooling))
def test_rows_do_not_alias_the_engine_memory(mode: Pooling) -> None:
    hidden = np.ones((2, 3, 4), np.float32)
    rows = pool(hidden, np.ones((2, 3), np.int64), mode)
    before = [row.copy() for row in rows]
    hidden[:] = 7
    assert all(np.array_equal(row, old) for row, old in zip(rows, before, strict=True))


def test_max_gives_one_axis() -> None:
    assert pool(np.ones((1, 3, 4), np.float32), np.ones((1, 3), np.int64), Pooling.MAX)[0].shape == (4,)


def test_normalize_works_along_the_last_axis() -> None:
    row = np.array([[3, 4], [0, 0], [0, -2]], np.float32)
    np.testing.assert_allclose(normalize(row), np.array([[0.6, 0.8], [0, 0], [0, -1]]), rtol=1e-6)
    assert normalize(row[0]).dtype == np.float32

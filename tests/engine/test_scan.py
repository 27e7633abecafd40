"""A scan that keeps only the best keeps every one that may be among them: compared with scores of everything."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.domain.space import Space
from antiphon.engine import scan as module
from antiphon.engine.scan import PROVED_FROM, SCANNED, Scanner
from antiphon.engine.vectors import exact_raw

SPACES = sorted(SCANNED)
COUNT = PROVED_FROM + 500
"""Enough that a few of them are found without keeping all."""


def scanner(space: Space, vectors: module.Floats, query: module.Floats) -> Scanner:
    return Scanner(space, vectors, np.einsum("ij,ij->i", vectors, vectors), query)


def drawn(seed: int, kind: str) -> tuple[module.Floats, module.Floats]:
    """Vectors of length 1, of lengths that differ, with many equal ones, or with a zero among them; and a query."""
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((COUNT, 6)).astype(np.float32)
    if kind == "unit":
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    if kind == "equal":
        vectors = vectors[rng.integers(0, 9, COUNT)]
    if kind == "zero":
        vectors[rng.integers(0, COUNT)] = 0
    return vectors, (rng.standard_normal(6) * rng.choice([0.01, 1.0, 40.0])).astype(np.float32)


def best(space: Space, vectors: module.Floats, query: module.Floats) -> module.Floats:
    """By float64: larger is nearer."""
    raw = exact_raw(space, vectors, query)
    return -raw if space is Space.L2 else raw


@given(
    st.sampled_from(SPACES), st.integers(0, 9), st.sampled_from(["unit", "lengths", "equal", "zero"]),
    st.integers(1, 60), st.sampled_from([1.0, 0.95, 0.3]),
)  # fmt: skip
def test_all_that_may_be_among_the_k_best_are_kept(space: Space, seed: int, kind: str, k: int, share: float) -> None:
    vectors, query = drawn(seed, kind)
    mask = None if share == 1 else np.random.default_rng(seed + 1).random(COUNT) < share
    count = COUNT if mask is None else int(mask.sum())
    found = scanner(space, vectors, query).scan(k, mask, count)
    positions = np.arange(COUNT) if found.positions is None else found.positions
    assert mask is None or mask[positions].all()
    exact = best(space, vectors, query)
    least = np.sort(exact if mask is None else exact[mask])[-k]
    wanted = exact >= least if mask is None else (exact >= least) & mask
    assert set(np.flatnonzero(wanted)) <= set(positions.tolist())
    naive = 2 * vectors @ query - (vectors * vectors).sum(axis=1) if space is Space.L2 else exact
    np.testing.assert_allclose(found.near, naive[positions], rtol=1e-4, atol=1e-4 * max(1.0, found.largest))


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("kind", ["unit", "equal"])
def test_few_are_kept_unless_too_many_tie(space: Space, kind: str) -> None:
    vectors, query = drawn(3, kind)
    found = scanner(space, vectors, query).scan(10, None, COUNT)
    assert len(found.near) < 100 if kind == "unit" else len(found.near) == COUNT

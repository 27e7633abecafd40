"""Spaces: distances and scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.domain.space import Space, raw_distance, score_of

VECTORS = st.lists(st.lists(st.integers(-100, 100), min_size=4, max_size=4), min_size=1, max_size=8)


@pytest.mark.parametrize("space", Space)
@given(rows=VECTORS)
def test_scores_are_never_negative_and_a_vector_is_near_itself(space: Space, rows: list[list[int]]) -> None:
    vectors = np.array(rows, np.float32)
    scores = score_of(space, raw_distance(space, vectors, vectors[0]))
    assert scores.dtype == np.float32
    assert (scores >= 0).all()
    if space is not Space.INNERPRODUCT and vectors[0].any():
        assert scores[0] >= scores.max() - 1e-6


@given(st.lists(st.floats(-50, 50, width=32), min_size=2, max_size=10))
def test_a_larger_inner_product_never_scores_lower(products: list[float]) -> None:
    scores = score_of(Space.INNERPRODUCT, np.sort(np.array(products, np.float32)))
    assert (np.diff(scores) >= 0).all()

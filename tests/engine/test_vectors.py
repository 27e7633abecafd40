"""Nearest vectors: exactly the k best of those allowed, with the published score; a graph may propose them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from antiphon.domain.field import DataType, VectorSpec
from antiphon.domain.space import Space, raw_distance, score_of
from antiphon.engine import vectors as module
from antiphon.engine.graph import build_graph, has_graph, load_graph
from antiphon.engine.vectors import VectorColumn, nearest

FLOAT_SPACES = [space for space in Space if space is not Space.HAMMING]


def column(space: Space, count: int, dimension: int = 8, seed: int = 0, gaps: int = 1) -> VectorColumn:
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((count, dimension)).astype(np.float32)
    return VectorColumn(VectorSpec(dimension, space), vectors, np.arange(count, dtype=np.int64) * gaps)


def nearest_rows(
    found: VectorColumn, query: NDArray[np.float32], k: int, mask: NDArray[np.bool_] | None
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    _, rows, scores = nearest([found], [mask], query, k)
    return rows, scores


def cut(found: VectorColumn, at: int) -> list[VectorColumn]:
    """The column as two, of which the second counts its rows on: what two segments hold."""
    return [VectorColumn(found.spec, found.vectors[part], found.rows[part]) for part in (slice(at), slice(at, None))]


def query_of(found: VectorColumn, seed: int = 1) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    drawn = np.random.default_rng(seed).standard_normal(found.vectors.shape[1:])
    return np.asarray(drawn, np.float32)


@given(
    st.sampled_from(FLOAT_SPACES), st.integers(0, 60), st.integers(1, 70), st.integers(0, 9), st.floats(0, 1),
)  # fmt: skip
def test_the_k_best_of_those_allowed(space: Space, count: int, k: int, seed: int, share: float) -> None:
    found = column(space, count, seed=seed, gaps=2)
    query = query_of(found)
    mask = np.random.default_rng(seed).random(2 * count + 1) < share
    rows, scores = nearest_rows(found, query, k, mask)
    naive = score_of(space, raw_distance(space, found.vectors, query))
    candidates = sorted((-naive[at], row) for at, row in enumerate(found.rows) if mask[row])[:k]
    assert len(rows) == len(candidates)
    np.testing.assert_allclose(scores, [-score for score, _ in candidates], rtol=2e-6, atol=1e-6)
    assert list(scores) == sorted(scores, reverse=True)
    assert set(rows) <= set(np.flatnonzero(mask))


@given(st.sampled_from(FLOAT_SPACES), st.integers(0, 60), st.integers(0, 60), st.integers(1, 70), st.floats(0, 1))
def test_several_columns_answer_like_one(space: Space, count: int, at: int, k: int, share: float) -> None:
    found = column(space, count)
    mask = np.random.default_rng(k).random(count) < share
    whole, scores = nearest_rows(found, query_of(found), k, mask)
    numbers, rows, parted = nearest(cut(found, at), [mask, mask], query_of(found), k)
    assert rows.tolist() == whole.tolist()
    np.testing.assert_allclose(parted, scores, rtol=1e-6)
    assert (numbers == (rows >= at)).all()


@pytest.mark.parametrize("space", FLOAT_SPACES)
def test_equal_vectors_tie_by_row(space: Space) -> None:
    found = column(space, 7)
    vectors = np.tile(found.vectors[:1], (500, 1))
    rows, scores = nearest_rows(VectorColumn(found.spec, vectors, np.arange(500)), query_of(found), 20, None)
    assert rows.tolist() == list(range(20))
    assert len(set(scores.tolist())) == 1


def test_bits() -> None:
    spec = VectorSpec(16, Space.HAMMING, DataType.BINARY)
    found = VectorColumn(spec, np.array([[1, 0], [3, 0], [-1, -1]], np.float32), np.arange(3))
    rows, scores = nearest_rows(found, np.array([1, 0], np.float32), 3, None)
    assert rows.tolist() == [0, 1, 2]
    np.testing.assert_allclose(scores, [1.0, 1 / 2, 1 / 16])


def test_a_zero_vector_has_cosine_zero() -> None:
    found = VectorColumn(VectorSpec(2, Space.COSINESIMIL), np.array([[0, 0], [1, 0]], np.float32), np.arange(2))
    rows, scores = nearest_rows(found, np.array([1, 0], np.float32), 2, None)
    assert rows.tolist() == [1, 0]
    assert scores.tolist() == [1.0, 0.5]


@pytest.mark.parametrize("space", [Space.L2, Space.COSINESIMIL, Space.INNERPRODUCT])
@pytest.mark.parametrize("share", [1.0, 0.5, 0.02])
def test_a_graph_finds_what_an_exact_scan_finds(
    space: Space, share: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EXACT_BELOW", 50)
    rng = np.random.default_rng(3)
    centres = rng.standard_normal((60, 24))
    vectors = (centres[rng.integers(0, 60, 6000)] + 0.3 * rng.standard_normal((6000, 24))).astype(np.float32)
    exact = VectorColumn(VectorSpec(24, space), vectors, np.arange(6000))
    path = tmp_path / "graph"
    build_graph(vectors, exact.spec, threads=1).save(path)
    assert [file.name for file in tmp_path.iterdir()] == ["graph"]
    graph = load_graph(path, exact.spec)
    assert graph.size == 6000
    quick = replace(exact, graph=graph)
    mask = None if share == 1.0 else rng.random(6000) < share
    agreed = 0
    for number in rng.integers(0, 6000, 40):
        query = vectors[number] + 0.1 * rng.standard_normal(24).astype(np.float32)
        rows, scores = nearest_rows(quick, query, 10, mask)
        wanted, wanted_scores = nearest_rows(exact, query, 10, mask)
        assert len(rows) == 10
        assert mask is None or mask[rows].all()
        known = dict(zip(wanted.tolist(), wanted_scores.tolist(), strict=True))
        assert all(known.get(row, score) == score for row, score in zip(rows.tolist(), scores.tolist(), strict=True))
        agreed += len(known.keys() & set(rows.tolist()))
    assert agreed / 400 >= 0.98


def test_which_fields_have_a_graph() -> None:
    assert has_graph(VectorSpec(8, Space.L2))
    assert not has_graph(VectorSpec(8, Space.L1))
    assert not has_graph(VectorSpec(8, Space.L2, graph=False))


def test_a_damaged_graph_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "graph"
    path.write_bytes(b"nonsense")
    with pytest.raises(RuntimeError):
        load_graph(path, VectorSpec(8, Space.L2))

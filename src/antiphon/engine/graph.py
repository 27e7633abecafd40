"""A graph over the vectors of one sealed segment (faiss HNSW on 8-bit codes): it proposes, exact numbers decide.

faiss's OpenMP threads are set per calling thread, so everything but a build runs on one. It is imported on first use.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.domain.field import VectorSpec
from antiphon.domain.space import Space

Floats = NDArray[np.float32]

_INNER = {Space.INNERPRODUCT, Space.COSINESIMIL}
_SAMPLED = 65_536
"""Vectors from which the ranges of the codes are learnt, at most about twice as many."""
_AT_ONCE = 4_096
"""Vectors added at once: bounds the copy, and how long a build goes on that nobody waits for."""
_import_lock = threading.Lock()


class Graph:
    """Proposes neighbours by position within the vectors it was built from. Immutable; any number of threads search."""

    def __init__(self, index: Any, space: Space) -> None:
        self._index = index
        self._space = space

    @property
    def size(self) -> int:
        """How many vectors it holds."""
        return int(self._index.ntotal)

    def propose(self, query: Floats, count: int, ef: int, allowed: NDArray[np.bool_] | None) -> NDArray[np.int64]:
        """Return up to ``count`` positions near ``query`` float32 ``[d]``, best first, all of them ``allowed``.

        ``allowed`` bool ``[size]``. There may be fewer than asked for, however many are allowed.
        """
        faiss = load_faiss()
        parameters = faiss.SearchParametersHNSW(efSearch=max(ef, count))
        if allowed is not None:
            bits = np.packbits(allowed, bitorder="little")
            selector = faiss.IDSelectorBitmap(len(bits), faiss.swig_ptr(bits))
            parameters.sel = selector
        asked = _unit(query[None]) if self._space is Space.COSINESIMIL else np.ascontiguousarray(query[None])
        _, found = self._index.search(asked, count, params=parameters)
        positions: NDArray[np.int64] = found[0][found[0] >= 0]
        return positions

    def save(self, path: Path) -> None:
        """Write the graph to ``path``, whole and durable or not at all."""
        faiss = load_faiss()
        unfinished = path.with_name(path.name + ".unfinished")
        faiss.write_index(self._index, str(unfinished))
        with unfinished.open("rb") as written:
            os.fsync(written.fileno())
        unfinished.replace(path)


class Stopped(Exception):
    """Nobody waits for the graph any more."""


def has_graph(spec: VectorSpec) -> bool:
    """True when the field asks for a graph and its space has one."""
    return spec.graph and spec.space in (Space.L2, Space.INNERPRODUCT, Space.COSINESIMIL)


def build_graph(vectors: Floats, spec: VectorSpec, threads: int = 0, stop: threading.Event | None = None) -> Graph:
    """Return a graph over float32 ``[n, d]``; Stopped when ``stop`` is set meanwhile. Releases the GIL.

    ``threads`` 0 leaves one processor to others.
    """
    faiss = load_faiss()
    metric = faiss.METRIC_INNER_PRODUCT if spec.space in _INNER else faiss.METRIC_L2
    index = faiss.IndexHNSWSQ(vectors.shape[1], faiss.ScalarQuantizer.QT_8bit, spec.m, metric)
    index.hnsw.efConstruction = spec.ef_construction
    faiss.omp_set_num_threads(threads or max(1, (os.cpu_count() or 2) - 1))
    try:
        index.train(_sample(vectors, spec.space))
        for start in range(0, len(vectors), _AT_ONCE):
            if stop is not None and stop.is_set():
                raise Stopped
            part = np.ascontiguousarray(vectors[start : start + _AT_ONCE])
            index.add(_unit(part) if spec.space is Space.COSINESIMIL else part)
    finally:
        faiss.omp_set_num_threads(1)
    return Graph(index, spec.space)


def load_graph(path: Path, spec: VectorSpec) -> Graph:
    """Return a saved graph, mapped from the file where the system can (Linux, Windows). OSError or RuntimeError."""
    faiss = load_faiss()
    flags = faiss.IO_FLAG_MMAP_IFC if sys.platform in ("linux", "win32") else 0
    return Graph(faiss.read_index(str(path), flags), spec.space)


def load_faiss() -> Any:
    """Return the faiss module, with one OpenMP thread for whoever searches."""
    with _import_lock:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        import faiss

    return faiss


def _sample(vectors: Floats, space: Space) -> Floats:
    """Return some of the vectors, from which the ranges of the codes are learnt."""
    step = max(1, len(vectors) // _SAMPLED)
    part = np.ascontiguousarray(vectors[::step])
    return _unit(part) if space is Space.COSINESIMIL else part


def _unit(vectors: Floats) -> Floats:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0), np.float32)

"""k-NN with and without filters: Antiphon over HTTP, and numpy, faiss and usearch in process."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.corpus import ABOUT, DIMENSION, FILTERS, Corpus, K, knn
from benchmarks.environments import python_of
from benchmarks.indexed import Asker, high, middle
from benchmarks.result import Column, Rounds, Table
from benchmarks.setting import Setting

TOGETHER = 25
"""Queries that one contender answers in a row: with fewer, the scans of the others empty the caches in between."""
EXACT = "numpy, brute force"
OURS = "Antiphon, over HTTP"
_FEW = 0.2
_CONNECTIVITY, _EF_CONSTRUCTION, _EF_SEARCH = 16, 100, 64
Answers = list[tuple[float, list[int]]]


class Contender(Protocol):
    """Answers queries by number, narrowed to a filter by name: milliseconds and ids of each; None if it cannot."""

    def answer(self, name: str, numbers: Sequence[int]) -> Answers | None:
        """Return the answers."""
        ...


class Antiphon:
    """The server, asked over one connection."""

    def __init__(self, asker: Asker, corpus: Corpus) -> None:
        self._asker, self._corpus = asker, corpus

    def answer(self, name: str, numbers: Sequence[int]) -> Answers:
        """Return the answers."""
        answers = []
        for number in numbers:
            took_ms, found = self._asker.search(knn(self._corpus, number, FILTERS[name][0]))
            answers.append((took_ms, [int(hit["_id"]) for hit in found["hits"]["hits"]]))
        return answers


class Exact:
    """All scores by one product, or those of the rows that pass where they are few, and the largest of them."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self._masks = {name: select(corpus) for name, (_, select) in FILTERS.items()}
        self._rows = {name: np.flatnonzero(mask) for name, mask in self._masks.items() if mask.mean() < _FEW}

    def answer(self, name: str, numbers: Sequence[int]) -> Answers:
        """Return the answers."""
        mask = self._masks[name]
        k = min(K, int(mask.sum()))
        if name in self._rows:
            return [self._few(self._corpus.query(number), self._rows[name], k) for number in numbers]
        return [self._one(self._corpus.query(number), None if name == "none" else mask, k) for number in numbers]

    def _few(self, query: NDArray[np.float32], rows: NDArray[np.int64], k: int) -> tuple[float, list[int]]:
        start = time.perf_counter()
        scores = self._corpus.vectors[rows] @ query
        best = np.argpartition(-scores, k - 1)[:k]
        best = rows[best[np.argsort(-scores[best])]]
        return (time.perf_counter() - start) * 1000, best.tolist()

    def _one(self, query: NDArray[np.float32], mask: NDArray[np.bool_] | None, k: int) -> tuple[float, list[int]]:
        start = time.perf_counter()
        scores = self._corpus.vectors @ query
        if mask is not None:
            scores = np.where(mask, scores, -2)
        best = np.argpartition(-scores, k - 1)[:k]
        best = best[np.argsort(-scores[best])]
        return (time.perf_counter() - start) * 1000, best.tolist()


class Faiss:
    """Plain faiss HNSW, a filter handed to it as a selector that is ready."""

    def __init__(self, corpus: Corpus, threads: int) -> None:
        self._corpus = corpus
        self._graph = faiss.IndexHNSWFlat(DIMENSION, _CONNECTIVITY, faiss.METRIC_INNER_PRODUCT)
        self._graph.hnsw.efConstruction = _EF_CONSTRUCTION
        start = time.perf_counter()
        faiss.omp_set_num_threads(threads)
        self._graph.add(corpus.vectors)
        faiss.omp_set_num_threads(1)
        self.built_s = time.perf_counter() - start
        self._kept: list[Any] = []  # faiss holds bare pointers to them
        self._parameters = {name: self._narrowed(select(corpus)) for name, (_, select) in FILTERS.items()}
        self._parameters["none"] = faiss.SearchParametersHNSW(efSearch=_EF_SEARCH)  # type: ignore[attr-defined]

    def _narrowed(self, mask: NDArray[np.bool_]) -> Any:
        selector = faiss.IDSelectorBatch(np.flatnonzero(mask))
        self._kept.append(selector)
        return faiss.SearchParametersHNSW(sel=selector, efSearch=_EF_SEARCH)  # type: ignore[attr-defined]

    def answer(self, name: str, numbers: Sequence[int]) -> Answers:
        """Return the answers."""
        answers = []
        for number in numbers:
            query = self._corpus.query(number)[None]
            start = time.perf_counter()
            _, near = self._graph.search(query, K, params=self._parameters[name])
            answers.append(((time.perf_counter() - start) * 1000, near[0].tolist()))
        return answers


class Usearch:
    """Plain usearch HNSW in a process of its own that takes the times; use as a context manager."""

    def __init__(self, corpus: Corpus, threads: int, scratch: Path) -> None:
        files = [scratch / "vectors.npy", scratch / "queries.npy"]
        for file, vectors in zip(files, (corpus.vectors, corpus.queries), strict=True):
            np.save(file, vectors)
        worker = Path(__file__).with_name("neighbours.py")
        command = [str(part) for part in (python_of("light"), worker, *files, threads)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.built_s = float(self._line()["built_s"])
        for file in files:
            file.unlink()

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"usearch ended with status {self._process.wait()}"
        parsed: dict[str, Any] = json.loads(line)
        return parsed

    def answer(self, name: str, numbers: Sequence[int]) -> Answers | None:
        """Return the answers; None with a filter."""
        if name != "none":
            return None
        assert self._process.stdin is not None
        print(json.dumps({"numbers": list(numbers), "k": K}), file=self._process.stdin, flush=True)
        answer = self._line()
        return list(zip(answer["times_ms"], answer["ids"], strict=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


def compare_knn(setting: Setting, asker: Asker, corpus: Corpus) -> list[Table]:
    """Return the tables ``knn`` and ``recall``."""
    setting.say("k-NN: building the graphs of faiss and usearch")
    graph = Faiss(corpus, setting.threads)
    with Usearch(corpus, setting.threads, setting.scratch) as other:
        contenders: dict[str, Contender] = {
            EXACT: Exact(corpus),
            "faiss HNSW": graph,
            "usearch HNSW": other,
            OURS: Antiphon(asker, corpus),
        }
        times, recalls = Rounds(), Rounds()
        own: dict[str, list[float]] = {name: [] for name in FILTERS}
        for turn in range(setting.rounds + 1):
            setting.say(f"k-NN, round {turn} of {setting.rounds}")
            numbers = range(turn * TOGETHER, (turn + 1) * TOGETHER)
            for name in FILTERS:
                answers = {row: contender.answer(name, numbers) for row, contender in contenders.items()}
                if not turn:  # the first round fills caches
                    continue
                own[name] += [took for took, _ in answers[OURS] or ()]
                _keep(times, recalls, name, answers)
    columns = [Column(name, "ms") for name in FILTERS]
    knn_table = Table.of("knn", "k-NN", _about(len(corpus.texts), setting.rounds), columns, times, EXACT)
    tails = ", ".join(f"{name} {high(values):.2f} ms" for name, values in own.items())
    knn_table.after = (
        f"Antiphon's 95th percentiles: {tails}. The graphs were built in {graph.built_s:.0f} s (faiss) and "
        f"{other.built_s:.0f} s (usearch)."
    )
    about = "The share of numpy's ten nearest that the same answers hold."
    shares = [Column(name, "", less_is_better=False, compared=False) for name in FILTERS]
    return [knn_table, Table.of("recall", "Recall of these answers", about, shares, recalls, None)]


def _keep(times: Rounds, recalls: Rounds, name: str, answers: dict[str, Answers | None]) -> None:
    truth = [set(ids) for _, ids in answers[EXACT] or ()]
    for row, found in answers.items():
        if found is None:
            continue
        times.add(row, name, middle([took for took, _ in found]))
        hits = sum(len(right & set(ids)) for right, (_, ids) in zip(truth, found, strict=True))
        recalls.add(row, name, hits / max(1, sum(map(len, truth))))


def _about(count: int, rounds: int) -> str:
    return (
        f"The ten nearest of {count:,} documents, without a filter and with filters that let a share of them pass "
        f"(correlated: the documents of 50 clusters). {ABOUT}. Antiphon is asked over HTTP on one connection and "
        "answers with JSON. The others answer in process, without HTTP, JSON or documents. numpy scores every "
        "vector on all threads, or only those that pass where they are less than a fifth. faiss and usearch (M 16, "
        "efConstruction 100, efSearch 64) use one thread for a query; faiss is handed the ids that pass, ready "
        "made. usearch has no filters in Python and is "
        f"measured without one only. Each of {rounds} rounds asks every contender the same {TOGETHER} queries, in "
        "turn; a round counts with its median."
    )

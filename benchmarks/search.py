"""How fast is search over 100k documents, and how does it compare with numpy and plain faiss?

    python benchmarks/search.py [--documents N] [--queries N] [--rounds N] [--together N]

Clustered unit vectors (1000 clusters, each with a 12-dimensional subspace of its own), texts of 75 words on average
by Zipf's law, a uniform price for filters. ``antiphon serve`` runs in a process of its own and is asked over one
kept-alive connection. Each round asks every contender the same 25 queries (``--together``), in turn; medians are shown.
With fewer of them the scans of 150 MB by the others empty the caches in between. numpy (on all threads) and faiss
answer in this process, without HTTP, JSON or documents: they are the floor. Recall is against numpy.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import orjson
from numpy.typing import NDArray

from benchmarks.serve import Server, row

DIMENSION, CLUSTERS, K = 384, 1000, 10
TOGETHER = 25
"""Queries that one contender answers in a row, unless another number is asked for."""
MOST_S = 180
Floats = NDArray[np.float32]


@dataclass
class Corpus:
    """Vectors float32 ``[n, 384]`` of unit length, texts, prices, and the cluster of each document."""

    vectors: Floats
    texts: list[str]
    prices: NDArray[np.float64]
    clusters: NDArray[np.int64]
    queries: Floats
    words: list[str] = field(default_factory=list)

    @classmethod
    def make(cls, count: int, queries: int) -> Corpus:
        """Draw everything from one seed."""
        rng = np.random.default_rng(7)
        centres = rng.standard_normal((CLUSTERS, DIMENSION)).astype(np.float32)
        bases = rng.standard_normal((CLUSTERS, 12, DIMENSION)).astype(np.float32) * 0.35
        clusters = rng.integers(0, CLUSTERS, count + queries)
        local = rng.standard_normal((count + queries, 12)).astype(np.float32)
        vectors = centres[clusters] + np.einsum("ij,ijk->ik", local, bases[clusters])
        vectors += 0.25 * rng.standard_normal(vectors.shape).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        words = [f"w{number}" for number in range(50_000)]
        share = 1 / np.arange(1, len(words) + 1) ** 1.07
        drawn = rng.choice(len(words), (count, 75), p=share / share.sum())
        texts = [" ".join(words[number] for number in line) for line in drawn]
        return cls(vectors[:count], texts, rng.random(count), clusters[:count], vectors[count:], words)

    def bulk(self, start: int, end: int) -> bytes:
        """Return the bulk request of documents ``start`` to ``end``."""
        lines = []
        for number in range(start, end):
            lines.append(b'{"index":{"_id":"%d"}}' % number)
            source = {
                "text": self.texts[number],
                "price": self.prices[number],
                "cluster": int(self.clusters[number]),
                "vector": self.vectors[number],
            }
            lines.append(orjson.dumps(source, option=orjson.OPT_SERIALIZE_NUMPY))
        return b"\n".join([*lines, b""])


FILTERS: dict[str, tuple[dict[str, Any] | None, Callable[[Corpus], NDArray[np.bool_]]]] = {
    "none": (None, lambda c: np.ones(len(c.prices), bool)),
    "50 %": ({"range": {"price": {"lt": 0.5}}}, lambda c: c.prices < 0.5),
    "5 %": ({"range": {"price": {"lt": 0.05}}}, lambda c: c.prices < 0.05),
    "0.5 %": ({"range": {"price": {"lt": 0.005}}}, lambda c: c.prices < 0.005),
    "correlated 5 %": ({"range": {"cluster": {"lt": 50}}}, lambda c: c.clusters < 50),
}


class Asker:
    """Sends searches over one connection and keeps the time of each."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def search(self, body: dict[str, Any]) -> tuple[float, dict[str, Any]]:
        """Return the milliseconds from sending to the whole answer, and the answer."""
        content = orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
        start = time.perf_counter()
        status, answer = self._server.send("POST", "/bench/_search", content)
        took_ms = (time.perf_counter() - start) * 1000
        parsed: dict[str, Any] = orjson.loads(answer)
        assert status == 200, parsed
        return took_ms, parsed


def create(server: Server) -> None:
    body = {
        "settings": {"index.knn": True, "number_of_replicas": 0},
        "mappings": {
            "properties": {
                "text": {"type": "text"},
                "price": {"type": "double"},
                "cluster": {"type": "integer"},
                "vector": {
                    "type": "knn_vector",
                    "dimension": DIMENSION,
                    "method": {"name": "hnsw", "engine": "faiss", "space_type": "cosinesimil"},
                },
            }
        },
    }
    status, answer = server.ask("PUT", "/bench", body)
    assert status == 200, answer
    pipeline = {
        "phase_results_processors": [
            {
                "normalization-processor": {
                    "normalization": {"technique": "min_max"},
                    "combination": {"technique": "arithmetic_mean"},
                }
            }
        ]
    }
    assert server.ask("PUT", "/_search/pipeline/fuse", pipeline)[0] == 200


def ingest(server: Server, corpus: Corpus, reader: Server) -> None:
    """Write everything in bulks of 500 while a reader asks 20 hybrid queries a second."""
    bodies = [corpus.bulk(start, min(start + 500, len(corpus.texts))) for start in range(0, len(corpus.texts), 500)]
    done = threading.Event()
    latencies: list[float] = []
    asking = threading.Thread(target=_read, args=(Asker(reader), corpus, done, latencies))
    asking.start()
    start = time.perf_counter()
    for body in bodies:
        status, answer = server.send("POST", "/bench/_bulk", body)
        assert status == 200, answer[:500]
        assert b'"errors":false' in answer, answer[:500]
    took_s = time.perf_counter() - start
    done.set()
    asking.join()
    row("ingest while a reader asks, documents/s", f"{len(corpus.texts) / took_s:.0f}")
    row("the reader meanwhile, ms (p50 / p95)", f"{_percentile(latencies, 50):.1f} / {_percentile(latencies, 95):.1f}")


def _read(asker: Asker, corpus: Corpus, done: threading.Event, latencies: list[float]) -> None:
    number = 0
    while not done.wait(0.05):
        latencies.append(asker.search(hybrid(corpus, number))[0])
        number += 1


def knn(corpus: Corpus, number: int, narrowed: dict[str, Any] | None) -> dict[str, Any]:
    query: dict[str, Any] = {"vector": corpus.queries[number % len(corpus.queries)], "k": K}
    if narrowed is not None:
        query["filter"] = narrowed
    return {"size": K, "_source": False, "query": {"knn": {"vector": query}}}


def bm25(corpus: Corpus, number: int) -> dict[str, Any]:
    rng = np.random.default_rng(number)
    text = " ".join(corpus.words[rank] for rank in rng.integers(5, 3000, rng.integers(2, 5)))
    return {"size": K, "_source": False, "query": {"match": {"text": text}}}


def hybrid(corpus: Corpus, number: int) -> dict[str, Any]:
    legs = [bm25(corpus, number)["query"], knn(corpus, number, None)["query"]]
    return {
        "size": K,
        "_source": {"excludes": ["vector"]},
        "query": {"hybrid": {"queries": legs}},
        "search_pipeline": "fuse",
    }


def wait_until_settled(server: Server, documents: int) -> float:
    """Wait for the background: until a graph covers every vector; return how long it took."""
    start = time.perf_counter()
    server.send("POST", "/bench/_refresh", b"")
    while time.perf_counter() - start < MOST_S:
        _, answer = server.send("GET", "/bench/_stats/segments", b"")
        parsed = orjson.loads(answer)
        assert "_all" in parsed, parsed
        segments = parsed["_all"]["primaries"]["segments"]
        if segments["graph_vectors"] == segments["vectors"] == documents:
            return time.perf_counter() - start
        time.sleep(0.25)
    print("no graph covers the vectors (too few of them?): k-NN below is exact")
    return time.perf_counter() - start


def build_hnsw(corpus: Corpus) -> Any:
    """Return plain faiss HNSW over the vectors, built on all threads."""
    graph = faiss.IndexHNSWFlat(DIMENSION, 16, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = 100
    faiss.omp_set_num_threads(os.cpu_count() or 1)
    graph.add(corpus.vectors)
    faiss.omp_set_num_threads(1)
    return graph


def compare_knn(asker: Asker, corpus: Corpus, graph: Any, rounds: int, together: int) -> None:
    print(
        f"\n{'k-NN, k = 10':<18} {'Antiphon p50':>13} {'p95':>7} {'recall':>7} {'numpy p50':>10} {'faiss HNSW':>11} "
        f"{'its recall':>10} {'/ numpy':>8}"
    )
    for name, (narrowed, select) in FILTERS.items():
        mask = select(corpus)
        own, exact, hnsw = [], [], []
        hits = graph_hits = 0
        selector = faiss.IDSelectorBatch(np.flatnonzero(mask))
        parameters = faiss.SearchParametersHNSW(sel=selector, efSearch=64)  # type: ignore[attr-defined]
        for first in range(0, rounds, together):
            numbers = range(first, min(first + together, rounds))
            found = {}
            for number in numbers:
                took_ms, answer = asker.search(knn(corpus, number, narrowed))
                found[number] = {int(hit["_id"]) for hit in answer["hits"]["hits"]}
                if number:  # the first fills the filter's cache
                    own.append(took_ms)
            truth = {}
            for number in numbers:
                start = time.perf_counter()
                scores = np.where(mask, corpus.vectors @ corpus.queries[number % len(corpus.queries)], -2)
                truth[number] = set(np.argpartition(-scores, K)[:K].tolist())
                exact.append((time.perf_counter() - start) * 1000)
            for number in numbers:
                start = time.perf_counter()
                _, near = graph.search(corpus.queries[number % len(corpus.queries)][None], K, params=parameters)
                hnsw.append((time.perf_counter() - start) * 1000)
                graph_hits += len(truth[number] & set(near[0].tolist()))
                hits += len(truth[number] & found[number])
        p50, numpy_p50 = statistics.median(own), statistics.median(exact)
        print(
            f"{name:<18} {p50:>13.2f} {_percentile(own, 95):>7.2f} {hits / K / rounds:>7.3f} {numpy_p50:>10.2f} "
            f"{statistics.median(hnsw):>11.2f} {graph_hits / K / rounds:>10.3f} {p50 / numpy_p50:>8.2f}"
        )
    print()


def _percentile(values: list[float], share: float) -> float:
    return float(np.percentile(values, share)) if values else float("nan")


def _anonymous_mib(server: Server) -> float:
    status = Path(f"/proc/{server.pid}/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--together", type=int, default=TOGETHER)
    given = parser.parse_args()
    corpus = Corpus.make(given.documents, given.queries)
    graph = build_hnsw(corpus)
    with tempfile.TemporaryDirectory(prefix="antiphon-bench-") as scratch:
        data = Path(scratch) / "data"
        server = Server(data, None)
        try:
            reader = server.again()
            create(server)
            before = _anonymous_mib(server)
            ingest(server, corpus, reader)
            row("graphs and merges done after, s", f"{wait_until_settled(server, given.documents):.0f}")
            row("anonymous memory added, MiB", f"{_anonymous_mib(server) - before:.0f}")
            server.connect()  # it closes a connection that is idle for long
            asker = Asker(server)
            compare_knn(asker, corpus, graph, given.rounds, given.together)
            for name, body in (("BM25 top 10, ms", bm25), ("hybrid with _source, ms", hybrid)):
                times = [asker.search(body(corpus, number))[0] for number in range(given.rounds)]
                row(f"{name} (p50 / p95)", f"{statistics.median(times):.2f} / {_percentile(times, 95):.2f}")
        finally:
            server.stop()
        again = Server(data, None)
        try:
            Asker(again).search(knn(corpus, 0, None))
            row("restart to the first k-NN answer, s", f"{time.perf_counter() - again.launched:.2f}")
        finally:
            again.stop()


if __name__ == "__main__":
    main()

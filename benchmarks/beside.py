"""How long does a search by meaning wait while a long bulk is being embedded?

    python benchmarks/beside.py MODEL [--documents N] [--rounds N]

MODEL is a package zip made by ``antiphon model build``. ``antiphon serve`` runs in a process of its own with an index
whose default pipeline embeds. A reader asks neural queries 20 times a second over one connection: first alone, then
while another connection sends one bulk of ``N`` passages after the other. Each round does both; the ratio of the
95th percentiles is what the bulk costs the reader.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import orjson

from benchmarks.serve import QUERIES, Server, row

ALONE_S = 5.0
_PAUSE_S = 0.05
_TEXT = (
    "the price of bread rose again while the harbour slept under a quiet snow and nobody asked the old captain why "
    "his ship had carried protein powder from Lisbon to Hamburg in the winter of the great storm"
)


def passages(start: int, count: int) -> list[str]:
    """Return passages of 12 to 60 words, all different."""
    texts, words = [], _TEXT.split()
    for number in range(start, start + count):
        rng = np.random.default_rng(number)
        texts.append(f"{number} " + " ".join(rng.choice(words, rng.integers(12, 60))))
    return texts


def bulk(texts: list[str]) -> bytes:
    """Return the bulk request of new documents."""
    lines = [b'{"index":{}}\n' + orjson.dumps({"text": text}) for text in texts]
    return b"\n".join([*lines, b""])


def create(server: Server, model_id: str, dimension: int) -> None:
    processor = {"text_embedding": {"model_id": model_id, "field_map": {"text": "vector"}}}
    assert server.ask("PUT", "/_ingest/pipeline/embed", {"processors": [processor]})[0] == 200
    body = {
        "settings": {"index.knn": True, "default_pipeline": "embed"},
        "mappings": {
            "properties": {"text": {"type": "text"}, "vector": {"type": "knn_vector", "dimension": dimension}}
        },
    }
    status, answer = server.ask("PUT", "/beside", body)
    assert status == 200, answer


class Reader:
    """Asks until told to stop, and keeps how long each answer took, in milliseconds."""

    def __init__(self, server: Server, model_id: str) -> None:
        self._server = server
        self._model_id = model_id

    def ask(self, seconds: float, done: threading.Event) -> list[float]:
        """Return the latencies until ``done`` is set or ``seconds`` are over."""
        taken: list[float] = []
        end = time.perf_counter() + seconds
        while time.perf_counter() < end and not done.wait(_PAUSE_S):
            text = f"{QUERIES[len(taken) % len(QUERIES)]} {time.perf_counter_ns()}"  # no cache can help
            query = {"neural": {"vector": {"query_text": text, "model_id": self._model_id, "k": 10}}}
            start = time.perf_counter()
            status, answer = self._server.ask("POST", "/beside/_search", {"_source": False, "query": query})
            taken.append((time.perf_counter() - start) * 1000)
            assert status == 200, answer
        return taken


def one_round(server: Server, reader: Reader, start: int, documents: int) -> tuple[list[float], list[float], float]:
    """Return the latencies alone and beside a bulk, and the passages embedded per second meanwhile."""
    alone = reader.ask(ALONE_S, threading.Event())
    server.connect()  # it closes a connection that is idle for long
    done = threading.Event()
    beside: list[float] = []
    asking = threading.Thread(target=lambda: beside.extend(reader.ask(600, done)))
    asking.start()
    begun = time.perf_counter()
    status, answer = server.send("POST", "/beside/_bulk", bulk(passages(start, documents)))
    took_s = time.perf_counter() - begun
    done.set()
    asking.join()
    assert status == 200, answer[:500]
    assert b'"errors":false' in answer, answer[:500]
    return alone, beside, documents / took_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    alone: list[float] = []
    beside: list[float] = []
    rates: list[float] = []
    with tempfile.TemporaryDirectory(prefix="antiphon-bench-") as scratch:
        server = Server(Path(scratch) / "data", given.model)
        try:
            model_id = server.wait_for_vector()
            vector = orjson.loads(server.predict(model_id, QUERIES[0])[1])["inference_results"][0]["output"][0]["data"]
            create(server, model_id, len(vector))
            assert server.send("POST", "/beside/_bulk", bulk(passages(0, 200)))[0] == 200
            reader = Reader(server.again(), model_id)
            for number in range(given.rounds):
                quiet, busy, rate = one_round(server, reader, 1000 * (number + 1), given.documents)
                alone += quiet
                beside += busy
                rates.append(rate)
        finally:
            server.stop()
    for name, times in (("a search alone", alone), ("a search beside the bulk", beside)):
        p50, p95 = np.percentile(times, [50, 95])
        row(f"{name}, ms (p50 / p95)", f"{p50:.1f} / {p95:.1f}")
    row("its p95 is longer by a factor of", f"{np.percentile(beside, 95) / np.percentile(alone, 95):.1f}")
    row("passages embedded meanwhile, per second", f"{np.median(rates):.0f}")


if __name__ == "__main__":
    main()

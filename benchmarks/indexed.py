"""An index of a ``Corpus`` in a server: made, written, waited for, asked and weighed."""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import orjson

from benchmarks.corpus import DIMENSION, Corpus, hybrid
from benchmarks.server import Server

INDEX = "/bench"
_QUIET_S = 6.0
"""The background waits for 3 s without a write before it joins segments."""
_QUIET_SHARE = 0.1
"""Of one core; being asked twice a second takes some 2 % of it."""
_PAUSE_S = 0.05


class Sender(Protocol):
    """A connection to a server that speaks OpenSearch's REST API."""

    def send(self, method: str, path: str, content: bytes) -> tuple[int, bytes]:
        """Return status and body."""
        ...


class Asker:
    """Sends searches over one connection and tells the time of each."""

    def __init__(self, server: Sender, index: str = INDEX) -> None:
        self._server = server
        self._path = f"{index}/_search"

    def search(self, body: dict[str, Any]) -> tuple[float, dict[str, Any]]:
        """Return the milliseconds from sending to the whole answer, and the answer."""
        content = orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
        start = time.perf_counter()
        status, answer = self._server.send("POST", self._path, content)
        took_ms = (time.perf_counter() - start) * 1000
        parsed: dict[str, Any] = orjson.loads(answer)
        assert status == 200, parsed
        return took_ms, parsed

    def times(self, bodies: Iterable[dict[str, Any]]) -> list[float]:
        """Return the milliseconds of each."""
        return [self.search(body)[0] for body in bodies]


def create(server: Server) -> None:
    """Make the index, and the search pipeline ``fuse``."""
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
    status, answer = server.ask("PUT", INDEX, body)
    assert status == 200, answer
    processor = {
        "normalization-processor": {
            "normalization": {"technique": "min_max"},
            "combination": {"technique": "arithmetic_mean"},
        }
    }
    assert server.ask("PUT", "/_search/pipeline/fuse", {"phase_results_processors": [processor]})[0] == 200


def write(server: Sender, bodies: Iterable[bytes], index: str = INDEX) -> float:
    """Send the bulks one after the other; return the seconds, without the time of making them."""
    took_s = 0.0
    for body in bodies:
        start = time.perf_counter()
        status, answer = server.send("POST", f"{index}/_bulk", body)
        took_s += time.perf_counter() - start
        assert status == 200, answer[:500]
        assert b'"errors":true' not in answer, answer[:500]
    return took_s


def write_beside_reader(server: Server, corpus: Corpus) -> tuple[float, list[float]]:
    """Write everything while a reader asks 20 hybrid queries a second; return the seconds and its milliseconds."""
    bodies = list(corpus.bulks())
    done = threading.Event()
    latencies: list[float] = []

    def read(asker: Asker) -> None:
        while not done.wait(_PAUSE_S):
            latencies.append(asker.search(hybrid(corpus, len(latencies)))[0])

    asking = threading.Thread(target=read, args=(Asker(server.again()),))
    asking.start()
    try:
        took_s = write(server, bodies)
    finally:
        done.set()
        asking.join()
    return took_s, latencies


def settle(server: Server, documents: int) -> tuple[float, float]:
    """Wait for the background: return the seconds, and the share of the vectors that graphs cover then.

    It is done when graphs cover all vectors, or when no segment has changed and nothing was computed for some time:
    segments that are too small get no graph.
    """
    start = changed = time.perf_counter()
    last: dict[str, Any] = {}
    used_s = _cpu_s(server.pid)
    server.connect()
    assert server.send("POST", f"{INDEX}/_refresh", b"")[0] == 200
    while (now := time.perf_counter()) - start < 180 + documents / 300:
        _, answer = server.send("GET", f"{INDEX}/_stats/segments", b"")
        segments = orjson.loads(answer)["_all"]["primaries"]["segments"]
        if segments["graph_vectors"] == segments["vectors"] == documents:
            return now - start, 1.0
        if segments != last:
            last, changed, used_s = segments, now, _cpu_s(server.pid)
        elif now - changed > _QUIET_S:
            before, used_s = used_s, _cpu_s(server.pid)
            if used_s - before < _QUIET_SHARE * (now - changed):
                break
            changed = now
        time.sleep(0.5)
    return changed - start, last["graph_vectors"] / documents


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def middle(values: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def high(values: Sequence[float]) -> float:
    """Return the 95th percentile."""
    return float(np.percentile(values, 95))

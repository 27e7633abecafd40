"""What does HTTP add to a predict, how fast does a server start, and what does it weigh?

    python benchmarks/serve.py MODEL [--rounds N] [--queries N]

MODEL is a package zip made by ``antiphon model build``. The same short queries are embedded in process and over
HTTP with one kept-alive connection, query by query in turn; the medians are compared. Start-up is measured from
the launch of ``antiphon serve`` to its first answer, without a model and with one that is already packaged and
registered, to its first vector.
"""

from __future__ import annotations

import argparse
import copy
import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import antiphon

QUERIES = (
    "how much protein should a female eat",
    "Was ist die Hauptstadt von Deutschland?",
    "À quelle température cuire une baguette ?",
    "绿茶要用多少度的水冲泡？",  # noqa: RUF001
)


class Server:
    """``antiphon serve`` in a process of its own, and one connection to it."""

    def __init__(self, data: Path, model: Path | None) -> None:
        command = [sys.executable, "-m", "antiphon", "serve", "--port", "0", "--data", str(data)]
        command += [] if model is None else ["--model", str(model)]
        self.launched = time.perf_counter()
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if "listens on" in line:
                port = int(line.split("listens on ", 1)[1].split(",", 1)[0].rsplit(":", 1)[1])
                break
        self._port = port
        self.connect()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self._process.pid

    def again(self) -> Server:
        """Return the same server with a connection of its own, for another thread."""
        other = copy.copy(self)
        other.connect()
        return other

    def connect(self) -> None:
        """Open a connection."""
        self._connection = http.client.HTTPConnection("127.0.0.1", self._port)

    def send(self, method: str, path: str, content: bytes) -> tuple[int, bytes]:
        """Return status and body; ``content`` is JSON already."""
        self._connection.request(method, path, content, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        return response.status, response.read()

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """Return status and body."""
        content = None if body is None else json.dumps(body)
        self._connection.request(method, path, content, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        return response.status, response.read()

    def models(self) -> list[str]:
        """Return the ids of all models."""
        status, answer = self.ask("POST", "/_plugins/_ml/models/_search", {"query": {"match_all": {}}})
        assert status == 200
        return [hit["_id"] for hit in json.loads(answer)["hits"]["hits"]]

    def predict(self, model_id: str, text: str) -> tuple[int, bytes]:
        """Embed one query."""
        body = {"parameters": {"content_type": "query"}, "text_docs": [text]}
        return self.ask("POST", f"/_plugins/_ml/models/{model_id}/_predict", body)

    def wait_for_vector(self) -> str:
        """Return the id of the model once it answers."""
        while True:
            for model_id in self.models():
                if self.predict(model_id, QUERIES[0])[0] == 200:
                    return model_id
            time.sleep(0.01)

    def resident_mib(self) -> float:
        """Return the resident memory of the server."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def stop(self) -> None:
        """End it."""
        self._connection.close()
        self._process.terminate()
        self._process.wait()
        assert self._process.stderr is not None
        self._process.stderr.close()


@contextmanager
def server(data: Path, model: Path | None) -> Iterator[Server]:
    running = Server(data, model)
    try:
        yield running
    finally:
        running.stop()


def start_without_model(folder: Path) -> float:
    with server(folder / "empty", None) as running:
        assert running.ask("GET", "/")[0] == 200
        return time.perf_counter() - running.launched


def start_with_model(folder: Path, model: Path) -> tuple[float, float]:
    with server(folder / "data", model) as running:
        running.wait_for_vector()
        return time.perf_counter() - running.launched, running.resident_mib()


def latencies(folder: Path, model: Path, rounds: int, queries: int) -> tuple[list[float], list[float]]:
    """Return milliseconds of single queries in process and over HTTP, one after the other."""
    inside: list[float] = []
    outside: list[float] = []
    with antiphon.load(model) as embedder, server(folder / "data", model) as running:
        model_id = running.wait_for_vector()
        for turn in range(queries * (rounds + 1)):
            text = QUERIES[turn % len(QUERIES)]
            start = time.perf_counter()
            embedder.embed_queries([text])
            between = time.perf_counter()
            status, _ = running.predict(model_id, text)
            end = time.perf_counter()
            assert status == 200
            if turn >= queries:  # the first round warms up
                inside.append((between - start) * 1000)
                outside.append((end - between) * 1000)
    return inside, outside


def row(name: str, value: str) -> None:
    print(f"{name:<52} {value:>12}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--queries", type=int, default=100)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="antiphon-bench-") as scratch:
        folder = Path(scratch)
        empty = [start_without_model(folder) for _ in range(5)]
        first, _ = start_with_model(folder, given.model)
        again = [start_with_model(folder, given.model) for _ in range(5)]
        inside, outside = latencies(folder, given.model, given.rounds, given.queries)
    row("start without a model, to the first answer, s", f"{statistics.median(empty):.2f}")
    row("first start with the model, to the first vector, s", f"{first:.2f}")
    row("later starts, to the first vector, s", f"{statistics.median([seconds for seconds, _ in again]):.2f}")
    row("resident memory with the model deployed, MiB", f"{statistics.median([mib for _, mib in again]):.0f}")
    inside_ms, outside_ms = statistics.median(inside), statistics.median(outside)
    added_ms = statistics.median([http - own for own, http in zip(inside, outside, strict=True)])
    row("one query in process, ms (p50)", f"{inside_ms:.2f}")
    row("one query over HTTP, ms (p50)", f"{outside_ms:.2f}")
    row("HTTP adds, ms (p50 of the pairs)", f"{added_ms:.2f}")
    row("HTTP / in process", f"{outside_ms / inside_ms:.2f}")


if __name__ == "__main__":
    main()

"""The same work by Antiphon and by a real OpenSearch node, on the same machine, with the same package, in turn.

    python -m benchmarks.opensearch MODEL [--rounds N] [--documents N]

MODEL is a package zip of multilingual-e5-small made by ``antiphon model build``. The node is the one that
``scripts/opensearch-node`` assembles (OpenSearch 2.19.1 with a heap of 2 GB, DJL on ONNX Runtime); both are asked over
HTTP on one connection each. Passages go through ``_predict`` in the passage role, and, by a copy of the model without
prefixes (2.19 cannot embed asymmetrically in a pipeline), through an ingest pipeline into an index with a Lucene graph.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from benchmarks.beside import bulk, passages
from benchmarks.serve import QUERIES, Server
from scripts.opensearch_node import assemble, running
from tests.support.remote_model import E5, SETTINGS, answer, finished, register

PORT = 19271
_BATCH = 50
_TOGETHER = 24
"""Queries that one contender answers in a row."""
_PREFIXES = ("query_prefix", "passage_prefix")


@dataclass
class Contender:
    """One server with the package deployed twice: with its two roles, and without prefixes."""

    client: httpx.Client
    pid: int
    start_s: float
    model: str = ""
    plain: str = ""
    times: dict[str, list[float]] = field(default_factory=dict)

    def prepare(self, package: Path) -> None:
        """Register, deploy, and make an index whose pipeline embeds."""
        answer(self.client.put("/_cluster/settings", json={"persistent": SETTINGS}))
        self.model = self._deployed(package, E5)
        self.plain = self._deployed(package, {key: value for key, value in E5.items() if key not in _PREFIXES})
        processor = {"text_embedding": {"model_id": self.plain, "field_map": {"text": "vector"}}}
        answer(self.client.put("/_ingest/pipeline/embed", json={"processors": [processor]}))
        vector = {
            "type": "knn_vector",
            "dimension": 384,
            "method": {"name": "hnsw", "engine": "lucene", "space_type": "cosinesimil"},
        }
        body = {
            "settings": {"index.knn": True, "default_pipeline": "embed", "number_of_replicas": 0},
            "mappings": {"properties": {"text": {"type": "text"}, "vector": vector}},
        }
        answer(self.client.put("/beside", json=body))

    def _deployed(self, package: Path, config: dict[str, Any]) -> str:
        model_id = register(self.client, package, config)
        finished(self.client, answer(self.client.post(f"/_plugins/_ml/models/{model_id}/_deploy"))["task_id"])
        return model_id

    def predict(self, texts: list[str], role: str) -> None:
        """Embed texts in a role."""
        body = {"parameters": {"content_type": role}, "text_docs": texts, "target_response": ["sentence_embedding"]}
        answer(self.client.post(f"/_plugins/_ml/models/{self.model}/_predict", json=body))

    def embed(self, texts: list[str]) -> None:
        """Embed passages, some at a time."""
        for start in range(0, len(texts), _BATCH):
            self.predict(texts[start : start + _BATCH], "passage")

    def ingest(self, texts: list[str]) -> None:
        """Write documents through the pipeline, searchable at the end."""
        headers = {"content-type": "application/x-ndjson"}
        found = answer(self.client.post("/beside/_bulk?refresh=true", content=bulk(texts), headers=headers))
        assert found["errors"] is False, found["items"][0]

    def search(self, text: str) -> None:
        """Ask a neural query."""
        query = {"neural": {"vector": {"query_text": text, "model_id": self.plain, "k": 10}}}
        answer(self.client.post("/beside/_search", json={"_source": False, "query": query}))

    def measure(self, name: str, act: Callable[[], None]) -> None:
        """Keep how long ``act`` takes, in seconds."""
        start = time.perf_counter()
        act()
        self.times.setdefault(name, []).append(time.perf_counter() - start)

    def median(self, name: str) -> float:
        """Return the median of what was kept, in seconds."""
        return statistics.median(self.times[name])

    def memory_mib(self) -> float:
        """Return the resident memory, in MiB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024


def one_round(contenders: list[Contender], number: int, documents: int) -> None:
    """Let every contender do everything once, in turn."""
    long = passages(number * documents, documents)
    for one in contenders:
        for place in range(_TOGETHER):  # a new text each time, so that no cache can help
            text = f"{QUERIES[place % len(QUERIES)]} {number}{place}"
            one.measure("predict", partial(one.predict, [text], "query"))
    for one in contenders:
        one.measure("passages", partial(one.embed, long))
    for one in contenders:
        one.measure("ingest", partial(one.ingest, long))
    for one in contenders:
        for place in range(_TOGETHER):
            text = f"{QUERIES[place % len(QUERIES)]} {number}-{place}"
            one.measure("search", partial(one.search, text))


def show(name: str, own: float, other: float, unit: str) -> None:
    """Print a line; the ratio is how many times better ours is."""
    better = own / other if unit.endswith("/s") else other / own
    print(f"{name:<52} {own:>10.1f} {other:>12.1f} {unit:<8} {better:>6.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--documents", type=int, default=200)
    given = parser.parse_args()
    assemble()
    with tempfile.TemporaryDirectory(prefix="antiphon-bench-") as scratch:
        server = Server(Path(scratch) / "data", None)
        own_start = time.perf_counter() - server.launched
        began = time.perf_counter()
        try:
            with (
                running(port=PORT) as (url, process),
                httpx.Client(base_url=url, timeout=600) as other_client,
                httpx.Client(base_url=server.url, timeout=600) as own_client,
            ):
                other = Contender(other_client, process.pid, time.perf_counter() - began)
                own = Contender(own_client, server.pid, own_start)
                for one in (own, other):
                    one.prepare(given.model)
                for number in range(given.rounds + 1):
                    one_round([own, other], number, given.documents)
                    if not number:  # the first warms both
                        own.times.clear()
                        other.times.clear()
                print(f"{'':<52} {'Antiphon':>10} {'OpenSearch':>12} {'':<8} better by")
                show("start", own.start_s, other.start_s, "s")
                for name, said in (("predict", "one query by _predict"), ("search", "one neural query")):
                    show(said, own.median(name) * 1000, other.median(name) * 1000, "ms")
                for name, said in (
                    ("passages", f"passages by _predict, {_BATCH} at a time"),
                    ("ingest", "a bulk embedded by a pipeline"),
                ):
                    show(said, given.documents / own.median(name), given.documents / other.median(name), "docs/s")
                show("resident memory, two models", own.memory_mib(), other.memory_mib(), "MiB")
        finally:
            server.stop()


if __name__ == "__main__":
    main()

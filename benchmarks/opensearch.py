"""The same work by Antiphon and by a real OpenSearch node, on the same machine, with the same package, in turn."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from benchmarks.indexed import middle
from benchmarks.ingesting import bulk
from benchmarks.result import Column, Rounds, Table
from benchmarks.server import Connection, server
from benchmarks.setting import Setting, SkipSection
from benchmarks.texts import queries, short_passages
from benchmarks.weighing import resident_mib
from scripts.opensearch_node import VERSION, NodeError, assemble, running
from tests.support.remote_model import E5, SETTINGS, answer, finished, register

PORT = 19471
DOCUMENTS = 200
"""Passages that each contender embeds in a round, once by ``_predict`` and once by a bulk."""
TOGETHER = 24
"""Queries that one contender answers in a row."""
_BATCH = 50
THEIRS, OURS = "OpenSearch", "Antiphon"


@dataclass
class Contender:
    """One server with the package deployed, roles and all."""

    name: str
    client: httpx.Client
    connection: Connection
    pid: int
    start_s: float
    model: str = ""

    def prepare(self, package: Path) -> None:
        """Register, deploy, and make an index whose pipeline embeds."""
        answer(self.client.put("/_cluster/settings", json={"persistent": SETTINGS}))
        self.model = self._deployed(package, E5)
        processor = {"text_embedding": {"model_id": self.model, "field_map": {"text": "vector"}}}
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
        found = self._asked(f"/_plugins/_ml/models/{self.model}/_predict", json.dumps(body).encode())
        assert len(found["inference_results"]) == len(texts), found

    def embed(self, texts: list[str]) -> None:
        """Embed passages, some at a time."""
        for start in range(0, len(texts), _BATCH):
            self.predict(texts[start : start + _BATCH], "passage")

    def ingest(self, texts: list[str]) -> None:
        """Write documents through the pipeline, searchable at the end."""
        found = self._asked("/beside/_bulk?refresh=true", bulk(texts), "application/x-ndjson")
        assert found["errors"] is False, found["items"][0]

    def search(self, text: str) -> None:
        """Ask a neural query."""
        query = {"neural": {"vector": {"query_text": text, "model_id": self.model, "k": 10}}}
        found = self._asked("/beside/_search", json.dumps({"_source": False, "query": query}).encode())
        assert found["hits"]["hits"], found

    def _asked(self, path: str, content: bytes, kind: str = "application/json") -> dict[str, Any]:
        status, found = self.connection.send("POST", path, content, kind)
        assert status == 200, found
        body: dict[str, Any] = json.loads(found)
        return body


def run(setting: Setting) -> list[Table]:
    """Return the table ``opensearch``; SkipSection where the node cannot be had or does not start."""
    setting.say(f"OpenSearch {VERSION}: assembling the node unless it is there")
    try:
        assemble()
        with server(setting.scratch / "opensearch", None, setting.threads) as own:
            own_s, began = time.perf_counter() - own.launched, time.perf_counter()
            with (
                running(port=PORT) as (url, process),
                httpx.Client(base_url=url, timeout=600) as their_client,
                httpx.Client(base_url=own.url, timeout=600) as own_client,
            ):
                theirs = Contender(THEIRS, their_client, Connection(url), process.pid, time.perf_counter() - began)
                ours = Contender(OURS, own_client, own, own.pid, own_s)
                return [_compare(setting, [theirs, ours])]
    except NodeError as error:
        raise SkipSection(f"no OpenSearch node: {error}") from error


def _compare(setting: Setting, contenders: list[Contender]) -> Table:
    for one in contenders:
        setting.say(f"{one.name}: deploying")
        one.prepare(setting.model)
    rounds = Rounds()
    for number in range(setting.rounds + 1):
        setting.say(f"beside OpenSearch, round {number} of {setting.rounds}")
        _round(contenders, number, rounds if number else Rounds())  # the first warms both
    for one in contenders:  # measured once, as a round of one, so that they have a ratio
        rounds.add(one.name, "start", one.start_s)
        rounds.add(one.name, "memory", resident_mib(one.pid))
    about = (
        f"Antiphon and a node of OpenSearch {VERSION} (`scripts/opensearch-node`: heap 2 GB, DJL) on the same machine "
        "with the same package, asked in turn over HTTP on one connection each. *Start* is to the first answer. "
        f"*Predict* is one query by `_predict`, *neural query* one search by meaning; {TOGETHER} of each in a row. "
        f"*Passages* are embedded by `_predict`, {_BATCH} at a time. *Bulk* are documents embedded by a pipeline and "
        f"searchable at the end. {DOCUMENTS} passages of 12 to 60 words in each of {setting.rounds} rounds, and a "
        "first one that warms both. *Memory* is resident at the end. Start and memory are taken once."
    )
    columns = [
        Column("start", "s"),
        Column("predict", "ms"),
        Column("neural query", "ms"),
        Column("passages", "docs/s", less_is_better=False),
        Column("bulk", "docs/s", less_is_better=False),
        Column("memory", "MiB"),
    ]
    return Table.of("opensearch", "Beside a real OpenSearch node", about, columns, rounds, THEIRS)


def _round(contenders: list[Contender], number: int, rounds: Rounds) -> None:
    """Let every contender do everything once, in turn."""
    long = short_passages(number * DOCUMENTS, DOCUMENTS)
    for one in contenders:  # a new text each time, so that no cache can help
        texts = queries(100 + number, TOGETHER)
        rounds.add(one.name, "predict", _median_ms(partial(one.predict, [text], "query") for text in texts))
    for one in contenders:
        rounds.add(one.name, "passages", DOCUMENTS / _seconds(partial(one.embed, long)))
    for one in contenders:
        rounds.add(one.name, "bulk", DOCUMENTS / _seconds(partial(one.ingest, long)))
    for one in contenders:
        texts = queries(500 + number, TOGETHER)
        rounds.add(one.name, "neural query", _median_ms(partial(one.search, text) for text in texts))


def _seconds(act: Callable[[], None]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def _median_ms(acts: Iterable[Callable[[], None]]) -> float:
    return middle([_seconds(act) * 1000 for act in acts])

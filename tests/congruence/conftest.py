"""The same documents on two servers: ours, and the one named by ``$ANTIPHON_CONTRACT_URL``."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
import orjson
import pytest

from tests.contract.conftest import contract_url
from tests.support.server import running_server

INDEX = "congruence"
WORDS = [f"w{number}" for number in range(60)]
MAPPINGS: dict[str, Any] = {
    "properties": {
        "title": {"type": "text"},
        "n": {"type": "integer"},
        "tag": {"type": "keyword"},
        "price": {"type": "double"},
        "day": {"type": "date"},
        "ok": {"type": "boolean"},
        "v": {
            "type": "knn_vector",
            "dimension": 8,
            "method": {
                "name": "hnsw",
                "engine": "lucene",
                "space_type": "l2",
                "parameters": {"m": 150, "ef_construction": 500},  # a graph that misses nothing, as ours does not
            },
        },
    }
}


@dataclass
class Pair:
    """Two servers with the same documents."""

    own: httpx.Client
    other: httpx.Client

    def ask(self, body: dict[str, Any], **parameters: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return our answer and the other's."""
        answers = []
        for client in (self.own, self.other):
            response = client.post(f"/{INDEX}/_search", json=body, params=parameters)
            assert response.status_code == httpx.codes.OK, response.text
            answers.append(response.json())
        return answers[0], answers[1]


def documents() -> list[dict[str, Any]]:
    """Return 300 documents of one seed; a tenth has no number."""
    chance, numbers = random.Random(5), np.random.default_rng(5)
    weights = [1 / (rank + 1) for rank in range(len(WORDS))]
    made = []
    for _ in range(300):
        source = {
            "title": " ".join(chance.choices(WORDS, weights, k=chance.randint(1, 12))),
            "n": chance.randint(0, 50),
            "tag": chance.sample(["a", "b", "c", "d"], chance.randint(1, 2)),
            "price": round(chance.random() * 10, 2),
            "day": f"2024-{chance.randint(1, 12):02d}-{chance.randint(1, 28):02d}",
            "ok": chance.random() < 0.5,
            "v": [round(float(value), 4) for value in numbers.standard_normal(8)],
        }
        if chance.random() < 0.1:
            del source["n"]
        made.append(source)
    return made


@pytest.fixture(scope="module")
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Both servers, filled; skipped without the other one, and where that is older than OpenSearch 3."""
    url = contract_url(request.config)
    if url is None:
        pytest.skip("no other server is named: scripts/test-contract runs this against a real node")
    lines = [
        orjson.dumps({"index": {"_id": str(number)}}) + b"\n" + orjson.dumps(source)
        for number, source in enumerate(documents())
    ]
    settings = {"index.knn": True, "number_of_shards": 1, "number_of_replicas": 0}
    with running_server(tmp_path_factory.mktemp("own")) as server, httpx.Client(base_url=url, timeout=60) as other:
        number = other.get("/").json()["version"]["number"]
        if int(number.split(".")[0]) < 3:
            pytest.skip(f"documents are scored as OpenSearch 3 does, and this is {number}")
        for client in (server.client, other):
            client.delete(f"/{INDEX}")
            client.put(f"/{INDEX}", json={"settings": settings, "mappings": MAPPINGS}).raise_for_status()
            headers = {"content-type": "application/x-ndjson"}
            answer = client.post(f"/{INDEX}/_bulk?refresh=true", content=b"\n".join([*lines, b""]), headers=headers)
            assert answer.json()["errors"] is False
        other.post(f"/{INDEX}/_forcemerge", params={"max_num_segments": 1}).raise_for_status()
        yield Pair(server.client, other)
        other.delete(f"/{INDEX}")

"""multilingual-e5-small in front of a real cluster finds what it finds in Antiphon's own engine, in both roles."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
import pytest

from antiphon.app import obtain_package
from antiphon.cli.corpus import PASSAGES, QUERIES, Query
from tests.contract.conftest import contract_url
from tests.support.e5 import e5_package
from tests.support.server import InProcessServer, Server, deploy, running_server

NAME = "engine-of-e5"
MODEL = "multilingual-e5-small"
LUCENE = {"name": "hnsw", "engine": "lucene", "space_type": "cosinesimil"}
PROPERTIES = {
    "text": {"type": "text"},
    "lang": {"type": "keyword"},
    "n": {"type": "integer"},
    "v": {"type": "knn_vector", "dimension": 384, "method": LUCENE},
    "said": {"type": "semantic", "model_id": MODEL, "dense_embedding_config": {"method": {"engine": "lucene"}}},
}


@dataclass
class Pair:
    """The same documents in Antiphon's own engine, and on the cluster behind Antiphon."""

    own: httpx.Client
    front: httpx.Client
    cluster: httpx.Client

    def same(self, body: dict[str, Any]) -> list[str]:
        """Return the ids that both find, in the same order."""
        found = []
        for client in (self.own, self.front):
            answer = client.post(f"/{NAME}/_search", json=body)
            assert answer.status_code == httpx.codes.OK, answer.text
            found.append([hit["_id"] for hit in answer.json()["hits"]["hits"]])
        assert found[0] == found[1]
        return found[1]


@pytest.fixture(scope="module")
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    url = contract_url(request.config)
    if url is None:
        pytest.skip("no other server is named: scripts/test-contract runs this against a real node")
    with ExitStack() as stack:
        own = stack.enter_context(running_server(tmp_path_factory.mktemp("own")))
        front = stack.enter_context(running_server(tmp_path_factory.mktemp("front"), cluster=url))
        cluster = stack.enter_context(httpx.Client(base_url=url, timeout=60))
        for server in (own, front):
            _deploy(server)
            _define(server.client)
            _fill(server.client)
        yield Pair(own.client, front.client, cluster)
        for path in (f"/{NAME}", f"/_ingest/pipeline/{NAME}", f"/_search/pipeline/{NAME}"):
            cluster.delete(path)


def _deploy(server: Server) -> None:
    assert isinstance(server, InProcessServer)
    package = obtain_package(str(e5_package()), server.app.settings)
    deploy(server.app, package, MODEL)


def _define(client: httpx.Client) -> None:
    client.delete(f"/{NAME}")
    embedding = {"text_embedding": {"model_id": MODEL, "field_map": {"text": "v"}}}
    search = {
        "request_processors": [{"neural_query_enricher": {"default_model_id": MODEL}}],
        "phase_results_processors": [{"normalization-processor": {}}],
    }
    settings = {
        "index.knn": True, "number_of_shards": 1, "number_of_replicas": 0, "index.default_pipeline": NAME,
        "index.search.default_pipeline": NAME,
    }  # fmt: skip
    for path, body in (
        (f"/_ingest/pipeline/{NAME}", {"processors": [embedding]}),
        (f"/_search/pipeline/{NAME}", search),
        (f"/{NAME}", {"settings": settings, "mappings": {"properties": PROPERTIES}}),
    ):
        answer = client.put(path, json=body)
        assert answer.is_success, answer.text


def _fill(client: httpx.Client) -> None:
    lines: list[Any] = []
    for number, passage in enumerate(PASSAGES):
        source = {"text": passage.text, "said": passage.text, "lang": passage.name[-3:-1], "n": number}
        lines += [{"index": {"_id": passage.name}}, source]
    content = "".join(json.dumps(line) + "\n" for line in lines)
    headers = {"content-type": "application/x-ndjson"}
    answer = client.post(f"/{NAME}/_bulk?refresh=true", content=content, headers=headers).json()
    assert answer["errors"] is False, answer


def predicted(client: httpx.Client, text: str, role: str) -> list[float]:
    body = {"parameters": {"content_type": role}, "text_docs": [text]}
    answer = client.post(f"/_plugins/_ml/models/{MODEL}/_predict", json=body)
    found: list[float] = answer.json()["inference_results"][0]["output"][0]["data"]
    return found


def cosine(first: list[float], second: list[float]) -> float:
    one, two = np.array(first, np.float64), np.array(second, np.float64)
    return float(one @ two / np.linalg.norm(one) / np.linalg.norm(two))


def test_documents_on_the_cluster_hold_passages(pair: Pair) -> None:
    for passage in PASSAGES[:5]:
        held = pair.cluster.get(f"/{NAME}/_doc/{quote(passage.name)}").json()["_source"]
        wanted = predicted(pair.front, passage.text, "passage")
        assert cosine(held["v"], wanted) > 0.9999
        assert cosine(held["said_semantic_info"]["embedding"], wanted) > 0.9999
        assert cosine(held["v"], predicted(pair.front, passage.text, "query")) < 0.9999


@pytest.mark.parametrize("field", ["v", "said"])
@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.language)
def test_every_question_finds_its_answer(pair: Pair, query: Query, field: str) -> None:
    found = pair.same({"query": {"neural": {field: {"query_text": query.text, "k": 12}}}, "size": 5})
    assert found[0] == query.answer


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.language)
def test_filtered_and_hybrid_searches_agree(pair: Pair, query: Query) -> None:
    kept = {"bool": {"filter": [{"term": {"lang": "en"}}], "must_not": [{"range": {"n": {"gte": 9}}}]}}
    found = pair.same({"query": {"neural": {"v": {"query_text": query.text, "k": 12, "filter": kept}}}})
    assert len(found) == 4
    legs = [{"match": {"text": query.text}}, {"neural": {"v": {"query_text": query.text, "k": 12}}}]
    assert len(pair.same({"query": {"hybrid": {"queries": legs}}, "size": 3})) == 3


def test_an_update_embeds_again_on_both(pair: Pair) -> None:
    text = "Patch a flat bicycle tyre: take the tube out, glue the patch on, pump it up."
    for client in (pair.own, pair.front):
        answer = client.post(f"/{NAME}/_update/visa%3F%20%28en%29?refresh=true", json={"doc": {"text": text}})
        assert answer.json()["result"] == "updated", answer.text
    found = pair.same({"query": {"neural": {"v": {"query_text": "flat tyre on my bicycle", "k": 12}}}, "size": 2})
    assert "visa? (en)" in found
    held = pair.cluster.get(f"/{NAME}/_doc/visa%3F%20%28en%29").json()["_source"]
    assert cosine(held["v"], predicted(pair.front, text, "passage")) > 0.9999


def test_the_shells_own_journey(pair: Pair) -> None:
    """What ``antiphon search`` asks for: hybrid with an inline pipeline, no vectors in the answer."""
    pipeline = {
        "phase_results_processors": [{
            "normalization-processor": {
                "combination": {"technique": "arithmetic_mean", "parameters": {"weights": [0.3, 0.7]}}
            }
        }]
    }  # fmt: skip
    legs = [
        {"match": {"text": "bicycle"}},
        {"neural": {"v": {"query_text": "repair a tyre", "k": 12, "model_id": MODEL}}},
    ]
    body = {
        "query": {"hybrid": {"queries": legs}}, "search_pipeline": pipeline, "size": 1,
        "_source": {"excludes": ["v", "*_semantic_info"]},
    }  # fmt: skip
    assert pair.same(body) == ["bicycle (en)"]


def test_bad_items_of_a_bulk_fail_alone(pair: Pair) -> None:
    lines: list[Any] = [
        {"index": {"_index": f"{NAME}-new", "_id": "1", "pipeline": NAME}}, {"text": "tea"},
        {"index": {"_index": f"{NAME}-new", "_id": "2", "pipeline": NAME}}, {"text": 5},
        {"index": {"_index": f"{NAME}-new", "_id": "3"}}, {"text": "plain"},
        {"update": {"_index": f"{NAME}-new", "_id": "3"}}, {"doc": {"n": 1}},
    ]  # fmt: skip
    content = "".join(json.dumps(line) + "\n" for line in lines)
    answer = pair.front.post("/_bulk", content=content, headers={"content-type": "application/x-ndjson"}).json()
    assert [next(iter(item.values()))["status"] for item in answer["items"]] == [201, 400, 201, 200]
    assert len(pair.cluster.get(f"/{NAME}-new/_doc/1").json()["_source"]["v"]) == 384
    assert pair.cluster.get(f"/{NAME}-new/_doc/2").json()["found"] is False
    pair.cluster.delete(f"/{NAME}-new")

"""The same package of multilingual-e5-small, uploaded in chunks, makes the same vectors on both, in both roles."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

import antiphon
from tests.contract.conftest import contract_url
from tests.support.e5 import e5_package

TEXTS = [
    "What day is it today?",
    "how much protein should a female eat",
    "Berlin ist die Hauptstadt von Deutschland.",
    "绿茶要用多少度的水冲泡？",  # noqa: RUF001
    "word " * 600,
]
CHUNK = 10_000_000
PATIENCE_S = 120
CONFIG = {
    "model_type": "bert",
    "embedding_dimension": 384,
    "framework_type": "sentence_transformers",
    "query_prefix": "query: ",
    "passage_prefix": "passage: ",
    "pooling_mode": "mean",
    "normalize_result": True,
}
SETTINGS = {
    "plugins.ml_commons.only_run_on_ml_node": "false",
    "plugins.ml_commons.allow_registering_model_via_local_file": "true",
    "plugins.ml_commons.native_memory_threshold": "100",
}


@pytest.fixture(scope="module")
def other(request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    url = contract_url(request.config)
    if url is None:
        pytest.skip("no other server is named: scripts/test-contract runs this against a real node")
    with httpx.Client(base_url=url, timeout=120) as client:
        yield client


@pytest.fixture(scope="module")
def model_id(other: httpx.Client) -> Iterator[str]:
    """The package, registered and deployed there; deleted afterwards."""
    answer(other.put("/_cluster/settings", json={"persistent": SETTINGS}))
    made = register(other, e5_package())
    finished(other, answer(other.post(f"/_plugins/_ml/models/{made}/_deploy"))["task_id"])
    yield made
    other.post(f"/_plugins/_ml/models/{made}/_undeploy")
    other.delete(f"/_plugins/_ml/models/{made}")


@pytest.mark.parametrize("precision", ["fp32", "auto"])
@pytest.mark.parametrize("role", ["query", "passage"])
def test_the_same_vectors(other: httpx.Client, model_id: str, role: str, precision: str) -> None:
    body = {"parameters": {"content_type": role}, "text_docs": TEXTS, "target_response": ["sentence_embedding"]}
    results = answer(other.post(f"/_plugins/_ml/models/{model_id}/_predict", json=body))["inference_results"]
    wanted = np.array([result["output"][0]["data"] for result in results], np.float32)
    with antiphon.load(e5_package(), precision=precision) as model, pytest.warns(UserWarning, match="truncated"):
        found = model.embed_queries(TEXTS) if role == "query" else model.embed_passages(TEXTS)
    assert (cosines(found, wanted) >= (0.999999 if precision == "fp32" else 0.9999)).all()


def register(client: httpx.Client, package: Path) -> str:
    content = package.read_bytes()
    name = f"congruence {time.time_ns()}"
    group = answer(client.post("/_plugins/_ml/model_groups/_register", json={"name": name}))["model_group_id"]
    parts = [content[start : start + CHUNK] for start in range(0, len(content), CHUNK)]
    meta = {
        "name": name,
        "version": "1.0.0",
        "model_group_id": group,
        "model_format": "ONNX",
        "function_name": "TEXT_EMBEDDING",
        "total_chunks": len(parts),
        "model_content_hash_value": hashlib.sha256(content).hexdigest(),
        "model_content_size_in_bytes": len(content),
        "model_config": CONFIG,
    }
    made: str = answer(client.post("/_plugins/_ml/models/meta", json=meta))["model_id"]
    for number, part in enumerate(parts):
        headers = {"content-type": "application/json"}
        url = f"/_plugins/_ml/models/{made}/upload_chunk/{number}"
        assert answer(client.post(url, content=part, headers=headers))["status"] == "Uploaded"
    return made


def finished(client: httpx.Client, task_id: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while (task := answer(client.get(f"/_plugins/_ml/tasks/{task_id}")))["state"] in ("CREATED", "RUNNING"):
        assert time.monotonic() < end, task
        time.sleep(0.1)
    assert task["state"] == "COMPLETED", task


def answer(response: httpx.Response) -> dict[str, Any]:
    assert response.is_success, response.text
    body: dict[str, Any] = response.json()
    return body


def cosines(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float64]:
    products = np.einsum("ij,ij->i", first.astype(np.float64), second.astype(np.float64))
    return np.asarray(products / np.linalg.norm(first, axis=1) / np.linalg.norm(second, axis=1))

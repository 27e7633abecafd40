"""The same package of multilingual-e5-small, uploaded in chunks, makes the same vectors on both, in both roles."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

import antiphon
from tests.contract.conftest import contract_url
from tests.support.e5 import e5_package
from tests.support.remote_model import SETTINGS, answer, finished, register

TEXTS = [
    "What day is it today?",
    "how much protein should a female eat",
    "Berlin ist die Hauptstadt von Deutschland.",
    "绿茶要用多少度的水冲泡？",  # noqa: RUF001
    "word " * 600,
]


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
    computes_in_fp32 = "antiphon" not in other.get("/").json()["version"]
    assert (cosines(found, wanted) >= (0.999999 if precision == "fp32" and computes_in_fp32 else 0.9999)).all()


def cosines(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float64]:
    products = np.einsum("ij,ij->i", first.astype(np.float64), second.astype(np.float64))
    return np.asarray(products / np.linalg.norm(first, axis=1) / np.linalg.norm(second, axis=1))

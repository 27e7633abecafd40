"""opensearch-py: every call of ``client.ml`` that concerns local models, and what its users read of the answers."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import pytest
from opensearchpy import NotFoundError, OpenSearch, RequestError
from opensearchpy.exceptions import OpenSearchWarning
from opensearchpy.plugins.ml import MlClient

from tests.support.contract import DIMENSION, Zips

E5 = {
    "model_type": "bert",
    "embedding_dimension": DIMENSION,
    "framework_type": "sentence_transformers",
    "query_prefix": "query: ",
    "passage_prefix": "passage: ",
}


def registration(name: str, package: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "version": "1.0.0",
        "function_name": "TEXT_EMBEDDING",
        "model_format": "ONNX",
        "model_content_hash_value": package["sha256"],
        "model_config": E5,
        "url": package["url"],
        **more,
    }


def finished(ml: MlClient, task_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + 20
    while True:
        task: dict[str, Any] = ml.get_task(task_id=task_id)
        if task["state"] not in ("CREATED", "RUNNING"):
            return task
        assert time.monotonic() < deadline, task
        time.sleep(0.01)  # as a client polls: the API has no way to be told


def registered(ml: MlClient, body: dict[str, Any]) -> str:
    task = finished(ml, ml.register_model(body=body)["task_id"])
    assert task["state"] == "COMPLETED", task
    return str(task["model_id"])


@pytest.fixture(scope="module")
def model_id(ml: MlClient, zips: Zips) -> str:
    """A deployed asymmetric model."""
    made = registered(ml, registration("opensearch-py shared", zips["tiny"]))
    deploying = ml.deploy_model(model_id=made)
    assert deploying["task_type"] == "DEPLOY_MODEL"
    assert finished(ml, deploying["task_id"])["state"] == "COMPLETED"
    return made


def vectors(answer: dict[str, Any]) -> list[list[float]]:
    return [result["output"][0]["data"] for result in answer["inference_results"]]


def test_the_cluster_introduces_itself(opensearch: OpenSearch) -> None:
    assert opensearch.info()["version"]["distribution"] == "opensearch"
    assert opensearch.ping() is True
    assert opensearch.cluster.health()["status"] == "green"
    assert "opensearch-ml" in opensearch.cat.plugins(format="json")[1]["component"]
    shown = opensearch.cluster.get_settings(include_defaults=True, flat_settings=True)
    assert shown["persistent"]["plugins.ml_commons.native_memory_threshold"] == "99"
    assert shown["defaults"]["plugins.ml_commons.max_model_on_node"] == "10"


def test_a_models_whole_life(ml: MlClient, zips: Zips) -> None:
    group = ml.register_model_group(body={"name": "opensearch-py life", "description": "one"})["model_group_id"]
    assert ml.update_model_group(model_group_id=group, body={"description": "two"})["status"] == "Updated"
    assert ml.get_model_group(model_group_id=group)["description"] == "two"
    body = registration("opensearch-py life of a model", zips["tiny"], model_group_id=group)
    model_id = registered(ml, body)
    with pytest.raises(RequestError) as early:
        ml.predict_model(model_id=model_id, body={"text_docs": ["a"], "parameters": {"content_type": "query"}})
    assert early.value.error == "illegal_argument_exception"
    assert finished(ml, ml.deploy_model(model_id=model_id)["task_id"])["state"] == "COMPLETED"
    model = ml.get_model(model_id=model_id)
    assert (model["model_state"], model["model_version"]) == ("DEPLOYED", "1")
    with pytest.raises(RequestError):
        ml.delete_model(model_id=model_id)
    (undeployed,) = ml.undeploy_model(model_id=model_id).values()
    assert undeployed == {"stats": {model_id: "undeployed"}}
    (again,) = ml.undeploy_model(body={"model_ids": [model_id]}).values()
    assert again == {"stats": {model_id: "not_found"}}
    assert ml.update_model(model_id=model_id, body={"description": "new"})["result"] == "updated"
    assert ml.delete_model(model_id=model_id)["result"] == "deleted"
    assert ml.delete_model_group(model_group_id=group)["result"] == "deleted"
    with pytest.raises(NotFoundError) as gone:
        ml.get_model(model_id=model_id)
    assert gone.value.error == "status_exception"


def test_predict_by_both_routes(ml: MlClient, model_id: str) -> None:
    body = {"text_docs": ["red", "green"], "parameters": {"content_type": "passage"}}
    answer = ml.predict(algorithm_name="text_embedding", model_id=model_id, body=body)
    assert [len(vector) for vector in vectors(answer)] == [DIMENSION, DIMENSION]
    assert ml.predict_model(model_id=model_id, body=body) == answer
    asked = ml.predict_model(model_id=model_id, body=body | {"parameters": {"content_type": "query"}})
    assert math.dist(vectors(asked)[0], vectors(answer)[0]) > 1e-3


def test_a_forgotten_role_is_a_request_error(ml: MlClient, model_id: str) -> None:
    with pytest.raises(RequestError) as refused:
        ml.predict_model(model_id=model_id, body={"text_docs": ["red"]})
    assert refused.value.status_code == 400
    assert refused.value.error == "m_l_exception"
    assert "content_type" in str(refused.value)


def test_a_doubled_prefix_is_a_warning(ml: MlClient, model_id: str) -> None:
    body = {"text_docs": ["red", "query: red"], "parameters": {"content_type": "query"}}
    with pytest.warns(OpenSearchWarning, match=r"1 of 2 texts .* text_docs\[1\]"):
        ml.predict_model(model_id=model_id, body=body)


def test_upload_by_chunks(ml: MlClient, zips: Zips) -> None:
    content = Path(zips["other"]["path"]).read_bytes()
    meta = {key: value for key, value in registration("opensearch-py chunks", zips["other"]).items() if key != "url"}
    made = ml.register_model_meta(body=meta | {"total_chunks": 2})
    assert made["status"] == "CREATED"
    half = len(content) // 2
    for number, chunk in enumerate((content[:half], content[half:])):
        sent = ml.upload_chunk(model_id=made["model_id"], chunk_number=number, body=chunk)
        assert sent["status"] == "Uploaded"
    task = finished(ml, ml.deploy_model(model_id=made["model_id"])["task_id"])
    assert task["state"] == "COMPLETED"


@pytest.mark.filterwarnings("ignore:Deprecated. Use:UserWarning")
def test_the_names_from_before_2_7(ml: MlClient, zips: Zips) -> None:
    task = finished(ml, ml.upload_model(body=registration("opensearch-py legacy", zips["tiny"]))["task_id"])
    assert finished(ml, ml.load_model(model_id=task["model_id"])["task_id"])["state"] == "COMPLETED"
    (undeployed,) = ml.unload_model(model_id=task["model_id"]).values()
    assert undeployed == {"stats": {task["model_id"]: "undeployed"}}
    package = zips["tiny"]
    meta = {key: value for key, value in registration("opensearch-py old chunks", package).items() if key != "url"}
    made = ml.create_model_meta(body=meta | {"total_chunks": 1})
    sent = ml.chunk_model(model_id=made["model_id"], chunk_number=0, body=Path(package["path"]).read_bytes())
    assert sent["status"] == "Uploaded"
    assert ml.get_model(model_id=made["model_id"])["model_state"] == "REGISTERED"


def test_search(ml: MlClient, model_id: str) -> None:
    query = {
        "query": {"bool": {"must": {"match": {"name": "shared"}}, "must_not": {"exists": {"field": "chunk_number"}}}}
    }
    hits = ml.search_models(body=query)["hits"]
    assert [(hit["_id"], hit["_source"]["model_id"]) for hit in hits["hits"]] == [(model_id, model_id)]
    group = hits["hits"][0]["_source"]["model_group_id"]
    groups = ml.search_model_group(body={"query": {"match": {"name": "shared"}}})["hits"]["hits"]
    assert [hit["_id"] for hit in groups] == [group]
    tasks = ml.search_tasks(body={"query": {"term": {"model_id": model_id}}, "size": 10})["hits"]
    assert {hit["_source"]["task_type"] for hit in tasks["hits"]} == {"REGISTER_MODEL", "DEPLOY_MODEL"}
    done = ml.delete_task(task_id=tasks["hits"][0]["_id"])
    assert done["result"] == "deleted"


def test_stats_and_profile(ml: MlClient, model_id: str) -> None:
    body = {"text_docs": ["red"], "parameters": {"content_type": "query"}}
    ml.predict_model(model_id=model_id, body=body)
    (node_id,) = ml.get_stats()["nodes"]
    shown = ml.get_stats(node_id=node_id, stat="ml_deployed_model_count")
    assert shown["nodes"][node_id]["ml_deployed_model_count"] >= 1
    profile = ml.get_profile_models(model_id=model_id)["nodes"][node_id]["models"][model_id]
    assert profile["model_state"] == "DEPLOYED"
    assert profile["predict_request_stats"]["count"] >= 1
    assert model_id in ml.get_profile()["nodes"][node_id]["models"]
    assert ml.get_profile_tasks() == {}


def test_controllers(ml: MlClient, model_id: str) -> None:
    limits = {"user_rate_limiter": {"ann": {"limit": "4", "unit": "MINUTES"}}}
    assert ml.create_controller(model_id=model_id, body=limits) == {"model_id": model_id, "status": "CREATED"}
    more = {"user_rate_limiter": {"bob": {"limit": "1", "unit": "HOURS"}}}
    assert ml.update_controller(model_id=model_id, body=more)["result"] == "updated"
    assert set(ml.get_controller(model_id=model_id)["user_rate_limiter"]) == {"ann", "bob"}
    assert ml.delete_controller(model_id=model_id)["result"] == "deleted"
    with pytest.raises(NotFoundError):
        ml.get_controller(model_id=model_id)

"""opensearch-py-ml's MLCommonClient: a model from a local zip, by chunks, to its vectors, and away again.

The client waits in whole seconds, so there is one long test and little else.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from opensearch_py_ml.ml_commons import MLCommonClient
from opensearchpy import NotFoundError, OpenSearch, RequestError

from tests.support.contract import DIMENSION, Zips

# its uploader leaves the config file to be closed by the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file .*config.json:ResourceWarning")

CONFIG: dict[str, Any] = {
    "name": "opensearch-py-ml symmetric",
    "version": "1.0.1",
    "description": "written as make_model_config_json does: letters & signs",
    "model_format": "ONNX",
    "function_name": "TEXT_EMBEDDING",
    "model_task_type": "TEXT_EMBEDDING",
    "model_config": {
        "model_type": "bert",
        "embedding_dimension": DIMENSION,
        "framework_type": "sentence_transformers",
        "pooling_mode": "WEIGHTEDMEAN",
        "normalize_result": "true",
        "all_config": json.dumps({"architectures": ["BertModel"], "max_position_embeddings": 512}),
        "additional_config": {"space_type": "cosinesimil"},
    },
}


@pytest.fixture
def client(opensearch: OpenSearch) -> MLCommonClient:
    return MLCommonClient(opensearch)


def written(path: Path, config: dict[str, Any]) -> str:
    path.write_text(json.dumps(config), encoding="utf-8")
    return str(path)


def asymmetric(**more: Any) -> dict[str, Any]:
    prefixes = {"query_prefix": "query: ", "passage_prefix": "passage: "}
    return CONFIG | {"model_config": CONFIG["model_config"] | prefixes, **more}


def vector(answer: Any, place: int = 0) -> list[float]:
    return [float(number) for number in answer["inference_results"][place]["output"][0]["data"]]


def test_a_symmetric_model_from_a_local_zip(client: MLCommonClient, zips: Zips, tmp_path: Path) -> None:
    config = written(tmp_path / "config.json", CONFIG)
    model_id = client.register_model(zips["tiny"]["path"], config, isVerbose=True)
    model = client.get_model_info(model_id)
    assert model["model_state"] == "DEPLOYED"
    assert model["model_config"]["pooling_mode"] == "WEIGHTED_MEAN"
    assert model["description"] == CONFIG["description"]

    answer = client.generate_embedding(model_id, ["red", "green"])
    assert [len(vector(answer, place)) for place in (0, 1)] == [DIMENSION, DIMENSION]
    assert math.hypot(*vector(answer)) == pytest.approx(1.0, abs=1e-5)
    assert client.predict(model_id, {"text_docs": ["red"]})["inference_results"] == answer["inference_results"][:1]

    profile = client.get_profile(profile_type="model", ids=[model_id])
    (node,) = profile["nodes"].values()
    assert node["models"][model_id]["model_state"] == "DEPLOYED"
    assert client.get_profile()["nodes"].keys() == client.get_profile(profile_type="model")["nodes"].keys()
    tasks = client.search_task({"query": {"term": {"model_id": model_id}}})
    assert [hit["_source"]["task_type"] for hit in tasks["hits"]["hits"]] == ["DEPLOY_MODEL"]
    found = client.search_model({"query": {"ids": {"values": [model_id]}}})
    assert found["hits"]["total"]["value"] == 1

    (words,) = client.undeploy_model(model_id).values()
    assert words == {"stats": {model_id: "undeployed"}}
    assert client.delete_model(model_id)["result"] == "deleted"
    assert client.delete_task(tasks["hits"]["hits"][0]["_id"])["result"] == "deleted"
    with pytest.raises(NotFoundError):
        client.get_model_info(model_id)


def test_an_asymmetric_model_wants_a_role(client: MLCommonClient, zips: Zips, tmp_path: Path) -> None:
    config = written(tmp_path / "config.json", asymmetric(name="opensearch-py-ml asymmetric"))
    model_id = client.register_model(zips["other"]["path"], config, deploy_model=False)
    task = client.deploy_model(model_id, wait_until_deployed=False)
    assert client.get_task_info(task_id_of(client, model_id), wait_until_task_done=True)["state"] == "COMPLETED"
    assert task["task_type"] == "DEPLOY_MODEL"
    with pytest.raises(RequestError) as refused:
        client.generate_embedding(model_id, ["red"])
    assert "content_type" in str(refused.value)
    roles = [{"text_docs": ["red"], "parameters": {"content_type": role}} for role in ("query", "passage")]
    as_query, as_passage = (vector(client.predict(model_id, body)) for body in roles)
    assert math.dist(as_query, as_passage) > 1e-3


def task_id_of(client: MLCommonClient, model_id: str) -> str:
    """The client's deploy_model tells the task but not its id."""
    found = client.search_task({"query": {"term": {"model_id": model_id}}})
    return str(found["hits"]["hits"][0]["_id"])


def test_a_hash_that_does_not_fit_is_told_by_the_last_chunk(client: MLCommonClient, zips: Zips, tmp_path: Path) -> None:
    config = written(tmp_path / "config.json", asymmetric(model_content_hash_value="0" * 64))
    try:
        client.register_model(zips["tiny"]["path"], config)
    except RequestError as error:
        refused = error.with_traceback(None)  # lets go of the open file in its frames
    assert "model content changed" in str(refused)


def test_a_pretrained_name_fails_with_what_to_do_instead(client: MLCommonClient) -> None:
    with pytest.raises(Exception, match="not in the pre-trained model list"):
        client.register_pretrained_model("huggingface/sentence-transformers/all-MiniLM-L6-v2", "1.0.2", "ONNX")


def test_model_groups(client: MLCommonClient) -> None:
    groups = client.model_access_control
    made = groups.register_model_group("opensearch-py-ml group", description="by the helper")
    assert made["status"] == "CREATED"
    assert groups.get_model_group_id_by_name("opensearch-py-ml group") == made["model_group_id"]
    assert groups.update_model_group({"description": "changed"}, made["model_group_id"])["status"] == "Updated"
    hits = groups.search_model_group({"query": {"match": {"name": "group"}}})["hits"]["hits"]
    assert [hit["_source"]["description"] for hit in hits if hit["_id"] == made["model_group_id"]] == ["changed"]
    assert groups.delete_model_group_by_name("opensearch-py-ml group")["result"] == "deleted"
    with pytest.raises(RequestError):
        groups.register_model_group("opensearch-py-ml restricted", access_mode="restricted", backend_roles=["ops"])

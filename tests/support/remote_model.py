"""A model on any server that speaks ML Commons: uploaded in chunks, deployed, followed by its tasks."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

CHUNK = 10_000_000
PATIENCE_S = 120
E5: dict[str, Any] = {
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


def register(client: httpx.Client, package: Path, config: Mapping[str, Any] = E5) -> str:
    """Upload a package and return the id of its model."""
    content = package.read_bytes()
    name = f"package {time.time_ns()}"
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
        "model_config": dict(config),
    }
    made: str = answer(client.post("/_plugins/_ml/models/meta", json=meta))["model_id"]
    for number, part in enumerate(parts):
        headers = {"content-type": "application/json"}
        url = f"/_plugins/_ml/models/{made}/upload_chunk/{number}"
        assert answer(client.post(url, content=part, headers=headers))["status"] == "Uploaded"
    return made


def finished(client: httpx.Client, task_id: str) -> None:
    """Wait until a task has completed."""
    end = time.monotonic() + PATIENCE_S
    while (task := answer(client.get(f"/_plugins/_ml/tasks/{task_id}")))["state"] in ("CREATED", "RUNNING"):
        assert time.monotonic() < end, task
        time.sleep(0.1)
    assert task["state"] == "COMPLETED", task


def answer(response: httpx.Response) -> dict[str, Any]:
    """Return the body of a success."""
    assert response.is_success, response.text
    body: dict[str, Any] = response.json()
    return body

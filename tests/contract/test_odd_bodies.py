"""No JSON body is the server's fault: every value of every good body is replaced by odd ones, and none makes a 5xx.

The few 500s that ML Commons answers to a caller's mistake, and that we keep, are named.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.play import play
from tests.contract.story import common_names, read_story
from tests.support.contract import Zips
from tests.support.server import Server, running_server

ODD: list[Any] = [None, True, -1, 1e30, 2**63, "", "inf", "\x00", "a" * 5000, [], [None], {}, {"": [{"a": None}]}]
KEPT = {"model group name must not be null", "Model group request has empty body", "Model meta request has empty body"}
ML = "/_plugins/_ml"

CONFIG: dict[str, Any] = {
    "model_type": "bert",
    "embedding_dimension": 8,
    "framework_type": "sentence_transformers",
    "all_config": "{}",
    "additional_config": {"space_type": "l2"},
    "model_max_length": 512,
    "pooling_mode": "mean",
    "normalize_result": True,
    "query_prefix": "query: ",
    "passage_prefix": "passage: ",
}
FIELDS: dict[str, Any] = {
    "name": "odd",
    "description": "d",
    "is_enabled": True,
    "rate_limiter": {"limit": "1000000", "unit": "SECONDS"},
    "deploy_setting": {"is_auto_deploy_enabled": False, "model_ttl_minutes": 5},
    "interface": {"input": "{}", "output": {}},
    "model_config": CONFIG,
}
REGISTRATION = FIELDS | {
    "function_name": "TEXT_EMBEDDING",
    "model_format": "ONNX",
    "model_group_id": "",
    "model_id": "odd",
    "url": "file:///nowhere",
    "model_content_hash_value": "x",
    "model_node_ids": ["a"],
    "total_chunks": 2,
    "model_content_size_in_bytes": 10,
    "access_mode": "public",
    "backend_roles": [],
}
QUERY = {
    "query": {
        "bool": {
            "must": [{"match": {"name": {"query": "x", "operator": "and"}}}],
            "must_not": [{"exists": {"field": "chunk_number"}}],
            "should": [{"term": {"name.keyword": {"value": "x"}}}, {"terms": {"model_state": ["A"]}}],
            "filter": [{"ids": {"values": ["a"]}}, {"wildcard": {"name.keyword": {"value": "*x*"}}}],
            "minimum_should_match": 1,
        }
    },
    "size": 5,
    "from": 0,
    "sort": [{"created_time": {"order": "desc"}}],
    "_source": ["name"],
    "aggs": {"a": {"terms": {"field": "model_state", "size": 3}}},
}
PREDICT = {
    "text_docs": ["a", "b"],
    "parameters": {"content_type": "query"},
    "return_number": True,
    "target_response": ["x"],
    "target_response_positions": [0],
    "result_filter": {"return_bytes": True, "target_response": ["a"]},
}
SETTINGS = {
    "persistent": {"plugins.ml_commons.monitoring_request_count": "5"},
    "transient": {"plugins": {"ml_commons": {"native_memory_threshold": 90}}},
}
ROUTES: list[tuple[str, str, Any]] = [
    ("POST", f"{ML}/models/_register", REGISTRATION),
    ("POST", f"{ML}/models/_register_meta", REGISTRATION),
    ("PUT", f"{ML}/models/MODEL", FIELDS),
    ("POST", f"{ML}/models/MODEL/_predict", PREDICT),
    ("POST", f"{ML}/models/MODEL/_deploy", {"node_ids": ["x"]}),
    ("POST", f"{ML}/models/_undeploy", {"model_ids": ["x"], "node_ids": ["y"]}),
    ("POST", f"{ML}/models/_search", QUERY),
    ("POST", f"{ML}/model_groups/_register", {"name": "a", "access_mode": "public", "model_group_id": "odd"}),
    ("PUT", f"{ML}/model_groups/odd", {"name": "a", "description": "b"}),
    ("POST", f"{ML}/controllers/MODEL", {"user_rate_limiter": {"ann": {"limit": "4", "unit": "MINUTES"}}}),
    ("GET", f"{ML}/stats", {"target_stat_levels": ["node"], "node_ids": ["x"], "actions": ["predict"]}),
    ("GET", f"{ML}/profile", {"model_ids": ["x"], "return_all_models": True}),
    ("PUT", "/_cluster/settings", SETTINGS),
]


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value."""
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, (*path, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from paths(inner, (*path, place))


def replaced(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    """A copy of ``value`` with ``odd`` at ``path``."""
    if not path:
        return odd
    changed = copy.deepcopy(value)
    holder = changed
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = odd
    return changed


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server that takes registrations."""
    with running_server(tmp_path) as running:
        settings = {f"plugins.ml_commons.allow_registering_model_via_{way}": "true" for way in ("url", "local_file")}
        running.client.put("/_cluster/settings", json={"persistent": settings}).raise_for_status()
        yield running


@pytest.fixture
def model_id(server: Server, zips: Zips, tmp_path: Path) -> str:
    """The id of a deployed model, ``MODEL`` in the routes."""
    story = tmp_path / "deployed.yaml"
    story.write_text("title: t\ncovers: [x]\nsteps: [{include: deployed}]", encoding="utf-8")
    names = {**common_names(), "zip": zips["tiny"], "model_name": "odd", "config": CONFIG}
    return str(play(read_story(story), server, names)["model"])


@pytest.mark.parametrize(("method", "path", "body"), ROUTES, ids=[f"{method} {path}" for method, path, _ in ROUTES])
def test_no_body_makes_the_server_fail(method: str, path: str, body: Any, server: Server, model_id: str) -> None:
    failed = []
    for place in paths(body):
        for odd in ODD:
            content = json.dumps(replaced(body, place, odd)).encode()
            url = path.replace("MODEL", model_id)
            answer = server.client.request(method, url, content=content, headers={"content-type": "application/json"})
            if answer.status_code >= 500 and answer.json()["error"]["reason"] not in KEPT:
                failed.append((place, odd, answer.text))
    assert failed == []
    everything = server.client.post(f"{ML}/models/_search", json={"query": {"match_all": {}}, "size": 1000})
    assert everything.status_code == 200, everything.text

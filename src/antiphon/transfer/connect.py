"""Makes a cluster's own pipelines and neural queries embed by this server: an HTTP connector and a remote model.

From OpenSearch 3.5 on one remote model serves both roles (``is_asymmetric``: neural search says which in the parameter
``content_type``). Before, nothing says the role, and there is a model for each.
"""

from __future__ import annotations

import ipaddress
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from antiphon.domain.role import Role
from antiphon.errors import AntiphonError, IllegalArgument, reason_of
from antiphon.remote import segment
from antiphon.transfer.journal import Journal
from antiphon.transfer.models import ML, SourceModel, deploy
from antiphon.transfer.preflight import cluster_settings
from antiphon.transfer.side import Floats, Side
from antiphon.transfer.vectors import PROBES, Agreement

_TRUSTED = "plugins.ml_commons.trusted_connector_endpoints_regex"
_PRIVATE = "plugins.ml_commons.connector.private_ip_enabled"
_NOT_IN_NAMES = re.compile(r"[^\w .,!?():@\-'/\"]", re.ASCII)
"""What 3.x refuses in names, such as the brackets of IPv6."""
_RESULT = "$.inference_results[*].output[0].data"


@dataclass(frozen=True, slots=True)
class _Way:
    """One remote model: ``roles`` it answers in; several are told apart by the caller's ``content_type``."""

    title: str
    roles: tuple[Role, ...]


def connect(
    model: SourceModel, address: str, target: Side, journal: Journal, *, apply_settings: bool
) -> dict[str, str]:
    """Make connectors and remote models there that ask this server at ``address``; return role -> model id.

    A second run finds what the first has made. The vectors that come through the cluster are compared with ours.
    """
    if target.antiphon:
        raise IllegalArgument(f"{target.name} embeds by itself and knows no connectors: `antiphon push` the model")
    if not (target.searches_by_roles or target.version >= (2, 9)):
        raise IllegalArgument(f"OpenSearch {target.number} cannot embed by connectors in pipelines: 2.9 or newer")
    journal.title(f"connect {target.name} with {model.name} at {address}")
    _allow(address, target, journal, apply_settings=apply_settings)
    made: dict[str, str] = {}
    for way in _ways(model, target):
        model_id = _remote_model(model, way, address, target, journal)
        if model_id is None:
            continue
        for role in way.roles:
            made[role.value if model.config.asymmetric else "both"] = model_id
            _compare(model, model_id, role, way, address, target, journal)
    return made


def _ways(model: SourceModel, target: Side) -> list[_Way]:
    if not model.config.asymmetric:
        return [_Way("", (Role.PASSAGE,))]
    if target.searches_by_roles:
        return [_Way("", (Role.QUERY, Role.PASSAGE))]
    return [_Way(f" {role.value}", (role,)) for role in (Role.QUERY, Role.PASSAGE)]


def _allow(address: str, target: Side, journal: Journal, *, apply_settings: bool) -> None:
    """Let the cluster call ``address``; AntiphonError when it may not and settings shall stay."""
    known = cluster_settings(target)
    trusted: Any = known.get(_TRUSTED, "[]")
    patterns = json.loads(trusted) if isinstance(trusted, str) and trusted.startswith("[") else []
    changes: list[tuple[str, Any, str]] = []
    if not any(re.search(pattern, f"{address}{ML}/") for pattern in patterns):
        own = f"^{re.escape(address)}/.*$"
        changes.append((_TRUSTED, [*patterns, own], f"add {own} to {_TRUSTED}"))
    if known.get(_PRIVATE) != "true" and _private(address):
        changes.append((_PRIVATE, "true", f"set {_PRIVATE} to true"))
    for name, value, what in changes:
        if not apply_settings:
            raise AntiphonError(f"{target.name} may not call {address}: {what}, or let --apply-settings do it")
        if journal.change(what):
            target.client.ask("PUT", "/_cluster/settings", {"persistent": {name: value}})


def _private(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host == "localhost"


def _remote_model(model: SourceModel, way: _Way, address: str, target: Side, journal: Journal) -> str | None:
    name = _NOT_IN_NAMES.sub("-", f"{model.name}{way.title} by Antiphon at {address}")
    wanted = _connector(model, way, name, address)
    connector_id = _find(target, "connectors", name, wanted["actions"])
    if connector_id is None:
        if not journal.change(f"create the connector [{name}]"):
            journal.change("create its remote model, and compare its vectors")
            return None
        connector_id = target.client.ask("POST", f"{ML}/connectors/_create", wanted)["connector_id"]
    query = {"bool": {"should": [{"term": {key: connector_id}} for key in ("connector_id", "connector_id.keyword")]}}
    answer = target.client.ask("POST", f"{ML}/models/_search", {"query": query, "size": 1})
    hits = answer["hits"]["hits"]
    if hits and hits[0]["_source"].get("model_state") == "DEPLOYED":
        journal.note(f"[{name}] is there as model {hits[0]['_id']}")
        return str(hits[0]["_id"])
    if hits:
        model_id = str(hits[0]["_id"])
    elif journal.change(f"create the remote model [{name}]"):
        body = _registration(model, way, name, connector_id)
        model_id = str(target.client.ask("POST", f"{ML}/models/_register", body)["model_id"])
    else:
        return None
    if journal.change(f"deploy {model_id}"):
        deploy(target, model_id, journal)
    return model_id


def _connector(model: SourceModel, way: _Way, name: str, address: str) -> dict[str, Any]:
    both = len(way.roles) > 1
    texts = "${parameters.texts}" if both else "${parameters.input}"
    role = "${parameters.content_type}" if both else way.roles[0].value
    asked = f', "parameters": {{"content_type": "{role}"}}' if model.config.asymmetric else ""
    rest = '"return_number": true, "target_response": ["sentence_embedding"]'
    action: dict[str, Any] = {
        "action_type": "PREDICT",
        "method": "POST",
        "url": f"{address}{ML}/models/{segment(str(model.model_id))}/_predict",
        "headers": {"Content-Type": "application/json"},
        "request_body": f'{{"text_docs": {texts}, {rest}{asked}}}',
        "post_process_function": "connector.post_process.default.embedding",
    }
    if not both:
        action["pre_process_function"] = "connector.pre_process.openai.embedding"
    return {
        "name": name,
        "description": "asks an Antiphon server for vectors",
        "version": "1",
        "protocol": "http",
        "credential": {"key": "none"},
        "parameters": {"response_filter": _RESULT},
        "actions": [action],
    }


def _registration(model: SourceModel, way: _Way, name: str, connector_id: str) -> dict[str, Any]:
    config: dict[str, Any] = {
        "model_type": "TEXT_EMBEDDING",
        "embedding_dimension": model.config.embedding_dimension,
        "framework_type": "SENTENCE_TRANSFORMERS",
    }
    if len(way.roles) > 1:
        space = (model.config.additional_config or {}).get("space_type", "cosinesimil")
        config["additional_config"] = {"space_type": space, "is_asymmetric": True}
    else:
        config["all_config"] = "{}"
    return {
        "name": name,
        "function_name": "remote",
        "description": "vectors of an Antiphon server",
        "connector_id": connector_id,
        "model_config": config,
    }


def _find(target: Side, kind: str, name: str, actions: list[dict[str, Any]]) -> str | None:
    """Return the id of the connector of that name that asks the same."""
    body = {"query": {"match_phrase": {"name": name}}, "size": 100}
    status, answer, _ = target.client.send("POST", f"{ML}/{kind}/_search", body)
    for hit in answer["hits"]["hits"] if status < 300 else []:
        there = hit["_source"].get("actions", [{}])[0]
        if hit["_source"].get("name") == name and all(there.get(key) == value for key, value in actions[0].items()):
            return str(hit["_id"])
    return None


def _compare(
    model: SourceModel, model_id: str, role: Role, way: _Way, address: str, target: Side, journal: Journal
) -> None:
    """Compare the vectors that come through the cluster with ours."""
    body: dict[str, Any] = {"text_docs": list(PROBES)}
    path = f"{ML}/_predict/text_embedding/{segment(model_id)}"
    if len(way.roles) > 1:
        body = {"parameters": {"texts": list(PROBES), "content_type": role.value}}
        path = f"{ML}/models/{segment(model_id)}/_predict"
    status, answer, _ = target.client.send("POST", path, body)
    if status >= 300:
        raise AntiphonError(
            f"{target.name} gets no vectors from {address}: {reason_of(answer)}. That must be where it reaches the "
            f"server that has [{model.model_id}]: see --address. What was made there stays, as model {model_id}"
        )
    results = answer["inference_results"]
    there: Floats = np.array([output["data"] for result in results for output in result["output"]], np.float32)
    agreement = Agreement.of(model.embed(PROBES, role), there)
    what = f"{role.value} vectors" if model.config.asymmetric else "vectors"
    journal.facts.setdefault("cosine", {})[f"{model.name} {role.value}"] = round(agreement.worst, 8)
    if agreement.same:
        journal.note(f"{what} through the cluster are ours, {len(PROBES)} texts: cosine {agreement.worst:.7f} or more")
    else:
        journal.fail(f"{what} through the cluster are not ours: cosine down to {agreement.worst:.4f}")

"""A model on its way to another server: found there or uploaded in chunks, deployed, and its vectors compared."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from antiphon.domain.model import ModelConfig
from antiphon.domain.role import Role
from antiphon.errors import AntiphonError, reason_of
from antiphon.remote import segment
from antiphon.transfer.journal import Journal
from antiphon.transfer.side import Floats, Side
from antiphon.transfer.vectors import LEAST_COSINE, PROBES, Agreement, Load, likely_cause
from antiphon.wire.model_config import read_config, render_config

ML = "/_plugins/_ml"
CHUNK_BYTES = 10_000_000
"""Size of an uploaded chunk, as opensearch-py-ml sends them."""
_WAIT_S = 900.0
_PAUSE_S = 0.2
"""Before a task is looked at again: the API has no way to be told when it ends."""
_DEPLOYED = ("DEPLOYED", "PARTIALLY_DEPLOYED")
_COMPARED = ("embedding_dimension", "query_prefix", "passage_prefix", "pooling", "normalize_result", "model_max_length")


@dataclass(slots=True)
class SourceModel:
    """A model here. ``model_id`` is its id on the source server, None for a package that is on none.

    ``zip`` fetches the package when it is first called for; ``embed`` gives this side's vectors of texts in a role;
    ``load`` makes an embedder of the package in this process.
    """

    name: str
    description: str | None
    config: ModelConfig
    sha256: str
    size_bytes: int
    model_id: str | None
    zip: Callable[[], Path]
    embed: Callable[[Sequence[str], Role], Floats]
    load: Load

    @property
    def roles(self) -> tuple[Role, ...]:
        """The roles to compare: both, or one that stands for none."""
        return (Role.QUERY, Role.PASSAGE) if self.config.asymmetric else (Role.PASSAGE,)


@dataclass(frozen=True, slots=True)
class Found:
    """A model there."""

    model_id: str
    state: str
    total_chunks: int | None
    config: ModelConfig


def find_model(side: Side, model: SourceModel) -> Found | None:
    """Return the model of the same package and configuration that is furthest, None when there is none."""
    query = {
        "bool": {
            "filter": [{"term": {"model_content_hash_value": model.sha256}}],
            "must_not": [{"exists": {"field": "chunk_number"}}],
        }
    }
    status, answer, _ = side.client.send("POST", f"{ML}/models/_search", {"query": query, "size": 100})
    if status == 404:  # no model was ever registered there
        return None
    if status >= 300:
        raise AntiphonError(f"the models of {side.name} cannot be searched: {reason_of(answer)}")
    found = [_found(hit["_id"], hit["_source"]) for hit in answer["hits"]["hits"] if "model_config" in hit["_source"]]
    same = [one for one in found if same_config(one.config, model.config)]
    order = (*_DEPLOYED, "DEPLOYING", "REGISTERED", "UNDEPLOYED", "DEPLOY_FAILED")
    ranked = sorted(same, key=lambda one: order.index(one.state) if one.state in order else len(order))
    return ranked[0] if ranked else None


def same_config(one: ModelConfig, other: ModelConfig) -> bool:
    """Whether two configurations of one package make the same vectors."""
    return all(getattr(one, key) == getattr(other, key) for key in _COMPARED)


def push_model(model: SourceModel, target: Side, journal: Journal, url: str | None = None) -> str | None:
    """Make the model available there and return its id there; None in a dry run when it is not there yet.

    It is uploaded in chunks, or with ``url`` fetched by the cluster from there. A broken upload goes on.
    """
    journal.title(f"model {model.name}, {model.size_bytes:,} bytes, SHA-256 {model.sha256[:12]}")
    found = find_model(target, model)
    if found is None and url is not None:
        model_id = _register_url(model, target, url, journal)
    elif found is None or found.state == "REGISTERING":
        model_id = _upload(model, target, found, journal)
    else:
        model_id = found.model_id
        journal.note(f"is registered there as {model_id}")
    if model_id is None:
        journal.change("deploy it, and compare its vectors")
        return None
    if found is None or found.state not in _DEPLOYED:
        if not journal.change(f"deploy {model_id}"):
            return model_id
        deploy(target, model_id, journal)
    elif _is_ready(model, target, model_id):
        journal.note("is deployed there")
    elif journal.change(f"deploy {model_id} again, which is deployed there and not ready"):
        _deploy(target, model_id, journal)
    compare_vectors(model, target, model_id, journal)
    return model_id


def _is_ready(model: SourceModel, target: Side, model_id: str) -> bool:
    """Whether a model that is said to be deployed answers: a node that has started anew may not have loaded it."""
    try:
        target.predict(model_id, PROBES[:1], model.roles[0].value if model.config.asymmetric else None)
    except AntiphonError as error:
        if "not ready" not in error.reason:
            raise
        return False
    return True


def compare_vectors(model: SourceModel, target: Side, model_id: str, journal: Journal) -> None:
    """Compare the vectors of both sides for each role; a difference fails, with its likely cause."""
    for role in model.roles:
        asked = role.value if model.config.asymmetric else None
        what = f"{role.value} vectors" if model.config.asymmetric else "vectors"
        here, there = model.embed(PROBES, role), target.predict(model_id, PROBES, asked)
        agreement = Agreement.of(here, there)
        journal.facts.setdefault("cosine", {})[f"{model.name} {role.value}"] = round(agreement.worst, 8)
        if agreement.same:
            journal.note(f"{what} are the same on both, {len(PROBES)} texts: cosine {agreement.worst:.7f} or more")
            continue
        cause = likely_cause(model.config, role, here, there, model.load)
        journal.fail(
            f"{what} of [{model_id}] differ there: cosine down to {agreement.worst:.4f}, {LEAST_COSINE} is wanted. "
            f"Likely cause: {cause}"
        )


def _found(model_id: str, document: dict[str, Any]) -> Found:
    config = read_config(document["model_config"], explicit=False)
    state = str(document.get("model_state"))
    state = "REGISTERING" if state == "UPLOADING" else state
    return Found(model_id, state, document.get("total_chunks"), config)


def _upload(model: SourceModel, target: Side, begun: Found | None, journal: Journal) -> str | None:
    total = -(-model.size_bytes // CHUNK_BYTES)
    resumed = begun is not None and begun.total_chunks == total
    if not journal.change(f"{'go on uploading it' if resumed else 'upload it'} in {total} chunks"):
        return None
    if begun is not None and resumed:
        model_id, here = begun.model_id, _chunks(target, begun.model_id)
    else:
        model_id, here = _begin(model, target, total), set()
    content = model.zip()
    waiting = sorted({*range(total)} - here | {total - 1})  # a cluster takes the last one for the end
    while waiting:
        number = waiting.pop(0)
        part = _part(content, number)
        path = f"{ML}/models/{segment(model_id)}/upload_chunk/{number}"
        answer = target.client.exchange("POST", path, part, {"content-type": "application/json"})
        missing = _uploaded(answer.status, answer.body, number)
        if missing is not None:  # an Antiphon server says which chunks it still waits for
            waiting = [one for one in waiting if one in missing]
        journal.on_progress("  uploading", total - len(waiting), total)
    return model_id


def _uploaded(status: int, body: bytes, number: int) -> set[int] | None:
    try:
        answer = json.loads(body)
    except ValueError:
        answer = body[:200].decode(errors="replace")
    if status >= 300:
        raise AntiphonError(f"chunk {number} was refused with {status}: {reason_of(answer)}; run it again to go on")
    return set(answer["missing_chunks"]) if "missing_chunks" in answer else None


def _part(content: Path, number: int) -> bytes:
    with content.open("rb") as file:
        file.seek(number * CHUNK_BYTES)
        return file.read(CHUNK_BYTES)


def _begin(model: SourceModel, target: Side, total: int) -> str:
    meta = _registration(model, target) | {"total_chunks": total}
    made: str = target.client.ask("POST", f"{ML}/models/_register_meta", meta)["model_id"]
    return made


def _chunks(target: Side, model_id: str) -> set[int]:
    """Return which chunks of an upload a cluster has; an Antiphon server shows none, and says it when one arrives."""
    query = {"bool": {"filter": [{"term": {"model_id": model_id}}, {"exists": {"field": "chunk_number"}}]}}
    body = {"query": query, "_source": ["chunk_number"], "size": 1000}
    hits = target.client.ask("POST", f"{ML}/models/_search", body)["hits"]["hits"]
    return {int(hit["_source"]["chunk_number"]) for hit in hits if "chunk_number" in hit["_source"]}


def _register_url(model: SourceModel, target: Side, url: str, journal: Journal) -> str | None:
    if not journal.change(f"register it from {url}"):
        return None
    task_id = target.client.ask("POST", f"{ML}/models/_register", _registration(model, target) | {"url": url})[
        "task_id"
    ]
    task = _follow(target, task_id, f"fetching {url}", journal)
    return str(task["model_id"])


def _registration(model: SourceModel, target: Side) -> dict[str, Any]:
    config = render_config(model.config)
    if target.version < (3, 1):
        config.pop("additional_config", None)  # its parser does not know the key
    return {
        "name": model.name,
        "version": "1.0.0",
        "description": model.description or "",
        "model_group_id": _group(target, model.name),
        "function_name": "TEXT_EMBEDDING",
        "model_format": "ONNX",
        "model_content_size_in_bytes": model.size_bytes,
        "model_content_hash_value": model.sha256,
        "model_config": config,
    }


def _group(target: Side, name: str) -> str:
    """Return the id of the group of that name, made when it is not there."""
    if found := _find_group(target, name):
        return found
    body = {"name": name, "description": "by antiphon push"}
    status, answer, _ = target.client.send("POST", f"{ML}/model_groups/_register", body)
    if status < 300:
        return str(answer["model_group_id"])
    if found := _find_group(target, name):  # somebody else has made it meanwhile
        return found
    raise AntiphonError(f"the model group [{name}] cannot be made on {target.name}: {reason_of(answer)}")


def _find_group(target: Side, name: str) -> str | None:
    body = {"query": {"bool": {"filter": [{"term": {"name.keyword": name}}]}}, "size": 1}
    status, answer, _ = target.client.send("POST", f"{ML}/model_groups/_search", body)
    hits = answer["hits"]["hits"] if status < 300 else []
    return str(hits[0]["_id"]) if hits else None


def deploy(target: Side, model_id: str, journal: Journal) -> None:
    """Deploy a model there and wait for it, also when somebody else is at it.

    AntiphonError with the task's text when it fails.
    """
    if not _deployed(target, model_id, journal):
        _deploy(target, model_id, journal)


def _deploy(target: Side, model_id: str, journal: Journal) -> None:
    answer = target.client.ask("POST", f"{ML}/models/{segment(model_id)}/_deploy")
    try:
        _follow(target, answer["task_id"], "deploying", journal)
    except AntiphonError:
        if not _deployed(target, model_id, journal):
            raise


def _deployed(target: Side, model_id: str, journal: Journal) -> bool:
    """Whether a model is deployed there, once nobody deploys it any more."""
    end = time.monotonic() + _WAIT_S
    while time.monotonic() < end:
        state = target.client.ask("GET", f"{ML}/models/{segment(model_id)}").get("model_state")
        if state != "DEPLOYING":
            return state in _DEPLOYED
        journal.on_progress("  deploying", 0, 0)
        journal.wait(_PAUSE_S)
    return False


def _follow(target: Side, task_id: str, doing: str, journal: Journal) -> dict[str, Any]:
    """Wait for a task; AntiphonError with its text when it fails."""
    end = time.monotonic() + _WAIT_S
    while time.monotonic() < end:
        task: dict[str, Any] = target.client.ask("GET", f"{ML}/tasks/{segment(task_id)}")
        if task["state"] == "COMPLETED":
            return task
        if task["state"] not in ("CREATED", "RUNNING"):
            raise AntiphonError(f"{doing} failed there ({task['state']}): {task.get('error')}")
        journal.on_progress(f"  {doing}", 0, 0)
        journal.wait(_PAUSE_S)
    raise AntiphonError(f"{doing} was not done after {_WAIT_S:g} s: GET {ML}/tasks/{task_id} tells more")

"""``/_plugins/_ml/profile``: which models and tasks a request wants, and how they print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from antiphon.domain.monitoring import Latency, ModelProfile, NodeProfile
from antiphon.wire.fields import Fields, without_nulls
from antiphon.wire.task import render_task

_ONNX_MEMORY_FACTOR = 1.5


@dataclass(frozen=True, slots=True)
class ProfileRequest:
    """Model and task ids; None means all, an empty set none. ``nodes`` empty means all."""

    models: frozenset[str] | None
    tasks: frozenset[str] | None
    nodes: tuple[str, ...] = ()


def read_profile(
    body: object, models: Sequence[str] | None, tasks: Sequence[str] | None
) -> tuple[ProfileRequest, list[str]]:
    """Return what path and body ask for; ``models``, ``tasks``: ids from the path, ``[]`` all, None not asked."""
    fields = Fields(body, "profile")
    all_models = bool(fields.boolean("return_all_models")) or models == []
    all_tasks = bool(fields.boolean("return_all_tasks")) or tasks == []
    model_ids = frozenset([*(models or ()), *(fields.words("model_ids") or ())])
    task_ids = frozenset([*(tasks or ()), *(fields.words("task_ids") or ())])
    nodes = fields.words("node_ids") or ()
    if models is None and tasks is None and not (all_models or all_tasks or model_ids or task_ids):
        all_models = all_tasks = True
    request = ProfileRequest(
        None if all_models and not model_ids else model_ids, None if all_tasks and not task_ids else task_ids, nodes
    )
    return request, fields.notices()


def render_profile(profile: NodeProfile, *, by_model: bool) -> dict[str, Any]:
    """Return the view by node, or with ``by_model`` (``?view=model``) by model; ``{}`` when there is nothing."""
    models = {item.model.model_id: _render_model(item, profile.node_id) for item in profile.models}
    tasks = {task.task_id: render_task(task) for task in profile.tasks}
    if by_model:
        return {"models": _by_model(profile, models, tasks)} if models else {}
    node = ({"models": models} if models else {}) | ({"tasks": tasks} if tasks else {})
    return {"nodes": {profile.node_id: node}} if node else {}


def _by_model(profile: NodeProfile, models: dict[str, Any], tasks: dict[str, Any]) -> dict[str, Any]:
    views = {}
    for model_id, shown in models.items():
        workers = {key: shown[key] for key in ("target_worker_nodes", "worker_nodes") if key in shown}
        rest = {key: value for key, value in shown.items() if key not in workers}
        own = {key: task for key, task in tasks.items() if task.get("model_id") == model_id}
        views[model_id] = workers | {"nodes": {profile.node_id: rest}} | ({"tasks": own} if own else {})
    return views


def _render_model(item: ModelProfile, node_id: str) -> dict[str, Any]:
    size = item.model.model_content_size_in_bytes
    memory = None if size is None else int(size * _ONNX_MEMORY_FACTOR)
    return without_nulls(
        [
            ("model_state", item.model.model_state),
            ("predictor", None if item.report is None else f"{item.report.engine} {item.report.engine_version}"),
            ("target_worker_nodes", list(item.model.planning_worker_nodes) or None),
            ("worker_nodes", [node_id] if item.loaded else None),
            ("model_inference_stats", _render_latency(item.inference)),
            ("predict_request_stats", _render_latency(item.request)),
            ("memory_size_estimation_cpu", memory),
            ("memory_size_estimation_gpu", memory),
            ("is_hidden", item.model.is_hidden or None),
            ("deploy_report", None if item.report is None else asdict(item.report)),
            ("encoder_stats", None if item.encoder is None else asdict(item.encoder)),
        ]
    )


def _render_latency(latency: Latency | None) -> dict[str, Any] | None:
    return None if latency is None else {key: round(value, 3) for key, value in asdict(latency).items()}

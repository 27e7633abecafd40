"""Handlers of ``_tasks``: background work on documents, listed, watched and cancelled."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from antiphon.domain.by_query import BackgroundTask, TaskEnd
from antiphon.domain.pattern import star_pattern
from antiphon.errors import RequestTimeout
from antiphon.rest.call import Call, Reply, Route
from antiphon.wire.by_query import render_task, render_task_get

_LIST = frozenset({
    "actions", "detailed", "nodes", "group_by", "parent_task_id", "wait_for_completion", "timeout",
})  # fmt: skip
_WAIT_S = 30.0
_LOOK_S = 0.05


def list_tasks(call: Call) -> Reply:
    """The tasks at work."""
    return Reply(_by_node(call, _wanted(call)))


def get(call: Call) -> Reply:
    """One task: how far it is, or what it came to; with ``wait_for_completion`` once it has ended."""
    background = call.node.background
    task = background.get(call.params["task_id"])
    if call.flag("wait_for_completion"):
        deadline = time.monotonic() + _WAIT_S
        while task.state is TaskEnd.RUNNING:
            if time.monotonic() > deadline:
                raise RequestTimeout(f"Timed out waiting for completion of task [{call.params['task_id']}]")
            background.wait(_LOOK_S)
            task = background.get(call.params["task_id"])
    return Reply(render_task_get(task, call.node.catalog.node_id(), call.node.ports.clock()))


def cancel(call: Call) -> Reply:
    """Let one task, or every one that matches, end after the batch at hand."""
    background = call.node.background
    if "task_id" in call.params:
        return Reply(_by_node(call, [background.cancel(call.params["task_id"])]))
    return Reply(_by_node(call, [background.cancel(background.task_id(task)) for task in _wanted(call)]))


def _wanted(call: Call) -> list[BackgroundTask]:
    patterns = [star_pattern(word) for word in call.query.get("actions", "*").split(",")]
    return [
        task
        for task in call.node.background.running()
        if any(pattern.fullmatch(task.asked.kind.action) for pattern in patterns)
    ]


def _by_node(call: Call, tasks: Sequence[BackgroundTask]) -> dict[str, Any]:
    node_id, now = call.node.catalog.node_id(), call.node.ports.clock()
    shown = {call.node.background.task_id(task): render_task(task, node_id, now) for task in tasks}
    if call.query.get("group_by") == "none":
        return {"tasks": list(shown.values())}
    if not shown:
        return {"nodes": {}}
    name = call.identity.node_name
    return {"nodes": {node_id: {"name": name, "roles": ["cluster_manager", "data", "ingest", "ml"], "tasks": shown}}}


BACKGROUND_TASK_ROUTES: tuple[Route, ...] = (
    Route("GET", "/_tasks", list_tasks, _LIST),
    Route("GET", "/_tasks/{task_id}", get, _LIST, heavy=True),
    Route("POST", "/_tasks/_cancel", cancel, _LIST),
    Route("POST", "/_tasks/{task_id}/_cancel", cancel, _LIST),
)

"""Handlers of ``_tasks``: background work on documents, listed, watched and cancelled."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from antiphon.domain.by_query import BackgroundTask, TaskEnd
from antiphon.domain.pattern import star_pattern
from antiphon.errors import IllegalArgument, MissingResource, RequestTimeout
from antiphon.rest.call import Call, Reply, Route
from antiphon.rest.node_names import ROLES, means_this_node
from antiphon.wire.by_query import render_task, render_task_get

_LIST = frozenset({
    "actions", "detailed", "nodes", "group_by", "parent_task_id", "wait_for_completion", "timeout",
})  # fmt: skip
_GROUPS = ("nodes", "parents", "none")
_WAIT_S = 30.0
_LOOK_S = 0.05


def list_tasks(call: Call) -> Reply:
    """The tasks at work."""
    _check_order(call)
    return Reply(_by_node(call, _wanted(call), detailed=call.flag("detailed")))


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
    _check_order(call)
    background = call.node.background
    if "task_id" in call.params:
        return Reply(_by_node(call, [background.cancel(call.params["task_id"])]))
    cancelled = []
    for task in _wanted(call):
        with suppress(MissingResource):  # it has just ended
            cancelled.append(background.cancel(background.task_id(task)))
    return Reply(_by_node(call, cancelled))


def _wanted(call: Call) -> list[BackgroundTask]:
    if not means_this_node(call, call.query.get("nodes", "")) or call.query.get("parent_task_id"):
        return []  # no task here is another's child
    patterns = [star_pattern(word) for word in call.query.get("actions", "*").split(",")]
    return [
        task
        for task in call.node.background.running()
        if any(pattern.fullmatch(task.asked.kind.action) for pattern in patterns)
    ]


def _check_order(call: Call) -> None:
    if (group_by := call.query.get("group_by", "nodes")) not in _GROUPS:
        raise IllegalArgument(f"[group_by] must be one of [nodes], [parents] or [none] but was [{group_by}]")


def _by_node(call: Call, tasks: Sequence[BackgroundTask], *, detailed: bool = False) -> dict[str, Any]:
    node_id, now = call.node.catalog.node_id(), call.node.ports.clock()
    shown = {call.node.background.task_id(task): render_task(task, node_id, now, detailed=detailed) for task in tasks}
    if (group_by := call.query.get("group_by", "nodes")) != "nodes":
        return {"tasks": shown if group_by == "parents" else list(shown.values())}
    if not shown:
        return {"nodes": {}}
    name = call.identity.node_name
    return {"nodes": {node_id: {"name": name, "roles": list(ROLES), "tasks": shown}}}


BACKGROUND_TASK_ROUTES: tuple[Route, ...] = (
    Route("GET", "/_tasks", list_tasks, _LIST),
    Route("GET", "/_tasks/{task_id}", get, _LIST, heavy=True),
    Route("POST", "/_tasks/_cancel", cancel, _LIST),
    Route("POST", "/_tasks/{task_id}/_cancel", cancel, _LIST),
)

"""An asynchronous task and its states, as ML Commons shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from antiphon.domain.model import Function
from antiphon.errors import Conflict


class TaskType(StrEnum):
    """The kinds of task this server runs."""

    REGISTER_MODEL = "REGISTER_MODEL"
    DEPLOY_MODEL = "DEPLOY_MODEL"


class TaskState(StrEnum):
    """States a task of ours can show. A register task never shows RUNNING: clients loop while CREATED."""

    CREATED = "CREATED"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"

    @property
    def done(self) -> bool:
        """True when nothing will change any more."""
        return self in (TaskState.COMPLETED, TaskState.FAILED)


TRANSITIONS: Mapping[tuple[TaskType, TaskState], frozenset[TaskState]] = {
    (TaskType.REGISTER_MODEL, TaskState.CREATED): frozenset({TaskState.COMPLETED, TaskState.FAILED}),
    (TaskType.DEPLOY_MODEL, TaskState.CREATED): frozenset({TaskState.RUNNING, TaskState.FAILED}),
    (TaskType.DEPLOY_MODEL, TaskState.RUNNING): frozenset({TaskState.COMPLETED, TaskState.FAILED}),
}
"""Which state may follow which, per kind; ``Task.to`` enforces it."""


@dataclass(frozen=True, slots=True)
class Task:
    """The task document. ``worker_node`` is an array under a singular name. Times in epoch milliseconds."""

    task_id: str
    task_type: TaskType
    state: TaskState
    create_time: int
    last_update_time: int
    worker_node: tuple[str, ...]
    function_name: Function = Function.TEXT_EMBEDDING
    model_id: str | None = None
    error: str | None = None
    is_async: bool = True

    def to(self, state: TaskState, **changes: Any) -> Task:
        """Return this task in ``state`` with ``changes``; Conflict when the transition is not allowed."""
        if state not in TRANSITIONS.get((self.task_type, self.state), frozenset()):
            raise Conflict(f"Task [{self.task_id}] cannot go from {self.state} to {state}")
        return replace(self, state=state, **changes)

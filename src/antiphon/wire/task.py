"""The task document."""

from __future__ import annotations

from typing import Any

from antiphon.domain.task import Task
from antiphon.wire.fields import without_nulls


def render_task(task: Task) -> dict[str, Any]:
    """Return the task document; ``worker_node`` is an array, and times are ``create_time``, not ``created_time``."""
    return without_nulls(
        [
            ("model_id", task.model_id),
            ("task_type", task.task_type),
            ("function_name", task.function_name),
            ("state", task.state),
            ("worker_node", list(task.worker_node)),
            ("create_time", task.create_time),
            ("last_update_time", task.last_update_time),
            ("error", task.error),
            ("is_async", task.is_async),
        ]
    )

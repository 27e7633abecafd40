"""Handlers of ``/_plugins/_ml/tasks``."""

from __future__ import annotations

from antiphon.domain.catalog_mappings import TASKS
from antiphon.errors import IllegalArgument, NotFound
from antiphon.rest.call import Call, Reply
from antiphon.rest.search import search_documents
from antiphon.rest.writes import delete_reply
from antiphon.wire.task import render_task

INDEX = ".plugins-ml-task"


def get(call: Call) -> Reply:
    """Read a task."""
    return Reply(render_task(call.node.tasks.get(call.params["task_id"])))


def delete(call: Call) -> Reply:
    """Delete a finished task."""
    task_id = call.params["task_id"]
    return delete_reply(INDEX, task_id, call.node.tasks.delete(task_id))


def search(call: Call) -> Reply:
    """Search tasks."""
    tasks = ((task.task_id, render_task(task), stored) for task, stored in call.node.catalog.tasks())
    return search_documents(call, INDEX, TASKS, tasks)


def cancel(call: Call) -> Reply:
    """Only remote batch jobs can be cancelled, and there are none here."""
    if call.node.catalog.task(call.params["task_id"]) is None:
        raise NotFound("Fail to find task")
    raise IllegalArgument("The task ID you provided does not have any associated batch job")

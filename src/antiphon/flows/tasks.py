"""Runs the long work of a request on its own thread and keeps the task document true, whatever happens."""

from __future__ import annotations

import json
import logging
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from antiphon.domain.task import Task, TaskState, TaskType
from antiphon.errors import AntiphonError, Conflict, NotFound, Unavailable
from antiphon.flows.configure import Configurator
from antiphon.flows.ports import Ports, Stored

Commit = Callable[[], dict[str, Any]]
"""The short end of a job: writes its result and returns what the task document gains; runs in one transaction."""

Job = Callable[[Task], Commit]
"""The long part; may raise any AntiphonError."""

_LIMITS = {
    TaskType.REGISTER_MODEL: "plugins.ml_commons.max_register_model_tasks_per_node",
    TaskType.DEPLOY_MODEL: "plugins.ml_commons.max_deploy_model_tasks_per_node",
}
_log = logging.getLogger("antiphon.tasks")


class TaskRunner:
    """Starts tasks, writes their ends, and fails those that a dead process left behind."""

    def __init__(self, ports: Ports, configurator: Configurator) -> None:
        self._ports = ports
        self._configurator = configurator
        self._pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="antiphon-task")
        self._running: Counter[TaskType] = Counter()
        self._lock = threading.Lock()

    def start(
        self, task_type: TaskType, job: Job, on_failure: Callable[[Task], None], *, model_id: str | None = None
    ) -> Task:
        """Store a CREATED task, hand ``job`` to the task threads and return; ``on_failure`` undoes what it wrote."""
        now = self._ports.clock()
        task = Task(
            task_id=self._ports.new_id(),
            task_type=task_type,
            state=TaskState.CREATED,
            create_time=now,
            last_update_time=now,
            worker_node=(self._ports.catalog.node_id(),),
            model_id=model_id,
        )
        self._ports.catalog.put_task(task)
        with self._lock:
            self._running[task_type] += 1
            over = self._running[task_type] > self._configurator.current.number(_LIMITS[task_type])
        try:
            self._pool.submit(self._run, task, _refused if over else job, on_failure)
        except RuntimeError:
            with self._lock:
                self._running[task_type] -= 1
            self._fail(task, Unavailable("the server is shutting down"), on_failure)
        return task

    def get(self, task_id: str) -> Task:
        """Return the task; NotFound when there is none."""
        task = self._ports.catalog.task(task_id)
        if task is None:
            raise NotFound("Failed to find task")
        return task

    def delete(self, task_id: str) -> Stored | None:
        """Delete a finished task; NotFound, or AntiphonError while it runs."""
        with self._ports.catalog.transaction():
            if not self.get(task_id).state.done:
                raise AntiphonError("Task cannot be deleted in running state. Try after some time.")
            return self._ports.catalog.delete_task(task_id)

    def running(self) -> int:
        """Return how many tasks are not finished."""
        with self._lock:
            return self._running.total()

    def fail_interrupted(self) -> int:
        """At start: every unfinished task belongs to a process that died; fail it with that reason."""
        reason = "the server stopped while this task was running; send the request again"
        left = [task for task, _ in self._ports.catalog.tasks() if not task.state.done]
        for task in left:
            self._fail(task, Unavailable(reason), None)
        return len(left)

    def fail_overdue(self) -> None:
        """Fail tasks older than ``ml_task_timeout_in_seconds``; their thread's result is discarded when it comes."""
        seconds = self._configurator.current.number("plugins.ml_commons.ml_task_timeout_in_seconds")
        now = self._ports.clock()
        for task, _ in self._ports.catalog.tasks():
            if not task.state.done and now - task.create_time > seconds * 1000:
                self._fail(task, Unavailable(f"timeout after {seconds:g} seconds"), None)

    def close(self) -> None:
        """Wait for running jobs; those not yet begun are failed at the next start."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self, task: Task, job: Job, on_failure: Callable[[Task], None]) -> None:
        try:
            if task.task_type is TaskType.DEPLOY_MODEL:
                task = self._write(task, TaskState.RUNNING)
            commit = job(task)
            with self._ports.catalog.transaction():
                self._write(task, TaskState.COMPLETED, **commit())
        except AntiphonError as error:
            self._fail(task, error, on_failure)
        except Exception as error:  # noqa: BLE001  a bug or the machine: the task must say so, never hang
            _log.exception("task %s", task.task_id)
            self._fail(task, AntiphonError(f"{type(error).__name__}: {error}"), on_failure)
        finally:
            with self._lock:
                self._running[task.task_type] -= 1

    def _write(self, task: Task, state: TaskState, **changes: Any) -> Task:
        with self._ports.catalog.transaction():
            current = self._ports.catalog.task(task.task_id) or task
            changed = current.to(state, last_update_time=self._ports.clock(), **changes)
            self._ports.catalog.put_task(changed)
        return changed

    def _fail(self, task: Task, error: AntiphonError, on_failure: Callable[[Task], None] | None) -> None:
        text = _root_reason(error)
        if task.task_type is TaskType.DEPLOY_MODEL:
            text = json.dumps(dict.fromkeys(task.worker_node, text), ensure_ascii=False)
        with self._ports.catalog.transaction():
            if on_failure is not None:
                on_failure(task)
            try:
                self._write(task, TaskState.FAILED, error=text)
            except Conflict:
                _log.warning("task %s had already ended; its late failure: %s", task.task_id, text)


def _refused(_: Task) -> Commit:
    raise AntiphonError("exceed max running task limit")


def _root_reason(error: AntiphonError) -> str:
    while error.cause is not None:
        error = error.cause
    return error.reason

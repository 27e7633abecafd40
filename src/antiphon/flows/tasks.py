"""Runs the long work of a request on its own thread and keeps the task document true, whatever happens."""

from __future__ import annotations

import json
import logging
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from antiphon.domain.task import Task, TaskState, TaskType
from antiphon.errors import AntiphonError, Conflict, NotFound, Unavailable
from antiphon.flows.configure import Configurator
from antiphon.flows.ports import Ports, Stored


class Outcome(Protocol):
    """The end of a job. ``write`` and the task's own end are one transaction; exactly one of the others follows."""

    def write(self) -> dict[str, Any]:
        """Write the result, and return what the task document gains."""

    def kept(self) -> None:
        """The transaction is durable: let go of what it replaced."""

    def lost(self) -> None:
        """The transaction did not happen, or was not begun: undo what is not in the catalog."""


Job = Callable[[Task], Outcome]
"""The long part; may raise any AntiphonError."""

Undo = Callable[[Task], None]
"""Undoes in the catalog what a failed job wrote; runs in the transaction that fails the task, at most once."""

_LIMITS = {
    TaskType.REGISTER_MODEL: "plugins.ml_commons.max_register_model_tasks_per_node",
    TaskType.DEPLOY_MODEL: "plugins.ml_commons.max_deploy_model_tasks_per_node",
}
_THREADS = 10
"""Of each kind of task: the highest limit that can be set."""

KEPT = 1000
"""Finished tasks that stay readable."""

_log = logging.getLogger("antiphon.tasks")


class TaskRunner:
    """Starts tasks, writes their ends, and fails those that a dead process left behind."""

    def __init__(self, ports: Ports, configurator: Configurator) -> None:
        self._ports = ports
        self._configurator = configurator
        self._pools = {kind: ThreadPoolExecutor(_THREADS, thread_name_prefix="antiphon-task") for kind in TaskType}
        self._in_turn = ThreadPoolExecutor(1, thread_name_prefix="antiphon-restore")
        self._running: Counter[TaskType] = Counter()
        self._undo: dict[str, Undo] = {}
        self._under_way: set[str] = set()
        self._lock = threading.Condition()

    def start(
        self, task_type: TaskType, job: Job, undo: Undo, *, model_id: str | None = None, in_turn: bool = False
    ) -> Task:
        """Store a CREATED task, hand ``job`` to the task threads and return.

        ``in_turn``: one after the other with its like, and exempt from the limit on running tasks.
        """
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
            over = not in_turn and self._running[task_type] > self._configurator.current.number(_LIMITS[task_type])
            self._undo[task.task_id] = undo
            self._under_way.add(task.task_id)
        try:
            pool = self._in_turn if in_turn else self._pools[task_type]
            pool.submit(self._run, task, _refused if over else job)
        except RuntimeError:
            self._fail(task, Unavailable("the server is shutting down"))
            self._forget(task)
        return task

    def get(self, task_id: str) -> Task:
        """Return the task; NotFound when there is none."""
        task = self._ports.catalog.task(task_id)
        if task is None:
            raise NotFound("Failed to find task")
        return task

    def wait(self, task_id: str) -> Task:
        """Return the task once it has ended, what follows from it has begun, or this runner is closed."""
        with self._lock:
            self._lock.wait_for(lambda: task_id not in self._under_way)
        return self.get(task_id)

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
            self._fail(task, Unavailable(reason))
        return len(left)

    def fail_overdue(self) -> None:
        """Fail tasks older than ``ml_task_timeout_in_seconds``; their thread's result is discarded when it comes."""
        seconds = self._configurator.current.number("plugins.ml_commons.ml_task_timeout_in_seconds")
        now = self._ports.clock()
        for task, _ in self._ports.catalog.tasks():
            if not task.state.done and now - task.create_time > seconds * 1000:
                self._fail(task, Unavailable(f"timeout after {seconds:g} seconds"))

    def forget_old(self) -> None:
        """Delete finished tasks beyond the newest ``KEPT``."""
        done = sorted(
            (task for task, _ in self._ports.catalog.tasks() if task.state.done), key=lambda task: task.last_update_time
        )
        with self._ports.catalog.transaction():
            for task in done[:-KEPT]:
                self._ports.catalog.delete_task(task.task_id)

    def close(self) -> None:
        """Wait for running jobs; those not yet begun are failed at the next start."""
        for pool in (*self._pools.values(), self._in_turn):
            pool.shutdown(wait=False, cancel_futures=True)
        for pool in (*self._pools.values(), self._in_turn):
            pool.shutdown(wait=True)
        with self._lock:  # of tasks that have not begun
            self._under_way.clear()
            self._lock.notify_all()

    def _run(self, task: Task, job: Job) -> None:
        try:
            if task.task_type is TaskType.DEPLOY_MODEL:
                task = self._write(task, TaskState.RUNNING)
            self._finish(task, job(task))
        except AntiphonError as error:
            self._fail(task, error)
        except Exception as error:  # noqa: BLE001  a bug or the machine: the task must say so, never hang
            _log.exception("task %s", task.task_id)
            self._fail(task, AntiphonError(f"{type(error).__name__}: {error}"))
        finally:
            self._forget(task)

    def _finish(self, task: Task, outcome: Outcome) -> None:
        """Write the result and the task's end together; a task that has ended meanwhile loses its result."""
        try:
            with self._ports.catalog.transaction():
                current = self._ports.catalog.task(task.task_id)
                if current is None or current.state.done:
                    raise Conflict(f"task [{task.task_id}] ended before its work did")
                self._write(task, TaskState.COMPLETED, **outcome.write())
        except BaseException:
            outcome.lost()
            raise
        outcome.kept()

    def _forget(self, task: Task) -> None:
        with self._lock:
            self._running[task.task_type] -= 1
            self._undo.pop(task.task_id, None)
            self._under_way.discard(task.task_id)
            self._lock.notify_all()

    def _write(self, task: Task, state: TaskState, **changes: Any) -> Task:
        with self._ports.catalog.transaction():
            current = self._ports.catalog.task(task.task_id) or task
            changed = current.to(state, last_update_time=self._ports.clock(), **changes)
            self._ports.catalog.put_task(changed)
        return changed

    def _fail(self, task: Task, error: AntiphonError) -> None:
        text = _root_reason(error)
        if task.task_type is TaskType.DEPLOY_MODEL:
            text = json.dumps(dict.fromkeys(task.worker_node, text), ensure_ascii=False, separators=(",", ":"))
        with self._lock:
            undo = self._undo.pop(task.task_id, None)
        with self._ports.catalog.transaction():
            if undo is not None:
                undo(task)
            try:
                self._write(task, TaskState.FAILED, error=text)
            except Conflict:
                _log.warning("task %s had already ended; its late failure: %s", task.task_id, text)


def _refused(_: Task) -> Outcome:
    raise AntiphonError("exceed max running task limit")


def _root_reason(error: AntiphonError) -> str:
    while error.cause is not None:
        error = error.cause
    return error.reason

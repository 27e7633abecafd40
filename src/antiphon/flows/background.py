"""Background tasks: long work on documents that goes on after a restart, can be watched, and can be cancelled."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from antiphon.domain.by_query import BackgroundTask, ByQuery, TaskEnd
from antiphon.domain.shapes import prepare
from antiphon.errors import AntiphonError, IllegalArgument, MissingResource
from antiphon.flows.ports import Ports

KIND = "background_task"
KEPT = 100
"""Finished tasks that stay readable."""

prepare(BackgroundTask)
_THREADS = 2
_LOOK_S = 0.05
_log = logging.getLogger("antiphon.background")


class Progress:
    """A task at work. ``note`` makes what has been done outlive the process (for a task that is kept)."""

    def __init__(self, task: BackgroundTask, keep: Callable[[BackgroundTask], None], stop: threading.Event) -> None:
        self.task = task
        self._keep = keep
        self._stop = stop
        self.cancel = threading.Event()

    @property
    def halted(self) -> bool:
        """True when the work is to end after this batch: cancelled, or the process stops."""
        return self.cancel.is_set() or self._stop.is_set()

    def note(self) -> None:
        """Remember how far the work is."""
        self._keep(self.task)


Work = Callable[[Progress], None]
"""Does what ``progress.task.asked`` says from where it is; raises AntiphonError."""


class BackgroundTasks:
    """Runs ``work`` for each task, a few at a time."""

    def __init__(self, ports: Ports, work: Work) -> None:
        self._ports = ports
        self._work = work
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="antiphon-background")
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._running: dict[int, Progress] = {}
        self._last = 0

    def run(self, asked: ByQuery) -> BackgroundTask:
        """Do the work in the caller's thread and return the finished task; raises what stopped it."""
        progress = self._begin(asked, keep=False)
        try:
            self._work(progress)
        finally:
            self._end(progress)
        return progress.task

    def start(self, asked: ByQuery) -> str:
        """Store a task, hand it to the background and return its id."""
        progress = self._begin(asked, keep=True)
        self.keep(progress.task)
        self._pool.submit(self._carry, progress)
        return self.task_id(progress.task)

    def resume(self, ready: Callable[[], bool] = lambda: True) -> int:
        """At start: go on with every task that a dead process left, once ``ready``; return how many."""
        left = [task for task in self._stored() if task.state is TaskEnd.RUNNING]
        for task in left:
            progress = Progress(task, self.keep, self._stop)
            with self._lock:
                self._running[task.number] = progress
            self._pool.submit(self._carry_on, progress, ready)
        return len(left)

    def get(self, task_id: str) -> BackgroundTask:
        """Return the task; MissingResource when there is none, IllegalArgument for what is no task's id."""
        number = self._number(task_id)
        with self._lock:
            running = self._running.get(number)
        if running is not None:
            return running.task
        body = self._ports.catalog.definition(KIND, str(number))
        if body is None:
            raise MissingResource(f"task [{task_id}] isn't running and hasn't stored its results")
        return msgspec.convert(body, BackgroundTask)

    def running(self) -> list[BackgroundTask]:
        """Return the tasks at work, oldest first."""
        with self._lock:
            return [self._running[number].task for number in sorted(self._running)]

    def cancel(self, task_id: str) -> BackgroundTask:
        """Let the task end after its batch; MissingResource when it does not run."""
        number = self._number(task_id)
        with self._lock:
            progress = self._running.get(number)
        if progress is None:
            raise MissingResource(f"task [{task_id}] is not found")
        progress.task.cancelled = True
        progress.cancel.set()
        return progress.task

    def task_id(self, task: BackgroundTask) -> str:
        """Return ``NODE:number``."""
        return f"{self._ports.catalog.node_id()}:{task.number}"

    def wait(self, seconds: float) -> None:
        """Return after so long, or at once when the process stops."""
        self._stop.wait(seconds)

    def close(self) -> None:
        """End running tasks after their batch; kept ones go on at the next start. Idempotent."""
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _begin(self, asked: ByQuery, *, keep: bool) -> Progress:
        with self._lock:
            if not self._last:
                self._last = max((task.number for task in self._stored()), default=0)
            self._last += 1
            task = BackgroundTask(self._last, asked, self._ports.clock())
            progress = Progress(task, self.keep if keep else lambda _: None, self._stop)
            self._running[task.number] = progress
        return progress

    def _carry_on(self, progress: Progress, ready: Callable[[], bool]) -> None:
        """Models that the work may need are loaded anew after a start: wait for them."""
        while not ready() and not self._stop.wait(_LOOK_S):
            pass
        if self._stop.is_set():
            self._end(progress)
        else:
            self._carry(progress)

    def _carry(self, progress: Progress) -> None:
        task = progress.task
        try:
            self._work(progress)
            if self._stop.is_set() and not progress.cancel.is_set():
                return  # it stays RUNNING in the catalog and goes on at the next start
            task.state = TaskEnd.CANCELLED if progress.cancel.is_set() else TaskEnd.COMPLETED
        except AntiphonError as error:
            task.state, task.error = TaskEnd.FAILED, {"type": error.type, "reason": error.reason}
        except Exception as error:  # noqa: BLE001  a bug or the machine: the task must say so, never hang
            _log.exception("background task %s", task.number)
            task.state, task.error = TaskEnd.FAILED, {"type": "exception", "reason": f"{type(error).__name__}: {error}"}
        finally:
            self._end(progress)
        self.keep(task)
        self._forget_old()

    def _end(self, progress: Progress) -> None:
        progress.task.ended_ms = self._ports.clock()
        with self._lock:
            self._running.pop(progress.task.number, None)

    def keep(self, task: BackgroundTask) -> None:
        """Make the task as it is outlive the process."""
        body: dict[str, Any] = msgspec.to_builtins(task)
        self._ports.catalog.put_definition(KIND, str(task.number), body)

    def _stored(self) -> list[BackgroundTask]:
        return [msgspec.convert(body, BackgroundTask) for _, body in self._ports.catalog.definitions(KIND)]

    def _forget_old(self) -> None:
        done = sorted(task.number for task in self._stored() if task.state is not TaskEnd.RUNNING)
        for number in done[:-KEPT]:
            self._ports.catalog.delete_definition(KIND, str(number))

    def _number(self, task_id: str) -> int:
        node, colon, word = task_id.partition(":")
        if not colon or not word.isdecimal():
            raise IllegalArgument(f"malformed task id {task_id}")
        if node != self._ports.catalog.node_id():
            raise MissingResource(f"task [{task_id}] isn't running and hasn't stored its results")
        return int(word)

"""Carries waiting texts to the engine; what runs next, and where, is decided in ``batching``.

A lone query runs on all threads, in its caller's own thread, without a single switch. Everything else runs in a
pool of one thread per lane: whenever texts arrive or a batch is done, the next steps are started. Callers who were just
answered together ask again together: the first of them waits a moment for the others.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from antiphon.domain.deployment import EncoderStats
from antiphon.encode.batching import Waiting, longest_first, next_step
from antiphon.encode.tokenize import Tokens
from antiphon.errors import AntiphonError, InferenceError, QueueFull, TooLarge, Unavailable

_GUESTS_S = 1.0
"""So long after a small request, large ones run in small parts: the next small one waits a quarter as long."""
_GATHER_S = 0.002
"""How long after a run those who were in it are waited for: a run for one of them would take longer."""
_SMALL = 4
"""A request is small when all its texts fit into this part of the budget, and small parts are of this size."""

Row = TypeVar("Row")
RowOut = TypeVar("RowOut", covariant=True)


class RunBatch(Protocol[RowOut]):
    """Returns one row per text. On a lane it may overlap runs on other lanes, on all threads (None) it is alone."""

    def __call__(self, tokens: Sequence[Tokens], lane: int | None, /) -> Sequence[RowOut]:
        """Run one batch."""


class _Request(Generic[Row]):
    """One caller's texts, longest first; ``rows`` are in the caller's order."""

    def __init__(self, tokens: Sequence[Tokens], cost: Callable[[int], int], lock: threading.Lock) -> None:
        self.order = longest_first([len(one.ids) for one in tokens])
        self.tokens = [tokens[position] for position in self.order]
        self.lengths = [cost(len(one.ids)) for one in self.tokens]
        self.cost = sum(self.lengths)
        self.rows: list[Row | None] = [None] * len(tokens)
        self.started = 0  # texts handed to the engine so far
        self.missing = len(tokens)  # texts without a row
        self.error: BaseException | None = None
        self.changed = threading.Condition(lock)

    @property
    def done(self) -> bool:
        return self.missing == 0 or self.error is not None

    @property
    def waits(self) -> bool:
        return self.error is None and self.started < len(self.tokens)

    def take(self, count: int) -> tuple[int, int]:
        """Hand out the next ``count`` texts as (from, to)."""
        begin = self.started
        self.started += count
        return begin, self.started

    def put(self, begin: int, rows: Sequence[Row]) -> None:
        """Store the rows of the texts from ``begin`` on, and wake the caller when they were the last."""
        for position, row in zip(self.order[begin : begin + len(rows)], rows, strict=True):
            self.rows[position] = row
        self.missing -= len(rows)
        if self.done:
            self.changed.notify()

    def fail(self, error: BaseException) -> None:
        """End the request with ``error``, unless it has ended."""
        if not self.done:
            self.error = error
            self.changed.notify()


_Portion = tuple[_Request[Row], int, int]
"""A request and which of its texts (from, to) are in a batch."""


@dataclass(frozen=True, slots=True)
class _Run(Generic[Row]):
    """A batch about to run, and the lanes it holds: one, or all of them for a run on all threads."""

    portions: list[_Portion[Row]]
    lanes: list[int]
    alone: bool


class Worker(Generic[Row]):
    """Runs texts through ``run_batch``, at most ``budget`` padded tokens at once, for many callers at once.

    ``cost`` is the padded length of a text of so many tokens and must not fall as they grow. With ``widen`` there is
    one lane until more is to do than one run does: then it is called once, beside the runs, and makes all lanes, or
    returns False. ``gather_s`` is how long after a run those who were in it are waited for.
    """

    def __init__(
        self,
        run_batch: RunBatch[Row],
        *,
        lanes: int,
        cost: Callable[[int], int],
        budget: int,
        max_queue_texts: int,
        widen: Callable[[], bool] | None = None,
        gather_s: float = _GATHER_S,
    ) -> None:
        self._run_batch = run_batch
        self._gather_s = gather_s
        self._cost = cost
        self._budget = budget
        self._max_queue_texts = max_queue_texts
        self._most_lanes = max(1, lanes)
        self._lanes = self._most_lanes if widen is None else 1
        self._free = list(range(self._lanes))
        self._widen = widen
        self._is_wide = widen is None
        self._pool = ThreadPoolExecutor(self._most_lanes, thread_name_prefix="encode")
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._waiting: list[_Request[Row]] = []
        self._fresh_first = True
        self._guests_until = 0.0
        self._companions = 0
        self._gather_until = 0.0
        self._closed = False
        self._reserved = 0
        self._stats = EncoderStats()

    def run(self, count: int, tokenize: Callable[[], Sequence[Tokens]]) -> tuple[list[Row], list[Tokens]]:
        """Return the rows and tokens of the ``count`` texts that ``tokenize`` makes, in their order.

        Raises TooLarge when the texts would never fit into the queue, QueueFull when they do not fit beside those
        that wait, both before any work; Unavailable after ``close``, and what ``tokenize`` or the engine raise.
        """
        self._reserve(count)
        try:
            tokens = list(tokenize())
            rows = self._carry(_Request(tokens, self._cost, self._lock)) if tokens else []
        finally:
            with self._lock:
                self._reserved -= count
                self._idle.notify_all()
        self._count(tokens)
        return rows, tokens

    def stats(self) -> EncoderStats:
        """Counters so far; ``queued_texts`` are those of requests not answered yet."""
        with self._lock:
            return replace(self._stats, queued_texts=self._reserved)

    def beside(self, task: Callable[[], None]) -> None:
        """Have ``task`` done in the pool, beside the runs, unless the pool or the interpreter is shutting down."""
        try:
            self._pool.submit(task)
        except RuntimeError:
            return

    def close(self) -> None:
        """Refuse new requests and return when all others are answered and nothing runs. Idempotent."""
        with self._lock:
            self._closed = True
            self._idle.wait_for(lambda: self._reserved == 0 and len(self._free) == self._lanes)
        self._pool.shutdown()

    def _reserve(self, count: int) -> None:
        with self._lock:
            if self._closed:
                raise Unavailable("This model is being undeployed: deploy it again to use it")
            if count > self._max_queue_texts:
                raise TooLarge(
                    f"{count} texts in one request are over the limit of {self._max_queue_texts}: send fewer at once, "
                    "or start the server with a larger max_queue_texts"
                )
            if self._reserved + count > self._max_queue_texts:
                self._stats = replace(self._stats, rejected_requests=self._stats.rejected_requests + 1)
                raise QueueFull(
                    f"{self._reserved} texts are waiting and {count} more do not fit into the queue of "
                    f"{self._max_queue_texts}: send the request again later, or send fewer texts at once"
                )
            self._reserved += count

    def _carry(self, request: _Request[Row]) -> list[Row]:
        with self._lock:
            idle = len(self._free) == self._lanes
            crowded = bool(self._waiting) or not idle
            self._waiting.append(request)
            if request.cost <= self._budget // _SMALL:
                self._guests_until = time.monotonic() + _GUESTS_S
            if crowded or request.cost > self._budget:
                self._ask_for_lanes()
            own = self._lead() if idle else None
        while True:
            if own is not None:
                self._run(own)
            with self._lock:
                if request.done:
                    break
                try:
                    request.changed.wait(self._gathering())
                except BaseException:  # interrupted while it waited
                    if request in self._waiting:
                        self._waiting.remove(request)
                    self._go_on()
                    raise
                own = self._lead() if request.waits and len(self._free) == self._lanes else None
        if request.error is not None:
            raise _own(request.error)
        return [row for row in request.rows if row is not None]

    def _lead(self) -> _Run[Row] | None:
        """Take the next batch for the thread at hand if it is on all threads, and start others. The lock is held."""
        own = self._next()
        if own is not None and not own.alone:
            self._submit(own)
            own = None
        self._start()
        return own

    def _go_on(self) -> None:
        """Start all that can start, or let the first who waits see to it when the time to gather is over."""
        self._start()
        if self._gathering() is not None:
            self._waiting[0].changed.notify()

    def _gathering(self) -> float | None:
        """The seconds that who waits is to wait for companions; None when they are there. The lock is held.

        They are waited for while nothing runs, and only by small requests.
        """
        few = 0 < len(self._waiting) < self._companions
        if not few or len(self._free) < self._lanes or sum(one.cost for one in self._waiting) > self._budget:
            return None
        left = self._gather_until - time.monotonic()
        return left if left > 0 else None

    def _ask_for_lanes(self) -> None:
        """Have the lanes made, the first time only. The lock is held."""
        widen, self._widen = self._widen, None
        if widen is not None:
            self.beside(lambda: self._make_lanes(widen))

    def _make_lanes(self, widen: Callable[[], bool]) -> None:
        made = widen()
        with self._lock:
            self._is_wide = made
            self._take_lanes()
            self._start()

    def _take_lanes(self) -> None:
        """Use lanes that are ready as soon as nothing runs: a run on all threads is alone. The lock is held."""
        if self._is_wide and self._lanes < self._most_lanes and len(self._free) == self._lanes:
            self._free += range(self._lanes, self._most_lanes)
            self._lanes = self._most_lanes

    def _start(self) -> None:
        """Start all that can start. The lock is held."""
        while (run := self._next()) is not None:
            self._submit(run)

    def _submit(self, run: _Run[Row]) -> None:
        try:
            self._pool.submit(self._run, run)
        except RuntimeError:  # the interpreter is shutting down
            for request, _, _ in run.portions:
                request.fail(Unavailable("The process is shutting down"))
            self._free += run.lanes

    def _next(self) -> _Run[Row] | None:
        """Take the next batch off the queue, unless others are waited for; whoever had a turn goes to its end."""
        if not self._waiting or self._gathering() is not None:
            return None
        views = [Waiting(one.lengths[one.started :], fresh=one.started == 0) for one in self._waiting]
        large = any(one.cost > self._budget for one in self._waiting)
        guests = large and time.monotonic() < self._guests_until
        budget = self._budget // _SMALL if guests else self._budget
        step = next_step(views, budget, fresh_first=self._fresh_first, lanes=self._lanes, free=len(self._free))
        if step is None:
            return None
        turned = {one.request for one in step.slices}
        portions = [(self._waiting[one.request], *self._waiting[one.request].take(one.count)) for one in step.slices]
        kept = [one for i, one in enumerate(self._waiting) if i not in turned]
        self._waiting = kept + [one for one, _, _ in portions if one.waits]
        self._fresh_first = not views[step.slices[0].request].fresh
        self._stats = replace(self._stats, batches=self._stats.batches + 1)
        lanes = self._free if step.alone else [self._free[-1]]
        self._free = [lane for lane in self._free if lane not in lanes]
        return _Run(portions, lanes, step.alone)

    def _run(self, run: _Run[Row]) -> None:
        try:
            self._execute(run.portions, None if run.alone else run.lanes[0])
        except BaseException as error:  # an interrupt in a caller's thread must not strand anyone
            self._fail(run.portions, error)
            raise
        finally:
            with self._lock:
                self._free += run.lanes
                self._companions = len(run.portions) + len(self._waiting) if run.alone else 0
                self._gather_until = time.monotonic() + self._gather_s
                self._take_lanes()
                self._go_on()
                self._idle.notify_all()

    def _execute(self, portions: list[_Portion[Row]], lane: int | None) -> None:
        """Run one batch; when it fails, run each request's part alone so that only the culprit fails."""
        try:
            tokens = [one for request, begin, end in portions for one in request.tokens[begin:end]]
            rows = self._run_batch(tokens, lane)
            if len(rows) != len(tokens):
                raise InferenceError(f"The engine answered {len(tokens)} texts with {len(rows)} vectors")
        except Exception as error:  # noqa: BLE001  it belongs to the request, whatever it is
            if len(portions) == 1:
                self._fail(portions, error)
            else:
                for portion in portions:
                    self._execute([portion], lane)
            return
        with self._lock:
            start = 0
            for request, begin, end in portions:
                request.put(begin, rows[start : start + end - begin])
                start += end - begin

    def _fail(self, portions: list[_Portion[Row]], error: BaseException) -> None:
        with self._lock:
            for request, _, _ in portions:
                request.fail(error)
            self._waiting = [one for one in self._waiting if not one.done]

    def _count(self, tokens: Sequence[Tokens]) -> None:
        cut = [one.lost for one in tokens if one.lost]
        with self._lock:
            self._stats = replace(
                self._stats,
                texts=self._stats.texts + len(tokens),
                tokens=self._stats.tokens + sum(len(one.ids) for one in tokens),
                truncated_texts=self._stats.truncated_texts + len(cut),
                truncated_tokens=self._stats.truncated_tokens + sum(cut),
            )


def _own(error: BaseException) -> BaseException:
    """The error as one of ours, with its cause attached."""
    if isinstance(error, AntiphonError):
        return error
    wrapped = InferenceError(f"The engine failed: {error}")
    wrapped.__cause__ = error
    return wrapped

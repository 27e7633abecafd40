"""Carries waiting texts to the engine, one batch at a time; what goes into a batch is decided in ``batching``.

There is no thread of its own. The caller who finds the engine free becomes its driver and runs batches, other
callers' texts included, until its own are done; then it hands the wheel to the first one who still waits. A
lone query thus runs in its caller's thread, without a single switch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Generic, TypeVar

from antiphon.domain.deployment import EncoderStats
from antiphon.encode.batching import Slice, Waiting, longest_first, next_batch
from antiphon.encode.tokenize import Tokens
from antiphon.errors import AntiphonError, InferenceError, QueueFull, Unavailable

Row = TypeVar("Row")


class _Request(Generic[Row]):
    """One caller's texts, longest first; ``rows`` are in the caller's order."""

    def __init__(self, tokens: Sequence[Tokens], cost: Callable[[int], int], lock: threading.Lock) -> None:
        self.order = longest_first([len(one.ids) for one in tokens])
        self.tokens = [tokens[position] for position in self.order]
        self.lengths = [cost(len(one.ids)) for one in self.tokens]
        self.rows: list[Row | None] = [None] * len(tokens)
        self.started = 0  # texts handed to the engine so far
        self.missing = len(tokens)  # texts without a row
        self.error: BaseException | None = None
        self.drives = False
        self.changed = threading.Condition(lock)

    @property
    def done(self) -> bool:
        return self.missing == 0 or self.error is not None

    @property
    def waits(self) -> bool:
        return self.error is None and self.started < len(self.tokens)


_Portion = tuple[_Request[Row], int, int]
"""A request and which of its texts (from, to) are in the batch."""


class Worker(Generic[Row]):
    """Runs texts through ``run_batch``, at most ``budget`` padded tokens at once, for many callers at once.

    ``run_batch`` returns one row per text; it is never called by two threads at the same time. ``cost`` is the
    padded length of a text of so many tokens and must not fall as they grow.
    """

    def __init__(
        self,
        run_batch: Callable[[Sequence[Tokens]], Sequence[Row]],
        *,
        cost: Callable[[int], int],
        budget: int,
        max_queue_texts: int,
    ) -> None:
        self._run_batch = run_batch
        self._cost = cost
        self._budget = budget
        self._max_queue_texts = max_queue_texts
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._waiting: list[_Request[Row]] = []
        self._driven = False
        self._fresh_first = True
        self._closed = False
        self._reserved = 0
        self._stats = EncoderStats()

    def run(self, count: int, tokenize: Callable[[], Sequence[Tokens]]) -> tuple[list[Row], list[Tokens]]:
        """Return the rows and tokens of the ``count`` texts that ``tokenize`` makes, in their order.

        Raises QueueFull before any work when the texts do not fit beside those that wait (a request that finds
        nothing waiting is always let in), Unavailable after ``close``, and what ``tokenize`` or the engine raise.
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

    def close(self) -> None:
        """Refuse new requests and return when all others are answered. Idempotent."""
        with self._lock:
            self._closed = True
            self._idle.wait_for(lambda: self._reserved == 0)

    def _reserve(self, count: int) -> None:
        with self._lock:
            if self._closed:
                raise Unavailable("This model is being undeployed: deploy it again to use it")
            if self._reserved and self._reserved + count > self._max_queue_texts:
                self._stats = replace(self._stats, rejected_requests=self._stats.rejected_requests + 1)
                raise QueueFull(
                    f"{self._reserved} texts are waiting and {count} more do not fit into the queue of "
                    f"{self._max_queue_texts}: send the request again later, or send fewer texts at once"
                )
            self._reserved += count

    def _carry(self, request: _Request[Row]) -> list[Row]:
        with self._lock:
            self._waiting.append(request)
            try:
                if self._driven:
                    request.changed.wait_for(lambda: request.done or request.drives)
                else:
                    self._driven = request.drives = True
            except BaseException:  # interrupted while it waited
                self._leave(request)
                raise
        if request.drives:
            self._drive(request)
        if request.error is not None:
            raise _own(request.error)
        return [row for row in request.rows if row is not None]

    def _drive(self, own: _Request[Row]) -> None:
        """Run batches until ``own`` is done, then let the first waiting request drive."""
        batch: list[_Portion[Row]] = []
        try:
            while not own.done:
                with self._lock:
                    batch = self._next()
                self._run(batch)
        except BaseException as error:  # an interrupt in this thread must not strand the others
            self._fail(batch, error)
            raise
        finally:
            with self._lock:
                self._leave(own)

    def _leave(self, request: _Request[Row]) -> None:
        """Take ``request`` off the queue; if it drives, the first waiting one drives on. The lock is held."""
        if request in self._waiting:
            self._waiting.remove(request)
        if request.drives:
            request.drives = self._driven = False
            if self._waiting:
                self._driven = self._waiting[0].drives = True
                self._waiting[0].changed.notify()

    def _next(self) -> list[_Portion[Row]]:
        """Take the next batch off the queue; whoever had a turn goes to its end."""
        views = [Waiting(one.lengths[one.started :], fresh=one.started == 0) for one in self._waiting]
        slices = next_batch(views, self._budget, fresh_first=self._fresh_first)
        portions = [self._take(one) for one in slices]
        self._fresh_first = not views[slices[0].request].fresh
        turned = {one.request for one in slices}
        kept = [one for i, one in enumerate(self._waiting) if i not in turned]
        self._waiting = kept + [one for one, _, _ in portions if one.waits]
        self._stats = replace(self._stats, batches=self._stats.batches + 1)
        return portions

    def _take(self, part: Slice) -> _Portion[Row]:
        request = self._waiting[part.request]
        begin = request.started
        request.started += part.count
        return request, begin, request.started

    def _run(self, batch: list[_Portion[Row]]) -> None:
        """Run one batch; when it fails, run each request's part alone so that only the culprit fails."""
        try:
            rows = self._run_batch([one for request, begin, end in batch for one in request.tokens[begin:end]])
        except Exception as error:  # noqa: BLE001  it belongs to the request, whatever it is
            if len(batch) == 1:
                self._fail(batch, error)
            else:
                for portion in batch:
                    self._run([portion])
            return
        with self._lock:
            start = 0
            for request, begin, end in batch:
                for position, row in zip(request.order[begin:end], rows[start : start + end - begin], strict=True):
                    request.rows[position] = row
                start += end - begin
                request.missing -= end - begin
                if request.done:
                    request.changed.notify()

    def _fail(self, batch: list[_Portion[Row]], error: BaseException) -> None:
        with self._lock:
            for request, _, _ in batch:
                if not request.done:
                    request.error = error
                    request.changed.notify()
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
    """The error as one of ours; a fresh object per caller, because a traceback belongs to one thread."""
    if isinstance(error, AntiphonError):
        return error
    if isinstance(error, Exception):
        wrapped = InferenceError(f"The engine failed: {error}")
    else:
        wrapped = InferenceError(
            f"The call that ran this batch was interrupted ({type(error).__name__}): send it again"
        )
    wrapped.__cause__ = error
    return wrapped

"""What outlives a search: scrolls and points in time, each holding snapshots until it expires or is let go."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from antiphon.domain.index import Index
from antiphon.domain.setting import time_seconds
from antiphon.errors import IllegalArgument, QueueFull, SearchContextMissing, SearchPhaseError
from antiphon.flows.ports import Snapshot

MAX_KEEP_ALIVE_MS = 24 * 3_600_000
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Opened:
    """One index of a search: its definition and a snapshot of it. ``filter`` is what the alias that was named adds."""

    index: Index
    snapshot: Snapshot
    filter: Mapping[str, Any] | None = None


@dataclass(slots=True)
class Context(Generic[T]):
    """``content`` with the snapshots that are closed once the context is dropped and nobody is using it.

    ``created_ms``, ``expires_ms`` are epoch milliseconds, ``keep_alive_ms`` how long each use prolongs it.
    """

    id: str
    content: T
    snapshots: Sequence[Snapshot]
    created_ms: int
    expires_ms: int
    keep_alive_ms: int
    users: int = 0
    dropped: bool = False
    turn: threading.Lock = field(default_factory=threading.Lock)


class Contexts(Generic[T]):
    """Contexts of one kind by id; thread-safe. ``name``, ``setting`` and ``limit`` are for the error of too many."""

    def __init__(
        self, name: str, limit: Callable[[], int], setting: str, new_id: Callable[[], str], node_id: str
    ) -> None:
        self._name = name
        self._limit = limit
        self._setting = setting
        self._new_id = new_id
        self._node_id = node_id
        self._lock = threading.Lock()
        self._held: dict[str, Context[T]] = {}

    def open(self, content: T, snapshots: Sequence[Snapshot], keep_alive_ms: int, now_ms: int) -> Context[T]:
        """Keep a new context; QueueFull (429) when there are too many. The caller closes the snapshots then."""
        self.expire(now_ms)
        with self._lock:
            if len(self._held) >= self._limit():
                raise SearchPhaseError(self._too_many(), self._node_id)
            opened = Context(self._new_id(), content, snapshots, now_ms, now_ms + keep_alive_ms, keep_alive_ms)
            self._held[opened.id] = opened
        return opened

    @contextmanager
    def use(self, context_id: str, keep_alive_ms: int | None, now_ms: int) -> Iterator[Context[T]]:
        """Hold a context open for one request and prolong it; SearchContextMissing, wrapped, when it is gone."""
        self.expire(now_ms)
        with self._lock:
            held = self._held.get(context_id)
            if held is None:
                missing = SearchContextMissing(f"No search context found for id [{context_id}]")
                raise SearchPhaseError(missing, self._node_id)
            held.users += 1
            if keep_alive_ms is not None:
                held.keep_alive_ms = keep_alive_ms
            held.expires_ms = max(held.expires_ms, now_ms + held.keep_alive_ms)
        try:
            yield held
        finally:
            with self._lock:
                held.users -= 1
                done = held.dropped and not held.users
            if done:
                _close(held)

    def free(self, ids: Sequence[str]) -> list[str]:
        """Drop these contexts and return the ids of those that there were."""
        with self._lock:
            found = [self._held.pop(context_id) for context_id in dict.fromkeys(ids) if context_id in self._held]
            idle = [context for context in found if self._drop(context)]
        for context in idle:
            _close(context)
        return [context.id for context in found]

    def free_all(self) -> list[str]:
        """Drop every context and return their ids."""
        return self.free([context.id for context in self.all()])

    def all(self) -> list[Context[T]]:
        """Return the contexts, oldest first."""
        with self._lock:
            return list(self._held.values())

    def expire(self, now_ms: int) -> int:
        """Drop what nobody used for its keep-alive; return how many."""
        late = [held.id for held in self.all() if held.expires_ms <= now_ms and not held.users]
        return len(self.free(late))

    def _drop(self, context: Context[T]) -> bool:
        context.dropped = True
        return not context.users

    def _too_many(self) -> QueueFull:
        return QueueFull(
            f"Trying to create too many {self._name} contexts. Must be less than or equal to: [{self._limit()}]. This "
            f"limit can be set by changing the [{self._setting}] setting."
        )


def keep_alive_ms(name: str, text: str) -> int:
    """Return the milliseconds of a keep-alive such as ``5m``; IllegalArgument or ParseError when it is none."""
    milliseconds = int(time_seconds(name, text) * 1000)
    if milliseconds <= 0:
        raise IllegalArgument(f"[{name}] must be a positive time such as [1m], but was [{text}]")
    if milliseconds > MAX_KEEP_ALIVE_MS:
        raise IllegalArgument(
            f"Keep alive for request ({text}) is too large. It must be less than (24h). This limit can be set by "
            "changing the [search.max_keep_alive] cluster level setting."
        )
    return milliseconds


def _close(context: Context[T]) -> None:
    for snapshot in context.snapshots:
        snapshot.close()

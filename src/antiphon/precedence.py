"""Who goes first when Python has work for several threads: a search before a bulk.

The interpreter runs one thread at a time and knows no priorities, so long loops over documents ask between two of them.
It is one interpreter, hence one ``SEARCHES`` per process.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from typing import Self, TypeVar

T = TypeVar("T")

_PATIENCE_S = 0.02
"""How long a loop waits at once: much longer than most searches take."""


class Precedence:
    """A context manager around what goes first; others call ``give_way`` between two steps. Thread-safe.

    A loop waits ``patience_s`` at once, at most. Then its thread works at least as long as it has waited: half of its
    time is its own, however many go first.
    """

    def __init__(self, patience_s: float = _PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._running = 0
        self._free = threading.Condition()
        self._mine = threading.local()

    def __enter__(self) -> Self:
        with self._free:
            self._running += 1
        self._mine.first = getattr(self._mine, "first", 0) + 1
        return self

    def __exit__(self, *_: object) -> None:
        self._mine.first -= 1
        with self._free:
            self._running -= 1
            if not self._running:
                self._free.notify_all()

    def give_way(self) -> None:
        """Wait for what goes first, a short while at most; at once for a thread that goes first itself."""
        if not self._running or getattr(self._mine, "first", 0) > 0:
            return
        asked = time.perf_counter()
        if asked < getattr(self._mine, "works_until", 0.0):
            return
        with self._free:
            self._free.wait_for(lambda: not self._running, self._patience_s)
        now = time.perf_counter()
        self._mine.works_until = now + (now - asked)


SEARCHES = Precedence()
"""What is searching in this process now."""


def giving_way(items: Iterable[T]) -> Iterator[T]:
    """Yield the items; searches go first in between."""
    for item in items:
        SEARCHES.give_way()
        yield item

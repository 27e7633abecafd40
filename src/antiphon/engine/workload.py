"""What a store has done since it was opened, and how long it took."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from antiphon.domain.store import Work


class Workload:
    """Counts work by kind. Safe from every thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._done: dict[str, Work] = {}

    def add(self, kind: str, times: int, seconds: float) -> None:
        """Note that ``kind`` was done so often, and took so long in all."""
        with self._lock:
            self._done[kind] = self._done.get(kind, Work()) + Work(times, seconds)

    @contextmanager
    def timed(self, kind: str) -> Iterator[None]:
        """Note that ``kind`` was done once, by what happens within, and not when that fails."""
        began = time.monotonic()
        yield
        self.add(kind, 1, time.monotonic() - began)

    def done(self) -> Mapping[str, Work]:
        """Return all of it."""
        with self._lock:
            return dict(self._done)

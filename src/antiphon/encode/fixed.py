"""For which lengths of single texts the graph is compiled once more, each with a shape of its own.

A graph for every shape asks each of its nodes for its shape, and prepares them again whenever it is not that of the
run before: with texts of several lengths in turn that is a fifth to a third of a query's time.
"""

from __future__ import annotations

import threading

from antiphon.encode.backends import FixedRun

_STEP = 4
"""Widths are multiples of this many tokens."""
_LONGEST = 64
"""Longer texts run long enough for shapes not to matter."""
_ENOUGH = 32
"""After so many single texts their usual lengths are known."""
_SHARES = (0.4, 0.95)
"""There are widths for these shares of the texts, from the shortest on. Each of them holds the weights once more."""
_ROOM = 12
"""A text is not padded by more tokens than this: then the graph for every shape is faster."""


class FixedWidths:
    """The runs for single texts of up to ``limit`` tokens that are there, and those that are wanted. Thread-safe."""

    def __init__(self, limit: int) -> None:
        self._limit = min(limit, _LONGEST)
        self._lock = threading.Lock()
        self._lengths: list[int] = []
        self._wanted: list[int] = []
        self._runs: dict[int, FixedRun] = {}

    def find(self, length: int) -> tuple[int, FixedRun] | None:
        """Return width and run for a single text of ``length`` tokens, and take note of it."""
        if length > self._limit:
            return None
        with self._lock:
            if len(self._lengths) < _ENOUGH:
                self._note(length)
            return min(((w, run) for w, run in self._runs.items() if length <= w <= length + _ROOM), default=None)

    def wanted(self) -> int | None:
        """Return a width that has no run yet, each one once."""
        with self._lock:
            return self._wanted.pop(0) if self._wanted else None

    def put(self, width: int, run: FixedRun) -> None:
        """Use ``run`` for texts of up to ``width`` tokens from now on."""
        with self._lock:
            self._runs[width] = run

    def widths(self) -> tuple[int, ...]:
        """Return the widths that have a run."""
        with self._lock:
            return tuple(sorted(self._runs))

    def clear(self) -> None:
        """Let go of all runs."""
        with self._lock:
            self._runs.clear()

    def _note(self, length: int) -> None:
        """Decide on the widths when enough lengths are known. The lock is held."""
        self._lengths.append(length)
        if len(self._lengths) == _ENOUGH:
            known = sorted(self._lengths)
            usual = {known[round(share * (_ENOUGH - 1))] for share in _SHARES}
            self._wanted = sorted({min(-(-one // _STEP) * _STEP, self._limit) for one in usual})

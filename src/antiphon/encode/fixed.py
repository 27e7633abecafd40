"""For which lengths of single texts the graph gets branches, each with a shape of its own.

A graph for every shape asks each of its nodes for its shape, and prepares them again whenever it is not that of the
run before: with texts of several lengths in turn that is a fifth to a third of a query's time.
"""

from __future__ import annotations

import threading

_STEP = 2
"""Widths are multiples of this many tokens."""
_LONGEST = 64
"""Longer texts run long enough for shapes not to matter."""
_ENOUGH = 32
"""After so many single texts their usual lengths are known."""
_SHARES = (0.4, 0.95)
"""There are widths for these shares of the texts, from the shortest on. Each of them takes memory."""
_ROOM = 12
"""A text is not padded by more tokens than this: then the graph for every shape is faster."""


class FixedWidths:
    """The widths that have a branch, and those that are wanted, for single texts of up to ``limit`` tokens.

    Thread-safe.
    """

    def __init__(self, limit: int) -> None:
        self._limit = min(limit, _LONGEST)
        self._lock = threading.Lock()
        self._lengths: list[int] = []
        self._wanted: tuple[int, ...] = ()
        self._there: tuple[int, ...] = ()

    def find(self, length: int) -> int | None:
        """Return the width to pad a single text of ``length`` tokens to, None for the usual one; take note of it."""
        if length > self._limit:
            return None
        with self._lock:
            if len(self._lengths) < _ENOUGH:
                self._note(length)
            return next((width for width in self._there if length <= width <= length + _ROOM), None)

    def wanted(self) -> tuple[int, ...]:
        """Return the widths that shall have a branch, in order, once; empty until they are known and afterwards."""
        with self._lock:
            wanted, self._wanted = self._wanted, ()
            return wanted

    def put(self, widths: tuple[int, ...]) -> None:
        """Pad to ``widths``, in order, from now on."""
        with self._lock:
            self._there = widths

    def widths(self) -> tuple[int, ...]:
        """Return the widths that have a branch, in order."""
        with self._lock:
            return self._there

    def _note(self, length: int) -> None:
        """Decide on the widths when enough lengths are known. The lock is held."""
        self._lengths.append(length)
        if len(self._lengths) == _ENOUGH:
            known = sorted(self._lengths)
            usual = {known[round(share * (_ENOUGH - 1))] for share in _SHARES}
            self._wanted = tuple(sorted({min(-(-one // _STEP) * _STEP, self._limit) for one in usual}))

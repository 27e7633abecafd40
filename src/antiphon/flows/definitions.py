"""Definitions of one kind in the catalog, kept as they were put, found by name or pattern, each read once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from antiphon.domain.pattern import star_pattern
from antiphon.errors import MissingResource
from antiphon.flows.ports import Catalog

T = TypeVar("T")


class Definitions(Generic[T]):
    """``read`` (id, body) makes of a body what the flows use, or raises what is wrong with it. Thread-safe."""

    def __init__(self, catalog: Catalog, kind: str, read: Callable[[str, dict[str, Any]], T]) -> None:
        self._catalog = catalog
        self._kind = kind
        self._reader = read
        self._lock = threading.Lock()
        self._changes = 0
        self._known: dict[str, T] = {}
        self._guards: list[Callable[[T], None]] = []

    def guard(self, check: Callable[[T], None]) -> None:
        """Ask ``check`` before a definition is put; it raises to refuse."""
        self._guards.append(check)

    def put(self, name: str, body: dict[str, Any]) -> None:
        """Create or replace; raises what ``read`` or a guard raises."""
        parsed = self._reader(name, body)
        for check in self._guards:
            check(parsed)
        self._catalog.put_definition(self._kind, name, body)
        self._forget()

    def get(self, patterns: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
        """Return the bodies as they were put, of the names and patterns given (none: all), in order of creation."""
        wanted = [star_pattern(pattern) for pattern in patterns]
        return {
            name: body
            for name, body in self._catalog.definitions(self._kind)
            if not wanted or any(pattern.fullmatch(name) for pattern in wanted)
        }

    def delete(self, pattern: str) -> None:
        """Delete every one that matches; MissingResource when none does, unless everything was asked for."""
        with self._catalog.transaction():
            found = self.get([pattern])
            if not found and pattern != "*":
                raise MissingResource(f"pipeline [{pattern}] is missing")
            for name in found:
                self._catalog.delete_definition(self._kind, name)
        self._forget()

    def find(self, name: str) -> T | None:
        """Return what a definition was read as, or None."""
        with self._lock:
            if name in self._known:
                return self._known[name]
            changes = self._changes
        body = self._catalog.definition(self._kind, name)
        if body is None:
            return None
        parsed = self._reader(name, body)
        with self._lock:
            if changes == self._changes:  # else it may be a body that was replaced meanwhile
                self._known[name] = parsed
        return parsed

    def _forget(self) -> None:
        with self._lock:
            self._changes += 1
            self._known.clear()

"""Finds the row of a request in the table of routes, on the raw path: an id may hold ``%2F``."""

from __future__ import annotations

import functools
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from antiphon.rest.call import Route

_REST = "{rest:path}"


@dataclass(slots=True)
class _Branch:
    literals: dict[str, _Branch] = field(default_factory=dict)
    variable: _Branch | None = None
    rows: dict[str, Route] = field(default_factory=dict)
    tail: dict[str, Route] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """The rows of a path by method, and the decoded values of its variables in the order of the path."""

    rows: Mapping[str, Route]
    values: tuple[str, ...]

    def params(self, row: Route) -> dict[str, str]:
        """Return the variables by the names that ``row`` gives them."""
        return dict(zip(_names(row.path), self.values, strict=True)) if self.values else {}


class Router:
    """A tree of path segments; at each, the word itself is tried before a variable."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Branch()
        for row in routes:
            self._add(row)

    def find(self, raw_path: str) -> Found | None:
        """Return what serves a path, still percent-encoded; empty segments do not count. None when nothing does."""
        words = [urllib.parse.unquote(part) for part in _parts(raw_path)]
        return next(self._walk(self._root, words, ()), None)

    def _add(self, row: Route) -> None:
        branch, rest = self._root, False
        for part in _parts(row.path):
            if part == _REST:
                rest = True
            elif part.startswith("{"):
                branch.variable = branch.variable or _Branch()
                branch = branch.variable
            else:
                branch = branch.literals.setdefault(part, _Branch())
        for method in row.methods.split():
            (branch.tail if rest else branch.rows).setdefault(method, row)

    def _walk(self, branch: _Branch, words: list[str], values: tuple[str, ...]) -> Iterator[Found]:
        if not words:
            if branch.rows:
                yield Found(branch.rows, values)
            return
        word, rest = words[0], words[1:]
        if word in branch.literals:
            yield from self._walk(branch.literals[word], rest, values)
        if branch.variable is not None:
            yield from self._walk(branch.variable, rest, (*values, word))
        if branch.tail:
            yield Found(branch.tail, (*values, "/".join(words)))


@functools.cache
def _names(path: str) -> list[str]:
    return [part.strip("{}").split(":")[0] for part in _parts(path) if part.startswith("{")]


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]

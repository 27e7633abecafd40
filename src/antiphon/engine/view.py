"""What a search sees of one index: tables by nested path, stored documents, and a cache that lives as long."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from antiphon.domain.mapping import IndexMapping
from antiphon.domain.store import StoredDocument
from antiphon.engine.analysis import Analyzers
from antiphon.engine.lexicon import LexiconView
from antiphon.engine.segment import Segment, SegmentTable
from antiphon.engine.table import Table

CACHED_BYTES = 64_000_000


class Shelf(Protocol):
    """The stored documents of a snapshot, superseded ones included for as long as it is held."""

    def by_seq(self, seqs: Sequence[int], *, sources: bool = True) -> list[StoredDocument]:
        """Return the documents written under these sequence numbers, in order; with ``sources`` False without them."""

    def ids_of(self, seqs: Sequence[int]) -> list[str]:
        """Return the ids written under these sequence numbers, in order."""

    def seqs_of(self, ids: Sequence[str], until: int) -> dict[str, int]:
        """Return id -> sequence number of what was current after operation ``until``."""


class Cache:
    """Arrays by key, least recently used ones dropped first. Thread-safe."""

    def __init__(self, limit_bytes: int = CACHED_BYTES) -> None:
        self._limit = limit_bytes
        self._bytes = 0
        self._held: OrderedDict[Hashable, NDArray[Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> NDArray[Any] | None:
        """Return the array kept under ``key``, or None. Not to be changed."""
        with self._lock:
            if (found := self._held.get(key)) is not None:
                self._held.move_to_end(key)
            return found

    def put(self, key: Hashable, value: NDArray[Any]) -> None:
        """Keep an array; one that is larger than the whole cache is not kept."""
        if value.nbytes > self._limit:
            return
        with self._lock:
            if (old := self._held.pop(key, None)) is not None:
                self._bytes -= old.nbytes
            self._held[key] = value
            self._bytes += value.nbytes
            while self._bytes > self._limit:
                self._bytes -= self._held.popitem(last=False)[1].nbytes


@dataclass(frozen=True, slots=True)
class View:
    """``tables`` by nested path, ``""`` always there, a nested path only when some document has an object in it.

    ``seq`` is the last operation it shows. Rows are those of the documents' table.
    """

    tables: Mapping[str, Table]
    mapping: IndexMapping
    analyzers: Analyzers
    shelf: Shelf
    seq: int
    cache: Cache = field(default_factory=Cache)

    def table(self, path: str = "") -> Table:
        """Return the table of a nested path; KeyError when no document has an object there."""
        return self.tables[path]

    @property
    def documents(self) -> int:
        """How many documents there are."""
        return int(np.count_nonzero(self.tables[""].alive))

    def stored(self, rows: Sequence[int] | NDArray[np.int64], *, sources: bool = True) -> list[StoredDocument]:
        """Return the documents of rows, in order; with ``sources`` False all but their sources."""
        return self.shelf.by_seq(self._seqs(rows), sources=sources)

    def ids(self, rows: Sequence[int] | NDArray[np.int64]) -> list[str]:
        """Return the ids of rows, in order."""
        return self.shelf.ids_of(self._seqs(rows))

    def rows_of_ids(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """Return the rows of those ids that exist, int64, ascending."""
        seqs = np.array(sorted(self.shelf.seqs_of(ids, self.seq).values()), np.int64)
        return self.tables[""].rows_of(seqs)

    def _seqs(self, rows: Sequence[int] | NDArray[np.int64]) -> list[int]:
        found: list[int] = self.tables[""].keys[np.asarray(rows, np.int64)].tolist()
        return found


def tables_of(
    segments: Sequence[Segment],
    alive: Sequence[NDArray[np.bool_]],
    lexicons: Mapping[str, LexiconView],
    mapping: IndexMapping,
    analyzers: Analyzers,
) -> dict[str, Table]:
    """Return the tables over ``segments`` end to end; ``alive[s]`` bool says which documents of segment s live."""
    enclosing = {path: outer for segment in segments for path, outer in segment.enclosing.items()}
    tables: dict[str, Table] = {}
    for path in ["", *sorted(enclosing, key=lambda nested: nested.count("."))]:
        parts = [segment.tables.get(path, _EMPTY) for segment in segments]
        sizes = [part.rows for part in parts]
        bases = np.cumsum([0, *sizes])[:-1].astype(np.int64)
        keys = _joined([part.keys for part in parts])
        if path:
            outer = tables[enclosing[path]]
            parents = _joined([part.parents + base for part, base in zip(parts, outer.bases, strict=True)])
            living = outer.alive[parents]
        else:
            parents, living = np.zeros(0, np.int64), _joined(list(alive), np.bool_)
        lexicon = lexicons.get(path)
        tables[path] = Table(
            path, enclosing.get(path, ""), parts, bases, sum(sizes), living, keys, parents, lexicon, mapping, analyzers
        )
    return tables


_EMPTY = SegmentTable(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int32))


def _joined(arrays: Sequence[NDArray[Any]], kind: Any = np.int64) -> NDArray[Any]:
    return np.concatenate(arrays) if arrays else np.zeros(0, kind)

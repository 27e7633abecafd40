"""Segments with what is dead in them, in memory or on disk: how they are sealed, read back and given graphs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from antiphon.domain.mapping import IndexMapping
from antiphon.engine.graph import Graph, build_graph, has_graph, load_graph
from antiphon.engine.manifest import Places, Sealed, Unusable
from antiphon.engine.merge import in_memory, merged
from antiphon.engine.segment import Segment
from antiphon.engine.segment_file import UnreadableSegment, read_segment, sync_folder, write_segment
from antiphon.engine.vectors import Floats, VectorColumn

_LOG = logging.getLogger(__name__)
_FILE = "columns.bin"
_LARGE_BYTES = 32_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """When the background acts. The defaults are for production; tests choose smaller ones.

    ``seal_documents`` in memory go to disk together, fewer after ``idle_s`` seconds without a write; a sealed segment
    of ``graph_vectors`` vectors gets a graph; a lexicon of which ``dead_text`` (a share) is superseded is built anew,
    which is looked at once per ``removals``.
    """

    seal_documents: int = 10_000
    graph_vectors: int = 20_000
    idle_s: float = 3.0
    dead_text: float = 0.3
    removals: int = 1_000


@dataclass(frozen=True, slots=True)
class Piece:
    """A segment, which of its documents live (bool ``[rows]``) and the number of its folder (None: only in memory)."""

    segment: Segment
    alive: NDArray[np.bool_]
    number: int | None = None

    @property
    def rows(self) -> int:
        """How many documents it holds, dead ones included."""
        return len(self.alive)

    @property
    def living(self) -> int:
        """How many documents live."""
        return int(np.count_nonzero(self.alive))

    @property
    def sealed(self) -> Sealed | None:
        """How the manifest names it; None when it is only in memory."""
        if self.number is None:
            return None
        keys = self.segment.tables[""].keys
        return Sealed(self.number, int(keys[0]), int(keys[-1]))


def joined(pieces: Sequence[Piece], mapping: IndexMapping, places: Places | None) -> Piece | None:
    """Return the living documents of ``pieces`` as one, on disk when there are ``places``; None when all are dead."""
    segments, alive = [piece.segment for piece in pieces], [piece.alive for piece in pieces]
    if places is None:
        segment = merged(segments, alive)
        return None if segment is None else Piece(segment, np.ones(segment.tables[""].rows, np.bool_))
    number, place = places.new_segment()
    with _Scratch(place) as scratch:
        segment = merged(segments, alive, scratch.room)
        if segment is None:
            return None
        write_segment(place / _FILE, segment)
    sync_folder(place.parent)
    return Piece(read_segment(place / _FILE, mapping), np.ones(segment.tables[""].rows, np.bool_), number)


class _Scratch:
    """Room for many vectors in files, which the system can write out when memory is short; gone at the end."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._files: list[Path] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files:
            with suppress(OSError):  # a system that keeps mapped files has them until the segment goes
                file.unlink()

    def room(self, shape: tuple[int, int]) -> Floats:
        """Return room for vectors, float32 of ``shape``."""
        if 4 * shape[0] * shape[1] < _LARGE_BYTES:
            return in_memory(shape)
        self._files.append(self._place / f"{len(self._files)}.scratch")
        return np.memmap(self._files[-1], np.float32, "w+", shape=shape)


def loaded(named: Sealed, living: NDArray[np.int64], mapping: IndexMapping, places: Places) -> Piece:
    """Return a piece from disk with its graphs; ``living`` int64 ascending are all that live. Unusable if damaged."""
    place = places.segment(named.number)
    try:
        segment = read_segment(place / _FILE, mapping)
    except UnreadableSegment as error:
        raise Unusable(str(error)) from error
    for number, (path, name, column) in enumerate(_vector_columns(segment)):
        if (graph := _loaded_graph(place / f"{number}.graph", column)) is not None:
            segment = with_graph(segment, path, name, graph)
    keys = segment.tables[""].keys
    piece = Piece(segment, _alive(keys, living), named.number)
    if piece.sealed != named:
        raise Unusable(f"{place} holds other documents than expected")
    return piece


def _alive(keys: NDArray[np.int64], living: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of the keys are in ``living``; both ascend, and mostly all of them are."""
    start, end = np.searchsorted(living, (keys[0], keys[-1] + 1))
    if np.array_equal(living[start:end], keys):
        return np.ones(len(keys), np.bool_)
    return np.isin(keys, living, assume_unique=True)


@dataclass(frozen=True, slots=True)
class GraphJob:
    """A graph that is wanted: over the field ``name`` of the table ``path``, to be saved in ``file``."""

    segment: Segment
    path: str
    name: str
    file: Path

    def build(self, stop: threading.Event) -> Graph:
        """Build it, save it and return it mapped; ``graph.Stopped`` when ``stop`` is set meanwhile."""
        column = self.segment.tables[self.path].vectors[self.name]
        graph = build_graph(column.vectors, column.spec, stop=stop)
        try:
            graph.save(self.file)
            return load_graph(self.file, column.spec)
        except (OSError, RuntimeError):
            if self.file.parent.is_dir():
                raise
            return graph  # its segment was merged away meanwhile, and nobody will use it


def graph_due(pieces: Sequence[Piece], places: Places, least: int) -> GraphJob | None:
    """Return the first graph that is wanted and not there."""
    for piece in pieces:
        if piece.number is None:
            continue
        for number, (path, name, column) in enumerate(_vector_columns(piece.segment)):
            wanted = column.spec.ann and has_graph(column.spec) and len(column.rows) >= least
            if wanted and column.graph is None:
                return GraphJob(piece.segment, path, name, places.segment(piece.number) / f"{number}.graph")
    return None


def with_graph(segment: Segment, path: str, name: str, graph: Graph) -> Segment:
    """Return a segment whose field has a graph."""
    table = segment.tables[path]
    vectors = {**table.vectors, name: replace(table.vectors[name], graph=graph)}
    return replace(segment, tables={**segment.tables, path: replace(table, vectors=vectors)})


def _vector_columns(segment: Segment) -> Iterator[tuple[str, str, VectorColumn]]:
    for path, table in sorted(segment.tables.items()):
        for name, column in sorted(table.vectors.items()):
            yield path, name, column


def _loaded_graph(file: Path, column: VectorColumn) -> Graph | None:
    if not file.exists():
        return None
    try:
        graph = load_graph(file, column.spec)
    except (OSError, RuntimeError) as error:
        _LOG.warning("graph [%s] cannot be read and is built again: %s", file, error)
        return None
    return graph if graph.size == len(column.rows) else None

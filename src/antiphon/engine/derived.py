"""The search structures of one index, all derived from its documents: segments, who is alive, and the lexicons.

One thread at a time changes them; what was published before stays as it was. The heavy work (joining segments,
writing them, building graphs) is planned here as a job, done by whoever has time, and settled here in a moment.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import orjson
from numpy.typing import NDArray

from antiphon.domain.document import TypedDocument
from antiphon.domain.mapping import IndexMapping
from antiphon.engine import merge
from antiphon.engine.analysis import Analyzers
from antiphon.engine.columns import TextColumn
from antiphon.engine.documents import Documents
from antiphon.engine.graph import Graph
from antiphon.engine.lexicons import Lexicons
from antiphon.engine.manifest import Manifest, Places
from antiphon.engine.pack import pack, text_rows
from antiphon.engine.pending import Run
from antiphon.engine.pieces import GraphJob, Limits, Piece, graph_due, joined, with_graph
from antiphon.engine.segment import OBJECTS_PER_DOCUMENT, Segment, SegmentTable
from antiphon.engine.view import View, tables_of
from antiphon.errors import AntiphonError

Typed = Sequence[tuple[int, TypedDocument]]

RUN_DOCUMENTS = 10_000
_IN_PASSING = 1_000
"""Segments in memory below this size are joined by the refresh that makes the tenth of them."""
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """Neighbouring pieces that should become one; ``until``: after it, all up to there is on disk (None: no matter)."""

    pieces: tuple[Piece, ...]
    until: int | None


class Derived:
    """``places`` None keeps everything in memory; otherwise ``lexicons`` are generation ``generation`` of them."""

    def __init__(
        self,
        places: Places | None,
        documents: Documents,
        mapping: IndexMapping,
        analyzers: Analyzers,
        lexicons: Lexicons,
        generation: int = 0,
        pieces: Sequence[Piece] = (),
        until: int = -1,
    ) -> None:
        self._places = places
        self._documents = documents
        self._analyzers = analyzers
        self._pieces = list(pieces)
        self._lexicons = lexicons
        self._generation = generation
        self._sealed_until = until
        self._busy = 0  # pieces before this one belong to a job under way
        self.mapping = mapping
        self.seq = until

    def derive(self, until: int) -> None:
        """Take in every document that was written after ``seq`` and is current after operation ``until``."""
        for run in self.runs(self.seq, until):
            self._append(run)
            if self._places is not None and len(run) >= RUN_DOCUMENTS:
                made = joined(self._pieces[-1:], self.mapping, self._places)
                self._pieces[-1:] = [] if made is None else [made]
                self._sealed_until = run[-1][0]
        self.seq = until

    def advance(self, pending: Sequence[Run], until: int) -> None:
        """Take in the documents and deaths of the operations since the last time, up to ``until``."""
        dead = np.array(self._documents.died(self.seq, until), np.int64)
        self._bury(dead)
        runs = [run for one in pending if (run := one.without(dead)) is not None]
        for run in runs:
            self._lexicons.index(run.texts, self.mapping)
        new = [_piece(run.segment) for run in runs]
        whole = joined(new, self.mapping, None) if len(new) > 1 else None
        self._pieces += new if whole is None else [whole]
        self.seq = until
        self._join_small()

    def catch_up(self, until: int) -> None:
        """Advance by what the documents say, not by what is pending."""
        self._bury(np.array(self._documents.died(self.seq, until), np.int64))
        for run in self.runs(self.seq, until):
            self._append(run)
        self.seq = until
        self._join_small()

    def reconcile(self, lexicons: Lexicons) -> int:
        """Make ``lexicons`` hold exactly the texts that live, and use them; return how many sealed ones they lacked."""
        missing: dict[str, frozenset[int]] = {}
        for path in dict.fromkeys(("", *lexicons.paths(), *self._nested_paths())):
            wanted, held = self._text_keys(path), lexicons.keys(path)
            missing[path] = frozenset(np.setdiff1d(wanted, held, assume_unique=True).tolist())
            lexicons.remove(path, np.setdiff1d(held, wanted, assume_unique=True).tolist())
        seqs = sorted({key // OBJECTS_PER_DOCUMENT if path else key for path, keys in missing.items() for key in keys})
        for start in range(0, len(seqs), RUN_DOCUMENTS):
            stored = self._documents.by_seq(seqs[start : start + RUN_DOCUMENTS])
            typed = [(one.seq_no, self._typed(one.id, one.source)) for one in stored]
            rows = text_rows([(seq, document) for seq, document in typed if document is not None])
            lexicons.index([row for row in rows if row[2] in missing[row[1]]], self.mapping)
        self._lexicons = lexicons
        return sum(seq <= self._sealed_until for seq in seqs)

    @property
    def has_as_many_texts(self) -> bool:
        """True when the lexicons hold as many texts as live: a quick look for files that are missing."""
        paths = dict.fromkeys(("", *self._lexicons.paths(), *self._nested_paths()))
        return all(len(self._text_keys(path)) == self._lexicons.size(path) for path in paths)

    @property
    def generation(self) -> int:
        """The number of the lexicons' folder."""
        return self._generation

    def view(self) -> View:
        """Make the text durable and return everything as one immutable view."""
        segments = [piece.segment for piece in self._pieces]
        alive = [piece.alive for piece in self._pieces]
        tables = tables_of(segments, alive, self._lexicons.commit(), self.mapping, self._analyzers)
        return View(tables, self.mapping, self._analyzers, self._documents, self.seq)

    def close(self) -> None:
        """Free the folder. Idempotent."""
        self._lexicons.close()

    @property
    def segments(self) -> int:
        """How many segments there are."""
        return len(self._pieces)

    @property
    def documents(self) -> int:
        """How many living documents there are."""
        return sum(piece.living for piece in self._pieces)

    @property
    def vectors(self) -> tuple[int, int]:
        """How many vectors there are, superseded ones included, and how many of them a graph covers."""
        tables = [table for piece in self._pieces for table in piece.segment.tables.values()]
        columns = [column for table in tables for column in table.vectors.values()]
        graphs = [column.graph.size for column in columns if column.graph is not None]
        return sum(len(column.rows) for column in columns), sum(graphs)

    @property
    def lexicons(self) -> Lexicons:
        """The text indexes."""
        return self._lexicons

    def manifest(self, making: str) -> Manifest:
        """Return what is on disk."""
        named = tuple(piece.sealed for piece in self._pieces if piece.sealed is not None)
        return Manifest(named, self._sealed_until, self._generation, making)

    def plan(self, limits: Limits, *, idle: bool) -> Job | None:
        """Return what should be joined next, None when all is well; ``settle`` or ``give_up`` ends it."""
        pieces = self._pieces
        if self._places is not None:
            memory = sum(piece.rows for piece in pieces if piece.number is None)
            if memory and (idle or memory >= limits.seal_documents):
                return self.plan_seal()
            pieces = [piece for piece in pieces if piece.number is not None]
        found = merge.due(*_sizes(pieces), idle_from=limits.graph_vectors if idle else None)
        return None if found is None else self._begin(*found)

    def plan_seal(self) -> Job | None:
        """Return the job that puts what is only in memory on disk; None when all is there."""
        memory = sum(piece.number is None for piece in self._pieces)
        if self._places is None or not memory:
            return None
        return self._begin(len(self._pieces) - memory, len(self._pieces))

    def plan_all(self) -> Job | None:
        """Return the job that makes one segment of all without dead documents; None when it is so already."""
        pieces = self._pieces
        unsealed = self._places is not None and any(piece.number is None for piece in pieces)
        if len(pieces) > 1 or unsealed or any(not piece.alive.all() for piece in pieces):
            return self._begin(0, len(pieces))
        return None

    def carry_out(self, job: Job) -> Piece | None:
        """Return the piece that a job makes. Touches nothing that others use."""
        return joined(job.pieces, self.mapping, self._places)

    def settle(self, job: Job, made: Piece | None) -> None:
        """Put what a job made where its pieces were, with the deaths that happened meanwhile."""
        start = self._place_of(job)
        end = start + len(job.pieces)
        still = [now.alive[then.alive] for now, then in zip(self._pieces[start:end], job.pieces, strict=True)]
        new = [] if made is None else [replace(made, alive=np.concatenate(still))]
        self._pieces[start:end] = new
        self._busy = 0
        if job.until is not None:
            self._sealed_until = job.until

    def give_up(self) -> None:
        """Forget the job under way."""
        self._busy = 0

    def plan_graph(self, limits: Limits) -> GraphJob | None:
        """Return the next graph that should be built."""
        return None if self._places is None else graph_due(self._pieces, self._places, limits.graph_vectors)

    def settle_graph(self, job: GraphJob, graph: Graph) -> bool:
        """Let searches use a graph; False when its segment is no longer there."""
        for number, piece in enumerate(self._pieces):
            if piece.segment is job.segment:
                self._pieces[number] = replace(piece, segment=with_graph(piece.segment, job.path, job.name, graph))
                return True
        return False

    def use_generation(self, generation: int, lexicons: Lexicons) -> Lexicons:
        """Use text indexes that were built aside, after bringing them up to date; return those used so far."""
        old = self._lexicons
        self.reconcile(lexicons)
        self._generation = generation
        return old

    def runs(self, after: int, until: int) -> Iterator[list[tuple[int, TypedDocument]]]:
        """Yield the documents written after ``after`` that are current after ``until``, a bounded number at a time."""
        run: list[tuple[int, TypedDocument]] = []
        for seq, doc_id, source in self._documents.living(after, until):
            if (document := self._typed(doc_id, source)) is not None:
                run.append((seq, document))
            if len(run) >= RUN_DOCUMENTS:
                yield run
                run = []
        if run:
            yield run

    def take_columns(self, until: int) -> None:
        """Take in what ``derive`` would, but for the texts: ``reconcile`` sees to those."""
        for run in self.runs(self.seq, until):
            self._pieces.append(self._packed(run))
        self.seq = until

    def _begin(self, start: int, end: int) -> Job:
        self._busy = end
        seals = self._places is not None and any(piece.number is None for piece in self._pieces[start:end])
        return Job(tuple(self._pieces[start:end]), self.seq if seals else None)

    def _place_of(self, job: Job) -> int:
        first = job.pieces[0].segment
        return next(number for number, piece in enumerate(self._pieces) if piece.segment is first)

    def _packed(self, run: Typed) -> Piece:
        return _piece(pack(run, self.mapping, self._analyzers))

    def _append(self, run: Typed) -> None:
        if run:
            self._lexicons.index(text_rows(run), self.mapping)
            self._pieces.append(self._packed(run))

    def _bury(self, dead: NDArray[np.int64]) -> None:
        if not len(dead):
            return
        for number, piece in enumerate(self._pieces):
            hit = np.isin(piece.segment.tables[""].keys, dead)
            if not hit.any():
                continue
            self._pieces[number] = replace(piece, alive=piece.alive & ~hit)
            for path, table in piece.segment.tables.items():
                owners = table.keys // OBJECTS_PER_DOCUMENT if path else table.keys
                self._lexicons.remove(path, table.keys[np.isin(owners, dead)].tolist())

    def _join_small(self) -> None:
        first = self._busy
        while first < len(self._pieces) and self._pieces[first].number is not None:
            first += 1
        free = self._pieces[first:]
        found = merge.due(*_sizes(free), largest=_IN_PASSING)
        if found is not None:
            start, end = found
            made = joined(free[start:end], self.mapping, None)
            self._pieces[first + start : first + end] = [] if made is None else [made]

    def _nested_paths(self) -> list[str]:
        return [path for piece in self._pieces for path in piece.segment.tables if path]

    def _text_keys(self, path: str) -> NDArray[np.int64]:
        """The keys of everything that lives at a path and has text, ascending."""
        found = [np.zeros(0, np.int64)]
        for piece in self._pieces:
            if (table := piece.segment.tables.get(path)) is not None:
                keys = table.keys[_has_text(table)]
                documents = piece.segment.tables[""].keys[piece.alive]
                owners = keys // OBJECTS_PER_DOCUMENT if path else keys
                found.append(keys[np.isin(owners, documents)])
        return np.concatenate(found)

    def _typed(self, doc_id: str, source: bytes) -> TypedDocument | None:
        try:
            return self.mapping.typed(doc_id, orjson.loads(source), max_fields=1 << 40, max_depth=1 << 20)[0]
        except AntiphonError as error:
            _LOG.warning("document [%s] no longer fits its mapping and is not searchable: %s", doc_id, error.reason)
            return None


def _piece(segment: Segment) -> Piece:
    return Piece(segment, np.ones(segment.tables[""].rows, np.bool_))


def _sizes(pieces: Sequence[Piece]) -> tuple[list[int], list[int]]:
    living = [piece.living for piece in pieces]
    return living, [piece.rows - lives for piece, lives in zip(pieces, living, strict=True)]


def _has_text(table: SegmentTable) -> NDArray[np.bool_]:
    found = np.zeros(table.rows, np.bool_)
    for column in table.columns.values():
        if isinstance(column, TextColumn):
            found |= column.present
    return found

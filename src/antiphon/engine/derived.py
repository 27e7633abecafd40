"""The search structures of one index, all derived from its documents: segments, who is alive, and the lexicons.

One thread at a time changes them; what was published before stays as it was.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray

from antiphon.domain.document import TypedDocument
from antiphon.domain.mapping import IndexMapping
from antiphon.engine.analysis import Analyzers
from antiphon.engine.documents import Documents
from antiphon.engine.lexicon import Lexicon, SlotsExhausted
from antiphon.engine.pack import object_key, pack
from antiphon.engine.segment import OBJECTS_PER_DOCUMENT, Segment
from antiphon.engine.view import View, tables_of
from antiphon.errors import AntiphonError

Typed = Sequence[tuple[int, TypedDocument]]

SEGMENT_DOCUMENTS = 10_000
SLOTS = 32
_LOG = logging.getLogger(__name__)


class Derived:
    """``folder`` None keeps the text index in memory. Everything begins empty: ``derive`` fills it."""

    def __init__(
        self, folder: Path | None, documents: Documents, mapping: IndexMapping, analyzers: Analyzers, slots: int = SLOTS
    ) -> None:
        self._folder = folder
        self._documents = documents
        self._analyzers = analyzers
        self._slots = slots
        self._segments: list[Segment] = []
        self._alive: list[NDArray[np.bool_]] = []
        self._lexicons: dict[str, Lexicon] = {}
        self.mapping = mapping
        self.seq = -1

    def derive(self, until: int) -> None:
        """Fill the empty structures with every document that is current after operation ``until``."""
        run: list[tuple[int, TypedDocument]] = []
        for seq, doc_id, source in self._documents.living(-1, until):
            if (document := self._typed(doc_id, source)) is not None:
                run.append((seq, document))
            if len(run) >= SEGMENT_DOCUMENTS:
                self._append(run)
                run = []
        self._append(run)
        self.seq = until

    def advance(self, pending: Typed, until: int) -> None:
        """Take in the documents and deaths of the operations since the last time, up to ``until``."""
        dead = np.array(self._documents.died(self.seq, until), np.int64)
        gone = set(dead.tolist())
        self._bury(dead)
        self._append([(seq, document) for seq, document in pending if seq not in gone])
        self.seq = until
        self._merge()

    def view(self) -> View:
        """Make the text durable and return everything as one immutable view."""
        lexicons = {path: lexicon.commit() for path, lexicon in self._lexicons.items()}
        tables = tables_of(self._segments, self._alive, lexicons, self.mapping, self._analyzers)
        return View(tables, self.mapping, self._analyzers, self._documents, self.seq)

    def close(self) -> None:
        """Free the folder. Idempotent."""
        for lexicon in self._lexicons.values():
            lexicon.close()

    @property
    def segments(self) -> int:
        """How many segments there are."""
        return len(self._segments)

    @property
    def vectors(self) -> int:
        """How many vectors there are, superseded ones included."""
        return sum(
            len(column.rows)
            for segment in self._segments
            for table in segment.tables.values()
            for column in table.vectors.values()
        )

    def merge_all(self) -> None:
        """Make one segment of all."""
        if len(self._segments) > 1 or any(not alive.all() for alive in self._alive):
            self._rewrite(0, len(self._segments))

    def _append(self, run: Typed) -> None:
        if not run:
            return
        self._index_texts(run)
        segment = pack(run, self.mapping, self._analyzers)
        self._segments = [*self._segments, segment]
        self._alive = [*self._alive, np.ones(len(run), np.bool_)]

    def _index_texts(self, run: Typed) -> None:
        for seq, document in run:
            for number, row in enumerate(document.rows):
                if row.texts:
                    lexicon = self._lexicon(row.nested, row.texts)
                    lexicon.add(object_key(seq, number) if row.nested else seq, row.texts)

    def _lexicon(self, path: str, fields: Iterable[str]) -> Lexicon:
        lexicon = self._lexicons.get(path)
        if lexicon is None:
            folder = None if self._folder is None else self._folder / f"lex{len(self._lexicons)}"
            lexicon = self._lexicons[path] = Lexicon(folder, {}, self._analyzers, self._slots)
        for name in fields:
            known = self.mapping.field(name)
            lexicon.assign(name, known.analyzer if known is not None else "standard")
        return lexicon

    def _bury(self, dead: NDArray[np.int64]) -> None:
        if not len(dead):
            return
        for number, segment in enumerate(self._segments):
            hit = np.isin(segment.tables[""].keys, dead)
            if not hit.any():
                continue
            self._alive[number] = self._alive[number] & ~hit
            for path, table in segment.tables.items():
                if (lexicon := self._lexicons.get(path)) is not None:
                    owners = table.keys // OBJECTS_PER_DOCUMENT if path else table.keys
                    lexicon.remove(table.keys[np.isin(owners, dead)].tolist())

    def _merge(self) -> None:
        """Merge neighbours of a like size (ten to one), and rewrite a segment of which a fifth is dead."""
        sizes = [int(np.count_nonzero(alive)) for alive in self._alive]
        for number, alive in enumerate(self._alive):
            if len(alive) - sizes[number] > max(100, len(alive) // 5):
                self._rewrite(number, number + 1)
                return
        first = len(sizes)
        while first > 0 and sizes[first - 1] < SEGMENT_DOCUMENTS:
            first -= 1
        for limit in (100, 1000, SEGMENT_DOCUMENTS):
            start = len(sizes)
            while start > first and sizes[start - 1] < limit:
                start -= 1
            if len(sizes) - start >= 10:
                self._rewrite(start, len(sizes))
                return

    def _rewrite(self, start: int, end: int) -> None:
        keys = [
            segment.tables[""].keys[alive]
            for segment, alive in zip(self._segments[start:end], self._alive[start:end], strict=True)
        ]
        run = [
            (stored.seq_no, document)
            for stored in self._documents.by_seq(np.concatenate(keys).tolist())
            if (document := self._typed(stored.id, stored.source)) is not None
        ]
        merged = [pack(run, self.mapping, self._analyzers)] if run else []
        self._segments = [*self._segments[:start], *merged, *self._segments[end:]]
        self._alive = [*self._alive[:start], *(np.ones(len(run), np.bool_) for _ in merged), *self._alive[end:]]

    def _typed(self, doc_id: str, source: bytes) -> TypedDocument | None:
        try:
            return self.mapping.typed(doc_id, orjson.loads(source), max_fields=1 << 40, max_depth=1 << 20)[0]
        except AntiphonError as error:
            _LOG.warning("document [%s] no longer fits its mapping and is not searchable: %s", doc_id, error.reason)
            return None


def fresh(
    folder: Path | None, documents: Documents, mapping: IndexMapping, analyzers: Analyzers, until: int
) -> Derived:
    """Return new structures in an emptied ``folder``, derived up to operation ``until``."""
    slots = SLOTS
    while True:
        if folder is not None and folder.exists():
            shutil.rmtree(folder)
        derived = Derived(folder, documents, mapping, analyzers, slots)
        try:
            derived.derive(until)
        except SlotsExhausted:
            derived.close()
            slots *= 2
        else:
            return derived

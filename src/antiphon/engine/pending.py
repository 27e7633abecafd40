"""What was written and no refresh has shown yet, packed as it comes: columns cost the interpreter less than objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from antiphon.domain.document import TypedDocument
from antiphon.domain.mapping import IndexMapping
from antiphon.engine.analysis import Analyzers
from antiphon.engine.merge import merged
from antiphon.engine.pack import TextRow, pack, text_rows
from antiphon.engine.segment import Segment

PACKED_DOCUMENTS = 256
"""So many are packed together, or more when they come in one request."""
_PACKED_VECTOR_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class Run:
    """Documents in the order of their sequence numbers: their columns, and their texts for the lexicons."""

    segment: Segment
    texts: Sequence[TextRow]

    def without(self, dead: NDArray[np.int64]) -> Run | None:
        """Return the documents whose sequence numbers are not in ``dead`` int64; None when there is no other."""
        gone = np.isin(self.segment.tables[""].keys, dead)
        if not gone.any():
            return self
        segment = merged([self.segment], [~gone])
        if segment is None:
            return None
        numbers = set(dead.tolist())
        return replace(self, segment=segment, texts=[row for row in self.texts if row[0] not in numbers])


class Pending:
    """Not thread-safe: the store's lock guards it."""

    def __init__(self) -> None:
        self._runs: list[Run] = []
        self._loose: list[tuple[int, TypedDocument]] = []
        self._loose_bytes = 0
        self.documents = 0
        self.vector_bytes = 0

    def add(self, seq: int, document: TypedDocument) -> None:
        """Take in the document written as operation ``seq``, which is higher than any before."""
        size = sum(vector.nbytes for row in document.rows for vector in row.vectors.values())
        self._loose.append((seq, document))
        self._loose_bytes += size
        self.documents += 1
        self.vector_bytes += size

    def pack(self, mapping: IndexMapping, analyzers: Analyzers) -> None:
        """Pack what came one by one if there is enough of it, by a mapping that has every field of it."""
        if len(self._loose) >= PACKED_DOCUMENTS or self._loose_bytes >= _PACKED_VECTOR_BYTES:
            self._pack(mapping, analyzers)

    def take(self, mapping: IndexMapping, analyzers: Analyzers) -> list[Run]:
        """Return everything, in order, and forget it."""
        if self._loose:
            self._pack(mapping, analyzers)
        runs = self._runs
        self.forget()
        return runs

    def forget(self) -> None:
        """Drop everything: it is derived from the documents instead."""
        self._runs, self._loose = [], []
        self._loose_bytes = self.documents = self.vector_bytes = 0

    def _pack(self, mapping: IndexMapping, analyzers: Analyzers) -> None:
        self._runs.append(Run(pack(self._loose, mapping, analyzers), text_rows(self._loose)))
        self._loose, self._loose_bytes = [], 0

"""An immutable run of documents: their keys, columns and vectors, and the tables of their nested objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from antiphon.engine.columns import FeatureColumn, KeywordColumn, NumberColumn, TextColumn
from antiphon.engine.vectors import VectorColumn

Column = NumberColumn | KeywordColumn | TextColumn | FeatureColumn

OBJECTS_PER_DOCUMENT = 1 << 16
"""The key of a nested object is its document's sequence number times this, plus its number within the document."""


@dataclass(frozen=True, slots=True)
class SegmentTable:
    """The rows of one nested path (``""``: the documents) in one segment.

    ``keys`` int64 ``[rows]`` ascending: the document's sequence number, or of an object the number described above.
    ``parents`` int64 ``[rows]``: local row in the table of the enclosing path (empty for documents); ascending.
    ``offsets`` int32 ``[rows]``: position within its array (empty for documents).
    """

    keys: NDArray[np.int64]
    parents: NDArray[np.int64]
    offsets: NDArray[np.int32]
    columns: Mapping[str, Column] = field(default_factory=dict)
    vectors: Mapping[str, VectorColumn] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many rows there are, dead ones included."""
        return len(self.keys)


@dataclass(frozen=True, slots=True)
class Segment:
    """``tables`` by nested path; ``""`` is always there. ``enclosing`` tells which path a path lies in."""

    tables: Mapping[str, SegmentTable]
    enclosing: Mapping[str, str] = field(default_factory=dict)

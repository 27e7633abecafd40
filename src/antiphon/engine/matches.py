"""What a query matches on one table, and the evaluator as its parts see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from antiphon.engine.table import Table
from antiphon.query import Query

if TYPE_CHECKING:
    from antiphon.engine.view import View

Mask = NDArray[np.bool_]
Floats = NDArray[np.float32]
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Matches:
    """``mask`` bool ``[size]``; ``scores`` float32 ``[size]`` (meaningless where the mask is False), or one for all."""

    mask: Mask
    scores: Floats | float = 1.0

    def dense(self) -> Floats:
        """Return the scores as an array, 0 where nothing matches."""
        return np.where(self.mask, self.scores, 0.0).astype(np.float32)

    def at(self, rows: Rows) -> Floats:
        """Return the scores of rows, float32 ``[n]``."""
        if isinstance(self.scores, np.ndarray):
            return self.scores[rows]
        return np.full(len(rows), self.scores, np.float32)

    def boosted(self, boost: float) -> Matches:
        """Return the same matches, their scores times ``boost``."""
        if boost == 1.0:
            return self
        if isinstance(self.scores, np.ndarray):
            return Matches(self.mask, (self.scores * np.float32(boost)).astype(np.float32))
        return Matches(self.mask, float(self.scores) * boost)


class Evaluator(Protocol):
    """Evaluates query nodes on one view with the vectors of one search."""

    @property
    def view(self) -> View:
        """What is searched."""

    @property
    def vectors(self) -> Sequence[Floats]:
        """float32 ``[dimension]`` by slot."""

    def matches(self, table: Table, query: Query) -> Matches:
        """Return what matches, with scores."""

    def mask(self, table: Table, query: Query) -> Mask:
        """Return what matches, bool ``[size]``; kept per snapshot. Not to be changed."""


def table_of(view: View, path: str) -> Table | None:
    """Return the table of a nested path; None when no document has an object there."""
    return view.tables.get(path)


def ancestor_rows(view: View, table: Table, path: str) -> Rows:
    """Return, per row of ``table``, the row of the enclosing ``path`` (``""``: its document) it lies in."""
    rows = np.arange(table.size)
    while table.path != path:
        rows = table.parents[rows] if rows.size else rows
        table = view.tables[table.enclosing]
    return rows


def within(inner: Table, outer: Table) -> bool:
    """True when the rows of ``inner`` lie in rows of ``outer``, or are the same."""
    return not outer.path or f"{inner.path}.".startswith(f"{outer.path}.")


def nothing(table: Table) -> Matches:
    """Return no match at all."""
    return Matches(np.zeros(table.size, np.bool_), 0.0)

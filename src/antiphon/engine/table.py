"""What a query sees of one nested path at one moment: segments end to end, who is alive, and the text index.

Rows are numbered over all segments: segment s holds ``bases[s] .. bases[s] + parts[s].rows``. Arrays over rows are
``[size]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from antiphon.domain.mapping import IndexMapping
from antiphon.engine.analysis import Analyzers
from antiphon.engine.lexicon import LexiconView
from antiphon.engine.segment import SegmentTable


@dataclass(frozen=True, slots=True)
class Table:
    """One nested path (``""``: documents) of a snapshot.

    ``alive`` bool ``[size]``; ``keys`` int64 ``[size]`` ascending; ``parents`` int64 ``[size]``: row in the table of
    the enclosing path (empty for documents); ``lexicon`` None when the path has no text.
    """

    path: str
    enclosing: str
    parts: Sequence[SegmentTable]
    bases: NDArray[np.int64]
    size: int
    alive: NDArray[np.bool_]
    keys: NDArray[np.int64]
    parents: NDArray[np.int64]
    lexicon: LexiconView | None
    mapping: IndexMapping
    analyzers: Analyzers

    def rows_of(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows of keys, all of which exist."""
        return np.searchsorted(self.keys, keys)

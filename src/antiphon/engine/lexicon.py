"""The text index of one nested path: tantivy, with one text slot per field."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class LexiconView:
    """The text index as one refresh left it. Scores are OpenSearch 3's: tantivy's divided by 2.2 (k1 + 1)."""

    @property
    def schema(self) -> Any:
        """The tantivy schema, for building queries."""
        raise NotImplementedError

    def slot(self, field: str) -> str | None:
        """Return the schema's name for a text field; None when nothing was ever indexed in it."""
        raise NotImplementedError

    def all(self, query: Any) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return (keys, scores) of everything that a tantivy query matches, in no order."""
        raise NotImplementedError

    def best(self, query: Any, limit: int) -> tuple[NDArray[np.int64], NDArray[np.float32], int]:
        """Return (keys, scores, total) of the best ``limit``, best first; ties by lower key."""
        raise NotImplementedError

    def terms(self, field: str, prefix: str = "") -> list[tuple[str, int]]:
        """Return the (term, document frequency) pairs of a field that begin with ``prefix``, by term. Cached."""
        raise NotImplementedError

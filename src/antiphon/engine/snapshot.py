"""One index as a refresh left it, held until it is closed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from antiphon.domain.store import StoredDocument
from antiphon.engine.view import View
from antiphon.engine.workload import Workload
from antiphon.query import Explanation, Fetch, Query, Search, SearchHit, ShardResult

if TYPE_CHECKING:
    from types import ModuleType

Vectors = Sequence[NDArray[np.float32]]


class HeldSnapshot:
    """A view that a caller holds; ``let_go`` runs once, at ``close``. Fulfils ``flows.ports.Snapshot``."""

    def __init__(self, view: View, let_go: Callable[[], None], workload: Workload) -> None:
        self.view = view
        self._workload = workload
        self._let_go: Callable[[], None] | None = let_go

    @property
    def documents(self) -> int:
        """How many documents there are."""
        return self.view.documents

    def search(self, search: Search, vectors: Vectors) -> ShardResult:
        """Run every leg."""
        with self._workload.timed("query"):
            result: ShardResult = _execution().search(self.view, search, vectors)
        return result

    def fetch(
        self,
        search: Search,
        vectors: Vectors,
        rows: Sequence[int],
        scores: Sequence[float | None],
        fetch: Fetch | None = None,
    ) -> list[SearchHit]:
        """Return the hits of these rows, in order."""
        with self._workload.timed("fetch"):
            hits: list[SearchHit] = _execution().fetch(self.view, search, vectors, rows, scores, fetch)
        return hits

    def count(self, query: Query, vectors: Vectors) -> int:
        """Return how many documents match."""
        return int(_execution().count(self.view, query, vectors))

    def matching(self, query: Query, vectors: Vectors) -> NDArray[np.int64]:
        """Return the rows that match, ascending."""
        rows: NDArray[np.int64] = _execution().matching(self.view, query, vectors)
        return rows

    def explain(self, query: Query, vectors: Vectors, doc_id: str) -> Explanation | None:
        """Return why the document scores as it does; None when there is none or it does not match."""
        explanation: Explanation | None = _execution().explain(self.view, query, vectors, doc_id)
        return explanation

    def stored(self, rows: Sequence[int]) -> list[StoredDocument]:
        """Return the documents of these rows as this snapshot sees them, in order."""
        return self.view.stored(rows)

    def close(self) -> None:
        """Let go. Idempotent."""
        let_go, self._let_go = self._let_go, None
        if let_go is not None:
            let_go()


def _execution() -> ModuleType:
    import importlib  # searching is not needed to start a server

    return importlib.import_module("antiphon.engine.execute")

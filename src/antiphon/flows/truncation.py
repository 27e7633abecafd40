"""Counts what truncation takes from the texts of an index, and reports it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from antiphon.domain.embedding_report import EmbeddingCounts, FieldReport
from antiphon.domain.field import Family
from antiphon.domain.fingerprint import fingerprints
from antiphon.domain.index import Index
from antiphon.domain.ingest_document import IngestDocument
from antiphon.flows.fingerprint import IndexBook
from antiphon.flows.ports import Catalog
from antiphon.query import Exists, Nested

KIND = "embedding_report"


@dataclass(slots=True)
class Tally:
    """What was embedded for one request. ``first`` names the first document and field with a truncated text."""

    texts: int = 0
    truncated: int = 0
    lost_tokens: int = 0
    first: str = ""
    by_index: dict[str, EmbeddingCounts] = field(default_factory=dict)

    def add(self, uuid: str, doc_id: str, document: IngestDocument) -> None:
        """Count one written document; its texts count for every vector field that it got."""
        self.texts += document.embedded_texts
        self.truncated += document.truncated_texts
        self.lost_tokens += document.lost_tokens
        if document.truncated_texts and not self.first:
            fields = ", ".join(path for path, _ in document.embedded)
            self.first = f"document [{doc_id}] field [{fields}]"
        counts = self.by_index.setdefault(uuid, EmbeddingCounts())
        for path, _ in document.embedded:
            one = counts.of(path)
            one.documents += 1
            one.texts += document.embedded_texts
            one.truncated_documents += document.truncated_texts > 0
            one.truncated_texts += document.truncated_texts
            one.lost_tokens += document.lost_tokens

    def notices(self) -> tuple[str, ...]:
        """Return a sentence about truncated texts, if there were any."""
        if not self.truncated:
            return ()
        lost = f"{self.truncated} of {self.texts} texts were truncated, losing {self.lost_tokens} tokens"
        return (f"{lost}, the first in {self.first}",)


class Truncations:
    """The durable counts, by the uuid of an index."""

    def __init__(self, catalog: Catalog, indices: IndexBook) -> None:
        self._catalog = catalog
        self._indices = indices
        self._lock = threading.Lock()

    def keep(self, tally: Tally) -> None:
        """Add a request's counts, after its documents are durable."""
        if not tally.by_index:
            return
        with self._lock, self._catalog.transaction():
            for uuid, counts in tally.by_index.items():
                held = EmbeddingCounts.read(self._catalog.definition(KIND, uuid))
                held.add(counts)
                self._catalog.put_definition(KIND, uuid, held.write())

    def forget(self, uuid: str) -> None:
        """Let go of the counts of a deleted index. Idempotent."""
        self._catalog.delete_definition(KIND, uuid)

    def report(self, index: Index) -> tuple[int, list[FieldReport]]:
        """Return how many documents the index shows, and what is known of each vector field."""
        held = fingerprints(index.mapping.body)
        counts = EmbeddingCounts.read(self._catalog.definition(KIND, index.uuid))
        snapshot = self._indices.store(index).snapshot()
        try:
            reports = []
            for path, one in index.mapping.fields.items():
                if one.family is not Family.VECTOR:
                    continue
                exists = Exists((path,))
                present = snapshot.count(Nested(one.nested, exists) if one.nested else exists, ())
                print_ = held.get(path)
                reports.append(
                    FieldReport(
                        path,
                        present,
                        snapshot.documents - present,
                        counts.of(path),
                        None if print_ is None else print_.model_id,
                        None if print_ is None else print_.write(),
                    )
                )
            return snapshot.documents, reports
        finally:
            snapshot.close()

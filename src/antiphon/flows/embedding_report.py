"""What an index knows about its embeddings: fingerprints, missing vectors, what truncation took."""

from __future__ import annotations

from antiphon.domain.embedding_report import EmbeddingCounts, FieldReport
from antiphon.domain.field import Family
from antiphon.domain.fingerprint import fingerprints
from antiphon.domain.index import Index
from antiphon.domain.ingest_document import IngestDocument
from antiphon.flows.fingerprint import IndexBook
from antiphon.query import Exists, Nested


class EmbeddingReports:
    """Reads the counts that are kept with an index's documents."""

    def __init__(self, indices: IndexBook) -> None:
        self._indices = indices

    def report(self, index: Index) -> tuple[int, list[FieldReport]]:
        """Return how many documents the index shows, and what is known of each vector field."""
        held = fingerprints(index.mapping.body)
        store = self._indices.store(index)
        counts = store.embedded()
        snapshot = store.snapshot()
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


def counts_of(document: IngestDocument) -> EmbeddingCounts:
    """Return the counts of one document; its texts count for every vector field that it got."""
    counts = EmbeddingCounts()
    for path, _ in document.embedded:
        one = counts.of(path)
        one.documents = 1
        one.texts, one.truncated_texts = document.embedded_texts, document.truncated_texts
        one.truncated_documents = int(document.truncated_texts > 0)
        one.tokens, one.lost_tokens = document.text_tokens, document.lost_tokens
    return counts

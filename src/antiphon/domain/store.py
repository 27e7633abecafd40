"""What is written to and read from an index's document store."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from antiphon.domain.document import TypedDocument
from antiphon.domain.embedding_report import EmbeddingCounts


class VersionType(StrEnum):
    """Who counts versions."""

    INTERNAL = "internal"
    EXTERNAL = "external"
    EXTERNAL_GTE = "external_gte"


@dataclass(frozen=True, slots=True)
class Write:
    """One operation. ``document`` and ``source`` (its JSON, as it will be returned) are None for a delete.

    ``create`` fails on an existing id; ``if_seq_no`` must be the current one; ``version`` is checked and, for the
    external types, taken over. ``embedded`` counts what was embedded for it.
    """

    id: str
    source: bytes | None = None
    document: TypedDocument | None = None
    routing: str | None = None
    create: bool = False
    if_seq_no: int | None = None
    if_primary_term: int | None = None
    version: int | None = None
    version_type: VersionType = VersionType.INTERNAL
    embedded: EmbeddingCounts | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """The outcome. ``result`` is created, updated, deleted or not_found."""

    result: str
    version: int
    seq_no: int


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document as stored; ``source`` is its JSON."""

    id: str
    source: bytes
    version: int
    seq_no: int
    routing: str | None = None


@dataclass(frozen=True, slots=True)
class IndexStats:
    """Counts and bytes. ``searchable`` documents of the current snapshot; ``pending`` writes no refresh has shown;
    ``graph_vectors`` are those of ``vectors`` that a graph covers."""

    documents: int
    deleted: int
    searchable: int
    pending: int
    segments: int
    store_bytes: int
    max_seq_no: int
    vectors: int
    graph_vectors: int = 0
    operations: int = 0
    queries: int = 0

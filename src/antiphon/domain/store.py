"""What is written to and read from an index's document store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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
class Work:
    """How often something was done, and how long all of it took."""

    times: int = 0
    seconds: float = 0.0

    def __add__(self, other: Work) -> Work:
        return Work(self.times + other.times, self.seconds + other.seconds)


@dataclass(frozen=True, slots=True)
class IndexStats:
    """Counts and bytes. ``searchable`` documents of the current snapshot; ``pending`` writes no refresh has shown;
    ``graph_vectors`` are those of ``vectors`` that a graph covers. ``work`` since the store was opened: ``index`` and
    ``delete`` by document, ``query`` and ``fetch`` by search."""

    documents: int
    deleted: int
    searchable: int
    pending: int
    segments: int
    store_bytes: int
    max_seq_no: int
    vectors: int
    graph_vectors: int = 0
    work: Mapping[str, Work] = field(default_factory=dict)

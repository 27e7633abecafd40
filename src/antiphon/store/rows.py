"""The shelf under a catalog: versioned rows of bytes, without knowing what they mean."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Kind(StrEnum):
    """What a row is; each kind counts its own sequence numbers, as each OpenSearch system index does."""

    GROUP = "group"
    MODEL = "model"
    TASK = "task"
    CONTROLLER = "controller"
    SETTINGS = "settings"
    NODE = "node"
    INGEST_PIPELINE = "ingest_pipeline"
    SEARCH_PIPELINE = "search_pipeline"
    INDEX = "index"
    INDEX_TEMPLATE = "index_template"
    COMPONENT_TEMPLATE = "component_template"
    TEMPLATE = "template"
    BACKGROUND_TASK = "background_task"
    EMBEDDING_REPORT = "embedding_report"


DEFINITIONS = (
    Kind.INGEST_PIPELINE,
    Kind.SEARCH_PIPELINE,
    Kind.INDEX,
    Kind.INDEX_TEMPLATE,
    Kind.COMPONENT_TEMPLATE,
    Kind.TEMPLATE,
    Kind.BACKGROUND_TASK,
    Kind.EMBEDDING_REPORT,
)
"""The kinds whose rows are JSON objects that their own flows read and write."""


@dataclass(frozen=True, slots=True)
class Row:
    """One document: ``body`` is its JSON, None for a tombstone, which keeps version and sequence number rising.

    ``version`` counts the writes to this id from 1, ``seq_no`` the writes to its kind from 0, ``first`` is the
    ``seq_no`` of the write that created it; ``name`` can be looked up.
    """

    id: str
    version: int
    seq_no: int
    first: int
    name: str | None
    body: bytes | None


class Rows(Protocol):
    """Thread-safe. Reads see the last commit, or, inside one's own transaction, what it has written so far.

    Every method raises Unavailable after ``close`` and AntiphonError when the medium fails.
    """

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing, one writer at a time; nested, the inner one can fail alone."""

    def get(self, kind: Kind, row_id: str) -> Row | None:
        """Return the living row, or None."""

    def named(self, kind: Kind, name: str) -> Row | None:
        """Return the oldest living row of exactly this name, or None."""

    def all(self, kind: Kind) -> list[Row]:
        """Return the living rows, oldest first."""

    def put(self, kind: Kind, row_id: str, name: str | None, body: bytes) -> Row:
        """Write a row; durable, if the medium is, when the outermost transaction ends."""

    def delete(self, kind: Kind, row_id: str) -> Row | None:
        """Leave a tombstone and return it; None when there was no living row."""

    def close(self) -> None:
        """Release everything. Idempotent."""


def following(before: Row | None, row_id: str, seq_no: int, name: str | None, body: bytes | None) -> Row:
    """Return the row that a write with ``seq_no`` makes of ``before`` (None: never seen)."""
    reborn = before is None or before.body is None
    return Row(
        id=row_id,
        version=1 if before is None else before.version + 1,
        seq_no=seq_no,
        first=seq_no if before is None or reborn else before.first,
        name=name,
        body=body,
    )

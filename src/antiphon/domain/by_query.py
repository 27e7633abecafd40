"""Work on every document that matches a query: what was asked, how far it is, and what it came to."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from antiphon.domain.truncation import Truncation


class ByQueryKind(StrEnum):
    """The three operations; the value is the end of OpenSearch's action name."""

    DELETE = "delete/byquery"
    UPDATE = "update/byquery"
    REINDEX = "reindex"

    @property
    def action(self) -> str:
        """What ``_tasks`` calls it."""
        return f"indices:data/write/{self.value}"


@dataclass(frozen=True, slots=True)
class Destination:
    """Where ``_reindex`` writes. ``routing`` is ``keep``, ``discard`` or ``=value``."""

    index: str
    pipeline: str | None = None
    create: bool = False
    external: bool = False
    routing: str = "keep"


@dataclass(frozen=True, slots=True)
class ByQuery:
    """The request, JSON-ready so that it outlives the process. ``query`` and ``script`` are as sent.

    ``pipeline`` is that of an update by query. ``batch`` documents are read and written at a time.
    ``terminate_after`` is how many documents of each index are looked for; 0 is all.
    """

    kind: ByQueryKind
    indices: str
    query: dict[str, Any] | None = None
    script: Any = None
    pipeline: str | None = None
    proceed: bool = False
    max_docs: int | None = None
    terminate_after: int = 0
    batch: int = 1000
    refresh: bool = False
    ignore_unavailable: bool = False
    destination: Destination | None = None
    includes: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()

    def describe(self) -> str:
        """Return what ``_tasks`` shows."""
        match self.kind:
            case ByQueryKind.DELETE:
                return f"delete-by-query [{self.indices}]"
            case ByQueryKind.UPDATE:
                return f"update-by-query [{self.indices}]"
            case ByQueryKind.REINDEX:
                target = "" if self.destination is None else self.destination.index
                return f"reindex from [{self.indices}] to [{target}]"


@dataclass(slots=True)
class Counts:
    """What has been done; ``failures`` are JSON-ready, with index, id, cause and status."""

    total: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0
    noops: int = 0
    version_conflicts: int = 0
    batches: int = 0
    truncation: Truncation = field(default_factory=Truncation)
    failures: list[dict[str, Any]] = field(default_factory=list)

    @property
    def done(self) -> int:
        """Documents dealt with."""
        return self.created + self.updated + self.deleted + self.noops + self.version_conflicts


@dataclass(slots=True)
class Place:
    """How far the work on one index is: sequence numbers up to ``after`` are done, those over ``until`` came later."""

    until: int
    after: int = -1


class TaskEnd(StrEnum):
    """How a background task stands."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(slots=True)
class BackgroundTask:
    """Everything about one task, as the catalog keeps it. Times in epoch milliseconds; ``places`` by index uuid.

    After a restart work goes on behind the last batch that was noted: a batch that was written but not noted is done
    again, which changes nothing for deletes and updates and writes the same documents for a reindex.
    """

    number: int
    asked: ByQuery
    started_ms: int
    state: TaskEnd = TaskEnd.RUNNING
    counts: Counts = field(default_factory=Counts)
    places: dict[str, Place] = field(default_factory=dict)
    ended_ms: int | None = None
    error: dict[str, Any] | None = None
    cancelled: bool = False

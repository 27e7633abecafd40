"""One action on one document, as a bulk line or a single write asks for it, and its outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from antiphon.domain.source import SourceFilter
from antiphon.domain.store import VersionType
from antiphon.domain.truncation import Truncation
from antiphon.domain.update import Update
from antiphon.errors import AntiphonError, IllegalArgument, ValidationError

MAX_ID_BYTES = 512


class Operation(StrEnum):
    """The four actions, by the word that a bulk line uses."""

    INDEX = "index"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Action:
    """``source`` is the document as sent, ``update`` the body of an update; ``index`` may be an alias.

    ``pipeline`` None means the index's default, ``_none`` means none. ``fetch`` is what an update answers with.
    """

    operation: Operation
    index: str
    id: str | None = None
    source: memoryview | bytes = b""
    routing: str | None = None
    pipeline: str | None = None
    version: int | None = None
    version_type: VersionType = VersionType.INTERNAL
    if_seq_no: int | None = None
    if_primary_term: int | None = None
    retry_on_conflict: int = 0
    require_alias: bool = False
    fetch: SourceFilter | None = None
    update: Update | None = None

    def check(self) -> None:
        """ValidationError for ``problems``; IllegalArgument for an empty id, which fails only its own action."""
        if problems := self.problems():
            raise ValidationError(*problems)
        if self.id == "":
            raise IllegalArgument("if _id is specified it must not be empty")

    def problems(self) -> list[str]:
        """Return why the parameters do not go together, in OpenSearch's words; they refuse a whole bulk."""
        external = self.version_type is not VersionType.INTERNAL
        if self.operation is Operation.CREATE and (problem := self._create_problem(external=external)):
            return [problem]
        problems = []
        if not self.id and self.operation in (Operation.UPDATE, Operation.DELETE):
            problems.append("id is missing")
        elif self.id is None and (external or self.version is not None):
            problems.append("an id must be provided if version type or value are set")
        problems += self._versions(external=external)
        if self.if_seq_no is not None and self.retry_on_conflict > 0:
            problems.append("compare and write operations can not be retried")
        size = len((self.id or "").encode())
        if size > MAX_ID_BYTES and self.operation is not Operation.DELETE:
            problems.append(f"id [{self.id}] is too long, must be no longer than {MAX_ID_BYTES} bytes but was: {size}")
        return problems

    def _create_problem(self, *, external: bool) -> str | None:
        if external:
            return "create operations only support internal versioning. use index instead"
        if self.version is not None:
            return "create operations do not support explicit versions. use index instead"
        if self.if_seq_no is not None or self.if_primary_term is not None:
            return "create operations do not support compare and set. use index instead"
        return None

    def _versions(self, *, external: bool) -> list[str]:
        version, term = self.version, self.if_primary_term or 0
        problems = []
        shown = -3 if version is None else version
        if (external or version is not None) and shown < 0:
            problems.append(f"illegal version value [{shown}] for version type [{self.version_type.value.upper()}]")
        if (version is not None and not external) or (external and self.operation is Operation.UPDATE):
            problems.append(
                "internal versioning can not be used for optimistic concurrency control. Please use `if_seq_no` and "
                "`if_primary_term` instead"
            )
        if self.if_seq_no is not None and (external or version is not None):
            problems.append("compare and write operations can not use versioning")
        if (self.if_seq_no is None) != (term == 0):
            problems.append(
                f"ifSeqNo is {'unassigned' if self.if_seq_no is None else 'set'}, but primary term is [{term}]"
            )
        return problems


@dataclass(frozen=True, slots=True)
class RawAction:
    """One action as a bulk body spells it: ``head`` is its first line, ``source`` its second (None for a delete)."""

    operation: Operation
    metadata: Mapping[str, Any]
    head: memoryview | bytes = b""
    source: memoryview | bytes | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What an action did. ``result`` is created, updated, deleted, not_found or noop; ``index`` the concrete one.

    ``copies`` is how many copies of the shard there should be. ``got`` is the source an update was asked to return.
    """

    index: str
    id: str
    result: str
    version: int
    seq_no: int
    copies: int = 2
    forced_refresh: bool = False
    got: Mapping[str, Any] | None = None
    primary_term: int = 1

    @property
    def status(self) -> int:
        """HTTP's word for it."""
        return {"created": 201, "not_found": 404}.get(self.result, 200)


@dataclass(frozen=True, slots=True)
class Answered:
    """What another engine said of an action: the content of its bulk item, ``status`` and perhaps ``error`` in it."""

    shown: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Failed:
    """An action that did nothing, with the reason."""

    index: str
    id: str | None
    error: AntiphonError


Outcome = Done | Failed


@dataclass(frozen=True, slots=True)
class BulkReport:
    """Outcomes in the order of the actions; ``ingest_ms`` None when no pipeline ran."""

    outcomes: list[Outcome]
    ingest_ms: int | None = None
    truncation: Truncation = field(default_factory=Truncation)

"""Deletes, updates and copies every document that matches a query, in batches, from wherever it was left off."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, assert_never

import numpy as np
import orjson
from numpy.typing import NDArray

from antiphon.domain.bulk import Action, Done, Failed, Operation, Outcome
from antiphon.domain.by_query import ByQuery, ByQueryKind, Counts, Place
from antiphon.domain.index import Index, Target
from antiphon.domain.role import Role
from antiphon.domain.store import StoredDocument
from antiphon.domain.update_script import UpdateScript, script_of
from antiphon.errors import AntiphonError, IllegalArgument, VersionConflict
from antiphon.flows.aliases import scope_of
from antiphon.flows.background import Progress
from antiphon.flows.documents import Documents
from antiphon.flows.fingerprint import Fingerprints
from antiphon.flows.ingest import WriteBook
from antiphon.flows.pipelines import Embed
from antiphon.flows.ports import Clock, Snapshot
from antiphon.flows.reindex import Copier
from antiphon.query import Bool, EmbedText, MatchAll, Query, Vector, parse_query

Floats = NDArray[np.float32]


class ReadBook(WriteBook, Protocol):
    """What is needed of ``flows.indices.Indices`` besides."""

    def resolve(self, expression: str, *, ignore_unavailable: bool = False) -> list[Target]:
        """The indices of an expression."""


class Matching:
    """Finds the documents of a query; neural clauses are embedded as queries."""

    def __init__(self, embed: Embed, fingerprints: Fingerprints, clock: Clock) -> None:
        self._embed = embed
        self._fingerprints = fingerprints
        self._clock = clock

    def rows(self, target: Target, body: Any, snapshot: Snapshot) -> NDArray[np.int64]:
        """Return the rows that match the body (None: all) and the alias's filter, ascending."""
        index = target.index
        scope = scope_of(index, self._clock())
        parts: list[Query] = [] if body is None else [parse_query(body, scope)]
        if target.filter is not None:
            parts.append(parse_query(target.filter, scope))
        query = Bool(filter=tuple(parts)) if parts else MatchAll()
        return snapshot.matching(query, [self._vector(index, slot) for slot in scope.slots])

    def _vector(self, index: Index, slot: EmbedText | Vector) -> Floats:
        match slot:
            case EmbedText():
                self._fingerprints.check_query(index, slot.field, slot.model_id)
                return self._embed(slot.model_id, [slot.text], slot.role or Role.QUERY).rows[0]
            case Vector():
                return np.asarray(slot.values, np.float32)
            case _:
                assert_never(slot)


class ByQueryRunner:
    """The ``Work`` of background tasks."""

    def __init__(self, indices: ReadBook, documents: Documents, matching: Matching) -> None:
        self._indices = indices
        self._documents = documents
        self._matching = matching

    def check(self, asked: ByQuery) -> None:
        """Raise what is wrong with a request before any of it is done."""
        targets = self._targets(asked)
        if asked.script is not None:
            script_of(asked.script)
        if asked.destination is None:
            for target in targets:
                self._indices.check_blocks(target.index, "write")
        elif any(target.index.name == self._copy_target(asked) for target in targets):
            name = asked.destination.index
            raise IllegalArgument(f"reindex cannot write into an index its reading from [{name}]")

    def work(self, progress: Progress) -> None:
        """Do what the task asks, from where it is; ends early when halted, at max_docs or on a failure."""
        task = progress.task
        change = self._change(task.asked)
        for target in self._targets(task.asked):
            if progress.halted or task.counts.failures:
                break
            self._one_index(progress, target, change)
        self._refresh(task.asked)

    def _one_index(self, progress: Progress, target: Target, change: Change) -> None:
        task = progress.task
        store = self._indices.store(target.index)
        fresh = target.index.uuid not in task.places
        place = task.places.setdefault(target.index.uuid, Place(0))
        store.refresh()
        snapshot = store.snapshot()
        try:
            if fresh:
                place.until = store.stats().max_seq_no
            rows = self._matching.rows(target, task.asked.query, snapshot)[: task.asked.terminate_after or None]
            if fresh:
                task.counts.total = _limited(task.asked, task.counts.total + len(rows))
                progress.note()
            for documents in _batches(snapshot, rows, place, task.asked.batch):
                if progress.halted or task.counts.failures or not _room(task.asked, task.counts):
                    return
                some = documents[: _room(task.asked, task.counts)]
                self._batch(task.asked, task.counts, [change(target.index.name, one) for one in some])
                place.after = some[-1].seq_no
                progress.note()
        finally:
            snapshot.close()

    def _batch(self, asked: ByQuery, counts: Counts, actions: Sequence[Action | None]) -> None:
        counts.batches += 1
        counts.noops += sum(action is None for action in actions)
        going = [action for action in actions if action is not None]
        if not going:
            return
        report = self._documents.bulk(going)
        counts.truncation.add(report.truncation)
        for outcome in report.outcomes:
            _count(asked, counts, outcome)

    def _change(self, asked: ByQuery) -> Change:
        script = None if asked.script is None else script_of(asked.script)
        match asked.kind:
            case ByQueryKind.DELETE:
                return _deletion
            case ByQueryKind.UPDATE:
                return lambda index, document: _update(asked, script, index, document)
            case ByQueryKind.REINDEX:
                return Copier(asked, script).copy
            case _:
                assert_never(asked.kind)

    def _targets(self, asked: ByQuery) -> list[Target]:
        targets = self._indices.resolve(asked.indices, ignore_unavailable=asked.ignore_unavailable)
        for target in targets:
            self._indices.check_open(target.index)
        return targets

    def _copy_target(self, asked: ByQuery) -> str:
        name = "" if asked.destination is None else asked.destination.index
        try:
            return self._indices.write_target(name, create=False).name
        except AntiphonError:
            return name

    def _refresh(self, asked: ByQuery) -> None:
        if not asked.refresh:
            return
        for target in self._indices.resolve(
            asked.indices if asked.destination is None else asked.destination.index, ignore_unavailable=True
        ):
            self._indices.store(target.index).refresh()


Change = Callable[[str, StoredDocument], Action | None]
"""From the name of an index and a document to what is done with it; None for nothing."""


def _batches(snapshot: Snapshot, rows: NDArray[np.int64], place: Place, size: int) -> Iterator[list[StoredDocument]]:
    """Yield the documents of the rows that are not done yet and were there when the task began."""
    for start in range(0, len(rows), size):
        found = snapshot.stored(rows[start : start + size].tolist())
        wanted = [one for one in found if place.after < one.seq_no <= place.until]
        if wanted:
            yield wanted


def _deletion(index: str, document: StoredDocument) -> Action:
    return Action(
        Operation.DELETE, index, document.id, routing=document.routing, if_seq_no=document.seq_no, if_primary_term=1
    )


def _update(asked: ByQuery, script: UpdateScript | None, index: str, document: StoredDocument) -> Action | None:
    source = document.source
    if script is not None:
        metadata = {
            "_index": index, "_id": document.id, "_version": document.version, "_routing": document.routing,
        }  # fmt: skip
        scripted = script.run(orjson.loads(source), metadata)
        if scripted.operation.value == "noop":
            return None
        if scripted.operation.value == "delete":
            return _deletion(index, document)
        source = orjson.dumps(scripted.source)
    return Action(
        Operation.INDEX,
        index,
        document.id,
        source,
        routing=document.routing,
        pipeline=asked.pipeline,
        if_seq_no=document.seq_no,
        if_primary_term=1,
    )


def _count(asked: ByQuery, counts: Counts, outcome: Outcome) -> None:
    if isinstance(outcome, Done):
        name = {"created": "created", "updated": "updated", "deleted": "deleted"}.get(outcome.result, "noops")
        setattr(counts, name, getattr(counts, name) + 1)
        return
    conflict = isinstance(outcome.error, VersionConflict)
    counts.version_conflicts += conflict
    if not conflict or not asked.proceed:
        counts.failures.append(_failure(outcome))


def _failure(outcome: Failed) -> dict[str, Any]:
    error = outcome.error
    return {
        "index": outcome.index,
        "id": outcome.id,
        "cause": {"type": error.type, "reason": error.reason, **error.metadata},
        "status": error.status,
    }


def _limited(asked: ByQuery, count: int) -> int:
    return count if asked.max_docs is None else min(count, asked.max_docs)


def _room(asked: ByQuery, counts: Counts) -> int:
    """How many more documents may be worked on."""
    limit = counts.total if asked.terminate_after else asked.max_docs
    return asked.batch if limit is None else max(0, limit - counts.done)

"""Starts updates: reads the documents they are of, and decides what is to be written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, assert_never

import orjson

from antiphon.domain.bulk import Done
from antiphon.domain.store import StoredDocument, Write
from antiphon.domain.update import Change, apply_update
from antiphon.domain.update_script import Operation
from antiphon.errors import AntiphonError, DocumentMissing, VersionConflict
from antiphon.flows.ingest import Draft, WriteBook
from antiphon.flows.ports import Clock


class Updater:
    """Turns an update into a write of the whole document, on the condition that nobody wrote it meanwhile."""

    def __init__(self, indices: WriteBook, clock: Clock) -> None:
        self._indices = indices
        self._clock = clock

    def start(self, drafts: Sequence[Draft]) -> None:
        """Give each draft the document it becomes, a delete, or its outcome (noop, missing, conflict)."""
        by_index: dict[str, list[Draft]] = {}
        for draft in drafts:
            if draft.outcome is None:
                by_index.setdefault(draft.index.uuid, []).append(draft)
        for group in by_index.values():
            store = self._indices.store(group[0].index)
            for draft, held in zip(group, store.get_many([draft.id or "" for draft in group]), strict=True):
                try:
                    _start(draft, held, self._clock())
                except AntiphonError as error:
                    draft.fail(error)


def _start(draft: Draft, held: StoredDocument | None, now: int) -> None:
    update, doc_id = draft.action.update, draft.id or ""
    if update is None:
        raise AntiphonError(f"the update of [{doc_id}] has no body")
    where = {"index": draft.index.name, "shard": "0", "index_uuid": draft.index.uuid}
    _check_condition(draft, held, where)
    before = None if held is None else orjson.loads(held.source)
    try:
        change = apply_update(update, doc_id, before, _context(draft, held) | {"_now": now})
    except DocumentMissing as error:
        error.metadata = where
        raise
    draft.held, draft.before, draft.inserted = held, before, change.inserted
    draft.create = change.inserted
    draft.routing = draft.routing if held is None else held.routing
    _decide(draft, change, held)


def _decide(draft: Draft, change: Change, held: StoredDocument | None) -> None:
    doc_id = draft.id or ""
    match change.operation:
        case Operation.INDEX:
            draft.source = change.source
        case Operation.NOOP:
            version, seq_no = (-1, -2) if held is None else (held.version, held.seq_no)
            fetch = draft.action.fetch
            got = fetch.of(change.source) if fetch is not None and fetch.enabled else None
            draft.outcome = Done(draft.index.name, doc_id, "noop", version, seq_no, draft.copies, got=got)
        case Operation.DELETE:
            condition = None if held is None else held.seq_no
            draft.write = Write(doc_id, routing=draft.routing, if_seq_no=condition, if_primary_term=1)
        case _:
            assert_never(change.operation)


def _check_condition(draft: Draft, held: StoredDocument | None, where: Mapping[str, Any]) -> None:
    wanted = draft.action.if_seq_no
    if wanted is None or (held is not None and held.seq_no == wanted and draft.action.if_primary_term == 1):
        return
    found = (
        "but no document was found"
        if held is None
        else f"current document has seqNo [{held.seq_no}] and primary term [1]"
    )
    joined = f"required seqNo [{wanted}], primary term [{draft.action.if_primary_term}]"
    joined += f" {found}" if held is None else f". {found}"
    raise VersionConflict(f"[{draft.id}]: version conflict, {joined}", metadata=where)


def _context(draft: Draft, held: StoredDocument | None) -> dict[str, Any]:
    context: dict[str, Any] = {"_index": draft.index.name, "_id": draft.id, "_routing": draft.routing}
    if held is not None:
        context |= {"_version": held.version, "_routing": held.routing}
    return context

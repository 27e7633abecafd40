"""Writes and reads documents: one action or a bulk of them, through the same steps, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

from antiphon.domain.bulk import Action, BulkReport, Done, Failed, Operation, Outcome
from antiphon.domain.bulk_parts import Step, parts
from antiphon.domain.index import Index
from antiphon.domain.store import StoredDocument, Write, Written
from antiphon.domain.truncation import Truncation
from antiphon.errors import AntiphonError, IllegalArgument, RoutingMissing, VersionConflict
from antiphon.flows.aliases import routed
from antiphon.flows.ingest import Draft, Ingestor, WriteBook
from antiphon.flows.ports import Ports
from antiphon.flows.update import Updater
from antiphon.precedence import giving_way

SLICE_BYTES = 32 << 20
"""Sources that are parsed and embedded at a time; a bulk is written in slices of about this size."""


class Refresh(StrEnum):
    """When a write is to be searchable: at once, before the answer, or at the next refresh."""

    TRUE = "true"
    WAIT_FOR = "wait_for"
    FALSE = "false"

    @classmethod
    def parse(cls, word: str | None) -> Refresh:
        """Return the meaning of the parameter; a bare ``?refresh`` is true; IllegalArgument for any other word."""
        try:
            return cls(word or ("true" if word == "" else "false"))
        except ValueError:
            raise IllegalArgument(f"Unknown value for refresh: [{word}].") from None


class Documents:
    """Thread-safe; what two requests do to one document is ordered by the index's store."""

    def __init__(self, ports: Ports, indices: WriteBook, ingestor: Ingestor) -> None:
        self._ports = ports
        self._indices = indices
        self._ingestor = ingestor
        self._updater = Updater(indices, ports.clock)

    def one(self, action: Action, refresh: Refresh = Refresh.FALSE) -> tuple[Done, list[str]]:
        """Do a single action; return what it did and the notices. Raises what stopped it."""
        report = self.bulk([action], refresh)
        outcome = report.outcomes[0]
        if isinstance(outcome, Failed):
            raise outcome.error
        return outcome, report.truncation.notices()

    def bulk(self, actions: Sequence[Action], refresh: Refresh = Refresh.FALSE) -> BulkReport:
        """Do actions in order; a later one sees earlier ones. An action that fails does not stop the others.

        Durable when it returns: one commit per index, unless an update follows another write of the same document,
        or there is more than ``SLICE_BYTES``. One embedding call per model and step of such a part.
        """
        truncation = Truncation()
        start = self._ports.monotonic()
        ran, spent = False, 0.0
        outcomes: list[Outcome] = []
        touched: dict[str, Index] = {}
        for part in parts(actions, _step, SLICE_BYTES):
            drafts = self._drafts(part)
            before = self._ports.monotonic()
            ran = self._ingestor.prepare(drafts, truncation) or ran
            spent += self._ports.monotonic() - before
            self._write(drafts, touched)
            self._retry(drafts, truncation, touched)
            outcomes += [_ended(draft) for draft in drafts]
        if refresh is not Refresh.FALSE:
            for index in touched.values():
                self._indices.store(index).refresh()
        if refresh is Refresh.TRUE:
            outcomes = [_forced(outcome) for outcome in outcomes]
        took = min(spent, self._ports.monotonic() - start)
        return BulkReport(outcomes, int(took * 1000) if ran else None, truncation)

    def get(
        self, name: str, doc_id: str, *, refresh: bool = False, routing: str | None = None
    ) -> tuple[Index, StoredDocument | None]:
        """Return the index and the document as last written (None without one); IndexNotFound, IndexClosed.

        IllegalArgument for another routing than the alias's.
        """
        index = self._readable(name)
        routed(index, name, routing)
        store = self._indices.store(index)
        if refresh:
            store.refresh()
        return index, store.get(doc_id)

    def get_many(self, wanted: Sequence[tuple[str, str]]) -> list[tuple[str, StoredDocument | None] | AntiphonError]:
        """Return concrete index and document for each (index, id), in order; an index's error for each of its ids."""
        found: dict[int, tuple[str, StoredDocument | None] | AntiphonError] = {}
        by_name: dict[str, list[int]] = {}
        for at, (name, _) in enumerate(wanted):
            by_name.setdefault(name, []).append(at)
        for name, places in by_name.items():
            try:
                index = self._readable(name)
                documents = self._indices.store(index).get_many([wanted[at][1] for at in places])
                found |= {at: (index.name, one) for at, one in zip(places, documents, strict=True)}
            except AntiphonError as error:
                found |= dict.fromkeys(places, error)
        return [found[at] for at in range(len(wanted))]

    def _readable(self, name: str) -> Index:
        index = self._indices.get(name)
        self._indices.check_open(index)
        self._indices.check_blocks(index, "read")
        return index

    def _drafts(self, actions: Sequence[Action]) -> list[Draft]:
        targets: dict[tuple[str, bool, bool], Index | AntiphonError] = {}
        drafts = []
        for action in giving_way(actions):
            create = action.operation is not Operation.DELETE
            key = (action.index, action.require_alias, create)
            if key not in targets:
                targets[key] = self._target(action, create)
            drafts.append(_draft(action, targets[key]))
        self._updater.start([draft for draft in drafts if draft.action.operation is Operation.UPDATE])
        return drafts

    def _target(self, action: Action, create: bool) -> Index | AntiphonError:
        try:
            index = self._indices.write_target(action.index, require_alias=action.require_alias, create=create)
            self._indices.check_open(index)
            self._indices.check_blocks(index, "write")
        except AntiphonError as error:
            return error
        return index

    def _write(self, drafts: Sequence[Draft], touched: dict[str, Index]) -> None:
        groups: dict[str, list[Draft]] = {}
        for draft in drafts:
            if draft.outcome is None and draft.write is not None:
                groups.setdefault(draft.index.uuid, []).append(draft)
        for group in groups.values():
            index = group[0].index
            try:
                results = self._indices.store(index).write([draft.write for draft in group if draft.write is not None])
            except AntiphonError as error:
                for draft in group:
                    draft.fail(error)
                continue
            touched[index.uuid] = index
            for draft, result in zip(group, results, strict=True):
                _settle(draft, result)

    def _retry(self, drafts: Sequence[Draft], truncation: Truncation, touched: dict[str, Index]) -> None:
        """Do updates again that another request's write overtook, as often as they allow."""
        for draft in drafts:
            for _ in range(draft.action.retry_on_conflict):
                if not _overtaken(draft):
                    break
                (again,) = self._drafts([draft.action])
                self._ingestor.prepare([again], truncation)
                self._write([again], touched)
                draft.outcome = _ended(again)


def _step(action: Action) -> Step:
    return Step(action.index, action.id, len(action.source), action.operation is Operation.UPDATE)


def _draft(action: Action, target: Index | AntiphonError) -> Draft:
    """Return the action at work; one that fails has its outcome."""
    if isinstance(target, AntiphonError):
        draft = Draft(action, Index(action.index, "_na_", 0), action.id)
        draft.fail(target)
        return draft
    draft = Draft(action, target, action.id, routing=action.routing)
    try:
        action.check()
        if action.index in target.aliases:
            draft.routing = routed(target, action.index, action.routing)
            action = draft.action = replace(action, routing=draft.routing)
        if action.routing is None and (target.mapping.body.get("_routing") or {}).get("required") is True:
            raise RoutingMissing(f"routing is required for [{target.name}]/[{action.id}]")
        match action.operation:
            case Operation.DELETE:
                draft.write = _deletion(action)
            case Operation.INDEX | Operation.CREATE:
                draft.raw = action.source
                draft.create = action.operation is Operation.CREATE
            case Operation.UPDATE:
                pass
    except AntiphonError as error:
        draft.fail(error)
    return draft


def _deletion(action: Action) -> Write:
    return Write(
        action.id or "",
        routing=action.routing,
        if_seq_no=action.if_seq_no,
        if_primary_term=action.if_primary_term,
        version=action.version,
        version_type=action.version_type,
    )


def _settle(draft: Draft, result: Written | AntiphonError) -> None:
    doc_id = draft.id or ""
    if isinstance(result, AntiphonError):
        if isinstance(result, VersionConflict):
            result.metadata = {"index": draft.index.name, "shard": "0", "index_uuid": draft.index.uuid}
        draft.fail(result)
        return
    got = None
    fetch = draft.action.fetch
    if draft.action.operation is Operation.UPDATE and fetch is not None and fetch.enabled and draft.source is not None:
        got = fetch.of(draft.source)
    draft.outcome = Done(draft.index.name, doc_id, result.result, result.version, result.seq_no, draft.copies, got=got)


def _overtaken(draft: Draft) -> bool:
    return (
        draft.action.operation is Operation.UPDATE
        and draft.action.if_seq_no is None
        and isinstance(draft.outcome, Failed)
        and isinstance(draft.outcome.error, VersionConflict)
    )


def _ended(draft: Draft) -> Outcome:
    if draft.outcome is None:
        raise AntiphonError(f"the action on [{draft.id}] was left undone")
    return draft.outcome


def _forced(outcome: Outcome) -> Outcome:
    if isinstance(outcome, Failed) or outcome.result == "noop":
        return outcome
    return Done(
        outcome.index, outcome.id, outcome.result, outcome.version, outcome.seq_no, outcome.copies, True, outcome.got
    )

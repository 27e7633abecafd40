"""Writes on their way to a cluster: what needs a model is made ready here, the rest goes on as it came."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from antiphon.domain.bulk import Answered, Done, Failed, Operation, RawAction
from antiphon.domain.bulk_parts import Step, parts
from antiphon.domain.source import parse_document
from antiphon.domain.truncation import Truncation
from antiphon.domain.update import Update, apply_update
from antiphon.domain.update_script import Operation as Changed
from antiphon.errors import AntiphonError, DocumentMissing, StatusError, Unavailable, VersionConflict, reason_of
from antiphon.flows.cluster_book import NONE, ClusterBook, ClusterView, Headers, IndexFacts, parsed
from antiphon.flows.cluster_ingest import ClusterDraft, ClusterIngestor, Held, check_final
from antiphon.flows.fingerprint import Fingerprints
from antiphon.flows.pipelines import Embed, PipelineRunner
from antiphon.flows.ports import Answer, Clock, Cluster
from antiphon.flows.semantic import SemanticEmbedder

PART_BYTES = 8 << 20
"""Documents that are embedded at a time."""
SENT_BYTES = 16 << 20
"""What is sent to the cluster at a time: vectors make documents much larger."""
_NDJSON = {"content-type": "application/x-ndjson"}
_JSON = {"content-type": "application/json"}
_PLACE = frozenset({"_index", "_id", "routing", "_routing", "pipeline", "_source", "retry_on_conflict"})
_CONFLICT = 409

ReadUpdate = Callable[[RawAction], Update]
Outcome = Answered | Done | Failed


@dataclass(frozen=True, slots=True)
class ClusterBulk:
    """A bulk: its actions, where it goes (path and query), what its address says for all of them."""

    actions: Sequence[RawAction]
    target: str
    index: str = ""
    pipeline: str | None = None


@dataclass(slots=True)
class ClusterReport:
    """Outcomes in the order of the actions. ``refusal`` is the cluster's own no to the whole request."""

    outcomes: list[Outcome] = field(default_factory=list)
    ingest_ms: int = 0
    truncation: Truncation = field(default_factory=Truncation)
    refusal: Answer | None = None


@dataclass(frozen=True, slots=True)
class Tools:
    """What writes are done with."""

    cluster: Cluster
    book: ClusterBook
    embed: Embed
    semantic: SemanticEmbedder
    fingerprints: Fingerprints
    read_update: ReadUpdate
    clock: Clock
    monotonic: Callable[[], float]


class ClusterWrites:
    """Thread-safe; what two requests do to one document is ordered by the cluster."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def bulk(self, bulk: ClusterBulk, headers: Headers) -> ClusterReport | None:
        """Do the actions; None when none of them needs a model, so that the bulk may go on as it came.

        A later action sees earlier ones; one that fails does not stop the others. One embedding call per model and
        step, unless an update follows another write of its document, or there is more than ``PART_BYTES``.
        """
        run = _Run(self._tools, bulk, headers)
        drafts = [run.planned(action) for action in bulk.actions]
        if all(draft.facts is None and draft.going for draft in drafts):
            return None
        for part in parts(drafts, _step, PART_BYTES):
            run.part(part)
            if run.report.refusal is not None:
                return run.report
        run.retry(drafts)
        run.report.outcomes = [_ended(draft) for draft in drafts]
        return run.report

    def embeds(self, name: str, pipeline: str | None, headers: Headers) -> bool:
        """True when documents sent to an index, through a pipeline (None: its own), would need a model."""
        view = self._tools.book.seen_by(headers)
        facts = view.written(name)
        names = [pipeline] if pipeline is not None else [] if facts is None else [facts.default_pipeline]
        names += [] if facts is None else [facts.final_pipeline]
        return any(view.embeds(one) for one in names) or bool(facts is not None and facts.semantic)

    def any_embeds(self, expression: str, pipeline: str | None, headers: Headers) -> bool:
        """True when documents of the indices that an expression stands for would need a model if written anew."""
        view = self._tools.book.seen_by(headers)
        indices = view.held(expression)
        names = {one.default_pipeline for one in indices} if pipeline is None else {pipeline}
        names |= {one.final_pipeline for one in indices}
        return any(map(view.embeds, names)) or any(one.semantic for one in indices)


class _Run:
    """One bulk at work."""

    def __init__(self, tools: Tools, bulk: ClusterBulk, headers: Headers) -> None:
        self._tools = tools
        self._bulk = bulk
        self._headers = dict(headers)
        self._view: ClusterView = tools.book.seen_by(headers)
        runner = PipelineRunner(self._view, tools.embed, tools.clock)
        self._ingestor = ClusterIngestor(self._view, runner, tools.semantic, tools.fingerprints, self._stored)
        self._sent = False
        self.report = ClusterReport()

    def planned(self, action: RawAction) -> ClusterDraft:
        """Return the draft of an action; with ``facts`` when a model is needed for it."""
        name = str(action.metadata.get("_index") or self._bulk.index)
        facts = self._view.written(name)
        draft = ClusterDraft(action, name, name if facts is None else facts.name)
        if facts is None and name and self._named(action) is not None:
            facts = IndexFacts(name)  # a name that the cluster has to work out, such as <docs-{now/d}>
        if facts is None or action.operation is Operation.DELETE or (draft.id is None and _is_update(draft)):
            return draft
        draft.pipeline = self._named(action) or facts.default_pipeline
        asked = {draft.pipeline, facts.default_pipeline} if _is_update(draft) else {draft.pipeline}
        if facts.semantic or any(map(self._view.embeds, asked)) or self._view.embeds(facts.final_pipeline):
            draft.facts = facts
            check_final(self._view, draft)
        return draft

    def _named(self, action: RawAction) -> str | None:
        """Return the pipeline that the action, or else the request, names."""
        named = action.metadata.get("pipeline") or self._bulk.pipeline
        return None if named is None else str(named)

    def part(self, drafts: Sequence[ClusterDraft]) -> None:
        """Make drafts ready and send them."""
        start = self._tools.monotonic()
        self._read(drafts)
        self._ingestor.prepare(drafts, self.report.truncation)
        self.report.ingest_ms += int((self._tools.monotonic() - start) * 1000)
        self._send([draft for draft in drafts if draft.going])

    def retry(self, drafts: Sequence[ClusterDraft]) -> None:
        """Do updates again that another request's write overtook, as often as they allow."""
        for draft in drafts:
            retries = int(draft.action.metadata.get("retry_on_conflict") or 0)
            while retries > 0 and _overtaken(draft):
                retries -= 1
                again = self.planned(draft.action)
                self.part([again])
                draft.outcome = again.outcome

    def _read(self, drafts: Sequence[ClusterDraft]) -> None:
        updates = []
        for draft in drafts:
            if not draft.here or draft.facts is None:
                continue
            try:
                if _is_update(draft):
                    draft.update = self._tools.read_update(draft.action)
                    updates.append(draft)
                else:
                    draft.take(draft.facts, parse_document(draft.action.source or b""))
            except AntiphonError as error:
                draft.fail(error)
        for draft, held in zip(updates, self._held(updates), strict=True):
            try:
                _start(draft, held, self._tools.clock())
            except AntiphonError as error:
                draft.fail(error)

    def _held(self, drafts: Sequence[ClusterDraft]) -> list[Held | AntiphonError | None]:
        """Ask for the documents that updates start from, all at once."""
        if not drafts:
            return []
        docs = [
            {"_index": draft.concrete, "_id": draft.id} | ({} if draft.routing is None else {"routing": draft.routing})
            for draft in drafts
        ]
        try:
            answer = self._tools.cluster.exchange("POST", "/_mget", orjson.dumps({"docs": docs}), self._headers | _JSON)
        except Unavailable as unavailable:
            if not self._sent:
                raise
            return [unavailable for _ in drafts]
        found = parsed(answer)
        if answer.status >= 300:
            error = StatusError(f"the documents to update cannot be read: {reason_of(found)}", status=answer.status)
            return [error for _ in drafts]
        return [_read_held(one) for one in found["docs"]]

    def _stored(self, drafts: Sequence[ClusterDraft]) -> list[Mapping[str, Any] | None]:
        return [found.source if isinstance(found, Held) else None for found in self._held(drafts)]

    def _send(self, drafts: Sequence[ClusterDraft]) -> None:
        for group in _groups(drafts, [self._lines(draft) for draft in drafts]):
            content = b"".join(lines for _, lines in group)
            try:
                answer = self._tools.cluster.exchange("POST", self._bulk.target, content, self._headers | _NDJSON)
            except Unavailable as error:
                if not self._sent:
                    raise
                for draft, _ in group:
                    draft.fail(error)
                continue
            if answer.status >= 300 and not self._sent and len(group) == len(drafts):
                self.report.refusal = answer
                return
            self._sent = True
            _take_answer([draft for draft, _ in group], answer)

    def _lines(self, draft: ClusterDraft) -> bytes:
        """Return what is sent for a draft."""
        action, document = draft.action, draft.document
        if draft.facts is None:
            return b"".join(bytes(line) + b"\n" for line in (action.head, action.source) if line is not None)
        metadata = {key: value for key, value in action.metadata.items() if key not in _PLACE}
        operation = action.operation.value
        name, doc_id, routing = draft.name, draft.id, draft.routing
        if document is not None:
            name, doc_id, routing = document.index, document.id, document.routing
        if _is_update(draft):
            operation = _operation(draft)
        if draft.held is not None:
            metadata |= {"if_seq_no": draft.held.seq_no, "if_primary_term": draft.held.primary_term}
        place = {"_index": name, "_id": doc_id, "routing": routing}
        if operation != "delete":
            place["pipeline"] = NONE
        metadata |= {key: value for key, value in place.items() if value is not None}
        lines = [orjson.dumps({operation: metadata})]
        if operation != "delete":
            lines.append(orjson.dumps({} if document is None else document.source))
        return b"\n".join([*lines, b""])


def _step(draft: ClusterDraft) -> Step:
    reads = draft.facts is not None and _is_update(draft)
    return Step(draft.concrete, draft.id, len(draft.action.source or b""), reads)


def _groups(drafts: Sequence[ClusterDraft], lines: Sequence[bytes]) -> Iterator[list[tuple[ClusterDraft, bytes]]]:
    """Cut what is sent into requests of about ``SENT_BYTES``."""
    group: list[tuple[ClusterDraft, bytes]] = []
    size = 0
    for draft, content in zip(drafts, lines, strict=True):
        if group and size + len(content) > SENT_BYTES:
            yield group
            group, size = [], 0
        group.append((draft, content))
        size += len(content)
    if group:
        yield group


def _start(draft: ClusterDraft, held: Held | AntiphonError | None, now: int) -> None:
    """Decide what becomes of the document of an update."""
    if isinstance(held, AntiphonError):
        raise held
    if draft.update is None or draft.facts is None:
        raise AntiphonError(f"the update of [{draft.id}] has no body")
    _check_condition(draft, held)
    context: dict[str, Any] = {"_index": draft.facts.name, "_id": draft.id, "_routing": draft.routing, "_now": now}
    if held is not None:
        context |= {"_version": held.version, "_routing": held.routing}
    try:
        change = apply_update(draft.update, draft.id or "", None if held is None else held.source, context)
    except DocumentMissing as error:
        error.metadata = {"index": draft.facts.name, "shard": "0", "index_uuid": "_na_"}
        raise
    draft.held, draft.change = held, change
    match change.operation:
        case Changed.INDEX:
            draft.take(draft.facts, change.source)
        case Changed.NOOP:
            version, seq_no, term = (-1, -2, 0) if held is None else (held.version, held.seq_no, held.primary_term)
            draft.outcome = Done(
                draft.facts.name, draft.id or "", "noop", version, seq_no, got=_got(draft), primary_term=term
            )
        case Changed.DELETE:
            pass


def _check_condition(draft: ClusterDraft, held: Held | None) -> None:
    """VersionConflict when the update asks for another state of the document than it has."""
    wanted, term = (draft.action.metadata.get(key) for key in ("if_seq_no", "if_primary_term"))
    if wanted is None or (held is not None and (held.seq_no, held.primary_term) == (wanted, term)):
        return
    found = "but no document was found"
    if held is not None:
        found = f"current document has seqNo [{held.seq_no}] and primary term [{held.primary_term}]"
    joined = ". " if held is not None else " "
    raise VersionConflict(
        f"[{draft.id}]: version conflict, required seqNo [{wanted}], primary term [{term}]{joined}{found}",
        metadata={"index": draft.concrete, "shard": "0"},
    )


def _is_update(draft: ClusterDraft) -> bool:
    return draft.action.operation is Operation.UPDATE


def _got(draft: ClusterDraft) -> Mapping[str, Any] | None:
    """Return the source that an update was asked to answer with."""
    fetch = None if draft.update is None else draft.update.fetch
    source = draft.document.source if draft.document is not None else draft.change.source if draft.change else None
    return fetch.of(source) if fetch is not None and fetch.enabled and source is not None else None


def _operation(draft: ClusterDraft) -> str:
    if draft.change is not None and draft.change.operation is Changed.DELETE:
        return "delete"
    return "create" if draft.inserts else "index"


def _take_answer(drafts: Sequence[ClusterDraft], answer: Answer) -> None:
    """Give each draft its item of a bulk's answer; all of them the error when the cluster refused the request."""
    found = parsed(answer)
    if answer.status >= 300:
        for draft in drafts:
            draft.fail(StatusError(f"the cluster refused the bulk: {reason_of(found)}", status=answer.status))
        return
    for draft, item in zip(drafts, found["items"], strict=True):
        shown = dict(next(iter(item.values())))
        got = _got(draft) if "error" not in shown else None
        if got is not None:
            shown["get"] = {key: shown.get(key) for key in ("_seq_no", "_primary_term")} | {
                "found": True, "_source": got,
            }  # fmt: skip
        draft.outcome = Answered(shown)


_PASSING = ("no_shard_available_action_exception", "unavailable_shards_exception", "cluster_block_exception")


def _read_held(one: Mapping[str, Any]) -> Held | AntiphonError | None:
    if one.get("error") is not None:
        error = one["error"]
        if error.get("type") == "index_not_found_exception":
            return None
        status = 503 if error.get("type") in _PASSING else 400
        return StatusError(f"the document to update cannot be read: {reason_of(error)}", status=status)
    if not one.get("found"):
        return None
    if not isinstance(one.get("_source"), dict):
        return StatusError("the index keeps no [_source], so that its documents cannot be updated", status=400)
    return Held(one["_source"], one["_version"], one["_seq_no"], one["_primary_term"], one.get("_routing"))


def _overtaken(draft: ClusterDraft) -> bool:
    return (
        draft.update is not None
        and "if_seq_no" not in draft.action.metadata
        and isinstance(draft.outcome, Answered)
        and draft.outcome.shown.get("status") == _CONFLICT
    )


def _ended(draft: ClusterDraft) -> Outcome:
    if draft.outcome is None:
        raise AntiphonError(f"the action on [{draft.id}] was left undone")
    return draft.outcome

"""Documents on their way into an index: pipelines, semantic fields, fingerprints, types. One batch, few model calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import orjson

from antiphon.domain.bulk import Action, Done, Failed, Outcome
from antiphon.domain.index import Index
from antiphon.domain.index_settings import replicas, setting, setting_number
from antiphon.domain.ingest_document import IngestDocument
from antiphon.domain.pipeline import Dropped, Pipeline
from antiphon.domain.semantic import semantic_fields
from antiphon.domain.source import parse_document
from antiphon.domain.store import StoredDocument, VersionType, Write
from antiphon.domain.truncation import Truncation
from antiphon.errors import AntiphonError, IllegalArgument
from antiphon.flows.embedding_report import counts_of
from antiphon.flows.fingerprint import Fingerprints, IndexBook
from antiphon.flows.ports import NewId
from antiphon.flows.reembed import stale_part
from antiphon.flows.semantic import SemanticEmbedder
from antiphon.precedence import giving_way

NONE = "_none"
_NOT_WRITTEN = (-3, -2)
"""Version and sequence number of a document that a pipeline dropped."""
_RETYPES = 5


class WriteBook(IndexBook, Protocol):
    """What is needed of ``flows.indices.Indices`` besides."""

    def write_target(self, name: str, *, require_alias: bool = False, create: bool = True) -> Index:
        """The index that documents sent to ``name`` go to."""

    def check_open(self, index: Index) -> None:
        """IndexClosed when it is."""

    def check_blocks(self, index: Index, operation: str) -> None:
        """ClusterBlock when a block forbids it."""


PipelineOutcome = IngestDocument | Dropped | AntiphonError


class Runner(Protocol):
    """What is needed of ``flows.pipelines.PipelineRunner``."""

    def run_each(self, work: Sequence[tuple[Sequence[str], IngestDocument]]) -> list[PipelineOutcome]:
        """Run each document through its pipelines."""

    def run_pipelines(self, work: Sequence[tuple[Pipeline, IngestDocument]]) -> list[PipelineOutcome]:
        """Run each document through a pipeline that need not be stored."""

    def pipeline(self, pipeline_id: str) -> Pipeline:
        """The stored pipeline; IllegalArgument without one."""


@dataclass(slots=True)
class Draft:
    """One action at work. ``outcome`` ends it; ``write`` is what the store is asked.

    ``source`` is the document to be indexed, ``raw`` its bytes as long as nothing changed them: both None for a delete.
    Nobody may need the source but for its types: then it is parsed for these alone, and one lasts no longer than that.
    ``held`` is the stored document an update started from, ``before`` its source. ``inserted``: pipelines run.
    """

    action: Action
    index: Index
    id: str | None
    source: dict[str, Any] | None = None
    raw: memoryview | bytes | None = None
    routing: str | None = None
    held: StoredDocument | None = None
    before: Mapping[str, Any] | None = None
    inserted: bool = True
    create: bool = False
    document: IngestDocument | None = None
    write: Write | None = None
    outcome: Outcome | None = None

    @property
    def copies(self) -> int:
        """How many copies of the shard there should be."""
        return 1 + replicas(self.index.settings)

    @property
    def indexes(self) -> bool:
        """True when there is a document to be indexed."""
        return self.outcome is None and (self.source is not None or self.raw is not None)

    def fail(self, error: AntiphonError) -> None:
        """End it with an error."""
        self.outcome = Failed(self.index.name, self.id, error)

    def read(self) -> bool:
        """Parse the document unless it is; False when it cannot be, which ends the draft."""
        if self.source is None and self.raw is not None:
            try:
                self.source = parse_document(self.raw)
            except AntiphonError as error:
                self.fail(error)
        return self.source is not None

    def settle(self, result: PipelineOutcome) -> None:
        """Take over what a pipeline made of the document."""
        match result:
            case IngestDocument():
                self.source, self.raw = result.source, None
            case Dropped():
                version, seq_no = _NOT_WRITTEN
                self.outcome = Done(self.index.name, self.id or "", "noop", version, seq_no, self.copies)
            case _:
                self.fail(result)


class Ingestor:
    """Makes drafts ready to be written."""

    def __init__(
        self, indices: WriteBook, runner: Runner, semantic: SemanticEmbedder, fingerprints: Fingerprints, new_id: NewId
    ) -> None:
        self._indices = indices
        self._runner = runner
        self._semantic = semantic
        self._fingerprints = fingerprints
        self._new_id = new_id

    def prepare(self, drafts: Sequence[Draft], truncation: Truncation) -> bool:
        """Give every draft its ``write``, or an ``outcome`` when it fails or is dropped.

        Returns True when a pipeline ran. Nothing is written yet, but mappings may have grown.
        """
        documents = [draft for draft in drafts if draft.indexes]
        ran = self._run_pipelines(documents)
        self._run_semantic(_going(documents))
        for draft in _going(documents):
            if draft.id is None:
                draft.id = self._new_id()
        self._stamp(_going(documents))
        self._type(_going(documents))
        for draft in _going(documents):
            if draft.document is not None and draft.document.embedded and draft.write is not None:
                draft.write = replace(draft.write, embedded=counts_of(draft.document))
                truncation.note(draft.id or "", draft.document)
        return ran

    def _run_pipelines(self, drafts: Sequence[Draft]) -> bool:
        first = [(draft, names) for draft in drafts if (names := _first_pipelines(draft)) and draft.read()]
        self._each(first)
        self._refresh_updates([draft for draft in drafts if not draft.inserted])
        for draft, _ in first:
            self._redirect(draft)
        final = [
            (draft, (name,))
            for draft in _going(drafts)
            if draft.inserted
            and (name := str(setting(draft.index.settings, "index.final_pipeline"))) != NONE
            and draft.read()
        ]
        self._each(final)
        for draft, _ in final:
            if draft.document is not None and draft.document.index != draft.index.name and draft.outcome is None:
                draft.fail(IllegalArgument("a final pipeline must not change the target index of a document"))
            _take_metadata(draft)
        return bool(first or final)

    def _each(self, work: Sequence[tuple[Draft, tuple[str, ...]]]) -> None:
        asked = [(names, self._document(draft)) for draft, names in work]
        for (draft, _), result in zip(work, self._runner.run_each(asked) if asked else (), strict=True):
            draft.settle(result)

    def _refresh_updates(self, drafts: Sequence[Draft]) -> None:
        """Embed anew what a partial update changed, by the embedding processors of the default pipeline."""
        work: list[tuple[Draft, Pipeline]] = []
        for draft in drafts:
            name = str(setting(draft.index.settings, "index.default_pipeline"))
            if name == NONE or draft.before is None or draft.source is None:
                continue
            try:
                part = stale_part(self._runner.pipeline(name), draft.before, draft.source)
            except AntiphonError as error:
                draft.fail(error)
                continue
            if part is not None:
                work.append((draft, part))
        asked = [(part, self._document(draft)) for draft, part in work]
        for (draft, _), result in zip(work, self._runner.run_pipelines(asked) if asked else (), strict=True):
            draft.settle(result)

    def _document(self, draft: Draft) -> IngestDocument:
        """Return the draft's document as pipelines see it, made when there is none."""
        if draft.document is None:
            index, doc_id = draft.index, draft.id
            draft.document = IngestDocument(
                index.name,
                draft.source or {},
                doc_id,
                draft.routing,
                draft.action.version,
                None if draft.action.version is None else draft.action.version_type.value,
                stored=None if doc_id is None else self._stored(draft, doc_id),
                max_depth=setting_number(index.settings, "index.mapping.depth.limit"),
                max_token_count=setting_number(index.settings, "index.analyze.max_token_count"),
            )
        return draft.document

    def _stored(self, draft: Draft, doc_id: str) -> Callable[[], Mapping[str, Any] | None]:
        def stored() -> Mapping[str, Any] | None:
            if draft.before is not None:
                return draft.before
            held = self._indices.store(draft.index).get(doc_id)
            return None if held is None else orjson.loads(held.source)

        return stored

    def _redirect(self, draft: Draft) -> None:
        """Follow a pipeline that changed ``_index``, ``_id`` or ``_routing``."""
        document = draft.document
        if draft.outcome is not None or document is None:
            return
        _take_metadata(draft)
        if document.index != draft.index.name:
            try:
                draft.index = self._indices.write_target(document.index)
                document.index = draft.index.name
                self._indices.check_open(draft.index)
                self._indices.check_blocks(draft.index, "write")
            except AntiphonError as error:
                draft.fail(error)

    def _run_semantic(self, drafts: Iterable[Draft]) -> None:
        fields = {}
        asked = []
        for draft in drafts:
            key = draft.index.uuid
            if key not in fields:
                fields[key] = list(semantic_fields(draft.index.mapping.body))
            if fields[key] and draft.read():
                before = draft.before if not draft.inserted else None
                asked.append((draft, self._semantic.job(fields[key], self._document(draft), before)))
        if not asked:
            return
        self._semantic.run([job for _, job in asked])
        for draft, job in asked:
            if job.error is not None:
                draft.fail(job.error)
            elif job.changed:
                draft.raw = None
                draft.source = job.document.source

    def _stamp(self, drafts: Iterable[Draft]) -> None:
        for group in _by_index(drafts):
            wanted = {one: None for draft in group if draft.document is not None for one in draft.document.embedded}
            if not wanted:
                continue
            try:
                index, refused = self._fingerprints.stamp(group[0].index, wanted)
            except AntiphonError as error:
                for draft in group:
                    draft.fail(error)
                continue
            for draft in group:
                draft.index = index
                bad = [one for one in (draft.document.embedded if draft.document else ()) if one in refused]
                if bad:
                    draft.fail(refused[bad[0]])

    def _type(self, drafts: Iterable[Draft]) -> None:
        for group in _by_index(drafts):
            try:
                self._type_group(group)
            except AntiphonError as error:
                for draft in group:
                    if draft.outcome is None:
                        draft.fail(error)

    def _type_group(self, group: list[Draft]) -> None:
        """Type the documents; when the mapping grew in a way that another request's growth forbids, type them anew."""
        index = group[0].index
        for attempt in range(_RETYPES):
            grown = _typed(group, index)
            if grown is index.mapping:
                return
            try:
                index = self._indices.update_mapping(index.name, grown)
            except IllegalArgument:
                if attempt == _RETYPES - 1:
                    raise
                index = self._indices.get(index.name)
                continue
            for draft in group:
                draft.index = index
            return


def _typed(group: Sequence[Draft], index: Index) -> Any:
    """Give each draft its write by the index's mapping; return that mapping with every new field of the group."""
    mapping = index.mapping
    limits = {
        "max_fields": setting_number(index.settings, "index.mapping.total_fields.limit"),
        "max_depth": setting_number(index.settings, "index.mapping.depth.limit"),
    }
    for draft in giving_way(group):
        if not draft.indexes:
            continue
        doc_id, source = draft.id or "", draft.source
        try:
            typed, mapping = mapping.typed(
                doc_id, parse_document(draft.raw or b"") if source is None else source, **limits
            )
        except AntiphonError as error:
            draft.fail(error)
            continue
        stored = orjson.dumps(source) if draft.raw is None else bytes(draft.raw)
        draft.write = _write(draft, doc_id, stored, typed)
    return mapping


def _write(draft: Draft, doc_id: str, source: bytes, typed: Any) -> Write:
    action, held = draft.action, draft.held
    if held is not None:
        return Write(doc_id, source, typed, draft.routing, if_seq_no=held.seq_no, if_primary_term=1)
    return Write(
        doc_id,
        source,
        typed,
        draft.routing,
        create=draft.create,
        if_seq_no=action.if_seq_no,
        if_primary_term=action.if_primary_term,
        version=action.version,
        version_type=action.version_type if action.version is not None else VersionType.INTERNAL,
    )


def _first_pipelines(draft: Draft) -> tuple[str, ...]:
    """Return the pipeline of the request, or else the index's default; an update of a document has none."""
    if not draft.inserted:
        return ()
    name = draft.action.pipeline
    if name is None:
        name = str(setting(draft.index.settings, "index.default_pipeline"))
    return () if name == NONE else (name,)


def _take_metadata(draft: Draft) -> None:
    if draft.document is not None and draft.outcome is None:
        draft.id, draft.routing = draft.document.id, draft.document.routing


def _going(drafts: Iterable[Draft]) -> list[Draft]:
    return [draft for draft in drafts if draft.outcome is None]


def _by_index(drafts: Iterable[Draft]) -> list[list[Draft]]:
    groups: dict[str, list[Draft]] = {}
    for draft in drafts:
        groups.setdefault(draft.index.uuid, []).append(draft)
    return list(groups.values())

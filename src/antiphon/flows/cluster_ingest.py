"""Documents on their way to a cluster: pipelines with models and semantic fields run here, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from antiphon.domain.bulk import Answered, Done, Failed, Operation, RawAction
from antiphon.domain.fingerprint import check_written
from antiphon.domain.ingest_document import IngestDocument
from antiphon.domain.pipeline import Dropped, Pipeline
from antiphon.domain.role import Role
from antiphon.domain.truncation import Truncation
from antiphon.domain.update import Change, Update
from antiphon.errors import AntiphonError, IllegalArgument
from antiphon.flows.cluster_book import NONE, ClusterView, IndexFacts
from antiphon.flows.fingerprint import Fingerprints
from antiphon.flows.pipelines import Outcome, PipelineRunner
from antiphon.flows.reembed import stale_part
from antiphon.flows.semantic import SemanticEmbedder

_NOT_WRITTEN = (-3, -2)
"""Version and sequence number of a document that a pipeline dropped."""


@dataclass(frozen=True, slots=True)
class Held:
    """The document that an update starts from, as the cluster has it."""

    source: dict[str, Any]
    version: int
    seq_no: int
    primary_term: int
    routing: str | None


@dataclass(slots=True)
class ClusterDraft:
    """One action at work. ``facts`` is None for one that goes on as it came; ``outcome`` ends it.

    ``name`` is the index as it was named, ``concrete`` the one behind an alias, ``pipeline`` the one in force
    (``_none`` without one). Of an update, ``change`` is what it makes of ``held`` (None: of nothing).
    """

    action: RawAction
    name: str
    concrete: str
    facts: IndexFacts | None = None
    pipeline: str = NONE
    document: IngestDocument | None = None
    update: Update | None = None
    held: Held | None = None
    change: Change | None = None
    outcome: Answered | Failed | Done | None = None

    @property
    def id(self) -> str | None:
        """The id that the request gives."""
        value = self.action.metadata.get("_id")
        return None if value is None else str(value)

    @property
    def routing(self) -> str | None:
        """The routing that the request gives."""
        value = self.action.metadata.get("routing", self.action.metadata.get("_routing"))
        return None if value is None else str(value)

    @property
    def going(self) -> bool:
        """True while nothing has ended it."""
        return self.outcome is None

    @property
    def here(self) -> bool:
        """True for a document that is made ready here."""
        return self.facts is not None and self.going

    @property
    def inserts(self) -> bool:
        """True when the document is new to the index, so that its pipeline runs."""
        return self.action.operation is not Operation.UPDATE or (self.change is not None and self.change.inserted)

    def fail(self, error: AntiphonError) -> None:
        """End it with an error."""
        self.outcome = Failed(self.name, self.id, error)

    def take(self, facts: IndexFacts, source: dict[str, Any]) -> IngestDocument:
        """Make its document of a source."""
        before = None if self.held is None else self.held.source
        self.document = IngestDocument(
            self.name,
            source,
            self.id,
            self.routing if self.held is None else self.held.routing,
            stored=None if before is None else lambda: before,
            max_depth=facts.max_depth,
            max_token_count=facts.max_token_count,
        )
        return self.document


FetchStored = Callable[[Sequence[ClusterDraft]], Sequence[Mapping[str, Any] | None]]
"""Drafts -> the sources of the documents that have their ids now."""


class ClusterIngestor:
    """Makes drafts with a document ready to be sent."""

    def __init__(
        self,
        view: ClusterView,
        runner: PipelineRunner,
        semantic: SemanticEmbedder,
        fingerprints: Fingerprints,
        fetch: FetchStored,
    ) -> None:
        self._view = view
        self._runner = runner
        self._semantic = semantic
        self._fingerprints = fingerprints
        self._fetch = fetch

    def prepare(self, drafts: Sequence[ClusterDraft], truncation: Truncation) -> None:
        """Embed what pipelines and semantic fields ask for; a document that fails or is dropped has its outcome."""
        going = [draft for draft in drafts if draft.here and draft.document is not None]
        _lend([draft for draft in going if draft.held is None and draft.id is not None], self._fetch)
        self._run_pipelines([draft for draft in going if draft.inserts and draft.pipeline != NONE])
        self._embed_anew([draft for draft in going if not draft.inserts])
        self._run_semantic([draft for draft in going if draft.going])
        for draft in going:
            if draft.going and draft.document is not None and draft.document.embedded:
                self._compare(draft, draft.document)
                truncation.note(draft.document.id or "", draft.document)

    def _compare(self, draft: ClusterDraft, document: IngestDocument) -> None:
        """End a draft whose vectors must not go into their field: another model made those that are there."""
        held = {} if draft.facts is None else draft.facts.fingerprints
        for path, model_id in document.embedded if held else ():
            wanted = self._fingerprints.of(model_id, Role.PASSAGE)
            if path in held and wanted is not None:
                try:
                    check_written(draft.concrete, path, held[path], wanted)
                except IllegalArgument as error:
                    draft.fail(error)

    def _run_pipelines(self, drafts: Sequence[ClusterDraft]) -> None:
        work = [((draft.pipeline,), draft.document) for draft in drafts if draft.document is not None]
        for draft, outcome in zip(drafts, self._runner.run_each(work), strict=True):
            _settle(draft, outcome)
            if draft.going:
                self._redirect(draft)

    def _redirect(self, draft: ClusterDraft) -> None:
        """Follow a pipeline that changed ``_index``: the semantic fields are those of the index it chose."""
        document = draft.document
        if document is None or document.index == draft.name:
            return
        facts = self._view.written(document.index)
        if facts is None:
            draft.fail(IllegalArgument(f"the pipeline sends the document to [{document.index}], which is no one index"))
            return
        draft.facts = facts
        check_final(self._view, draft)

    def _embed_anew(self, drafts: Sequence[ClusterDraft]) -> None:
        """Embed what an update changed, by the chunking and embedding processors of the index's default pipeline."""
        work: list[tuple[ClusterDraft, Pipeline, IngestDocument]] = []
        for draft in drafts:
            if draft.facts is None or draft.held is None or draft.document is None:
                continue
            try:
                pipeline = self._pipeline(draft.facts.default_pipeline)
                part = None if pipeline is None else stale_part(pipeline, draft.held.source, draft.document.source)
            except AntiphonError as error:
                draft.fail(error)
                continue
            if part is not None:
                work.append((draft, part, draft.document))
        outcomes = self._runner.run_pipelines([(part, document) for _, part, document in work])
        for (draft, _, _), outcome in zip(work, outcomes, strict=True):
            _settle(draft, outcome)

    def _pipeline(self, name: str) -> Pipeline | None:
        return self._view.find(name) if self._view.embeds(name) else None

    def _run_semantic(self, drafts: Sequence[ClusterDraft]) -> None:
        asked = [
            (draft, self._semantic.job(draft.facts.semantic, draft.document, _before(draft)))
            for draft in drafts
            if draft.facts is not None and draft.facts.semantic and draft.document is not None
        ]
        self._semantic.run([job for _, job in asked])
        for draft, job in asked:
            if job.error is not None:
                draft.fail(job.error)


def check_final(view: ClusterView, draft: ClusterDraft) -> None:
    """End a draft whose index has a final pipeline with a model: nothing keeps a cluster from running it."""
    name = NONE if draft.facts is None else draft.facts.final_pipeline
    if view.embeds(name):
        draft.fail(
            IllegalArgument(
                f"[index.final_pipeline] [{name}] of [{draft.name}] embeds text, but the cluster runs it and has not "
                "the models: make it [index.default_pipeline]"
            )
        )


def _lend(drafts: Sequence[ClusterDraft], fetch: FetchStored) -> None:
    """Let documents see what is stored under their ids; the first that looks has them all fetched."""
    found: dict[int, Mapping[str, Any] | None] = {}

    def look(number: int) -> Mapping[str, Any] | None:
        if not found:
            found.update(enumerate(fetch(drafts)))
        return found[number]

    for number, draft in enumerate(drafts):
        if draft.document is not None:
            draft.document.stored = partial(look, number)


def _before(draft: ClusterDraft) -> Mapping[str, Any] | None:
    return None if draft.inserts or draft.held is None else draft.held.source


def _settle(draft: ClusterDraft, outcome: Outcome) -> None:
    match outcome:
        case IngestDocument():
            draft.document = outcome
        case Dropped():
            draft.outcome = Done(draft.name, draft.id or "", "noop", *_NOT_WRITTEN)
        case _:
            draft.fail(outcome)

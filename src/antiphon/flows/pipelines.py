"""Defines ingest pipelines, and runs them over batches: one model call per model and step, however many documents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from antiphon.domain.ingest_document import IngestDocument
from antiphon.domain.pipeline import (
    Dropped,
    Embedded,
    EmbedPassages,
    Pipeline,
    Run,
    Step,
    Steps,
    run_pipeline,
    unwrap,
)
from antiphon.domain.prediction import Prediction
from antiphon.domain.processors.reading import read_pipeline
from antiphon.domain.role import Role
from antiphon.errors import AntiphonError, IllegalArgument
from antiphon.flows.definitions import Definitions
from antiphon.flows.ports import Catalog, Clock

Embed = Callable[[str, Sequence[str], Role], Prediction]
"""Model id, texts, role -> one vector per text, in order."""
Outcome = IngestDocument | Dropped | AntiphonError


class Pipelines(Definitions[Pipeline]):
    """The ingest pipelines of this node. A put does not look models up."""

    def __init__(self, catalog: Catalog) -> None:
        super().__init__(catalog, "ingest_pipeline", read_pipeline)


@dataclass(frozen=True, slots=True)
class Simulated:
    """What became of one document, and what every processor did to it (None unless asked for)."""

    outcome: Outcome
    steps: list[Step] | None


@dataclass(slots=True)
class _Job:
    """One document in the hands of its pipelines; ``asked`` is what it waits for."""

    document: IngestDocument
    steps: Steps
    outcome: Outcome | None = None
    asked: EmbedPassages | None = None

    def advance(self, go_on: Callable[[], EmbedPassages]) -> None:
        """Run until the document asks for vectors or is done."""
        self.asked = None
        try:
            self.asked = go_on()
        except StopIteration as stop:
            self.outcome = self.document if stop.value else Dropped()
        except AntiphonError as error:
            self.outcome = unwrap(error)
        except RecursionError:
            self.outcome = IllegalArgument("the document is nested too deeply for its ingest pipeline")


class PipelineBook(Protocol):
    """Where pipelines are found."""

    def find(self, name: str, /) -> Pipeline | None:
        """The pipeline of this id, or None."""


class PipelineRunner:
    """Runs pipelines over batches. ``clock`` counts epoch milliseconds."""

    def __init__(self, pipelines: PipelineBook, embed: Embed, clock: Clock) -> None:
        self._pipelines = pipelines
        self._embed = embed
        self._clock = clock

    def run(self, pipeline_ids: Sequence[str], documents: Sequence[IngestDocument]) -> list[Outcome]:
        """Run these pipelines, one after the other, over every document. See ``run_each``."""
        return self.run_each([(pipeline_ids, document) for document in documents])

    def run_each(self, work: Sequence[tuple[Sequence[str], IngestDocument]]) -> list[Outcome]:
        """Run each document through its own pipelines; outcomes in the same order.

        A document is changed in place and is its own outcome, unless it was dropped or failed. Documents advance
        together from one model call to the next, so that all texts for a model that are wanted at the same time are
        embedded in one call; when that call fails, each of its documents fails (or runs its ``on_failure``).
        """
        now = self._now()
        jobs = []
        for pipeline_ids, document in work:
            document.ingest.setdefault("timestamp", now)
            jobs.append(_Job(document, self._stored(pipeline_ids, document)))
        self._drive(jobs)
        return [_outcome(job) for job in jobs]

    def run_pipelines(self, work: Sequence[tuple[Pipeline, IngestDocument]]) -> list[Outcome]:
        """Run each document through one pipeline, which need not be stored. See ``run_each``."""
        now = self._now()
        jobs = []
        for pipeline, document in work:
            document.ingest.setdefault("timestamp", now)
            jobs.append(_Job(document, run_pipeline(pipeline, document, Run(self._pipelines.find))))
        self._drive(jobs)
        return [_outcome(job) for job in jobs]

    def simulate(
        self, pipeline: Pipeline, documents: Sequence[IngestDocument], *, verbose: bool = False
    ) -> list[Simulated]:
        """Run a pipeline without writing anything; the models are really called."""
        now = self._now()
        jobs, traces = [], []
        for document in documents:
            document.ingest["timestamp"] = now
            trace: list[Step] | None = [] if verbose else None
            traces.append(trace)
            run = Run(self._pipelines.find, trace=trace)
            jobs.append(_Job(document, run_pipeline(pipeline, document, run)))
        self._drive(jobs)
        return [Simulated(_outcome(job), trace) for job, trace in zip(jobs, traces, strict=True)]

    def pipeline(self, pipeline_id: str) -> Pipeline:
        """Return a pipeline; IllegalArgument when it does not exist."""
        found = self._pipelines.find(pipeline_id)
        if found is None:
            raise IllegalArgument(f"pipeline with id [{pipeline_id}] does not exist")
        return found

    def _stored(self, pipeline_ids: Sequence[str], document: IngestDocument) -> Steps:
        for pipeline_id in pipeline_ids:
            run = Run(self._pipelines.find)
            if not (yield from run_pipeline(self.pipeline(pipeline_id), document, run)):
                return False
        return True

    def _drive(self, jobs: list[_Job]) -> None:
        for job in jobs:
            job.advance(lambda steps=job.steps: next(steps))  # type: ignore[misc]
        while waiting := [job for job in jobs if job.asked is not None]:
            by_model: dict[str, list[_Job]] = {}
            for job in waiting:
                by_model.setdefault(_asked(job).model_id, []).append(job)
            for model_id, asking in by_model.items():
                self._answer(model_id, asking)

    def _answer(self, model_id: str, jobs: list[_Job]) -> None:
        texts = [text for job in jobs for text in _asked(job).texts]
        try:
            prediction = self._embed(model_id, texts, Role.PASSAGE)
        except AntiphonError as error:
            for job in jobs:
                job.advance(lambda steps=job.steps, error=error: steps.throw(error))  # type: ignore[misc]
            return
        answers = _shares(prediction, [len(_asked(job).texts) for job in jobs])
        for job, answer in zip(jobs, answers, strict=True):
            job.advance(lambda steps=job.steps, answer=answer: steps.send(answer))  # type: ignore[misc]

    def _now(self) -> str:
        return (
            datetime.fromtimestamp(self._clock() / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        )


def _asked(job: _Job) -> EmbedPassages:
    if job.asked is None:
        raise AntiphonError("a document that waits for nothing was answered")
    return job.asked


def _outcome(job: _Job) -> Outcome:
    if job.outcome is None:
        raise AntiphonError("a document was left between two processors")
    return job.outcome


def _shares(prediction: Prediction, counts: Sequence[int]) -> list[Embedded]:
    """Cut a prediction into one answer per document."""
    shares, start = [], 0
    for count in counts:
        part = slice(start, start + count)
        shares.append(Embedded(prediction.rows[part], prediction.tokens[part], prediction.lost[part]))
        start += count
    return shares

"""An ingest pipeline: processors in order, what they ask a model for, and what happens when one fails.

Nothing here calls a model. Running a document is a generator that *yields* ``EmbedPassages`` and is sent ``Embedded``
(or has the model's error thrown into it); whoever drives many of them can answer them all with one call.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from antiphon.domain.ingest_document import IngestDocument
from antiphon.domain.script_language import Expression, evaluate
from antiphon.domain.script_values import truth
from antiphon.errors import AntiphonError


@dataclass(frozen=True, slots=True)
class EmbedPassages:
    """What a processor wants: these texts embedded as passages by this model."""

    model_id: str
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Embedded:
    """The answer, by text: a float32 ``[dimension]`` row, how many tokens were embedded, how many were cut off."""

    rows: Sequence[NDArray[np.float32]]
    tokens: Sequence[int] = ()
    lost: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """What one processor did, for ``_simulate?verbose``. ``document`` is a copy; None after an error or a drop."""

    processor: Processor
    status: str
    document: IngestDocument | None = None
    error: AntiphonError | None = None
    condition: bool | None = None


@dataclass(slots=True)
class Run:
    """What the processors of one document share: other pipelines by id, those being run, the trace when wanted."""

    find: Callable[[str], Pipeline | None]
    running: list[str] = field(default_factory=list)
    trace: list[Step] | None = None


Steps = Generator[EmbedPassages, Embedded, bool]
"""Returns True while the document is to be kept, False when it was dropped. Raises AntiphonError."""


class Work(Protocol):
    """What a processor does to a document."""

    def apply(self, document: IngestDocument, run: Run) -> Steps:
        """Change ``document``."""


class Change(Protocol):
    """Work that needs no model and no other pipeline."""

    def change(self, document: IngestDocument) -> None:
        """Change ``document``; AntiphonError when it cannot."""


@dataclass(frozen=True, slots=True)
class Condition:
    """``if``: ``source`` as written and as understood."""

    source: str
    expression: Expression

    def holds(self, document: IngestDocument) -> bool:
        """True when the processor is to run; ScriptError when the document does not fit the condition."""
        context = {**document.source, **document.metadata(), "_ingest": document.ingest}
        return truth(evaluate(self.expression, {"ctx": context}))


@dataclass(frozen=True, slots=True)
class Processor:
    """One entry of a pipeline: its work and what every processor has."""

    type: str
    work: Work | Change
    tag: str | None = None
    description: str | None = None
    condition: Condition | None = None
    ignore_failure: bool = False
    on_failure: tuple[Processor, ...] = ()


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Processors in order; ``on_failure`` runs instead of what is left when one fails."""

    id: str
    processors: tuple[Processor, ...]
    on_failure: tuple[Processor, ...] = ()
    description: str | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Dropped:
    """A document that a pipeline dropped: nothing is written and nothing is wrong."""


def run_pipeline(pipeline: Pipeline, document: IngestDocument, run: Run) -> Steps:
    """Run every processor; the pipeline's own ``on_failure`` answers an error that no processor did."""
    run.running.append(pipeline.id)
    try:
        return (yield from _run_all(pipeline.processors, pipeline.on_failure, document, run))
    finally:
        run.running.pop()


def run_processor(processor: Processor, document: IngestDocument, run: Run) -> Steps:
    """Run one processor with its condition, ``ignore_failure`` and ``on_failure``."""
    holds = None
    try:
        holds = None if processor.condition is None else processor.condition.holds(document)
        if holds is False:
            _trace(run, processor, "skipped", document, condition=False)
            return True
        kept = yield from _work(processor, document, run)
    except AntiphonError as error:
        if processor.ignore_failure:
            _trace(run, processor, "error_ignored", document, error, holds)
            return True
        _trace(run, processor, "error", None, error, holds)
        if not processor.on_failure:
            raise _Failure.of(error, processor) from error
        return (yield from _recover(processor.on_failure, document, run, _Failure.of(error, processor)))
    if processor.type != "pipeline":
        _trace(run, processor, "success" if kept else "dropped", document if kept else None, condition=holds)
    return kept


def _work(processor: Processor, document: IngestDocument, run: Run) -> Steps:
    if processor.type == "pipeline":
        _trace(run, processor, "success", None)
    if hasattr(processor.work, "change"):
        processor.work.change(document)
        return True
    return (yield from processor.work.apply(document, run))


def _run_all(
    processors: Sequence[Processor], on_failure: tuple[Processor, ...], document: IngestDocument, run: Run
) -> Steps:
    try:
        for processor in processors:
            if not (yield from run_processor(processor, document, run)):
                return False
    except _Failure as failure:
        if not on_failure:
            raise
        return (yield from _recover(on_failure, document, run, failure))
    return True


def _recover(on_failure: tuple[Processor, ...], document: IngestDocument, run: Run, failure: _Failure) -> Steps:
    told = {
        "on_failure_message": failure.reason,
        "on_failure_processor_type": failure.processor.type,
        "on_failure_processor_tag": failure.processor.tag,
        "on_failure_pipeline": run.running[-1] if run.running else None,
        "pipeline": run.running[-1] if run.running else None,
    }
    document.ingest.update(told)
    try:
        return (yield from _run_all(on_failure, (), document, run))
    finally:
        for key in told:
            document.ingest.pop(key, None)


class _Failure(AntiphonError):
    """An error on its way out, with the processor that failed; ``unwrap`` gives back the error itself."""

    def __init__(self, error: AntiphonError, processor: Processor) -> None:
        super().__init__(error.reason)
        self.error = error
        self.processor = processor

    @classmethod
    def of(cls, error: AntiphonError, processor: Processor) -> _Failure:
        return error if isinstance(error, cls) else cls(error, processor)


def unwrap(error: AntiphonError) -> AntiphonError:
    """Return the error that a processor raised."""
    return error.error if isinstance(error, _Failure) else error


def _trace(
    run: Run,
    processor: Processor,
    status: str,
    document: IngestDocument | None,
    error: AntiphonError | None = None,
    condition: bool | None = None,
) -> None:
    if run.trace is None:
        return
    copied = None if document is None or status == "skipped" else copy_of(document)
    if copied is not None and run.running:
        copied.ingest = {"pipeline": run.running[-1]} | copied.ingest
    run.trace.append(Step(processor, status, copied, None if error is None else unwrap(error), condition))


def copy_of(document: IngestDocument) -> IngestDocument:
    """Return a document that later changes do not reach."""
    copied: Any = IngestDocument(document.index, deepcopy(document.source), document.id, document.routing)
    copied.version, copied.version_type = document.version, document.version_type
    copied.ingest = deepcopy(document.ingest)
    return copied  # type: ignore[no-any-return]

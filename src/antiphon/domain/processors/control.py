"""Processors that steer: foreach, drop, fail, pipeline, script."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from antiphon.domain.ingest_document import IngestDocument
from antiphon.domain.mustache import Template
from antiphon.domain.pipeline import Processor, Run, Steps, run_pipeline, run_processor
from antiphon.domain.processors.text import cannot_cast
from antiphon.domain.script_language import execute
from antiphon.domain.update_script import UpdateScript
from antiphon.errors import FailProcessor, IllegalArgument, IllegalState


@dataclass(frozen=True, slots=True)
class Foreach:
    """Runs a processor for every item of a list, which is ``_ingest._value`` meanwhile."""

    field: str
    processor: Processor
    ignore_missing: bool = False

    def apply(self, document: IngestDocument, run: Run) -> Steps:
        """Run for each item in order; the list holds what became of the items. See ``Work``."""
        values = document.get_or(self.field) if self.ignore_missing else document.get(self.field)
        if values is None and self.ignore_missing:
            return True
        if values is None:
            raise IllegalArgument(f"field [{self.field}] is null, cannot loop over its elements.")
        if not isinstance(values, list):
            raise IllegalArgument(cannot_cast(self.field, values, "java.util.List"))
        outer = document.ingest.get("_value")
        changed: list[Any] = []
        quiet = Run(run.find, run.running)
        try:
            for item in list(values):
                document.ingest["_value"] = item
                if not (yield from run_processor(self.processor, document, quiet)):
                    return False
                changed.append(document.ingest.get("_value"))
        finally:
            document.ingest.pop("_value", None)
            if outer is not None:
                document.ingest["_value"] = outer
        document.set(self.field, changed)
        return True


@dataclass(frozen=True, slots=True)
class Drop:
    """Drops the document: it is not written, and that is no error."""

    def apply(self, document: IngestDocument, run: Run) -> Steps:  # noqa: ARG002
        """See ``Work``."""
        yield from ()
        return False


@dataclass(frozen=True, slots=True)
class Fail:
    """Fails with ``message``."""

    message: Template

    def change(self, document: IngestDocument) -> None:
        """Raise FailProcessor."""
        raise FailProcessor(self.message.render(document))


@dataclass(frozen=True, slots=True)
class RunPipeline:
    """Runs another pipeline; IllegalState when it is missing or already running."""

    name: Template
    ignore_missing_pipeline: bool = False

    def apply(self, document: IngestDocument, run: Run) -> Steps:
        """See ``Work``."""
        name = self.name.render(document)
        pipeline = run.find(name)
        if pipeline is None:
            if self.ignore_missing_pipeline:
                return True
            raise IllegalState(f"Pipeline processor configured for non-existent pipeline [{name}]")
        if name in run.running:
            raise IllegalState(f"Cycle detected for pipeline: {name}")
        return (yield from run_pipeline(pipeline, document, run))


@dataclass(frozen=True, slots=True)
class Script:
    """Assignments on ``ctx``: the fields of the document and its metadata."""

    script: UpdateScript

    def change(self, document: IngestDocument) -> None:
        """Run; ScriptError when the document does not fit the script."""
        context: dict[str, Any] = {**document.source, **document.metadata(), "_ingest": document.ingest}
        execute(self.script.statements, {"ctx": context, "params": dict(self.script.params)})
        names = set(document.metadata()) | {"_index", "_id", "_routing"}
        document.take_metadata({name: context.get(name) for name in names})
        document.source = {key: value for key, value in context.items() if key not in names | {"_ingest"}}

"""Ingest pipelines over HTTP: the body of ``_simulate``, and its answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from antiphon.domain.ingest_document import IngestDocument, java_type
from antiphon.domain.pipeline import Dropped, Step
from antiphon.errors import AntiphonError, IllegalArgument, ParseError

ShowError = Callable[[AntiphonError], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Simulation:
    """``pipeline`` is the definition sent along, None when the path names a stored one."""

    pipeline: dict[str, Any] | None
    documents: list[IngestDocument]


def read_simulation(body: object, *, stored: bool) -> Simulation:
    """Return the request; ParseError for what is missing."""
    fields = _object(body, "body")
    pipeline = None
    if not stored:
        pipeline = _object(_required(fields, "pipeline"), "pipeline")
    docs = _required(fields, "docs")
    if not isinstance(docs, list):
        raise ParseError(f"[docs] property isn't a list, but of type [{java_type(docs)}]")
    if not docs:
        raise IllegalArgument("must specify at least one document in [docs]")
    unknown = [key for key in fields if key not in ("pipeline", "docs")]
    if unknown:
        raise ParseError(f"[{unknown[0]}] is no key of a simulation: send [pipeline] and [docs]")
    return Simulation(pipeline, [_read_document(entry) for entry in docs])


def render_simulated(outcome: IngestDocument | Dropped | AntiphonError, show: ShowError) -> dict[str, Any] | None:
    """Return one entry of ``docs``: the document, its error, or null when it was dropped."""
    match outcome:
        case IngestDocument():
            return {"doc": render_document(outcome)}
        case AntiphonError():
            return {"error": show(outcome)}
        case _:
            return None


def render_steps(steps: Sequence[Step], show: ShowError) -> dict[str, Any]:
    """Return one entry of ``docs`` of a verbose simulation."""
    return {"processor_results": [_render_step(step, show) for step in steps]}


def render_document(document: IngestDocument) -> dict[str, Any]:
    """Return a document as a simulation shows it."""
    metadata = {name: value for name, value in document.metadata().items() if name != "_version"}
    version = {} if document.version is None else {"_version": str(document.version)}
    shown = {name: value for name, value in document.ingest.items() if value is not None}
    return {**metadata, **version, "_source": document.source, "_ingest": shown}


def _render_step(step: Step, show: ShowError) -> dict[str, Any]:
    processor = step.processor
    shown: dict[str, Any] = {"processor_type": processor.type, "status": step.status}
    if processor.description is not None:
        shown["description"] = processor.description
    if processor.tag is not None:
        shown["tag"] = processor.tag
    if processor.condition is not None and step.condition is not None:
        shown["if"] = {"condition": processor.condition.source, "result": step.condition}
    if step.error is not None:
        error = show(step.error)
        shown |= {"ignored_error": {"error": error}} if step.status == "error_ignored" else {"error": error}
    if step.document is not None:
        shown["doc"] = render_document(step.document)
    return shown


def _read_document(body: object) -> IngestDocument:
    entry = _object(body, "docs")
    known = ("_index", "_id", "_routing", "routing", "_version", "_version_type", "_source", "_type")
    unknown = [key for key in entry if key not in known]
    if unknown:
        raise ParseError(f"[{unknown[0]}] is no key of a document to simulate; known are [{', '.join(known[:7])}]")
    routing, version = entry.get("_routing", entry.get("routing")), entry.get("_version")
    if version is not None and (isinstance(version, bool) or not str(version).lstrip("-").isdecimal()):
        raise ParseError(f"[_version] property cannot be converted to a long [{version}]")
    return IngestDocument(
        str(entry.get("_index", "_index")),
        _object(_required(entry, "_source"), "_source"),
        str(entry.get("_id", "_id")),
        None if routing is None else str(routing),
        None if version is None else int(version),
    )


def _object(body: object, name: str) -> dict[str, Any]:
    if isinstance(body, dict):
        return body
    raise ParseError(f"[{name}] property isn't a map, but of type [{java_type(body)}]")


def _required(fields: Mapping[str, Any], name: str) -> Any:
    if fields.get(name) is None:
        raise ParseError(f"[{name}] required property is missing", metadata={"property_name": name})
    return fields[name]

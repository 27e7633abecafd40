"""A partial update: what a request says, and what becomes of the document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from antiphon.domain.source import SourceFilter
from antiphon.domain.update_script import Operation, UpdateScript
from antiphon.errors import DocumentMissing


@dataclass(frozen=True, slots=True)
class Update:
    """The body of ``_update``. Either ``doc`` or ``script`` is given."""

    doc: Mapping[str, Any] | None = None
    upsert: Mapping[str, Any] | None = None
    doc_as_upsert: bool = False
    detect_noop: bool = True
    script: UpdateScript | None = None
    scripted_upsert: bool = False
    fetch: SourceFilter | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be done: the new source for INDEX. ``inserted``: the document did not exist, so pipelines run."""

    operation: Operation
    source: dict[str, Any]
    inserted: bool = False


def apply_update(update: Update, doc_id: str, current: Mapping[str, Any] | None, metadata: Mapping[str, Any]) -> Change:
    """Return what the update makes of the document; DocumentMissing when there is none and no upsert.

    ``metadata`` is what a script sees as ``ctx._index``, ``ctx._id`` ...
    """
    if current is None:
        return _inserted(update, doc_id, metadata)
    if update.script is not None:
        scripted = update.script.run(current, metadata)
        return Change(scripted.operation, scripted.source)
    merged = merge(current, update.doc or {})
    unchanged = update.detect_noop and merged == current
    return Change(Operation.NOOP if unchanged else Operation.INDEX, merged)


def merge(current: Mapping[str, Any], doc: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``current`` with ``doc`` over it: objects merge, everything else is replaced."""
    merged = dict(current)
    for key, value in doc.items():
        held = merged.get(key)
        merged[key] = merge(held, value) if isinstance(held, Mapping) and isinstance(value, Mapping) else value
    return merged


def _inserted(update: Update, doc_id: str, metadata: Mapping[str, Any]) -> Change:
    if update.script is not None and update.scripted_upsert:
        scripted = update.script.run(update.upsert or {}, metadata, "create")
        operation = Operation.NOOP if scripted.operation is Operation.DELETE else scripted.operation
        return Change(operation, scripted.source, inserted=True)
    upsert = update.doc if update.doc_as_upsert else update.upsert
    if upsert is None:
        raise DocumentMissing(f"[{doc_id}]: document missing")
    return Change(Operation.INDEX, dict(upsert), inserted=True)

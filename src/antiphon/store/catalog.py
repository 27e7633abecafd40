"""Domain objects on rows: JSON in, dataclasses out, whatever the rows lie on."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from antiphon.domain.model import Model
from antiphon.domain.model_group import ModelGroup
from antiphon.domain.shapes import prepare
from antiphon.domain.task import Task
from antiphon.errors import AntiphonError, IllegalArgument
from antiphon.store.rows import DEFINITIONS, Kind, Row, Rows

T = TypeVar("T")
_NODE = "node"
_SECTIONS = ("persistent", "transient")


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a document stands: ``version`` of its id from 1, ``seq_no`` of the write in its kind from 0."""

    version: int
    seq_no: int


@dataclass(frozen=True, slots=True)
class _Identity:
    node_id: str
    cluster_uuid: str


prepare(Model, ModelGroup, Task, _Identity)


class DocumentCatalog:
    """Fulfils the ``Catalog`` port over any rows; transient settings live on ``volatile`` ones.

    Thread-safe. Fields that this version does not know are ignored on reading, so that a newer version may add
    some. Every method raises Unavailable after ``close`` and AntiphonError when a document cannot be read.
    """

    def __init__(self, durable: Rows, volatile: Rows) -> None:
        self._rows = durable
        self._volatile = volatile
        try:
            self._identity = self._identify()
        except BaseException:
            self.close()
            raise

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All puts and deletes inside happen together or not at all; one writer at a time.

        Re-entrant: an inner transaction that raises undoes only itself when the outer one goes on.
        """
        with self._volatile.transaction(), self._rows.transaction():
            yield

    def close(self) -> None:
        """Release everything. Idempotent."""
        self._rows.close()
        self._volatile.close()

    def group(self, model_group_id: str) -> ModelGroup | None:
        """Return the group, or None."""
        return self._one(Kind.GROUP, self._rows.get(Kind.GROUP, model_group_id), ModelGroup)

    def group_named(self, name: str) -> ModelGroup | None:
        """Return the (oldest) group of exactly this name, or None."""
        return self._one(Kind.GROUP, self._rows.named(Kind.GROUP, name), ModelGroup)

    def groups(self) -> Iterator[tuple[ModelGroup, Stored]]:
        """All groups as of now, oldest first."""
        return self._all(Kind.GROUP, ModelGroup)

    def put_group(self, group: ModelGroup) -> Stored:
        """Write the group."""
        return self._put(Kind.GROUP, group.model_group_id, group, group.name)

    def delete_group(self, model_group_id: str) -> Stored | None:
        """Delete it; None when it was not there."""
        return self._delete(Kind.GROUP, model_group_id)

    def model(self, model_id: str) -> Model | None:
        """Return the model, or None."""
        return self._one(Kind.MODEL, self._rows.get(Kind.MODEL, model_id), Model)

    def models(self) -> Iterator[tuple[Model, Stored]]:
        """All models as of now, oldest first."""
        return self._all(Kind.MODEL, Model)

    def put_model(self, model: Model) -> Stored:
        """Write the model."""
        return self._put(Kind.MODEL, model.model_id, model, model.name)

    def delete_model(self, model_id: str) -> Stored | None:
        """Delete it; None when it was not there."""
        return self._delete(Kind.MODEL, model_id)

    def task(self, task_id: str) -> Task | None:
        """Return the task, or None."""
        return self._one(Kind.TASK, self._rows.get(Kind.TASK, task_id), Task)

    def tasks(self) -> Iterator[tuple[Task, Stored]]:
        """All tasks as of now, oldest first."""
        return self._all(Kind.TASK, Task)

    def put_task(self, task: Task) -> Stored:
        """Write the task."""
        return self._put(Kind.TASK, task.task_id, task)

    def delete_task(self, task_id: str) -> Stored | None:
        """Delete it; None when it was not there."""
        return self._delete(Kind.TASK, task_id)

    def controller(self, model_id: str) -> dict[str, Any] | None:
        """Return the per-user rate limits of a model, or None."""
        return self._one(Kind.CONTROLLER, self._rows.get(Kind.CONTROLLER, model_id), dict[str, Any])

    def put_controller(self, model_id: str, controller: dict[str, Any]) -> Stored:
        """Write them."""
        return self._put(Kind.CONTROLLER, model_id, controller)

    def delete_controller(self, model_id: str) -> Stored | None:
        """Delete them; None when there were none."""
        return self._delete(Kind.CONTROLLER, model_id)

    def definition(self, kind: str, definition_id: str) -> dict[str, Any] | None:
        """Return the JSON object of this kind and id, or None."""
        known = _definition_kind(kind)
        return self._one(known, self._rows.get(known, definition_id), dict[str, Any])

    def definitions(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """All ids and JSON objects of this kind as of now, oldest first."""
        known = _definition_kind(kind)
        rows = self._rows.all(known)
        return ((row.id, _decode(known, row, dict[str, Any])) for row in rows)

    def put_definition(self, kind: str, definition_id: str, definition: dict[str, Any]) -> Stored:
        """Write it."""
        return self._put(_definition_kind(kind), definition_id, definition)

    def delete_definition(self, kind: str, definition_id: str) -> Stored | None:
        """Delete it; None when it was not there."""
        return self._delete(_definition_kind(kind), definition_id)

    def settings(self, section: str) -> dict[str, Any]:
        """Return the ``persistent`` or ``transient`` cluster settings, flat keys to JSON values."""
        row = self._section(section).get(Kind.SETTINGS, section)
        return self._one(Kind.SETTINGS, row, dict[str, Any]) or {}

    def put_settings(self, section: str, settings: dict[str, Any]) -> None:
        """Replace that section; ``transient`` is forgotten at restart."""
        rows = self._section(section)
        with self.transaction():
            rows.put(Kind.SETTINGS, section, None, _encode(settings))

    def node_id(self) -> str:
        """The id of this node, stable across restarts (22 characters, URL-safe)."""
        return self._identity.node_id

    def cluster_uuid(self) -> str:
        """The id of this cluster of one, stable across restarts (22 characters, URL-safe)."""
        return self._identity.cluster_uuid

    def _section(self, section: str) -> Rows:
        if section not in _SECTIONS:
            raise IllegalArgument(f"[{section}] is no section of the cluster settings; use [persistent] or [transient]")
        return self._rows if section == "persistent" else self._volatile

    def _identify(self) -> _Identity:
        with self.transaction():
            known = self._one(Kind.NODE, self._rows.get(Kind.NODE, _NODE), _Identity)
            if known is None:
                known = _Identity(_random_id(), _random_id())
                self._put(Kind.NODE, _NODE, known)
        return known

    def _put(self, kind: Kind, row_id: str, document: object, name: str | None = None) -> Stored:
        body = _encode(document)
        with self.transaction():
            row = self._rows.put(kind, row_id, name, body)
        return Stored(row.version, row.seq_no)

    def _delete(self, kind: Kind, row_id: str) -> Stored | None:
        with self.transaction():
            row = self._rows.delete(kind, row_id)
        return None if row is None else Stored(row.version, row.seq_no)

    def _one(self, kind: Kind, row: Row | None, shape: type[T]) -> T | None:
        return None if row is None else _decode(kind, row, shape)

    def _all(self, kind: Kind, shape: type[T]) -> Iterator[tuple[T, Stored]]:
        rows = self._rows.all(kind)
        return ((_decode(kind, row, shape), Stored(row.version, row.seq_no)) for row in rows)


def _definition_kind(kind: str) -> Kind:
    if kind not in DEFINITIONS:
        raise IllegalArgument(f"[{kind}] is no kind of definition; use one of {[str(known) for known in DEFINITIONS]}")
    return Kind(kind)


def _encode(document: object) -> bytes:
    return msgspec.json.encode(document)


def _decode(kind: Kind, row: Row, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(row.body or b"", type=shape)
    except msgspec.DecodeError as error:
        raise AntiphonError(
            f"the catalog's {kind} [{row.id}] cannot be read: {error}; it was written by a newer version or damaged"
        ) from error


def _random_id() -> str:
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()

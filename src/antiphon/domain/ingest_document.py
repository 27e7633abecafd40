"""A document on its way through ingest pipelines: its source, its metadata, and what was embedded of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from antiphon.errors import IllegalArgument

_METADATA = ("_index", "_id", "_routing", "_version", "_version_type")
_INT_MAX = 2**31 - 1


@dataclass(slots=True)
class IngestDocument:
    """Mutable: processors change ``source`` and the metadata in place.

    ``ingest`` is ``_ingest``: ``timestamp`` (ISO 8601, UTC), ``_value`` inside foreach, ``on_failure_*`` inside
    on_failure. ``stored`` returns the source of the document that has this id now, for ``skip_existing``.
    ``embedded`` lists (path of the vector field, model id), once each; ``truncated_texts`` of ``embedded_texts`` lost
    ``lost_tokens`` of ``text_tokens`` tokens. ``max_depth`` and ``max_token_count`` are the index's
    ``mapping.depth.limit`` and ``analyze.max_token_count``.
    """

    index: str
    source: dict[str, Any]
    id: str | None = None
    routing: str | None = None
    version: int | None = None
    version_type: str | None = None
    ingest: dict[str, Any] = field(default_factory=dict)
    stored: Callable[[], Mapping[str, Any] | None] | None = None
    max_depth: int = 20
    max_token_count: int = 10_000
    embedded: list[tuple[str, str]] = field(default_factory=list)
    embedded_texts: int = 0
    truncated_texts: int = 0
    text_tokens: int = 0
    lost_tokens: int = 0

    def account(self, kept: Sequence[int], lost: Sequence[int]) -> None:
        """Count embedded texts: of each, how many tokens were kept and how many were cut off."""
        self.embedded_texts += len(kept)
        self.truncated_texts += sum(count > 0 for count in lost)
        self.text_tokens += sum(kept) + sum(lost)
        self.lost_tokens += sum(lost)

    def metadata(self) -> dict[str, Any]:
        """Return ``_index``, ``_id`` ... as far as they are set."""
        values = (self.index, self.id, self.routing, self.version, self.version_type)
        return {name: value for name, value in zip(_METADATA, values, strict=True) if value is not None}

    def has(self, path: str) -> bool:
        """True when the path leads to a value, be it null."""
        try:
            self.get(path)
        except IllegalArgument:
            return False
        return True

    def get(self, path: str) -> Any:
        """Return the value at a dotted path; IllegalArgument when it leads nowhere.

        ``_source.`` in front is dropped, ``_ingest.`` leads to the ingest metadata; numbers pick from arrays.
        """
        root, steps = self._route(path)
        value: Any = root
        for step in steps:
            value = _resolve(step, path, value)
        return value

    def get_or(self, path: str, default: Any = None) -> Any:
        """Return the value at a path, or ``default`` when it leads nowhere."""
        try:
            return self.get(path)
        except IllegalArgument:
            return default

    def set(self, path: str, value: Any) -> None:
        """Write a value, making the objects on the way; IllegalArgument when something else is in the way."""
        root, steps = self._route(path)
        if root is not self.source and steps[0] in _METADATA:
            self._set_metadata(steps[0], value)
            return
        holder: Any = root
        for step in steps[:-1]:
            if isinstance(holder, dict) and step not in holder:
                holder[step] = {}
            holder = _resolve(step, path, holder)
        _put(steps[-1], path, holder, value)

    def remove(self, path: str) -> None:
        """Take a value away; IllegalArgument when the path leads nowhere."""
        root, steps = self._route(path)
        if root is not self.source and steps[0] in _METADATA:
            self._set_metadata(steps[0], None)
            return
        holder: Any = root
        for step in steps[:-1]:
            holder = _resolve(step, path, holder)
        _resolve(steps[-1], path, holder)
        del holder[int(steps[-1]) if isinstance(holder, list) else steps[-1]]

    def model(self) -> dict[str, Any]:
        """Return what templates see: source fields, metadata, ``_source`` and ``_ingest``."""
        return {**self.source, **self.metadata(), "_source": self.source, "_ingest": self.ingest}

    def note_embedded(self, path: str, model_id: str) -> None:
        """Remember that the vector field ``path`` holds a vector of ``model_id`` now."""
        if (path, model_id) not in self.embedded:
            self.embedded.append((path, model_id))

    def take_metadata(self, values: Mapping[str, Any]) -> None:
        """Take over ``_index``, ``_id``, ``_routing`` where ``values`` has others."""
        for name in _METADATA[:3]:
            if values.get(name) != self.metadata().get(name):
                self._set_metadata(name, values.get(name))

    def _route(self, path: str) -> tuple[Any, list[str]]:
        if not path:
            raise IllegalArgument("path cannot be null nor empty")
        steps = path.split(".")
        if not all(steps):
            raise IllegalArgument(f"path [{path}] is not valid")
        if steps[0] == "_ingest" and len(steps) > 1:
            return self.ingest, steps[1:]
        if steps[0] == "_source" and len(steps) > 1:
            return self.source, steps[1:]
        return (self.metadata() if steps[0] in _METADATA else self.source), steps

    def _set_metadata(self, name: str, value: Any) -> None:
        if name == "_index":
            if not isinstance(value, str) or not value:
                raise IllegalArgument("[_index] must be the name of an index: it cannot be removed or emptied")
            self.index = value
        elif name == "_id":
            self.id = None if value is None else str(value)
        elif name == "_routing":
            self.routing = None if value is None else str(value)
        else:
            raise IllegalArgument(f"[{name}] cannot be changed by a pipeline: send it with the request")


def java_type(value: object) -> str:
    """Return the Java class that OpenSearch's messages name for a JSON value."""
    match value:
        case bool():
            return "java.lang.Boolean"
        case int():
            return "java.lang.Integer" if abs(value) <= _INT_MAX else "java.lang.Long"
        case float():
            return "java.lang.Double"
        case str():
            return "java.lang.String"
        case list():
            return "java.util.ArrayList"
        case dict():
            return "java.util.HashMap"
        case _:
            return "null"


def _resolve(step: str, path: str, holder: Any) -> Any:
    if holder is None:
        raise IllegalArgument(f"cannot resolve [{step}] from null as part of path [{path}]")
    if isinstance(holder, dict):
        if step in holder:
            return holder[step]
        raise IllegalArgument(f"field [{step}] not present as part of path [{path}]")
    if isinstance(holder, list):
        return holder[_position(step, path, holder)]
    raise IllegalArgument(f"cannot resolve [{step}] from object of type [{java_type(holder)}] as part of path [{path}]")


def _put(step: str, path: str, holder: Any, value: Any) -> None:
    if holder is None:
        raise IllegalArgument(f"cannot set [{step}] with null parent as part of path [{path}]")
    if isinstance(holder, dict):
        holder[step] = value
    elif isinstance(holder, list):
        holder[_position(step, path, holder)] = value
    else:
        raise IllegalArgument(
            f"cannot set [{step}] with parent object of type [{java_type(holder)}] as part of path [{path}]"
        )


def _position(step: str, path: str, holder: list[Any]) -> int:
    if not step.isdecimal():
        raise IllegalArgument(f"[{step}] is not an integer, cannot be used as an index as part of path [{path}]")
    if int(step) >= len(holder):
        raise IllegalArgument(
            f"[{step}] is out of bounds for array with length [{len(holder)}] as part of path [{path}]"
        )
    return int(step)

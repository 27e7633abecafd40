"""What an index knows about its fields. Immutable: ``merged`` and a document with new fields make another one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from antiphon.domain.document import TypedDocument
from antiphon.domain.field import Field


@dataclass(frozen=True, slots=True)
class IndexMapping:
    """``body`` is the mapping's JSON as GET shows it (``properties``, ``dynamic``, ``_meta`` ...).

    ``fields`` holds every field by dotted path: leaves, multi-fields, objects and nested ones. ``knn`` is the index's
    ``index.knn`` (a vector field made under False has no ANN search).
    """

    body: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, Field] = field(default_factory=dict)
    knn: bool = False

    @classmethod
    def parse(cls, body: Mapping[str, Any], *, knn: bool = False) -> IndexMapping:
        """Return the mapping of a create or put-mapping body; MapperParsing (400) names what is wrong with which field.

        ``semantic`` fields must have been expanded before (``domain.semantic``).
        """
        raise NotImplementedError

    def merged(self, body: Mapping[str, Any]) -> IndexMapping:
        """Return this mapping with what ``body`` adds; IllegalArgument when a field would change its type or a
        parameter that cannot change."""
        raise NotImplementedError

    def with_meta(self, meta: Mapping[str, Any]) -> IndexMapping:
        """Return this mapping with another ``_meta``."""
        raise NotImplementedError

    def field(self, path: str) -> Field | None:
        """Return the field at ``path`` with aliases resolved; None when it is not mapped.

        A path below a flat_object is a KEYWORD-family field of its own.
        """
        raise NotImplementedError

    def matching(self, pattern: str) -> list[Field]:
        """Return the leaves whose path matches a ``*`` pattern, in mapping order."""
        raise NotImplementedError

    def leaves_below(self, path: str) -> list[Field]:
        """Return the leaves of an object (or the field itself when it is a leaf), same nested level only."""
        raise NotImplementedError

    @property
    def nested_paths(self) -> tuple[str, ...]:
        """Every nested path, outer ones first."""
        raise NotImplementedError

    def typed(
        self, doc_id: str, source: Mapping[str, Any], *, max_fields: int = 1000, max_depth: int = 20
    ) -> tuple[TypedDocument, IndexMapping]:
        """Return the typed document and the mapping that dynamic mapping makes of this one (itself when unchanged).

        MapperParsing, StrictDynamicMapping or IllegalArgument (limits) with OpenSearch's words.
        """
        raise NotImplementedError

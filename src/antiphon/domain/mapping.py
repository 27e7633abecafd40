"""What an index knows about its fields. Immutable: ``merged`` and a document with new fields make another one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from antiphon.domain.document import TypedDocument
from antiphon.domain.field import Field, FieldDefaults, FieldType
from antiphon.domain.mapping_document import DocumentReader
from antiphon.domain.mapping_dynamic import Inference
from antiphon.domain.mapping_effects import check_effects
from antiphon.domain.mapping_merge import check_conflicts, merged_body
from antiphon.domain.mapping_plan import Node, build_plan
from antiphon.domain.mapping_read import OBJECTS, read_mapping
from antiphon.domain.pattern import star_pattern
from antiphon.errors import AntiphonError, IllegalArgument, MapperParsing


@dataclass(frozen=True, slots=True)
class IndexMapping:
    """``body`` is the mapping's JSON as GET shows it (``properties``, ``dynamic``, ``_meta`` ...).

    ``fields`` holds every field by dotted path: leaves, multi-fields, objects and nested ones. ``knn`` is the index's
    ``index.knn`` (a vector field made under False has no ANN search), ``defaults`` what its settings say of values.
    """

    body: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, Field] = field(default_factory=dict)
    knn: bool = False
    defaults: FieldDefaults = field(default_factory=FieldDefaults)
    _plans: list[Node] = field(default_factory=list, init=False, repr=False, compare=False)

    @classmethod
    def parse(
        cls, body: Mapping[str, Any], *, knn: bool = False, defaults: FieldDefaults | None = None, stored: bool = False
    ) -> IndexMapping:
        """Return the mapping of a create or put-mapping body; MapperParsing (400) names what is wrong with which field.

        IllegalArgument for what this server does not have. ``semantic`` fields must have been expanded before
        (``domain.semantic``). Options of a ``stored`` mapping are not asked again whether they can have their effect.
        """
        made = cls._parsed(body, knn, {})
        if not stored:
            check_effects(made.fields.values(), made.body)
        return made if defaults is None else replace(made, defaults=defaults)

    @classmethod
    def _parsed(cls, body: Mapping[str, Any], knn: bool, known: Mapping[str, Field]) -> IndexMapping:
        try:
            shown, fields = read_mapping(body, knn=knn, known=known)
        except AntiphonError as error:
            if "is not supported by Antiphon" in error.reason:
                raise
            raise MapperParsing(f"Failed to parse mapping [_doc]: {error.reason}", cause=error) from error
        return cls(shown, fields, knn)

    def merged(self, body: Mapping[str, Any]) -> IndexMapping:
        """Return this mapping with what ``body`` adds; IllegalArgument when a field would change its type or a
        parameter that cannot change."""
        added = IndexMapping._parsed(body, self.knn, self.fields)
        check_conflicts(self.fields, added.fields)
        changed = (field for path, field in added.fields.items() if field != self.fields.get(path))
        check_effects(changed, added.body)
        whole = merged_body(self.body, added.body)
        if whole == self.body:
            return self
        return IndexMapping.parse(whole, knn=self.knn, defaults=self.defaults, stored=True)

    def with_meta(self, meta: Mapping[str, Any]) -> IndexMapping:
        """Return this mapping with another ``_meta``."""
        return replace(self, body={**self.body, "_meta": dict(meta)})

    def with_defaults(self, defaults: FieldDefaults) -> IndexMapping:
        """Return this mapping, itself when they are its own, with what the index's settings say now."""
        return self if defaults == self.defaults else replace(self, defaults=defaults)

    def field(self, path: str) -> Field | None:
        """Return the field at ``path`` with aliases resolved; None when it is not mapped.

        A path below a flat_object is a KEYWORD-family field of its own.
        """
        found = self.fields.get(path)
        if found is not None:
            return self.fields.get(found.target or "") if found.type is FieldType.ALIAS else found
        holder = path
        while "." in holder:
            holder = holder.rpartition(".")[0]
            outer = self.fields.get(holder)
            if outer is not None:
                return replace(outer, path=path, source=path) if outer.type is FieldType.FLAT_OBJECT else None
        return None

    def matching(self, pattern: str) -> list[Field]:
        """Return the leaves whose path matches a ``*`` pattern, in mapping order."""
        if "*" not in pattern:
            found = self.field(pattern)
            return [] if found is None or found.type in OBJECTS else [found]
        compiled = star_pattern(pattern)
        return [leaf for path, leaf in self.fields.items() if _is_leaf(leaf) and compiled.fullmatch(path)]

    def named(self, pattern: str) -> list[tuple[str, Field]]:
        """Return the leaves of a name or ``*`` pattern, each under its own name: an alias is what it stands for."""
        found = [pattern] if "*" not in pattern else [leaf.path for leaf in self.matching(pattern)]
        named = [(path, self.field(path)) for path in found]
        return [(path, field) for path, field in named if field is not None and field.type not in OBJECTS]

    def leaves_below(self, path: str) -> list[Field]:
        """Return the leaves of an object (or the field itself when it is a leaf), same nested level only."""
        found = self.field(path)
        if found is None or found.type not in OBJECTS:
            return [] if found is None else [found]
        level = path if found.type is FieldType.NESTED else found.nested
        return [
            leaf
            for inner, leaf in self.fields.items()
            if inner.startswith(f"{path}.") and leaf.nested == level and _is_leaf(leaf)
        ]

    @property
    def nested_paths(self) -> tuple[str, ...]:
        """Every nested path, outer ones first."""
        return tuple(path for path, held in self.fields.items() if held.type is FieldType.NESTED)

    def typed(
        self, doc_id: str, source: Mapping[str, Any], *, max_fields: int = 1000, max_depth: int = 20
    ) -> tuple[TypedDocument, IndexMapping]:
        """Return the typed document and the mapping that dynamic mapping makes of this one (itself when unchanged).

        MapperParsing, StrictDynamicMapping or IllegalArgument (limits) with OpenSearch's words.
        """
        mapping = self
        while True:
            inference = Inference(mapping.body)
            rows = DocumentReader(doc_id, inference).read(mapping._plan(), source)
            if not inference.properties:
                return TypedDocument(rows), mapping
            grown = mapping.merged({"properties": inference.properties})
            if grown is mapping:
                return TypedDocument(rows), mapping
            grown.check_limits(max_fields, max_depth)
            mapping = grown

    def check_limits(self, max_fields: int, max_depth: int) -> None:
        """IllegalArgument when there are more fields, or deeper objects, than the index's settings allow."""
        if len(self.fields) > max_fields:
            raise IllegalArgument(f"Limit of total fields [{max_fields}] has been exceeded")
        for path, held in self.fields.items():
            # the root counts as one level
            if held.type in OBJECTS and path.count(".") + 2 > max_depth:
                raise IllegalArgument(
                    f"Limit of mapping depth [{max_depth}] has been exceeded due to object field [{path}]"
                )

    def _plan(self) -> Node:
        if not self._plans:
            self._plans.append(build_plan(self.body, self.fields, self.defaults))
        return self._plans[0]


def _is_leaf(held: Field) -> bool:
    return held.type not in OBJECTS

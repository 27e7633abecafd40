"""What a body is parsed against: an index's mapping and limits, the moment, the default models, and the slots found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from antiphon.domain.field import Field
from antiphon.domain.mapping import IndexMapping
from antiphon.query.search import Slot


@dataclass(frozen=True, slots=True)
class DefaultModels:
    """What a ``neural_query_enricher`` supplies: a model for every neural clause, and models by field that win."""

    model_id: str | None = None
    by_field: Mapping[str, str] = field(default_factory=dict)

    def model_for(self, path: str) -> str | None:
        """Return the model of a field's neural clause without one; None when there is none."""
        return self.by_field.get(path, self.model_id)


@dataclass(frozen=True, slots=True)
class Scope:
    """One index at one moment (``now_ms``: epoch milliseconds).

    ``slots`` collects the vectors that the parsed queries want, in order: read it after ``parse_query``.
    ``parse_search`` uses slots of its own. ``level`` is the nested path the query stands at.
    """

    mapping: IndexMapping
    index: str = ""
    now_ms: int = 0
    default_field: tuple[str, ...] = ("*",)
    max_result_window: int = 10_000
    max_rescore_window: int = 10_000
    max_clauses: int = 1_024
    max_terms: int = 65_536
    models: DefaultModels = field(default_factory=DefaultModels)
    slots: list[Slot] = field(default_factory=list)
    level: str = ""
    depth: int = 0

    def fresh(self) -> Scope:
        """Return this scope with no slots."""
        return replace(self, slots=[])

    def at(self, path: str) -> Scope:
        """Return the scope of a query on the objects of a nested path; slots are shared."""
        return replace(self, level=path)

    def deeper(self) -> Scope:
        """Return the scope one clause further down."""
        return replace(self, depth=self.depth + 1)

    def slot(self, wanted: Slot) -> int:
        """Return the number of this vector's slot; equal ones share it."""
        if wanted in self.slots:
            return self.slots.index(wanted)
        self.slots.append(wanted)
        return len(self.slots) - 1

    def field(self, path: str) -> Field | None:
        """Return the field of that name, aliases resolved, when a query at this level can see it."""
        found = self.mapping.field(path)
        return found if found is not None and self.sees(found) else None

    def sees(self, found: Field) -> bool:
        """True when a query at this level can match on the field."""
        return found.nested == self.level

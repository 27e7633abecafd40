"""Keeps templates and says what they make of a new index."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from antiphon.domain.index import IndexBody
from antiphon.domain.pattern import star_pattern
from antiphon.domain.shapes import prepare
from antiphon.domain.template import (
    ComponentTemplate,
    IndexTemplate,
    LegacyTemplate,
    check_conflicts,
    choose_template,
    composed,
    layers,
    overlapping,
    overlay,
)
from antiphon.errors import IllegalArgument
from antiphon.flows.ports import Ports

prepare(ComponentTemplate, IndexTemplate, LegacyTemplate)
T = TypeVar("T", ComponentTemplate, IndexTemplate, LegacyTemplate)
_INDEX, _COMPONENT, _LEGACY = "index_template", "component_template", "template"

CheckBody = Callable[[IndexBody], None]
"""Raises what creating an index from the body would raise."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """A trial of an index template: what an index would get, and the patterns of the templates that overlap."""

    body: IndexBody
    overlapping: Mapping[str, tuple[str, ...]]


class Templates:
    """Index templates, component templates and legacy ones, durable when a put returns."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._lock = threading.RLock()

    def indexes(self, names: str = "*") -> dict[str, IndexTemplate]:
        """Return the index templates that a comma list of names and patterns means; empty when none."""
        return self._matching(_INDEX, names, IndexTemplate)

    def components(self, names: str = "*") -> dict[str, ComponentTemplate]:
        """Return the component templates that a comma list of names and patterns means; empty when none."""
        return self._matching(_COMPONENT, names, ComponentTemplate)

    def legacy(self, names: str = "*") -> dict[str, LegacyTemplate]:
        """Return the legacy templates that a comma list of names and patterns means; empty when none."""
        return self._matching(_LEGACY, names, LegacyTemplate)

    def put_index(self, name: str, template: IndexTemplate, check: CheckBody, *, create: bool = False) -> None:
        """Write an index template; IllegalArgument for unknown components, clashing patterns, or a bad body."""
        with self._lock:
            self.check_index(name, template, check, create=create)
            self._put(_INDEX, name, template)

    def check_index(self, name: str, template: IndexTemplate, check: CheckBody, *, create: bool = False) -> None:
        """Raise what writing the index template would raise."""
        held, parts = self.indexes(), self.components()
        if create and name in held:
            raise IllegalArgument(f"index template [{name}] already exists")
        missing = [part for part in template.composed_of if part not in parts]
        if missing:
            raise IllegalArgument(
                f"index_template [{name}] invalid, cause [index template [{name}] specifies component templates "
                f"[{', '.join(missing)}] that do not exist]"
            )
        check_conflicts(name, template, held)
        check(overlay(composed(template, parts), name))

    def put_component(self, name: str, component: ComponentTemplate, check: CheckBody, *, create: bool = False) -> None:
        """Write a component template; IllegalArgument when it breaks itself or an index template that uses it."""
        with self._lock:
            parts = self.components()
            if create and name in parts:
                raise IllegalArgument(f"component template [{name}] already exists")
            check(component.body)
            for template in self.indexes().values():
                if name in template.composed_of:
                    check(overlay(composed(template, parts | {name: component}), name))
            self._put(_COMPONENT, name, component)

    def put_legacy(self, name: str, template: LegacyTemplate, check: CheckBody, *, create: bool = False) -> None:
        """Write a legacy template."""
        with self._lock:
            if create and name in self.legacy():
                raise IllegalArgument(f"index_template [{name}] already exists")
            check(template.body)
            self._put(_LEGACY, name, template)

    def delete_index(self, names: str) -> bool:
        """Delete index templates; False when a name or pattern meant none."""
        return self._delete(_INDEX, list(self.indexes(names)))

    def delete_legacy(self, names: str) -> bool:
        """Delete legacy templates; False when a name or pattern meant none."""
        return self._delete(_LEGACY, list(self.legacy(names)))

    def delete_component(self, names: str) -> bool:
        """Delete component templates; False when none was meant, IllegalArgument while an index template uses one."""
        with self._lock:
            doomed = list(self.components(names))
            users = {
                user: sorted(set(template.composed_of) & set(doomed))
                for user, template in self.indexes().items()
                if set(template.composed_of) & set(doomed)
            }
            if users:
                used = sorted({part for parts in users.values() for part in parts})
                raise IllegalArgument(
                    f"component templates [{', '.join(used)}] cannot be removed as they are still in use by index "
                    f"templates [{', '.join(sorted(users))}]"
                )
            return self._delete(_COMPONENT, doomed)

    def body_for(self, name: str, request: IndexBody | None = None) -> IndexBody:
        """Return what an index of this name is made from: its templates, then the request."""
        below = layers(name, self.indexes(), self.components(), self.legacy())
        return overlay([*below, request or IndexBody()], name)

    def simulate(self, name: str, template: IndexTemplate, index: str = "{index}") -> Simulated:
        """Return what an index template and its components come to, and which other templates could match besides."""
        body = overlay(composed(template, self.components()), index)
        return Simulated(body, overlapping(name, template, self.indexes(), self.legacy()))

    def simulate_index(self, name: str, added: Mapping[str, IndexTemplate] | None = None) -> Simulated | None:
        """Return what the index template of an index comes to, of those held and ``added``; None when it has none."""
        held = self.indexes() | dict(added or {})
        chosen = choose_template(held, name)
        return None if chosen is None else self.simulate(chosen, held[chosen], name)

    @staticmethod
    def matches(pattern: str, name: str) -> bool:
        """True when the ``*`` pattern of a template, or of ``action.auto_create_index``, means this index."""
        return star_pattern(pattern).fullmatch(name) is not None

    def _matching(self, kind: str, names: str, shape: type[T]) -> dict[str, T]:
        patterns = [star_pattern("*" if word == "_all" else word) for word in names.split(",") if word]
        bodies: Mapping[str, Any] = dict(self._ports.catalog.definitions(kind))
        return {
            name: msgspec.convert(bodies[name], shape)
            for name in sorted(bodies)
            if any(pattern.fullmatch(name) for pattern in patterns)
        }

    def _put(self, kind: str, name: str, template: ComponentTemplate | IndexTemplate | LegacyTemplate) -> None:
        self._ports.catalog.put_definition(kind, name, msgspec.to_builtins(template))

    def _delete(self, kind: str, names: list[str]) -> bool:
        with self._lock, self._ports.catalog.transaction():
            for name in names:
                self._ports.catalog.delete_definition(kind, name)
        return bool(names)

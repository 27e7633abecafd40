"""Templates: what an index gets at its creation because of its name, and in which order that is laid together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from antiphon.domain.index import Alias, IndexBody
from antiphon.domain.pattern import star_pattern
from antiphon.errors import IllegalArgument


@dataclass(frozen=True, slots=True)
class ComponentTemplate:
    """A building block of index templates. ``shown`` are the keys GET repeats besides: version, _meta."""

    body: IndexBody
    shown: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IndexTemplate:
    """What indices of matching names get. Of several that match, the highest ``priority`` alone applies."""

    index_patterns: tuple[str, ...]
    body: IndexBody | None = None
    composed_of: tuple[str, ...] = ()
    priority: int | None = None
    shown: Mapping[str, Any] = field(default_factory=dict)

    def matches(self, name: str) -> bool:
        """True when an index of this name gets the template."""
        return _matches(self.index_patterns, name)


@dataclass(frozen=True, slots=True)
class LegacyTemplate:
    """A template of the old kind: all that match apply, by ascending ``order``."""

    index_patterns: tuple[str, ...]
    body: IndexBody
    order: int = 0
    version: int | None = None

    def matches(self, name: str) -> bool:
        """True when an index of this name gets the template."""
        return _matches(self.index_patterns, name)


def choose_template(templates: Mapping[str, IndexTemplate], name: str) -> str | None:
    """Return the name of the composable template of an index: the one of highest priority that matches; None."""
    matching = [key for key in sorted(templates) if templates[key].matches(name)]
    return max(matching, key=lambda key: templates[key].priority or 0, default=None)


def layers(
    name: str,
    templates: Mapping[str, IndexTemplate],
    components: Mapping[str, ComponentTemplate],
    legacy: Mapping[str, LegacyTemplate],
) -> list[IndexBody]:
    """Return what an index of this name is made of, weakest first; empty when no template matches."""
    chosen = choose_template(templates, name)
    if chosen is None:
        matching = sorted((item for item in legacy.values() if item.matches(name)), key=lambda item: item.order)
        return [item.body for item in matching]
    return composed(templates[chosen], components)


def composed(template: IndexTemplate, components: Mapping[str, ComponentTemplate]) -> list[IndexBody]:
    """Return the bodies of a composable template, weakest first: its components in order, then its own."""
    return [
        *(components[name].body for name in template.composed_of if name in components),
        *([template.body] if template.body is not None else []),
    ]


def overlay(bodies: Iterable[IndexBody], name: str) -> IndexBody:
    """Return all bodies laid over each other, later ones winning; ``{index}`` in an alias becomes ``name``."""
    settings: dict[str, Any] = {}
    mappings: dict[str, Any] = {}
    aliases: dict[str, Alias] = {}
    for body in bodies:
        settings |= body.settings
        mappings = _merged(mappings, body.mappings)
        aliases |= {alias.replace("{index}", name): value for alias, value in body.aliases.items()}
    return IndexBody(settings, mappings, aliases)


def check_conflicts(name: str, template: IndexTemplate, others: Mapping[str, IndexTemplate]) -> None:
    """IllegalArgument when another template of the same priority has a pattern that overlaps with one of ours."""
    clashes = {
        other: list(held.index_patterns)
        for other, held in sorted(others.items())
        if other != name
        and (held.priority or 0) == (template.priority or 0)
        and any(_overlap(ours, theirs) for ours in template.index_patterns for theirs in held.index_patterns)
    }
    if clashes:
        listed = ", ".join(f"{other} => [{', '.join(patterns)}]" for other, patterns in clashes.items())
        raise IllegalArgument(
            f"index template [{name}] has index patterns [{', '.join(template.index_patterns)}] matching patterns from "
            f"existing templates [{','.join(clashes)}] with patterns ({listed}) that have the same priority "
            f"[{template.priority or 0}], multiple index templates may not match during index creation, please use a "
            "different priority"
        )


def overlapping(
    name: str, template: IndexTemplate, templates: Mapping[str, IndexTemplate], legacy: Mapping[str, LegacyTemplate]
) -> dict[str, tuple[str, ...]]:
    """Return the patterns of the other templates, of both kinds, that an index of ``template`` could match as well."""
    others: dict[str, IndexTemplate | LegacyTemplate] = {
        **legacy,
        **{other: held for other, held in templates.items() if other != name},
    }
    return {
        other: held.index_patterns
        for other, held in others.items()
        if any(_overlap(ours, theirs) for ours in template.index_patterns for theirs in held.index_patterns)
    }


def _matches(patterns: Iterable[str], name: str) -> bool:
    return any(star_pattern(pattern).fullmatch(name) is not None for pattern in patterns)


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Merge mappings: objects key by key, dynamic templates one after the other, anything else replaced."""
    merged = dict(below)
    for key, value in above.items():
        held = merged.get(key)
        if isinstance(held, Mapping) and isinstance(value, Mapping) and not _retyped(held, value):
            merged[key] = _merged(held, value)
        elif key == "dynamic_templates" and isinstance(held, list) and isinstance(value, list):
            names = {name for item in value if isinstance(item, Mapping) for name in item}
            merged[key] = [item for item in held if not (isinstance(item, Mapping) and names & set(item))] + value
        else:
            merged[key] = value
    return merged


def _retyped(held: Mapping[str, Any], value: Mapping[str, Any]) -> bool:
    return isinstance(held.get("type"), str) and "type" in value and held["type"] != value["type"]


def _overlap(one: str, other: str) -> bool:
    """True when some name matches both patterns."""
    reached = {(0, 0)}
    pending = [(0, 0)]
    while pending:
        here, there = pending.pop()
        if here == len(one) and there == len(other):
            return True
        steps: list[tuple[int, int]] = []
        left, right = one[here : here + 1], other[there : there + 1]
        if left == "*":
            steps += [(here + 1, there)] + ([(here, there + 1)] if right else [])
        if right == "*":
            steps += [(here, there + 1)] + ([(here + 1, there)] if left else [])
        if left and left == right:
            steps.append((here + 1, there + 1))
        fresh = [step for step in steps if step not in reached]
        reached.update(fresh)
        pending += fresh
    return False

"""Index expressions: comma lists of names, ``*`` patterns, ``-`` exclusions, aliases and ``_all``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from antiphon.domain.index import Alias, Index, Target
from antiphon.domain.index_name import invalid_index_name
from antiphon.domain.index_settings import is_hidden
from antiphon.domain.pattern import star_pattern
from antiphon.errors import IllegalArgument, IndexNotFound

_STATES = frozenset({"open", "closed", "hidden", "none", "all"})


@dataclass(frozen=True, slots=True)
class ExpandOptions:
    """What may be missing, and which indices a pattern stands for (a comma list of open, closed, hidden, none, all)."""

    ignore_unavailable: bool = False
    allow_no_indices: bool = True
    expand_wildcards: str = "open"
    aliases: bool = True
    """Whether a pattern also matches the names of aliases."""


def resolve_expression(indices: Mapping[str, Index], expression: str, options: ExpandOptions) -> list[Target]:
    """Return the indices that ``expression`` stands for, each once: in its order, those of a pattern by name.

    IndexNotFound (404) for a concrete name that is neither an index nor an alias, or when ``allow_no_indices`` is
    off and a pattern matches nothing.
    """
    states = expand_states(options.expand_wildcards)
    found: dict[str, list[Mapping[str, Any] | None]] = {}
    wild = False
    for part in [word for word in expression.split(",") if word] or ["_all"]:
        if part.startswith("-") and wild:
            for name in [name for name, _ in _named(indices, part[1:], options.aliases)]:
                found.pop(name, None)
            continue
        if part != "_all" and "*" not in part:
            _add_concrete(found, indices, part, options)
            continue
        wild = True
        pattern = "*" if part == "_all" else part
        matched = [
            pair for pair in _named(indices, pattern, options.aliases) if _expands(indices[pair[0]], states, pattern)
        ]
        if not matched and not options.allow_no_indices:
            raise index_not_found(part)
        for name, condition in matched:
            found.setdefault(name, []).append(condition)
    if not found and not options.allow_no_indices:
        raise index_not_found(expression or "_all")
    return [Target(indices[name], _either(conditions)) for name, conditions in found.items()]


def index_not_found(name: str, *, single: bool = False) -> IndexNotFound:
    """Return OpenSearch's error for a missing index or alias; ``single`` where only one index may be named."""
    kind = "index_expression" if single else "index_or_alias"
    keys = {"index": name, "resource.id": name, "resource.type": kind, "index_uuid": "_na_"}
    return IndexNotFound(f"no such index [{name}]", metadata=keys)


def aliased(indices: Mapping[str, Index], alias: str) -> list[tuple[Index, Alias]]:
    """Return the indices that carry ``alias``, by name, with what it says on each."""
    return [(indices[name], indices[name].aliases[alias]) for name in sorted(indices) if alias in indices[name].aliases]


def _add_concrete(
    found: dict[str, list[Mapping[str, Any] | None]], indices: Mapping[str, Index], name: str, options: ExpandOptions
) -> None:
    if name.startswith("_"):
        raise invalid_index_name(name, "must not start with '_'.")
    members = [(indices[name], Alias())] if name in indices else aliased(indices, name)
    if not members and not options.ignore_unavailable:
        raise index_not_found(name)
    for index, alias in members:
        if not (index.closed and options.ignore_unavailable):
            found.setdefault(index.name, []).append(alias.filter)


def _named(
    indices: Mapping[str, Index], pattern: str, with_aliases: bool
) -> Iterator[tuple[str, Mapping[str, Any] | None]]:
    """Yield every index whose name, or one of whose aliases, matches, with the filter that follows from it."""
    matches = star_pattern(pattern).fullmatch
    for name in sorted(indices):
        if matches(name):
            yield name, None
        elif with_aliases:
            for alias_name, alias in indices[name].aliases.items():
                if matches(alias_name):
                    yield name, alias.filter


def expand_states(words: str) -> frozenset[str]:
    """Return the words of ``expand_wildcards``; IllegalArgument names an unknown one."""
    states = frozenset(word.strip().lower() for word in words.split(",") if word.strip())
    unknown = states - _STATES
    if unknown:
        raise IllegalArgument(f"No valid expand wildcard value [{min(unknown)}]")
    return states


def _expands(index: Index, states: frozenset[str], pattern: str) -> bool:
    if "all" in states:
        return True
    if is_hidden(index.settings) and "hidden" not in states and not (pattern[0] == "." and index.name[0] == "."):
        return False
    return ("closed" if index.closed else "open") in states


def _either(conditions: Iterable[Mapping[str, Any] | None]) -> Mapping[str, Any] | None:
    """Return the query of all filters an index was reached by; None when one way had no filter."""
    filters: list[Mapping[str, Any]] = []
    for condition in conditions:
        if condition is None:
            return None
        if condition not in filters:
            filters.append(condition)
    return filters[0] if len(filters) == 1 else {"bool": {"should": filters, "minimum_should_match": 1}}

"""Whether an ingest pipeline needs a text-embedding model, told from its JSON: it may hold processors unknown here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Find = Callable[[str], Mapping[str, Any] | None]
"""The definition of another pipeline by its id."""


def embeds(body: Mapping[str, Any], find: Find, seen: frozenset[str] = frozenset()) -> bool:
    """True when ``text_embedding`` stands anywhere in a pipeline, or in one that it runs by a fixed name."""
    return _any(body.get("processors"), find, seen) or _any(body.get("on_failure"), find, seen)


def _any(processors: Any, find: Find, seen: frozenset[str]) -> bool:
    if not isinstance(processors, list):
        return False
    return any(
        _one(name, options, find, seen)
        for entry in processors
        if isinstance(entry, Mapping)
        for name, options in entry.items()
        if isinstance(options, Mapping)
    )


def _one(name: str, options: Mapping[str, Any], find: Find, seen: frozenset[str]) -> bool:
    if name == "text_embedding" or _any(options.get("on_failure"), find, seen):
        return True
    if name == "foreach":
        return _any([options.get("processor")], find, seen)
    other = options.get("name")
    if name != "pipeline" or not isinstance(other, str) or other in seen:
        return False
    found = find(other)
    return found is not None and embeds(found, find, seen | {other})

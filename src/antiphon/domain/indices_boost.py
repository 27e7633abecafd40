"""``indices_boost`` of a search: scores of some indices count more. The first entry that names an index decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from antiphon.errors import IllegalArgument, ParsingError

Boosts = list[tuple[str, float]]
"""Index, alias or pattern, and the factor."""


def read_indices_boost(value: Any) -> Boosts:
    """Return the entries in order: a list of objects of one key each, or one object. ParsingError, IllegalArgument."""
    entries = value if isinstance(value, list) else [value]
    boosts: Boosts = []
    for entry in entries:
        if not isinstance(entry, Mapping) or (isinstance(value, list) and len(entry) != 1):
            raise ParsingError('[indices_boost] must be a list of objects that name one index each: [{"index": 2}]')
        for name, factor in entry.items():
            if isinstance(factor, bool) or not isinstance(factor, (int, float)) or factor < 0:
                raise IllegalArgument(f"[indices_boost] of [{name}] must be a number of at least 0, but was [{factor}]")
            boosts.append((name, float(factor)))
    return boosts


def boosted_query(query: Any, factor: float) -> dict[str, Any]:
    """Return ``query`` (None: all documents) with its scores multiplied; of a hybrid, those of every sub-query."""
    if isinstance(query, dict) and isinstance(query.get("hybrid"), dict):
        legs = query["hybrid"].get("queries")
        boosted = [boosted_query(leg, factor) for leg in legs] if isinstance(legs, list) else legs
        return {"hybrid": query["hybrid"] | {"queries": boosted}}
    return {"bool": {"must": [{"match_all": {}} if query is None else query], "boost": factor}}

"""The hits of several indices, and of a hybrid's sub-queries, as one list. Nothing here is fetched yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cmp_to_key
from typing import Any

import numpy as np

from antiphon.errors import IllegalArgument
from antiphon.query import (
    BucketsPartial,
    Explanation,
    FusionSpec,
    Leg,
    Partial,
    RankFusion,
    Search,
    ShardResult,
    SinglePartial,
    TopHitsPartial,
    compare_sort,
    fuse,
)


@dataclass(frozen=True, slots=True)
class Ranked:
    """A hit before it is fetched: ``shard`` is the position of its index, ``sort`` typed values, ``key`` what it
    collapses on. ``parts`` are a hybrid's normalised scores, NaN where a sub-query did not find it."""

    shard: int
    row: int
    score: float | None
    sort: tuple[Any, ...] | None = None
    key: Any = None
    parts: tuple[float, ...] = ()


def merged(search: Search, results: Sequence[ShardResult]) -> list[Ranked]:
    """Return the page ``from_`` .. ``from_ + size``, equal hits by index, then by row."""
    end = search.from_ + search.size
    if len(results) == 1:
        return _entries(0, results[0].legs[0], search.from_, end)
    found = [one for number, result in enumerate(results) for one in _entries(number, result.legs[0], 0, end)]
    return _collapsed(search, _ordered(search, found))[search.from_ : end]


def fused(spec: FusionSpec, search: Search, results: Sequence[ShardResult]) -> list[Ranked]:
    """Return every document of a hybrid's legs, scores normalised and combined, or in the order of its sort.

    IllegalArgument for weights that do not fit, and for a page past the end.
    """
    legs = [
        [one for number, result in enumerate(results) for one in _entries(number, result.legs[place], 0, None)]
        for place in range(len(search.legs))
    ]
    if search.sort:
        known = {(one.shard, one.row): one for leg in legs for one in leg}
        ranked = _ordered(search, sorted(known.values(), key=lambda one: (one.shard, one.row)))
    else:
        ranked = _combined(spec, search, legs)
    ranked = _collapsed(search, ranked)
    if search.from_ and search.from_ >= len(ranked):
        raise IllegalArgument("Reached end of search result, increase pagination_depth value to see more results")
    return ranked


def total_of(search: Search, results: Sequence[ShardResult]) -> tuple[int | None, bool]:
    """Return the total over all indices, None when it is not tracked, and whether it is exact."""
    if search.track_total_hits is False:
        return None, True
    total, limit = sum(result.total for result in results), search.track_total_hits
    if limit is not True and total > limit:
        return int(limit), False
    return total, all(result.exact for result in results)


def hybrid_explanation(spec: FusionSpec, ranked: Ranked, of_legs: Sequence[Explanation | None]) -> Explanation:
    """Return the tree of a hybrid's score: the combination, each normalisation, each sub-query's own explanation."""
    if isinstance(spec, RankFusion):
        normalised, combined = f"rrf, rank_constant [{spec.rank_constant}]", "rrf"
    else:
        normalised, combined = spec.normalization, spec.combination
    weights = f", weights [{', '.join(str(weight) for weight in spec.weights)}]" if spec.weights else ""
    details = tuple(
        Explanation(part, f"{normalised} normalization of:", () if own is None else (own,))
        for part, own in zip(ranked.parts, of_legs, strict=True)
        if part == part
    )
    return Explanation(ranked.score or 0.0, f"{combined}{weights} combination of:", details)


def stamp(partials: Mapping[str, Partial], index: str) -> None:
    """Write the index's name to the hits of top_hits aggregations, at any depth."""
    for partial in partials.values():
        match partial:
            case TopHitsPartial():
                partial.hits = [(values, index, hit) for values, _, hit in partial.hits]
            case SinglePartial():
                stamp(partial.bucket.below, index)
            case BucketsPartial():
                for bucket in partial.buckets.values():
                    stamp(bucket.below, index)
            case _:
                pass


def _entries(number: int, leg: Leg, start: int, end: int | None) -> list[Ranked]:
    part = slice(start, end)
    rows, scores = leg.rows[part].tolist(), leg.scores[part].tolist()
    sorts: Iterable[Any] = [None] * len(rows) if leg.sort is None else leg.sort[part]
    keys: Iterable[Any] = [None] * len(rows) if leg.keys is None else leg.keys[part]
    return [
        Ranked(number, row, None if score != score else score, sort, key)
        for row, score, sort, key in zip(rows, scores, sorts, keys, strict=True)
    ]


def _ordered(search: Search, found: list[Ranked]) -> list[Ranked]:
    def compare(first: Ranked, second: Ranked) -> int:
        return compare_sort(search.sort, first.sort or (), second.sort or ())

    if search.sort:
        return sorted(found, key=cmp_to_key(compare))
    return sorted(found, key=lambda one: -(one.score or 0.0))


def _collapsed(search: Search, ranked: list[Ranked]) -> list[Ranked]:
    """Keep the first hit of every value."""
    if search.collapse is None:
        return ranked
    first: dict[Any, Ranked] = {}
    for one in ranked:
        first.setdefault(one.key, one)
    return list(first.values())


def _combined(spec: FusionSpec, search: Search, legs: Sequence[Sequence[Ranked]]) -> list[Ranked]:
    kept = [sorted(leg, key=lambda one: -(one.score or 0.0)) for leg in legs]
    known = {(one.shard, one.row): one for leg in kept for one in leg}
    scored = [
        ([(one.shard, one.row) for one in leg], np.array([one.score or 0.0 for one in leg], np.float32)) for leg in kept
    ]
    result = fuse(spec, scored)
    ranked = [
        replace(known[key], score=score, parts=tuple(parts))
        for key, score, parts in zip(result.keys, result.scores.tolist(), result.trace.tolist(), strict=True)
    ]
    least = search.min_score
    return ranked if least is None else [one for one in ranked if (one.score or 0.0) >= np.float32(least)]

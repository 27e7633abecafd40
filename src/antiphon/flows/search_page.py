"""A planned search becomes a page: every index is asked, answers are ranked, the hits of the page are fetched."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.domain.index import Index
from antiphon.domain.response_processors import RankedHit, RankedPage
from antiphon.errors import AntiphonError, SearchPhaseError
from antiphon.flows.ports import Snapshot
from antiphon.flows.search_pipelines import BoundPipeline
from antiphon.flows.search_rank import Ranked, fused, hybrid_explanation, merged, stamp, total_of
from antiphon.query import (
    Page,
    PageHit,
    Partial,
    Search,
    SearchHit,
    ShardResult,
    SortKey,
    finish_all,
    merge_all,
    shown_sort,
)

Failures = list[tuple[str, AntiphonError]]
Fail = Callable[[AntiphonError, Index], SearchPhaseError]
RenderHit = Callable[[str, Any], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Shard:
    """One index of a search: its snapshot, the body bound to it, and the vectors of its slots."""

    index: Index
    snapshot: Snapshot
    search: Search
    vectors: Sequence[NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Plan:
    """A search, bound: ``failures`` are (index, error) of the indices that it could not be bound to, ``remembered``
    is what request processors keep for response processors."""

    bound: BoundPipeline
    remembered: Mapping[str, Any]
    shards: Sequence[Shard]
    failures: Failures
    allow_partial: bool = True
    typed_keys: bool = False


def answer_plan(plan: Plan, fail: Fail, render: RenderHit) -> Page:
    """Return the page as it was found. SearchPhaseError when no index could answer, or one and that is not allowed."""
    shards: list[Shard] = []
    results: list[ShardResult] = []
    failures = list(plan.failures)
    for shard in plan.shards:
        try:
            results.append(shard.snapshot.search(shard.search, shard.vectors))
        except AntiphonError as error:
            failures.append((shard.index.name, fail(error, shard.index)))
            continue
        stamp(results[-1].aggregations, shard.index.name)
        shards.append(shard)
    if failures:
        _check_failures(plan, failures, some=bool(shards))
    asked = len(plan.shards) + len(plan.failures)
    if not shards:
        return Page()
    page = _page(plan, shards, results, render)
    return replace(page, shards=asked, failures=[(name, _inner(error)) for name, error in failures])


def processed_page(plan: Plan, page: Page) -> Page:
    """Return the page as the response processors leave it."""
    if not plan.bound.pipeline.response:
        return page
    hits = [
        RankedHit(
            one.hit.id,
            one.hit.score,
            None if one.hit.source is None else dict(one.hit.source),
            {name: list(values) for name, values in one.hit.fields.items()},
            place,
        )
        for place, one in enumerate(page.hits)
    ]
    ranked = RankedPage(hits, page.max_score, plan.remembered)
    for processor in plan.bound.pipeline.response:
        try:
            processor.work.change(ranked)
        except AntiphonError:
            if not processor.ignore_failure:
                raise
    changed = [
        PageHit(
            page.hits[hit.place].index,
            replace(page.hits[hit.place].hit, score=hit.score, source=hit.source, fields=hit.fields),
        )
        for hit in ranked.hits
    ]
    return replace(page, hits=changed, max_score=ranked.max_score)


def _check_failures(plan: Plan, failures: Failures, *, some: bool) -> None:
    first = failures[0][1]
    if some and plan.allow_partial:
        return
    if some and isinstance(first, SearchPhaseError):
        first.reason = "Partial shards failure"
    raise first


def _inner(error: AntiphonError) -> AntiphonError:
    return error.failure if isinstance(error, SearchPhaseError) else error


def _page(plan: Plan, shards: Sequence[Shard], results: Sequence[ShardResult], render: RenderHit) -> Page:
    bound, search = plan.bound, shards[0].search
    total, exact = total_of(search, results)
    if search.hybrid:
        try:
            ranked = fused(bound.fusion, search, results)
        except AntiphonError as error:
            raise SearchPhaseError(error, None) from error
        best = [one.score for one in ranked if one.score is not None] if ranked else [0.0]
        if search.min_score is not None and total is not None:
            total, exact = len(ranked), True
        ranked = ranked[search.from_ : search.from_ + search.size]
    else:
        ranked = merged(search, results)
        best = [result.max_score for result in results if result.max_score is not None]
    partials: Mapping[str, Partial] = {}
    for result in results:
        partials = merge_all(partials, result.aggregations)
    aggregations = finish_all(search.aggregations, partials, render, typed_keys=plan.typed_keys)
    return Page(
        hits=_fetched(bound, shards, ranked),
        total=total,
        exact=exact,
        max_score=max(best) if best and search.size else None,
        shards=len(shards),
        aggregations=aggregations if search.aggregations else None,
        terminated_early=any(result.terminated_early for result in results) if search.terminate_after else None,
    )


def _fetched(bound: BoundPipeline, shards: Sequence[Shard], shown: Sequence[Ranked]) -> list[PageHit]:
    hits: list[PageHit | None] = [None] * len(shown)
    for number, shard in enumerate(shards):
        places = [place for place, one in enumerate(shown) if one.shard == number]
        if not places:
            continue
        rows = [shown[place].row for place in places]
        scores = [shown[place].score for place in places]
        for place, hit in zip(places, shard.snapshot.fetch(shard.search, shard.vectors, rows, scores), strict=True):
            hits[place] = PageHit(shard.index.name, _completed(bound, shard, hit, shown[place]))
    return [hit for hit in hits if hit is not None]


def _shown(key: SortKey, value: Any, index: Index) -> Any:
    """Return a sort value as JSON shows it."""
    if key.field == "_index":
        return index.name
    return shown_sort(key, value, index.mapping.field(key.field))


def _completed(bound: BoundPipeline, shard: Shard, hit: SearchHit, ranked: Ranked) -> SearchHit:
    """Return a fetched hit with what only the ranking knows: sort values, the collapse value, a hybrid's tree."""
    search = shard.search
    changes: dict[str, Any] = {}
    if ranked.sort is not None:
        changes["sort"] = tuple(
            _shown(key, value, shard.index) for key, value in zip(search.sort, ranked.sort, strict=True)
        )
    if search.collapse is not None:
        changes["fields"] = {**hit.fields, search.collapse.field: [ranked.key]}
    if search.hybrid and search.fetch.explain and ranked.parts and bound.pipeline.explains_hybrid:
        of_legs = [
            shard.snapshot.explain(leg, shard.vectors, hit.id) if part == part else None
            for leg, part in zip(search.legs, ranked.parts, strict=True)
        ]
        changes["explanation"] = hybrid_explanation(bound.fusion, ranked, of_legs)
    return replace(hit, **changes) if changes else hit

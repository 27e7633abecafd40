"""Which texts run together: pure functions over token counts, no thread, no model.

The cost of a batch is what the engine computes, padding included: longest x count. Texts of similar length go
together and a batch never costs more than its budget, except one text that alone is over it.

A batch runs on all of the engine's threads, or on a lane: one of several runs at the same time that share them. A
few short texts are answered soonest on all threads; much work is done fastest on lanes.

Between callers the rule is fairness by turns. A request that has not run yet is *fresh*; one that has had a
slice is *served*. Fresh and served requests take turns in leading a batch, whoever leads fills the batch from
its own longest texts, and others of similar length ride along. So a single query that meets a bulk of
thousands waits for the batch that is running and at most one more, and no stream of queries starves a bulk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_SPREAD = 2
"""The longest text of a batch may have this many times the tokens of the shortest ..."""

_SHORT = 32
"""... or this many tokens, where padding costs less than another run."""


_LANE_TOKENS = 64
"""Lanes share the rest of some work down to this much for each."""

_FINE, _FINEST = 8, 4
"""Up to so many multiples, lengths are rounded to half a multiple, and to a quarter."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What one request still has to run: token counts, longest first. ``fresh``: it has not had a turn yet."""

    lengths: Sequence[int]
    fresh: bool


@dataclass(frozen=True, slots=True)
class Slice:
    """Take the first ``count`` texts of the waiting request at ``request``."""

    request: int
    count: int


@dataclass(frozen=True, slots=True)
class Step:
    """The next batch, and whether it runs on all threads or on a lane."""

    slices: list[Slice]
    alone: bool


def padded_length(length: int, multiple: int, limit: int) -> int:
    """Return ``length`` rounded up to a ``multiple``, but not beyond ``limit`` (itself not below ``length``).

    Short texts are rounded to half of it or a quarter, because there a few tokens more are a large part of the work.
    """
    part = 1 if length > _FINE * multiple else 2 if length > _FINEST * multiple else 4
    step = max(1, multiple // part)
    return min(-(-length // step) * step, limit)


def longest_first(lengths: Sequence[int]) -> list[int]:
    """Return the positions of ``lengths`` from the largest to the smallest; equal ones keep their order."""
    if len(lengths) < 2:
        return list(range(len(lengths)))
    order: list[int] = np.argsort(-np.asarray(lengths), kind="stable").tolist()
    return order


def next_step(waiting: Sequence[Waiting], budget: int, *, fresh_first: bool, lanes: int, free: int) -> Step | None:
    """Return what to start now while ``free`` of ``lanes`` lanes are idle, None when nothing can start.

    A batch on all threads takes all lanes, so it starts only when all are free: for waiting texts that fit into one
    batch, or are fewer than lanes.
    """
    if not waiting or free < 1:
        return None
    texts = sum(len(one.lengths) for one in waiting)
    tokens = sum(sum(one.lengths) for one in waiting)
    if free == lanes and (lanes < 2 or texts < lanes or tokens <= budget):
        return Step(next_batch(waiting, budget, fresh_first=fresh_first), alone=True)
    share = max(-(-tokens // free), _LANE_TOKENS)
    return Step(next_batch(waiting, min(budget, share), fresh_first=fresh_first), alone=False)


def next_batch(waiting: Sequence[Waiting], budget: int, *, fresh_first: bool) -> list[Slice]:
    """Return the next batch over all ``waiting`` requests (in order of arrival or of their last turn).

    The first slice is the leader's: the first fresh request if ``fresh_first``, else the first served one, and
    the other kind where there is none. Empty only when ``waiting`` is empty.
    """
    if not waiting:
        return []
    leader = next((i for i, one in enumerate(waiting) if one.fresh is fresh_first), 0)
    lengths = waiting[leader].lengths
    count = _fit(lengths[0], len(lengths), budget)
    slices = [Slice(leader, count)]
    longest, shortest = lengths[0], lengths[count - 1]
    for i, one in enumerate(waiting):
        if i == leader:
            continue
        taken = 0
        for length in one.lengths:
            high, low = max(longest, length), min(shortest, length)
            if high * (count + 1) > budget or high > max(_SPREAD * low, _SHORT):
                break
            longest, shortest, count, taken = high, low, count + 1, taken + 1
        if taken:
            slices.append(Slice(i, taken))
    return slices


def _fit(longest: int, available: int, budget: int) -> int:
    """How many of ``available`` texts, none longer than ``longest``, one batch takes: at least one."""
    return max(1, min(available, budget // longest))

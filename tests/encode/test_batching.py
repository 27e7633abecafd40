from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from antiphon.encode.batching import (
    Slice,
    Step,
    Waiting,
    longest_first,
    next_batch,
    next_step,
    padded_length,
)

budgets = st.integers(1, 2048)
requests = st.lists(
    st.builds(
        lambda sizes, fresh: Waiting(sorted(sizes, reverse=True), fresh),
        st.lists(st.integers(1, 512), min_size=1, max_size=20),
        st.booleans(),
    ),
    max_size=8,
)


@given(requests, budgets, st.integers(1, 4))
def test_draining_takes_every_text_once_within_budget(waiting: list[Waiting], budget: int, lanes: int) -> None:
    left, fresh_first, taken = list(waiting), True, []
    while left:
        step = next_step(left, budget, fresh_first=fresh_first, lanes=lanes, free=lanes)
        assert step is not None
        batch = _taken(left, step.slices)
        assert len(batch) == 1 or max(batch) * len(batch) <= budget
        taken += batch
        fresh_first = not left[step.slices[0].request].fresh
        counts = {one.request: one.count for one in step.slices}
        rest = [Waiting(one.lengths[counts.get(i, 0) :], one.fresh and i not in counts) for i, one in enumerate(left)]
        left = [one for one in rest if one.lengths]
    assert sorted(taken) == sorted(length for one in waiting for length in one.lengths)


@given(st.lists(st.integers(1, 512), min_size=1, max_size=60), budgets)
def test_one_request_runs_from_its_longest_text_to_its_shortest(sizes: list[int], budget: int) -> None:
    left, order = sorted(sizes, reverse=True), []
    while left:
        count = next_batch([Waiting(left, fresh=True)], budget, fresh_first=True)[0].count
        order += left[:count]
        left = left[count:]
    assert order == sorted(sizes, reverse=True)


def test_an_over_long_text_is_alone() -> None:
    assert next_batch([Waiting([600, 10, 10], fresh=True)], 512, fresh_first=True) == [Slice(0, 1)]


@given(st.integers(1, 512), st.integers(1, 64), st.integers(512, 600))
def test_padded_length_is_the_next_step_within_the_limit(length: int, multiple: int, limit: int) -> None:
    padded = padded_length(length, multiple, limit)
    step = multiple if length > 8 * multiple else max(1, multiple // (2 if length > 4 * multiple else 4))
    assert length <= padded <= limit
    assert padded - length < step
    assert padded % step == 0 or padded == limit


@given(st.integers(1, 511), st.integers(1, 64))
def test_padded_length_never_falls(length: int, multiple: int) -> None:
    assert padded_length(length, multiple, 512) <= padded_length(length + 1, multiple, 512)


def test_longest_first_keeps_equal_ones_in_order() -> None:
    assert longest_first([3, 9, 3, 9]) == [1, 3, 0, 2]


@given(requests, budgets, st.booleans())
def test_a_batch_over_requests_is_within_budget(waiting: list[Waiting], budget: int, fresh_first: bool) -> None:
    slices = next_batch(waiting, budget, fresh_first=fresh_first)
    assert bool(slices) == bool(waiting)
    assert len({one.request for one in slices}) == len(slices)
    taken = _taken(waiting, slices)
    assert all(0 < one.count <= len(waiting[one.request].lengths) for one in slices)
    if len(taken) > 1:
        assert max(taken) * len(taken) <= budget


@given(requests, budgets, st.booleans())
def test_fresh_and_served_take_turns_in_leading(waiting: list[Waiting], budget: int, fresh_first: bool) -> None:
    slices = next_batch(waiting, budget, fresh_first=fresh_first)
    if any(one.fresh is fresh_first for one in waiting):
        assert waiting[slices[0].request].fresh is fresh_first


@given(requests, budgets, st.booleans())
def test_riders_cost_little_padding(waiting: list[Waiting], budget: int, fresh_first: bool) -> None:
    slices = next_batch(waiting, budget, fresh_first=fresh_first)
    if len(slices) > 1:
        leading = _taken(waiting, slices[:1])
        everyone = _taken(waiting, slices)
        assert max(everyone) <= max(2 * min(everyone), 32) or min(everyone) == min(leading)


def test_single_queries_are_gathered() -> None:
    waiting = [Waiting([length], fresh=True) for length in (9, 12, 30, 8)]
    assert next_batch(waiting, 512, fresh_first=True) == [Slice(i, 1) for i in range(4)]


def test_a_short_query_does_not_ride_on_long_passages() -> None:
    waiting = [Waiting([256] * 9, fresh=False), Waiting([10], fresh=True)]
    assert next_batch(waiting, 512, fresh_first=False) == [Slice(0, 2)]
    assert next_batch(waiting, 512, fresh_first=True) == [Slice(1, 1)]


@given(requests, budgets, st.booleans(), st.integers(1, 8), st.integers(0, 8))
def test_a_step_starts_whenever_it_can(
    waiting: list[Waiting], budget: int, fresh_first: bool, lanes: int, free: int
) -> None:
    free = min(free, lanes)
    step = next_step(waiting, budget, fresh_first=fresh_first, lanes=lanes, free=free)
    assert (step is not None) == (bool(waiting) and free > 0)
    if step is not None:
        taken = _taken(waiting, step.slices)
        assert len(taken) == 1 or max(taken) * len(taken) <= budget
        assert not step.alone or free == lanes


def test_a_lone_text_has_all_threads_and_much_work_is_spread() -> None:
    def start(waiting: list[Waiting], free: int) -> Step | None:
        return next_step(waiting, 512, fresh_first=True, lanes=2, free=free)

    query, bulk = Waiting([12], fresh=True), Waiting([256] * 9, fresh=True)
    assert start([query], 2) == Step([Slice(0, 1)], alone=True)
    assert start([query] * 3, 2) == Step([Slice(0, 1), Slice(1, 1), Slice(2, 1)], alone=True)
    assert start([Waiting([16] * 32, fresh=True)], 2) == Step([Slice(0, 32)], alone=True)
    assert start([Waiting([16] * 40, fresh=True)], 2) == Step([Slice(0, 20)], alone=False)
    assert start([bulk], 2) == Step([Slice(0, 2)], alone=False)
    assert start([query], 1) == Step([Slice(0, 1)], alone=False)
    assert start([query], 0) is None


def _taken(waiting: Sequence[Waiting], slices: Sequence[Slice]) -> list[int]:
    return [length for one in slices for length in waiting[one.request].lengths[: one.count]]

"""Which widths single texts get a branch for, and which texts take it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.encode.fixed import FixedWidths


def asked(lengths: list[int], limit: int = 512) -> list[int]:
    """The widths that are wanted after texts of these ``lengths``."""
    fixed, wanted = FixedWidths(limit), list[int]()
    for length in lengths:
        fixed.find(length)
        wanted += fixed.wanted()
    return wanted


@pytest.mark.parametrize(
    ("lengths", "widths"),
    [
        ([14] * 31, []),
        ([14] * 32, [14]),
        ([12] * 16 + [18] * 16, [12, 18]),
        ([7, 9, 200] * 20, [8, 10]),
        ([300] * 100, []),
        ([60] * 40, [60]),
    ],
)
def test_widths_follow_the_lengths_that_come(lengths: list[int], widths: list[int]) -> None:
    assert asked(lengths) == widths


@given(st.lists(st.integers(1, 600), max_size=300), st.integers(8, 512))
def test_there_are_few_widths_and_none_is_beyond_the_limit(lengths: list[int], limit: int) -> None:
    widths = asked(lengths, limit)
    assert len(widths) <= 2
    assert len(set(widths)) == len(widths)
    assert all(width <= min(limit, 64) for width in widths)


@given(st.integers(1, 80), st.sets(st.integers(1, 64), max_size=3))
def test_a_text_takes_the_narrowest_width_that_holds_it(length: int, widths: set[int]) -> None:
    fixed = FixedWidths(512)
    fixed.put(tuple(sorted(widths)))
    found = fixed.find(length)
    near = sorted(width for width in widths if length <= width <= length + 12)
    assert found == (near[0] if near and length <= 64 else None)
    assert fixed.widths() == tuple(sorted(widths))

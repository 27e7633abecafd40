"""A bulk's parts hold everything in order, and no action that must see another of its part."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from antiphon.domain.bulk_parts import Step, parts

steps = st.builds(
    Step,
    index=st.sampled_from("xy"),
    id=st.none() | st.sampled_from("abc"),
    size=st.integers(0, 40),
    reads=st.booleans(),
)


@given(st.lists(steps, max_size=30), st.integers(1, 100))
def test_nobody_reads_what_its_own_part_writes(items: list[Step], most: int) -> None:
    found = list(parts(items, lambda step: step, most))
    assert [step for part in found for step in part] == items
    assert all(found), "no part is empty"
    for part in found:
        assert sum(step.size for step in part[:-1]) <= most
        for place, step in enumerate(part):
            if step.id is not None:
                before = [one for one in part[:place] if (one.index, one.id) == (step.index, step.id)]
                assert not (step.reads and before)
                assert not any(one.reads for one in before)


@given(st.lists(steps.filter(lambda step: not step.reads), max_size=30))
def test_writes_stay_together(items: list[Step]) -> None:
    assert len(list(parts(items, lambda step: step, 10_000))) == (1 if items else 0)

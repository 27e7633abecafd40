"""The benchmark suite's own arithmetic, and that its page says what was stored; speed itself is never asserted."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.__main__ import PAGE, RESULTS
from benchmarks.report import number, render
from benchmarks.result import Column, Rounds, Table, compare

LATENCY, RATE, COSINE = (
    Column("query", "ms"),
    Column("texts", "per s", less_is_better=False),
    Column("cos", "", True, False),
)
TIMES = st.lists(st.floats(0.1, 1e4), min_size=1, max_size=6)


def table(ours: list[float], theirs: list[float]) -> Table:
    rounds = Rounds()
    for row, values in (("other", theirs), ("ours", ours)):
        for value in values:
            rounds.add(row, LATENCY.name, value)
            rounds.add(row, RATE.name, 1000 / value)
            rounds.add(row, COSINE.name, 0.5)
    return Table.of("t", "Title", "About.", [LATENCY, RATE, COSINE], rounds, "other")


@given(TIMES, TIMES)
def test_a_ratio_says_how_many_times_better_in_the_same_rounds(ours: list[float], theirs: list[float]) -> None:
    made = table(ours, theirs)
    figures = made.rows["ours"]
    wanted = sorted(their / own for own, their in zip(ours, theirs, strict=False))
    for name in (LATENCY.name, RATE.name):
        figure = figures[name]
        assert figure.ratio is not None
        assert figure.low is not None
        assert figure.high is not None
        assert wanted[0] * (1 - 1e-9) <= figure.low <= figure.ratio <= figure.high <= wanted[-1] * (1 + 1e-9)
    assert figures[COSINE.name].ratio is None
    assert Table.parse(json.loads(json.dumps(made.json()))) == made


def test_whoever_left_out_rounds_is_compared_in_those_it_did() -> None:
    assert table([10], [20, 1000, 1000]).rows["ours"][LATENCY.name].ratio == 2


@pytest.mark.parametrize(
    ("now", "slower"),
    [([10, 11, 9], []), ([11, 12, 10], []), ([20, 22, 18], ["query", "texts"]), ([5, 5, 5], [])],
)
def test_only_what_fell_out_of_the_former_spread_is_slower(now: list[float], slower: list[str]) -> None:
    before = table([10, 11, 9], [20, 20, 20])
    lines = list(compare([before], [table(now, [20, 20, 20])]))
    assert [line.split(", ")[1].split(":")[0] for line in lines] == slower
    assert all(line.startswith("t: ours, ") for line in lines)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.999991, "0.999991"), (1.0, "1"), (4.567, "4.57"), (45.67, "45.7"), (1234.5, "1,234"), (0.0123, "0.0123")],
)
def test_figures_have_three_digits(value: float, shown: str) -> None:
    assert number(value) == shown


def test_the_page_is_made_of_the_stored_results() -> None:
    stored = json.loads(RESULTS.read_text(encoding="utf-8"))
    tables = [Table.parse(body) for body in stored["tables"]]
    minutes = sum(stored["minutes"].values())
    assert PAGE.read_text(encoding="utf-8") == render(stored["machine"], stored["versions"], minutes, tables)

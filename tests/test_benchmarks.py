"""The benchmark suite's own arithmetic, and that its page says what was stored; speed itself is never asserted."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.__main__ import PAGE
from benchmarks.report import number, render
from benchmarks.result import Column, Rounds, Table, compare
from benchmarks.stored import Stored, everything, path_of

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
    [
        (0.999991, "0.999991"),
        (0.924069, "0.924"),
        (1.0, "1"),
        (4.567, "4.57"),
        (1234.5, "1,234"),
        (0.0123, "0.0123"),
    ],
)
def test_figures_have_three_digits(value: float, shown: str) -> None:
    assert number(value) == shown


def test_the_page_is_made_of_the_stored_results() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(everything())


def test_machines_of_a_kind_share_their_results() -> None:
    def of(processor: str) -> str:
        return path_of({"processor": processor}).name

    assert of("AMD EPYC (family 25, model 17), 2 cores, 23 GiB") == "amd-epyc-family-25-model-17-2-cores.json"
    assert of("AMD EPYC (family 25, model 17), 2 cores, 24 GiB") == of("AMD EPYC (family 25, model 17), 2 cores, 1 GiB")
    assert of("Intel(R) Xeon(R) Processor (family 6, model 207), 2 cores, 23 GiB").startswith("intel-xeon-processor-")


def test_a_run_replaces_its_tables_and_keeps_the_others() -> None:
    first, second = table([10], [20]), replace(table([10], [20]), name="u")
    stored = Stored({"processor": "x"}, "2026-01-01").with_run([first, second], {"a": "1"}, {"s": 1.0}, ["t", "u"])
    newer = replace(second, title="Newer")
    again = stored.with_run([newer], {"b": "2"}, {"s": 2.0}, ["t", "u"])
    assert again.tables == [first, newer]
    assert (again.versions, again.minutes) == ({"a": "1", "b": "2"}, {"s": 2.0})

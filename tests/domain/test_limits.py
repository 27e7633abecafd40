"""The token bucket never lets through more than its rate and burst allow."""

from hypothesis import given
from hypothesis import strategies as st

from antiphon.domain.limits import TokenBucket
from antiphon.domain.monitoring import summarise
from antiphon.domain.names import text_problems


@given(rate=st.floats(0.01, 50), burst=st.integers(1, 20), steps=st.lists(st.floats(0, 3), min_size=1, max_size=60))
def test_taken_is_bounded_by_burst_plus_rate(rate: float, burst: int, steps: list[float]) -> None:
    bucket = TokenBucket.full(rate, float(burst), 0.0)
    now, taken = 0.0, 0
    for step in steps:
        now += step
        taken += bucket.take(now)
        assert taken <= burst + rate * now + 1e-6


def test_one_per_minute_refuses_the_second_and_admits_after_a_minute() -> None:
    bucket = TokenBucket.full(1 / 60, 1.0, 100.0)
    assert [bucket.take(100.0), bucket.take(101.0), bucket.take(161.0)] == [True, False, True]


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_latencies_are_ordered(samples: list[float]) -> None:
    latency = summarise(samples)
    assert latency is not None
    assert latency.count == len(samples)
    assert latency.min <= latency.p50 <= latency.p90 <= latency.p99 <= latency.max
    assert latency.min - 1e-6 <= latency.average <= latency.max + 1e-6


def test_no_samples_no_latency() -> None:
    assert summarise([]) is None


@given(st.text(alphabet="aZ9äß語 .,!?():@-_/'\"&", max_size=40))
def test_legal_characters_have_no_problem(text: str) -> None:
    assert text_problems("Model name", text) == []


@given(st.text(max_size=10), st.sampled_from("#%;<>[]+*=$"), st.text(max_size=10))
def test_other_characters_are_named(before: str, bad: str, after: str) -> None:
    assert text_problems("Model name", before + bad + after)[0].startswith("Model name can only contain")

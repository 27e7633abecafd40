"""Hybrid normalisation and combination: worked numbers, and the algebra."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.errors import IllegalArgument, ParseError
from antiphon.query import Bound, FusionSpec, RankFusion, ScoreFusion, fuse, parse_fusion

Z_SCORE_TAKES_THE_MEAN = (
    "provided combination technique harmonic_mean is not supported for normalization technique z_score. "
    "Supported techniques are: arithmetic_mean"
)
NORMALIZER, RANKER = "normalization-processor", "score-ranker-processor"


def fused(spec: FusionSpec, *legs: dict[str, float]) -> dict[str, float]:
    found = fuse(spec, [(list(leg), np.asarray(list(leg.values()), np.float32)) for leg in legs])
    return dict(zip(found.keys, found.scores.tolist(), strict=True))


@pytest.mark.parametrize(
    ("spec", "legs", "expected"),
    [
        (ScoreFusion(), [{"a": 3, "b": 2, "c": 1}, {"d": 5}], {"a": 0.5, "d": 0.5, "b": 0.25, "c": 0.0005}),
        (ScoreFusion(weights=(0.3, 0.7)), [{"a": 2, "b": 1}, {"b": 9, "c": 4}], {"b": 0.7003, "a": 0.3, "c": 0.0007}),
        (ScoreFusion("l2"), [{"a": 3, "b": 4}], {"b": 0.8, "a": 0.6}),
        (ScoreFusion("l2"), [{"a": 0, "b": 0}], {"a": 0.0, "b": 0.0}),
        (ScoreFusion("z_score"), [{"a": 3, "b": 2, "c": 1}], {"b": 3.0, "a": 1.0, "c": 0.001}),
        (ScoreFusion("z_score"), [{"a": 2, "b": 2}], {"a": 2.0, "b": 2.0}),
        (ScoreFusion("min_max", "geometric_mean"), [{"a": 2, "b": 1}, {"a": 7}], {"a": 1.0, "b": 0.001}),
        (ScoreFusion("l2", "geometric_mean"), [{"a": 3, "b": 4}, {"a": 1}], {"b": 0.8, "a": 0.6**0.5}),
        (ScoreFusion("l2", "harmonic_mean"), [{"a": 3, "b": 4}, {"a": 1}], {"b": 0.8, "a": 0.75}),
        (RankFusion(), [{"a": 9, "b": 8}, {"b": 3}], {"b": 1 / 62 + 1 / 61, "a": 1 / 61}),
        (RankFusion(1, (0.25, 0.75)), [{"a": 9}, {"b": 3}], {"b": 0.375, "a": 0.125}),
        (
            ScoreFusion(lower_bounds=(Bound("apply", 1.0),)),
            [{"a": 3, "b": 2, "c": 0.5}],
            {"a": 1.0, "b": 0.5, "c": 0.001},
        ),
        (
            ScoreFusion(lower_bounds=(Bound("clip", 1.0),)),
            [{"a": 3, "b": 2, "c": 0.5}],
            {"a": 1.0, "b": 0.5, "c": 0.001},
        ),
        (ScoreFusion(lower_bounds=(Bound("ignore", 1.0),)), [{"a": 3, "b": 1}], {"a": 1.0, "b": 0.001}),
        (ScoreFusion(upper_bounds=(Bound("apply", 4.0),)), [{"a": 3, "b": 2}], {"a": 0.5, "b": 0.001}),
        (ScoreFusion(upper_bounds=(Bound("clip", 2.0),)), [{"a": 3, "b": 2, "c": 1}], {"a": 1.0, "b": 1.0, "c": 0.001}),
    ],
)
def test_worked_numbers(spec: FusionSpec, legs: list[dict[str, float]], expected: dict[str, float]) -> None:
    found = fused(spec, *legs)
    assert list(found) == list(expected)
    assert list(found.values()) == pytest.approx(list(expected.values()), abs=1e-6)


def test_the_trace_keeps_every_leg() -> None:
    keys, scores = ["a", "b"], np.asarray([2, 1], np.float32)
    found = fuse(ScoreFusion(), [(keys, scores), (["c"], np.asarray([1], np.float32))])
    assert found.keys == ["a", "c", "b"]
    np.testing.assert_array_equal(found.trace, np.asarray([[1, np.nan], [np.nan, 1], [0.001, np.nan]], np.float32))


def test_no_documents_at_all() -> None:
    found = fuse(ScoreFusion(), [([], np.zeros(0, np.float32)), ([], np.zeros(0, np.float32))])
    assert found.keys == []
    assert found.scores.dtype == np.float32


@pytest.mark.parametrize(
    "spec",
    [ScoreFusion(weights=(1.0,)), RankFusion(weights=(0.5, 0.2, 0.3)), ScoreFusion(lower_bounds=(Bound("clip", 0),))],
)
def test_weights_and_bounds_must_fit_the_sub_queries(spec: FusionSpec) -> None:
    with pytest.raises(IllegalArgument, match=r"number of weights \[\d\] must|array to contain 2 elements"):
        fused(spec, {"a": 1}, {"b": 1})


LEG = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0.0, 100.0, width=32), max_size=6).map(
    lambda leg: dict(sorted(leg.items(), key=lambda item: -item[1]))
)
SPECS = st.one_of(
    st.builds(ScoreFusion, st.sampled_from(["min_max", "l2"]), st.sampled_from(
        ["arithmetic_mean", "geometric_mean", "harmonic_mean"])),
    st.builds(RankFusion, st.integers(1, 100)),
)  # fmt: skip


@given(SPECS, LEG, LEG)
def test_the_order_of_legs_is_of_no_matter_at_equal_weights(
    spec: FusionSpec, first: dict[str, float], second: dict[str, float]
) -> None:
    one, other = fused(spec, first, second), fused(spec, second, first)
    assert one.keys() == other.keys() == first.keys() | second.keys()
    assert all(one[key] == pytest.approx(other[key], abs=1e-6) for key in one)


@given(SPECS, LEG, LEG)
def test_scores_lie_between_0_and_1_and_fall(
    spec: FusionSpec, first: dict[str, float], second: dict[str, float]
) -> None:
    scores = list(fused(spec, first, second).values())
    assert all(0.0 <= score <= 1.000001 for score in scores)
    assert scores == sorted(scores, reverse=True)


@given(SPECS, LEG)
def test_one_leg_keeps_its_order(spec: FusionSpec, leg: dict[str, float]) -> None:
    found = fused(spec, leg)
    keys = list(leg)
    # the lowest score is lifted to 0.001, past those that came out smaller
    assert all(max(found[first], 0.001) >= found[second] - 1e-9 for first, second in pairwise(keys))


@pytest.mark.parametrize(
    ("processor", "body", "expected"),
    [
        (NORMALIZER, {}, ScoreFusion()),
        (NORMALIZER, {"tag": "t", "combination": {"parameters": {"weights": [1, 0]}}}, ScoreFusion(weights=(1.0, 0.0))),
        (NORMALIZER, {"normalization": {"technique": "z_score"}}, ScoreFusion("z_score")),
        (
            NORMALIZER,
            {
                "normalization": {
                    "technique": "min_max",
                    "parameters": {"lower_bounds": [{"mode": "clip"}, {"min_score": 2}]},
                }
            },
            ScoreFusion(lower_bounds=(Bound("clip", 0.0), Bound("apply", 2.0))),
        ),
        (RANKER, {"combination": {"technique": "rrf", "rank_constant": 10}}, RankFusion(10)),
        (RANKER, {}, RankFusion()),
    ],
)
def test_parse_fusion(processor: str, body: dict[str, Any], expected: FusionSpec) -> None:
    assert parse_fusion(processor, body) == expected


@pytest.mark.parametrize(
    ("processor", "body", "reason"),
    [
        (NORMALIZER, {"normalization": {"technique": "x"}}, "provided normalization technique is not supported"),
        (NORMALIZER, {"combination": {"technique": "x"}}, "provided combination technique is not supported"),
        (
            NORMALIZER,
            {"normalization": {"technique": "z_score"}, "combination": {"technique": "harmonic_mean"}},
            Z_SCORE_TAKES_THE_MEAN,
        ),
        (
            NORMALIZER,
            {"normalization": {"technique": "l2", "parameters": {"lower_bounds": []}}},
            "unrecognized parameters in normalization technique",
        ),
        (
            NORMALIZER,
            {"combination": {"parameters": {"x": 1}}},
            "provided parameter for combination technique is not supported. supported parameters are [weights]",
        ),
        (
            NORMALIZER,
            {"combination": {"parameters": {"weights": [1.5, -0.5]}}},
            "all weights must be in range [0.0 ... 1.0], submitted weights: [1.5, -0.5]",
        ),
        (
            NORMALIZER,
            {"combination": {"parameters": {"weights": [0.5, 0.3]}}},
            "sum of weights for combination must be equal to 1.0, submitted weights: [0.5, 0.3]",
        ),
        (
            RANKER,
            {"combination": {"rank_constant": 0}},
            "rank constant must be in the interval between 1 and 10000, submitted rank constant: 0",
        ),
        (
            NORMALIZER,
            {"x": 1},
            "processor [normalization-processor] doesn't support one or more provided configuration parameters: [x]",
        ),
    ],
)
def test_refused_at_put(processor: str, body: dict[str, Any], reason: str) -> None:
    with pytest.raises((IllegalArgument, ParseError)) as raised:
        parse_fusion(processor, body)
    assert raised.value.reason == reason

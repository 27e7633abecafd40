"""Hybrid search: the lists of the sub-queries become one. Scores are float32, as upstream computes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, assert_never

import numpy as np
from numpy.typing import NDArray

from antiphon.errors import IllegalArgument

Floats = NDArray[np.float32]

MINIMUM_SCORE = np.float32(0.001)
"""What a normalised score of 0 becomes, so that a match weighs more than an absence."""


@dataclass(frozen=True, slots=True)
class Bound:
    """One end of min_max for one sub-query; ``mode`` apply, clip or ignore."""

    mode: str
    score: float


@dataclass(frozen=True, slots=True)
class ScoreFusion:
    """``normalization-processor``: min_max, l2 or z_score, then arithmetic, geometric or harmonic mean.

    ``weights`` are empty for 1 each; bounds are None or one per sub-query.
    """

    normalization: str = "min_max"
    combination: str = "arithmetic_mean"
    weights: tuple[float, ...] = ()
    lower_bounds: tuple[Bound, ...] | None = None
    upper_bounds: tuple[Bound, ...] | None = None


@dataclass(frozen=True, slots=True)
class RankFusion:
    """``score-ranker-processor``: reciprocal ranks, added up."""

    rank_constant: int = 60
    weights: tuple[float, ...] = ()


FusionSpec = ScoreFusion | RankFusion

Scored = tuple[Sequence[Any], Floats]
"""The documents of one sub-query, best first, and their scores float32 ``[n]``."""


@dataclass(frozen=True, slots=True)
class Fused:
    """Every document of any list, best first: float32 ``scores`` ``[n]``.

    ``trace`` float32 ``[n, legs]`` holds the normalised score of each sub-query, NaN where it did not find it.
    """

    keys: list[Any]
    scores: Floats
    trace: Floats


def fuse(spec: FusionSpec, legs: Sequence[Scored]) -> Fused:
    """Return the legs as one list; ties are in the order of the keys, which are hashable and comparable.

    IllegalArgument when weights or bounds do not fit the number of legs.
    """
    check_legs(spec, len(legs))
    keys = sorted({key for found, _ in legs for key in found})
    place = {key: row for row, key in enumerate(keys)}
    trace = np.full((len(keys), len(legs)), np.nan, np.float32)
    for number, (found, scores) in enumerate(legs):
        trace[[place[key] for key in found], number] = _normalised(spec, number, np.asarray(scores, np.float32))
    combined = _combined(spec, trace)
    order = np.argsort(-combined, kind="stable")
    return Fused([keys[row] for row in order], combined[order], trace[order])


def check_legs(spec: FusionSpec, legs: int) -> None:
    """IllegalArgument when the weights or bounds are not one per sub-query."""
    if spec.weights and len(spec.weights) != legs:
        raise IllegalArgument(
            f"number of weights [{len(spec.weights)}] must match number of sub-queries [{legs}] in hybrid query"
        )
    if isinstance(spec, ScoreFusion):
        for bounds in (spec.lower_bounds, spec.upper_bounds):
            if bounds is not None and len(bounds) != legs:
                raise IllegalArgument(
                    f"expected bounds array to contain {legs} elements matching the number of sub-queries, but found "
                    "a mismatch"
                )


def _normalised(spec: FusionSpec, leg: int, scores: Floats) -> Floats:
    if not len(scores):
        return scores
    match spec:
        case RankFusion(rank_constant):
            ranks = np.arange(1, len(scores) + 1, dtype=np.float64)
            return np.asarray(np.round(1.0 / (rank_constant + ranks), 10), np.float32)
        case ScoreFusion("l2"):
            norm = np.sqrt(np.sum(scores.astype(np.float64) ** 2)).astype(np.float32)
            return np.asarray(scores / (norm or np.float32(np.inf)), np.float32)
        case ScoreFusion("z_score"):
            return _z_score(scores)
        case ScoreFusion():
            lower = spec.lower_bounds[leg] if spec.lower_bounds else None
            upper = spec.upper_bounds[leg] if spec.upper_bounds else None
            return _min_max(scores, lower, upper)
        case _:
            assert_never(spec)


def _z_score(scores: Floats) -> Floats:
    wide = scores.astype(np.float64)
    deviation = float(wide.std(ddof=1)) if len(wide) > 1 else 0.0
    if deviation == 0:
        return np.full_like(scores, scores.min())
    mean = wide.mean()
    standard: Floats = np.maximum((wide - mean) / deviation, 0).astype(np.float32)
    standard[standard <= 0] = MINIMUM_SCORE
    standard[wide == mean] = scores.max()
    return standard


def _min_max(scores: Floats, lower: Bound | None, upper: Bound | None) -> Floats:
    low, high = scores.min(), scores.max()
    floor = np.full_like(scores, low)
    ceiling = np.full_like(scores, high)
    if lower is not None:
        floor = _effective_floor(lower, scores, low, high)
    if upper is not None:
        ceiling = _effective_ceiling(upper, scores, low, high)
    width = ceiling - floor
    level = width == 0
    result = ((scores - floor) / np.where(level, np.float32(1), width)).astype(np.float32)
    result[level] = 1.0
    if lower is not None and lower.mode == "clip":
        result[scores < floor] = MINIMUM_SCORE
    if upper is not None and upper.mode == "clip":
        result[scores > ceiling] = 1.0
    result[result == 0] = MINIMUM_SCORE
    return result


def _effective_floor(bound: Bound, scores: Floats, low: np.float32, high: np.float32) -> Floats:
    score = np.float32(bound.score)
    match bound.mode:
        case "apply":
            return np.where((high > score) & (scores > score), score, low).astype(np.float32)
        case "clip" if high >= score:
            return np.full_like(scores, score)
        case _:
            return np.full_like(scores, low)


def _effective_ceiling(bound: Bound, scores: Floats, low: np.float32, high: np.float32) -> Floats:
    score = np.float32(bound.score)
    match bound.mode:
        case "apply":
            return np.where((low < score) & (scores < score), score, high).astype(np.float32)
        case "clip" if low <= score:
            return np.full_like(scores, score)
        case _:
            return np.full_like(scores, high)


def _combined(spec: FusionSpec, trace: Floats) -> Floats:
    legs = trace.shape[1]
    weights = np.asarray(spec.weights or (1.0,) * legs, np.float32)
    absent = np.nan_to_num(trace, nan=0.0)
    if isinstance(spec, RankFusion):
        return _sum(absent * weights)
    match spec.combination:
        case "geometric_mean":
            return _mean_of_logs(absent, weights)
        case "harmonic_mean":
            return _harmonic(absent, weights)
        case _:
            counted = absent >= 0
            return _divided(_sum(np.where(counted, absent * weights, 0)), _sum(np.where(counted, weights, 0)))


def _mean_of_logs(scores: Floats, weights: Floats) -> Floats:
    counted = scores > 0
    logs = np.log(np.where(counted, scores, 1).astype(np.float64)).astype(np.float32)
    mean = _divided(_sum(np.where(counted, logs * weights, 0)), _sum(np.where(counted, weights, 0)))
    return np.where(counted.any(axis=1), np.exp(mean), 0).astype(np.float32)


def _harmonic(scores: Floats, weights: Floats) -> Floats:
    counted = scores > 0
    with np.errstate(over="ignore"):
        # the inverse of the smallest scores is infinite, and so their mean 0
        inverse = np.where(counted, weights / np.where(counted, scores, 1), 0)
    return _divided(_sum(np.where(counted, weights, 0)), _sum(inverse))


def _sum(parts: NDArray[Any]) -> Floats:
    return np.asarray(parts.astype(np.float32).sum(axis=1, dtype=np.float32), np.float32)


def _divided(numerator: Floats, denominator: Floats) -> Floats:
    safe = np.where(denominator == 0, np.float32(1), denominator)
    return np.where(denominator == 0, np.float32(0), numerator / safe).astype(np.float32)

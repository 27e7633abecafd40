"""``normalization-processor`` and ``score-ranker-processor`` become fusion specs, with OpenSearch's refusals."""

from __future__ import annotations

from typing import Any

from antiphon.domain.ingest_document import java_type
from antiphon.errors import IllegalArgument, ParseError
from antiphon.query import reading
from antiphon.query.fusion import Bound, FusionSpec, RankFusion, ScoreFusion

NORMALIZATION, RANKER = "normalization-processor", "score-ranker-processor"
_NORMALIZATIONS = ("min_max", "l2", "z_score")
_COMBINATIONS = ("arithmetic_mean", "geometric_mean", "harmonic_mean")
_COMMON = ("tag", "description", "ignore_failure")
_BOUND_LIMIT = 10_000.0


def parse_fusion(processor: str, body: dict[str, Any]) -> FusionSpec:
    """Return the fusion of one phase-results processor; IllegalArgument or ParseError as a PUT answers them."""
    allowed = (*_COMMON, "combination", *(("normalization",) if processor == NORMALIZATION else ()))
    unknown = [key for key in body if key not in allowed]
    if unknown:
        raise ParseError(
            f"processor [{processor}] doesn't support one or more provided configuration parameters: "
            f"[{', '.join(unknown)}]"
        )
    combination = _part(processor, body, "combination")
    if processor == RANKER:
        return _ranker(combination)
    normalization = _part(processor, body, "normalization")
    technique = str(normalization.get("technique", "min_max"))
    if technique not in _NORMALIZATIONS:
        raise IllegalArgument("provided normalization technique is not supported")
    means = str(combination.get("technique", "arithmetic_mean"))
    if means not in _COMBINATIONS:
        raise IllegalArgument("provided combination technique is not supported")
    if technique == "z_score" and means != "arithmetic_mean":
        raise IllegalArgument(
            f"provided combination technique {means} is not supported for normalization technique {technique}. "
            "Supported techniques are: arithmetic_mean"
        )
    lower, upper = _bounds_of(technique, normalization.get("parameters"))
    return ScoreFusion(technique, means, _weights(combination.get("parameters")), lower, upper)


def _part(processor: str, body: dict[str, Any], key: str) -> dict[str, Any]:
    value = body.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ParseError(f"[{key}] property isn't a map, but of type [{java_type(value)}]")
    for inner in value:
        if inner not in ("technique", "parameters", "rank_constant"):
            raise ParseError(f"processor [{processor}] doesn't support [{inner}] in [{key}]")
    return value


def _ranker(combination: dict[str, Any]) -> RankFusion:
    if str(combination.get("technique", "rrf")) != "rrf":
        raise IllegalArgument("provided combination technique is not supported")
    constant = combination.get("rank_constant", 60)
    number = reading.as_number(constant)
    if number is None or not number.is_integer():
        raise IllegalArgument("parameter [rank_constant] must be an integer")
    if not 1 <= number <= 10_000:
        raise IllegalArgument(
            f"rank constant must be in the interval between 1 and 10000, submitted rank constant: {int(number)}"
        )
    return RankFusion(int(number), _weights(combination.get("parameters")))


def _weights(parameters: Any) -> tuple[float, ...]:
    if not parameters:
        return ()
    if not isinstance(parameters, dict) or set(parameters) - {"weights"}:
        raise IllegalArgument(
            "provided parameter for combination technique is not supported. supported parameters are [weights]"
        )
    given = parameters.get("weights")
    if given is None:
        return ()
    if not isinstance(given, list) or any(reading.as_number(weight) is None for weight in given):
        raise IllegalArgument("parameter [weights] must be a collection of numbers")
    weights = tuple(float(weight) for weight in given)
    if not all(0.0 <= weight <= 1.0 for weight in weights):
        raise IllegalArgument(f"all weights must be in range [0.0 ... 1.0], submitted weights: {list(weights)}")
    if abs(sum(weights) - 1.0) > 0.01:
        raise IllegalArgument(
            f"sum of weights for combination must be equal to 1.0, submitted weights: {list(weights)}"
        )
    return weights


_Bounds = tuple[Bound, ...] | None


def _bounds_of(technique: str, parameters: Any) -> tuple[_Bounds, _Bounds]:
    if not parameters:
        return None, None
    known = {"lower_bounds", "upper_bounds"} if technique == "min_max" else set()
    if not isinstance(parameters, dict) or set(parameters) - known:
        raise IllegalArgument("unrecognized parameters in normalization technique")
    lower = _bounds(parameters, "lower_bounds", "min_score", 0.0)
    return lower, _bounds(parameters, "upper_bounds", "max_score", 1.0)


def _bounds(parameters: dict[str, Any], name: str, key: str, default: float) -> _Bounds:
    if name not in parameters:
        return None
    value = parameters[name]
    if isinstance(value, dict):
        raise IllegalArgument(f"{name} must be a List")
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise IllegalArgument("unrecognized parameters in normalization technique")
    return tuple(_bound(item, key, default) for item in value)


def _bound(item: dict[str, Any], key: str, default: float) -> Bound:
    if set(item) - {"mode", key}:
        raise IllegalArgument("unrecognized parameters in normalization technique")
    mode = str(item.get("mode", "apply")).lower()
    if mode not in ("apply", "clip", "ignore"):
        raise IllegalArgument(f"invalid mode: {mode}, valid values are: apply, clip, ignore")
    score = reading.as_number(item.get(key, default))
    if score is None:
        raise IllegalArgument(f"invalid format for {key}: must be a valid float value")
    if not -_BOUND_LIMIT <= score <= _BOUND_LIMIT:
        raise IllegalArgument(f"{key} must be a valid finite number between -10000.000000 and 10000.000000")
    return Bound(mode, score)

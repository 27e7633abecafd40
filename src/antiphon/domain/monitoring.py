"""What a running node can tell about itself: latencies, counters, profiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from antiphon.domain.deployment import DeployReport, EncoderStats
from antiphon.domain.model import Model
from antiphon.domain.task import Task


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds over a window of calls; percentiles by linear interpolation."""

    count: int
    max: float
    min: float
    average: float
    p50: float
    p90: float
    p99: float


def summarise(samples_ms: Sequence[float]) -> Latency | None:
    """Return the latency figures of a window; None when it is empty."""
    if not samples_ms:
        return None
    ordered = sorted(samples_ms)
    return Latency(
        count=len(ordered),
        max=ordered[-1],
        min=ordered[0],
        average=sum(ordered) / len(ordered),
        p50=_percentile(ordered, 50),
        p90=_percentile(ordered, 90),
        p99=_percentile(ordered, 99),
    )


def _percentile(ordered: Sequence[float], percent: float) -> float:
    place = (len(ordered) - 1) * percent / 100
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


@dataclass(frozen=True, slots=True)
class ModelProfile:
    """One model on this node. ``report`` and ``encoder`` are None while it is not loaded."""

    model: Model
    loaded: bool
    inference: Latency | None = None
    request: Latency | None = None
    report: DeployReport | None = None
    encoder: EncoderStats | None = None


@dataclass(frozen=True, slots=True)
class NodeProfile:
    """Loaded models and running tasks of this node."""

    node_id: str
    models: tuple[ModelProfile, ...] = ()
    tasks: tuple[Task, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeStats:
    """Counters since start. ``actions`` maps action to (requests, failures), ``models`` model id to the same."""

    node_id: str
    model_count: int
    task_count: int
    controller_count: int
    memory_percent: int
    executing_tasks: int
    requests: int
    failures: int
    deployed_models: int
    breaker_trips: int
    doubled_prefixes: int
    truncated_texts: int
    truncated_tokens: int
    actions: Mapping[str, tuple[int, int | None]] = field(default_factory=dict)
    models: Mapping[str, Mapping[str, tuple[int, int | None]]] = field(default_factory=dict)

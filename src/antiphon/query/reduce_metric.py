"""Single-field metrics as JSON, and the values that buckets are ordered by."""

from __future__ import annotations

from typing import Any, assert_never

from antiphon.domain.dates import write_date
from antiphon.query.aggregations import Metric, MetricKind
from antiphon.query.partial import BucketPartial, MetricPartial, SinglePartial

Number = float | int | None


def metric_value(kind: MetricKind, partial: MetricPartial) -> Number:
    """Return the value of a metric; None when no document has one. That of ``stats`` is its average."""
    match kind:
        case MetricKind.MIN:
            return None if partial.minimum is None else float(partial.minimum)
        case MetricKind.MAX:
            return None if partial.maximum is None else float(partial.maximum)
        case MetricKind.SUM:
            return float(partial.total)
        case MetricKind.AVG | MetricKind.STATS:
            return float(partial.total) / partial.count if partial.count else None
        case MetricKind.VALUE_COUNT:
            return partial.count
        case MetricKind.CARDINALITY:
            return len(partial.distinct)
        case _:
            assert_never(kind)


def metric_json(metric: Metric, partial: MetricPartial) -> dict[str, Any]:
    """Return the JSON of a metric; dates carry their text beside the number."""
    if metric.kind is MetricKind.STATS:
        shown: dict[str, Any] = {"count": partial.count}
        for kind in (MetricKind.MIN, MetricKind.MAX, MetricKind.AVG, MetricKind.SUM):
            shown[kind.value] = metric_value(kind, partial)
        texts = {f"{key}_as_string": _text(metric, shown[key]) for key in ("min", "max", "avg", "sum")}
        return shown | {key: text for key, text in texts.items() if text is not None}
    value = metric_value(metric.kind, partial)
    counted = metric.kind in (MetricKind.VALUE_COUNT, MetricKind.CARDINALITY)
    text = None if counted else _text(metric, value)
    return {"value": value} if text is None else {"value": value, "value_as_string": text}


def order_value(bucket: BucketPartial, path: str) -> Number:
    """Return what a bucket is ordered by: a count, or a metric below (``m``, ``m.avg``, ``filter>m``)."""
    step, more, rest = path.partition(">")
    name, _, part = step.partition(".")
    found = bucket.below.get(name)
    if isinstance(found, SinglePartial):
        return order_value(found.bucket, rest) if more else found.bucket.count
    if not isinstance(found, MetricPartial):
        return None
    return _part(found, part)


def _part(partial: MetricPartial, part: str) -> Number:
    if part == "count":
        return partial.count
    return metric_value(MetricKind(part), partial) if part in set(MetricKind) else None


def _text(metric: Metric, value: Number) -> str | None:
    if metric.format is None or value is None:
        return None
    return write_date(int(value), metric.format)

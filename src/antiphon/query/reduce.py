"""Partial aggregations of several indices are merged, and finished into OpenSearch's JSON.

Keys of buckets, as engines make them: terms, the typed value; histogram, the bucket's lower end as float;
date_histogram, its start in epoch milliseconds (``query.calendar``); range, the position of the range; filters, the
name (``other`` for the rest); composite, the tuple of typed values, None for a missing one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, assert_never

from antiphon.errors import AggregationExecution, ReduceError
from antiphon.query.aggregations import (
    Aggregation,
    Composite,
    DateHistogram,
    FiltersAggregation,
    GlobalAggregation,
    Histogram,
    Metric,
    MissingAggregation,
    NestedAggregation,
    RangeAggregation,
    TermsAggregation,
    TopHits,
)
from antiphon.query.partial import (
    BucketPartial,
    BucketsPartial,
    MetricPartial,
    Partial,
    SinglePartial,
    TopHitsPartial,
)
from antiphon.query.reduce_buckets import (
    composite_buckets,
    date_histogram_buckets,
    filter_buckets,
    histogram_buckets,
    range_buckets,
    terms_buckets,
)
from antiphon.query.reduce_metric import metric_json
from antiphon.query.reduce_order import hit_order

RenderHit = Callable[[str, Any], Mapping[str, Any]]
"""(index name, SearchHit) -> the hit's JSON."""


def merge(first: Partial, second: Partial) -> Partial:
    """Return the sum of two partial results of the same aggregation."""
    match first, second:
        case MetricPartial(), MetricPartial():
            return MetricPartial(
                first.count + second.count,
                first.total + second.total,
                _extreme(min, first.minimum, second.minimum),
                _extreme(max, first.maximum, second.maximum),
                first.distinct | second.distinct,
            )
        case SinglePartial(), SinglePartial():
            return SinglePartial(_merge_bucket(first.bucket, second.bucket))
        case BucketsPartial(), BucketsPartial():
            buckets = dict(first.buckets)
            for key, bucket in second.buckets.items():
                buckets[key] = _merge_bucket(buckets[key], bucket) if key in buckets else bucket
            return BucketsPartial(buckets, first.field_type or second.field_type, first.format or second.format)
        case TopHitsPartial(), TopHitsPartial():
            best = _extreme(max, first.max_score, second.max_score)
            return TopHitsPartial(first.total + second.total, first.hits + second.hits, best)
        case _:
            # indices whose mappings differ: the one that has the field decides
            return second if is_empty(first) else first


def is_empty(partial: Partial) -> bool:
    """True when no document contributed."""
    match partial:
        case MetricPartial():
            return partial.count == 0
        case SinglePartial():
            return partial.bucket.count == 0
        case BucketsPartial():
            return not partial.buckets
        case TopHitsPartial():
            return partial.total == 0
        case _:
            assert_never(partial)


def merge_all(first: Mapping[str, Partial], second: Mapping[str, Partial]) -> dict[str, Partial]:
    """Return the sums by name; a name that only one side has stays as it is.

    ReduceError for terms that are numbers on one side and texts on the other.
    """
    merged = dict(first)
    for name, partial in second.items():
        if name in merged:
            _check_types(name, merged[name], partial)
        merged[name] = merge(merged[name], partial) if name in merged else partial
    return merged


def _check_types(name: str, first: Partial, second: Partial) -> None:
    kinds = [one.field_type for one in (first, second) if isinstance(one, BucketsPartial) and one.field_type]
    if len({_terms_name(kind) == "sterms" for kind in kinds}) > 1:
        reason = (
            f"Merging/Reducing the aggregations failed when computing the aggregation [{name}] because the field you "
            "gave in the aggregation query existed as two different types in two different indices"
        )
        raise ReduceError(AggregationExecution(reason))


def empty(aggregation: Aggregation) -> Partial:
    """Return the partial result of no document at all."""
    match aggregation:
        case Metric():
            return MetricPartial()
        case TopHits():
            return TopHitsPartial(0, [])
        case FiltersAggregation(single=True) | MissingAggregation() | GlobalAggregation() | NestedAggregation():
            return SinglePartial(BucketPartial(0))
        case _:
            return BucketsPartial({})


def finish_all(
    aggregations: Mapping[str, Aggregation],
    partials: Mapping[str, Partial],
    render: RenderHit,
    *,
    typed_keys: bool = False,
) -> dict[str, Any]:
    """Return the ``aggregations`` object of a response; a missing partial counts as no document.

    ``typed_keys`` puts the type in front of each name, as ``avg#price``: typed clients read by it.
    """
    finished = {}
    for name, aggregation in aggregations.items():
        partial = partials.get(name) or empty(aggregation)
        shown = f"{type_name(aggregation, partial)}#{name}" if typed_keys else name
        finished[shown] = finish(aggregation, partial, render, typed_keys=typed_keys)
    return finished


def type_name(aggregation: Aggregation, partial: Partial) -> str:
    """Return OpenSearch's name of a result's type (``getWriteableName`` of its class)."""
    match aggregation:
        case Metric():
            return aggregation.kind.value
        case TermsAggregation():
            return _terms_name(partial.field_type if isinstance(partial, BucketsPartial) else None)
        case RangeAggregation():
            return "range" if aggregation.date_format is None else "date_range"
        case FiltersAggregation():
            return "filter" if aggregation.single else "filters"
        case NestedAggregation():
            return "reverse_nested" if aggregation.reverse else "nested"
        case _:
            return _TYPE_NAMES[type(aggregation)]


def _terms_name(field_type: str | None) -> str:
    match field_type:
        case "float" | "double" | "half_float" | "scaled_float":
            return "dterms"
        case "byte" | "short" | "integer" | "long" | "unsigned_long" | "date" | "boolean":
            return "lterms"
        case _:  # and a field that is not mapped
            return "sterms"


_TYPE_NAMES: Mapping[type, str] = {
    Histogram: "histogram",
    DateHistogram: "date_histogram",
    MissingAggregation: "missing",
    GlobalAggregation: "global",
    TopHits: "top_hits",
    Composite: "composite",
}


def finish(
    aggregation: Aggregation, partial: Partial, render: RenderHit, *, typed_keys: bool = False
) -> dict[str, Any]:
    """Return the JSON of one aggregation."""

    def bucket(found: BucketPartial) -> dict[str, Any]:
        below = finish_all(_below(aggregation), found.below, render, typed_keys=typed_keys)
        return {"doc_count": found.count} | below

    match aggregation, partial:
        case Metric(), MetricPartial():
            return metric_json(aggregation, partial)
        case TopHits(), TopHitsPartial():
            return _top_hits(aggregation, partial, render)
        case (
            FiltersAggregation() | MissingAggregation() | GlobalAggregation() | NestedAggregation(),
            SinglePartial(),
        ):
            return bucket(partial.bucket)
        case _, BucketsPartial():
            return _buckets(aggregation, partial, bucket)
        case _:
            return finish(aggregation, empty(aggregation), render, typed_keys=typed_keys)


def _buckets(
    aggregation: Aggregation, partial: BucketsPartial, bucket: Callable[[BucketPartial], dict[str, Any]]
) -> dict[str, Any]:
    match aggregation:
        case TermsAggregation():
            return terms_buckets(aggregation, partial, bucket)
        case Histogram():
            return histogram_buckets(aggregation, partial, bucket)
        case DateHistogram():
            return date_histogram_buckets(aggregation, partial, bucket)
        case RangeAggregation():
            return range_buckets(aggregation, partial, bucket)
        case FiltersAggregation():
            return filter_buckets(aggregation, partial, bucket)
        case Composite():
            return composite_buckets(aggregation, partial, bucket)
        case _:
            return bucket(BucketPartial(0))


def _below(aggregation: Aggregation) -> Mapping[str, Aggregation]:
    return {} if isinstance(aggregation, (Metric, TopHits)) else aggregation.below


def _merge_bucket(first: BucketPartial, second: BucketPartial) -> BucketPartial:
    return BucketPartial(first.count + second.count, merge_all(first.below, second.below))


def _extreme(choose: Callable[[float, float], float], first: float | None, second: float | None) -> float | None:
    if first is None or second is None:
        return second if first is None else first
    return choose(first, second)


def _top_hits(aggregation: TopHits, partial: TopHitsPartial, render: RenderHit) -> dict[str, Any]:
    wanted = aggregation.hits
    shown = sorted(partial.hits, key=hit_order(wanted.sort))[wanted.from_ : wanted.from_ + wanted.size]
    return {
        "hits": {
            "total": {"value": partial.total, "relation": "eq"},
            "max_score": partial.max_score,
            "hits": [render(index, hit) for _, index, hit in shown],
        }
    }

"""Buckets as JSON: order, cut, gaps filled, keys spelled."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import cmp_to_key
from operator import itemgetter
from typing import Any

from antiphon.domain.dates import DEFAULT_FORMAT, write_date
from antiphon.domain.field import FieldType
from antiphon.domain.pattern import star_pattern
from antiphon.errors import IllegalArgument
from antiphon.query.aggregations import (
    BY_KEY,
    Composite,
    CompositeSource,
    DateHistogram,
    FiltersAggregation,
    Histogram,
    Metric,
    RangeAggregation,
    RangeBucket,
    TermsAggregation,
)
from antiphon.query.calendar import bucket_start, next_start
from antiphon.query.partial import BucketPartial, BucketsPartial, MetricPartial
from antiphon.query.reduce_metric import metric_value, order_value
from antiphon.query.reduce_order import compare_values

Json = dict[str, Any]
Show = Callable[[BucketPartial], Json]
_Ordered = TermsAggregation | Histogram | DateHistogram

MAX_BUCKETS = 65_535


def terms_buckets(aggregation: TermsAggregation, partial: BucketsPartial, show: Show) -> Json:
    """Return the first ``size`` buckets in order, and how many documents the others hold."""
    found = [
        (key, bucket)
        for key, bucket in partial.buckets.items()
        if bucket.count >= aggregation.min_doc_count and _wanted(aggregation, key, partial)
    ]

    found = _in_order(found, aggregation)
    shown, others = found[: aggregation.size], found[aggregation.size :]
    error = {"doc_count_error_upper_bound": 0} if aggregation.show_error else {}
    return {
        "doc_count_error_upper_bound": 0,
        "sum_other_doc_count": sum(bucket.count for _, bucket in others),
        "buckets": [spelled(key, partial.field_type, partial.format) | show(bucket) | error for key, bucket in shown],
    }


def _in_order(rows: Iterable[tuple[Any, BucketPartial]], aggregation: _Ordered) -> list[tuple[Any, BucketPartial]]:
    def compare(first: tuple[Any, BucketPartial], second: tuple[Any, BucketPartial]) -> int:
        for path, descending in aggregation.order:
            pair = [_ordered_by(aggregation, path, *item) for item in (first, second)]
            result = compare_values(*pair, descending=descending)
            if result:
                return result
        return 0

    if aggregation.order == BY_KEY and not isinstance(aggregation, TermsAggregation):
        return sorted(rows, key=itemgetter(0))
    return sorted(rows, key=cmp_to_key(compare))


def spelled(key: Any, field_type: str | None, format_: str | None) -> Json:
    """Return a bucket's ``key``, with ``key_as_string`` for booleans and dates."""
    if field_type == FieldType.BOOLEAN:
        return {"key": int(key), "key_as_string": "true" if key else "false"}
    if field_type == FieldType.DATE:
        return {"key": int(key), "key_as_string": write_date(int(key), format_ or DEFAULT_FORMAT)}
    return {"key": key}


def _ordered_by(aggregation: _Ordered, path: str, key: Any, bucket: BucketPartial) -> Any:
    if path == "_key":
        return key
    if path == "_count":
        return bucket.count
    below = aggregation.below.get(path)
    found = bucket.below.get(path)
    if isinstance(below, Metric) and isinstance(found, MetricPartial):
        return metric_value(below.kind, found)
    return order_value(bucket, _with_kind(aggregation, path))


def _with_kind(aggregation: _Ordered, path: str) -> str:
    """Return ``filter>m`` as ``filter>m.avg``, taking the metric's own kind where the path names none."""
    below: Any = aggregation.below
    *steps, last = path.split(">")
    for step in steps:
        below = getattr(below.get(step), "below", {})
    metric = below.get(last)
    return f"{path}.{metric.kind.value}" if isinstance(metric, Metric) else path


def _wanted(aggregation: TermsAggregation, key: Any, partial: BucketsPartial) -> bool:
    """True unless ``include`` or ``exclude`` says no."""
    if aggregation.include is None and aggregation.exclude is None:
        return True
    texts = {str(value) for value in spelled(key, partial.field_type, partial.format).values()}
    if aggregation.include is not None and not _listed_in(aggregation.include, texts):
        return False
    return aggregation.exclude is None or not _listed_in(aggregation.exclude, texts)


def _listed_in(wanted: tuple[str, ...] | str, texts: set[str]) -> bool:
    if isinstance(wanted, tuple):
        return bool(texts & set(wanted))
    pattern = star_pattern(wanted.replace(".*", "*"))
    return any(pattern.fullmatch(text) for text in texts)


def histogram_buckets(aggregation: Histogram, partial: BucketsPartial, show: Show) -> Json:
    """Return the buckets by key, those between without documents too when ``min_doc_count`` is 0."""
    width, offset = aggregation.interval, aggregation.offset
    numbers = {round((float(key) - offset) / width): bucket for key, bucket in partial.buckets.items()}
    if aggregation.min_doc_count == 0:
        ends = [math.floor((bound - offset) / width) for bound in aggregation.bounds or ()]
        numbers = _filled(numbers, ends, lambda place: place + 1)
    rows = [({"key": place * width + offset}, bucket) for place, bucket in _in_order(numbers.items(), aggregation)]
    return _listed(rows, aggregation, show, lambda key: str(key["key"]))


def date_histogram_buckets(aggregation: DateHistogram, partial: BucketsPartial, show: Show) -> Json:
    """Return the buckets by time, those between without documents too when ``min_doc_count`` is 0."""
    found = {int(key): bucket for key, bucket in partial.buckets.items()}
    if aggregation.min_doc_count == 0:
        ends = [bucket_start(aggregation, bound) for bound in aggregation.bounds or ()]
        found = _filled(found, ends, lambda start: next_start(aggregation, start))
    format_ = aggregation.format or partial.format or DEFAULT_FORMAT
    rows = [
        ({"key_as_string": write_date(start, format_, aggregation.time_zone), "key": start}, bucket)
        for start, bucket in _in_order(found.items(), aggregation)
    ]
    return _listed(rows, aggregation, show, lambda key: str(key["key_as_string"]))


def _filled(found: dict[int, BucketPartial], ends: list[int], after: Callable[[int], int]) -> dict[int, BucketPartial]:
    known = [*found, *ends]
    if not known:
        return found
    place, last = min(known), max(known)
    filled: dict[int, BucketPartial] = {}
    while place <= last:
        if len(filled) >= MAX_BUCKETS:
            raise IllegalArgument(
                f"Trying to create too many buckets. Must be less than or equal to: [{MAX_BUCKETS}] but was "
                f"[{MAX_BUCKETS + 1}]. Take a larger interval, or a [min_doc_count] of 1."
            )
        filled[place] = found.get(place) or BucketPartial(0)
        place = after(place)
    return filled


def _listed(
    rows: Iterable[tuple[Json, BucketPartial]],
    aggregation: Histogram | DateHistogram,
    show: Show,
    name: Callable[[Json], str],
) -> Json:
    kept = [(key, bucket) for key, bucket in rows if bucket.count >= aggregation.min_doc_count]
    if aggregation.keyed:
        return {"buckets": {name(key): key | show(bucket) for key, bucket in kept}}
    return {"buckets": [key | show(bucket) for key, bucket in kept]}


def range_buckets(aggregation: RangeAggregation, partial: BucketsPartial, show: Show) -> Json:
    """Return one bucket per range, empty or not, in order."""
    rows = [
        (_range_name(bounds, aggregation.date_format), bounds, partial.buckets.get(place) or BucketPartial(0))
        for place, bounds in enumerate(aggregation.ranges)
    ]
    shown = [(name, _ends(bounds, aggregation.date_format) | show(bucket)) for name, bounds, bucket in rows]
    if aggregation.keyed:
        return {"buckets": dict(shown)}
    return {"buckets": [{"key": name} | body for name, body in shown]}


def _range_name(bounds: RangeBucket, date_format: str | None) -> str:
    if bounds.key:
        return bounds.key
    return "-".join("*" if end is None else _end_text(end, date_format) for end in (bounds.low, bounds.high))


def _end_text(end: float, date_format: str | None) -> str:
    return str(float(end)) if date_format is None else write_date(int(end), date_format)


def _ends(bounds: RangeBucket, date_format: str | None) -> Json:
    shown: Json = {}
    for name, end in (("from", bounds.low), ("to", bounds.high)):
        if end is not None:
            shown[name] = float(end)
            if date_format is not None:
                shown[f"{name}_as_string"] = _end_text(end, date_format)
    return shown


def filter_buckets(aggregation: FiltersAggregation, partial: BucketsPartial, show: Show) -> Json:
    """Return one bucket per filter, by name or in order, and the rest when it was asked for."""
    names = [name for name, _ in aggregation.filters] + ([aggregation.other] if aggregation.other is not None else [])
    shown = {name: show(partial.buckets.get(name) or BucketPartial(0)) for name in names}
    return {"buckets": shown if aggregation.keyed else list(shown.values())}


def composite_buckets(aggregation: Composite, partial: BucketsPartial, show: Show) -> Json:
    """Return the next ``size`` buckets after the key ``after``, and the last one's key as ``after_key``."""
    sources = aggregation.sources

    def compare(first: tuple[Any, ...], second: tuple[Any, ...]) -> int:
        for source, left, right in zip(sources, first, second, strict=True):
            # None is the smallest value, so it comes last when descending
            result = compare_values(left, right, descending=source.descending, missing_first=not source.descending)
            if result:
                return result
        return 0

    keys = sorted(partial.buckets, key=cmp_to_key(compare))
    if aggregation.after is not None:
        after = aggregation.after
        keys = [key for key in keys if compare(key, after) > 0]
    shown = keys[: aggregation.size]
    rows = [(_composite_key(sources, key), partial.buckets[key]) for key in shown]
    result: Json = {"after_key": rows[-1][0]} if rows else {}
    return result | {"buckets": [{"key": key} | show(bucket) for key, bucket in rows]}


def _composite_key(sources: tuple[CompositeSource, ...], key: tuple[Any, ...]) -> Json:
    return {source.name: _composite_value(source, value) for source, value in zip(sources, key, strict=True)}


def _composite_value(source: CompositeSource, value: Any) -> Any:
    if value is None:
        return None
    if source.kind == FieldType.BOOLEAN:
        return bool(value)
    if source.date is not None and source.format is not None:
        return write_date(int(value), source.format, source.date.time_zone)
    return value

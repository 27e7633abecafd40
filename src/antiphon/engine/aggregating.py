"""Aggregations over the rows of one view: columns in, partial results out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, assert_never

import numpy as np
from numpy.typing import NDArray

from antiphon.domain.field import Family, Field
from antiphon.engine.fetching import best_hits
from antiphon.engine.match_columns import exists_mask
from antiphon.engine.matches import Evaluator, Mask, Matches, Rows, ancestor_rows, table_of
from antiphon.engine.ordering import text_field, values_per_row
from antiphon.engine.table import Table
from antiphon.errors import IllegalArgument
from antiphon.query import (
    Aggregation,
    BucketPartial,
    BucketsPartial,
    Composite,
    CompositeSource,
    DateHistogram,
    FiltersAggregation,
    GlobalAggregation,
    Histogram,
    Metric,
    MetricKind,
    MetricPartial,
    MissingAggregation,
    NestedAggregation,
    Partial,
    Query,
    RangeAggregation,
    Search,
    SinglePartial,
    TermsAggregation,
    TopHits,
    TopHitsPartial,
    bucket_starts,
)

Positions = NDArray[np.int64]
_NUMERIC = (MetricKind.MIN, MetricKind.MAX, MetricKind.AVG, MetricKind.SUM, MetricKind.STATS)


def collect(evaluator: Evaluator, asked: Search, aggregation: Aggregation, found: Matches) -> Partial:
    """Return what documents contribute; IllegalArgument for a field that cannot be aggregated so."""
    table = evaluator.view.tables[""]
    return _Collector(evaluator, table, asked, found).collect(aggregation, np.flatnonzero(found.mask))


class _Collector:
    """Rows of one table; ``found`` are the documents that ``asked`` found, with their scores."""

    def __init__(self, evaluator: Evaluator, table: Table, asked: Search, found: Matches) -> None:
        self._evaluator = evaluator
        self._table = table
        self._asked = asked
        self._found = found

    def collect(self, aggregation: Aggregation, rows: Rows) -> Partial:  # noqa: C901  one case per kind
        match aggregation:
            case Metric():
                return self._metric(aggregation, rows)
            case TermsAggregation():
                return self._terms(aggregation, rows)
            case Histogram():
                return self._histogram(aggregation, rows)
            case DateHistogram():
                return self._date_histogram(aggregation, rows)
            case RangeAggregation():
                return self._range(aggregation, rows)
            case FiltersAggregation():
                return self._filters(aggregation, rows)
            case MissingAggregation():
                return self._single(self._without(aggregation.field, rows), aggregation.below)
            case GlobalAggregation():
                everything = _Collector(self._evaluator, self._table, self._asked, Matches(self._table.alive))
                return everything._single(np.flatnonzero(self._table.alive), aggregation.below)
            case NestedAggregation():
                return self._nested(aggregation, rows)
            case TopHits():
                return self._top_hits(aggregation, rows)
            case Composite():
                return self._composite(aggregation, rows)
            case _:
                assert_never(aggregation)

    def _bucket(self, rows: Rows, below: Mapping[str, Aggregation]) -> BucketPartial:
        return BucketPartial(len(rows), {name: self.collect(inner, rows) for name, inner in below.items()})

    def _single(self, rows: Rows, below: Mapping[str, Aggregation]) -> SinglePartial:
        return SinglePartial(self._bucket(rows, below))

    def _values(self, path: str | None, rows: Rows, missing: Any = None) -> tuple[list[Any], Positions]:
        """All values of the field over rows, and the position of the row of each; ``missing`` stands in."""
        if path is None:
            values: list[Any] = []
            owners = np.zeros(0, np.int64)
        else:
            values, owners = values_per_row(self._table, path, rows)
        if missing is not None:
            absent = np.setdiff1d(np.arange(len(rows)), owners)
            values = values + [missing] * len(absent)
            owners = np.concatenate((owners, absent))
        return values, owners

    def _field(self, path: str | None) -> Field | None:
        return None if path is None else self._table.mapping.field(path)

    def _without(self, path: str | None, rows: Rows) -> Rows:
        if path is None:
            return rows
        return rows[~exists_mask(self._table, (path,))[rows]]

    def _metric(self, aggregation: Metric, rows: Rows) -> MetricPartial:
        field = self._field(aggregation.field)
        if field is not None:
            _check_metric(aggregation, field)
        values, _ = self._values(aggregation.field, rows, aggregation.missing)
        if aggregation.kind is MetricKind.CARDINALITY:
            return MetricPartial(len(values), distinct=set(values))
        if aggregation.kind is MetricKind.VALUE_COUNT or not values:
            return MetricPartial(len(values))
        numbers = np.asarray(values, np.float64)
        total = float(numbers.sum(dtype=np.longdouble))  # OpenSearch sums by Kahan: no digit is lost
        return MetricPartial(len(values), total, float(numbers.min()), float(numbers.max()))

    def _terms(self, aggregation: TermsAggregation, rows: Rows) -> BucketsPartial:
        field = self._field(aggregation.field)
        if field is not None and field.family is Family.TEXT:
            raise IllegalArgument(text_field(field.path))
        values, owners = self._values(aggregation.field, rows, aggregation.missing)
        buckets = self._grouped(values, owners, rows, aggregation.below)
        if aggregation.min_doc_count == 0:
            everywhere, _ = self._values(aggregation.field, np.flatnonzero(self._table.alive))
            other = [] if aggregation.missing is None else [aggregation.missing]
            none = self._bucket(np.zeros(0, np.int64), aggregation.below)
            buckets |= {key: none for key in dict.fromkeys([*everywhere, *other]) if key not in buckets}
        return BucketsPartial(buckets, None if field is None else field.type.value, _format(field))

    def _grouped(
        self, keys: list[Any], owners: Positions, rows: Rows, below: Mapping[str, Aggregation]
    ) -> dict[Any, BucketPartial]:
        """One bucket per key, each row once in it."""
        numbers: dict[Any, int] = {}
        codes = np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)
        if not below:
            pairs = np.unique(codes * (len(rows) + 1) + owners) // (len(rows) + 1) if len(codes) else codes
            counts = np.bincount(pairs, minlength=len(numbers))
            return {key: BucketPartial(int(counts[number])) for key, number in numbers.items()}
        order = np.argsort(codes, kind="stable")
        bounds = np.searchsorted(codes[order], np.arange(len(numbers) + 1))
        return {
            key: self._bucket(rows[np.unique(owners[order[bounds[number] : bounds[number + 1]]])], below)
            for key, number in numbers.items()
        }

    def _histogram(self, aggregation: Histogram, rows: Rows) -> BucketsPartial:
        field = self._field(aggregation.field)
        _check_number(field, "histogram")
        values, owners = self._values(aggregation.field, rows, aggregation.missing)
        numbers = np.asarray(values, np.float64)
        starts = np.floor((numbers - aggregation.offset) / aggregation.interval) * aggregation.interval
        keys = (starts + aggregation.offset).tolist()
        return BucketsPartial(self._grouped(keys, owners, rows, aggregation.below), None, None)

    def _date_histogram(self, aggregation: DateHistogram, rows: Rows) -> BucketsPartial:
        field = self._field(aggregation.field)
        _check_number(field, "date_histogram")
        values, owners = self._values(aggregation.field, rows, aggregation.missing)
        keys = bucket_starts(aggregation, np.asarray(values, np.int64)).tolist() if values else []
        return BucketsPartial(self._grouped(keys, owners, rows, aggregation.below), "date", _format(field))

    def _range(self, aggregation: RangeAggregation, rows: Rows) -> BucketsPartial:
        field = self._field(aggregation.field)
        _check_number(field, "range")
        values, owners = self._values(aggregation.field, rows)
        numbers = np.asarray(values, np.float64)
        buckets: dict[Any, BucketPartial] = {}
        for place, bounds in enumerate(aggregation.ranges):
            inside = np.ones(len(numbers), np.bool_)
            if bounds.low is not None:
                inside &= numbers >= bounds.low
            if bounds.high is not None:
                inside &= numbers < bounds.high
            buckets[place] = self._bucket(rows[np.unique(owners[inside])], aggregation.below)
        return BucketsPartial(buckets, None if field is None else field.type.value, _format(field))

    def _filters(self, aggregation: FiltersAggregation, rows: Rows) -> Partial:
        buckets: dict[Any, BucketPartial] = {}
        rest = np.ones(len(rows), np.bool_)
        for name, query in aggregation.filters:
            hit = self._mask(query)[rows]
            rest &= ~hit
            buckets[name] = self._bucket(rows[hit], aggregation.below)
        if aggregation.single:
            return SinglePartial(next(iter(buckets.values())))
        if aggregation.other is not None:
            buckets[aggregation.other] = self._bucket(rows[rest], aggregation.below)
        return BucketsPartial(buckets)

    def _mask(self, query: Query) -> Mask:
        return self._evaluator.mask(self._table, query)

    def _nested(self, aggregation: NestedAggregation, rows: Rows) -> SinglePartial:
        view = self._evaluator.view
        inner = table_of(view, aggregation.path)
        if inner is None:
            return self._single(np.zeros(0, np.int64), aggregation.below)
        if aggregation.reverse:
            found = np.unique(ancestor_rows(view, self._table, aggregation.path)[rows])
        else:
            wanted = np.zeros(self._table.size, np.bool_)
            wanted[rows] = True
            found = np.flatnonzero(wanted[ancestor_rows(view, inner, self._table.path)] & inner.alive)
        within = _Collector(self._evaluator, inner, self._asked, self._found)
        return within._single(found, aggregation.below)

    def _top_hits(self, aggregation: TopHits, rows: Rows) -> TopHitsPartial:
        documents = ancestor_rows(self._evaluator.view, self._table, "")[rows]
        wanted = replace(aggregation.hits, size=aggregation.hits.from_ + aggregation.hits.size, from_=0)
        scores = self._found.at(documents)
        best, values = best_hits(self._evaluator, self._asked, wanted, rows, scores, self._table.path)
        return TopHitsPartial(len(rows), list(zip(values, [""] * len(values), best.hits, strict=True)), best.max_score)

    def _composite(self, aggregation: Composite, rows: Rows) -> BucketsPartial:
        combined: list[tuple[int, tuple[Any, ...]]] = [(at, ()) for at in range(len(rows))]
        for source in aggregation.sources:
            values, owners = self._source(source, rows)
            by_row: dict[int, list[Any]] = {}
            for value, owner in zip(values, owners.tolist(), strict=True):
                held = by_row.setdefault(owner, [])
                if value not in held:
                    held.append(value)
            absent: list[Any] = [None] if source.missing_bucket else []
            combined = [(at, (*key, value)) for at, key in combined for value in by_row.get(at, absent)]
        keys = [key for _, key in combined]
        owners = np.array([at for at, _ in combined], np.int64)
        return BucketsPartial(self._grouped(keys, owners, rows, aggregation.below))

    def _source(self, source: CompositeSource, rows: Rows) -> tuple[list[Any], Positions]:
        field = self._field(source.field)
        if field is not None and field.family is Family.TEXT:
            raise IllegalArgument(text_field(field.path))
        values, owners = self._values(source.field, rows)
        if source.date is not None and values:
            values = bucket_starts(source.date, np.asarray(values, np.int64)).tolist()
        elif source.interval is not None and values:
            values = (np.floor(np.asarray(values, np.float64) / source.interval) * source.interval).tolist()
        return values, owners


def _check_metric(aggregation: Metric, field: Field) -> None:
    if field.family is Family.TEXT:
        raise IllegalArgument(text_field(field.path))
    if aggregation.kind in _NUMERIC and field.family is Family.KEYWORD:
        raise IllegalArgument(
            f"Field [{field.path}] of type [{field.type}] is not supported for aggregation [{aggregation.kind}]"
        )
    if field.family in (Family.VECTOR, Family.NONE, Family.FEATURES):
        raise IllegalArgument(
            f"Field [{field.path}] of type [{field.type}] is not supported for aggregation [{aggregation.kind}]"
        )


def _check_number(field: Field | None, aggregation: str) -> None:
    if field is None or field.family in (Family.WHOLE, Family.REAL):
        return
    if field.family is Family.TEXT:
        raise IllegalArgument(text_field(field.path))
    raise IllegalArgument(
        f"Field [{field.path}] of type [{field.type}] is not supported for aggregation [{aggregation}]"
    )


def _format(field: Field | None) -> str | None:
    found = None if field is None else field.options.get("format")
    return str(found) if found else None

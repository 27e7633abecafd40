"""Aggregations over the documents that match, in the shape of OpenSearch's response."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, assert_never

from antiphon.query.catalog.clauses import Scalar
from antiphon.query.catalog.schema import Document, Schema, values_of
from antiphon.query.catalog.search import Aggregation, Metric, MetricAggregation, TermsAggregation


def aggregate(aggregations: Mapping[str, Aggregation], documents: Sequence[Document], schema: Schema) -> dict[str, Any]:
    """Return each aggregation's result under its name."""
    return {name: _one(aggregation, documents, schema) for name, aggregation in aggregations.items()}


def _one(aggregation: Aggregation, documents: Sequence[Document], schema: Schema) -> dict[str, Any]:
    match aggregation:
        case MetricAggregation():
            return _metric(aggregation, documents, schema)
        case TermsAggregation():
            return _terms(aggregation, documents, schema)
        case _:
            assert_never(aggregation)


def _metric(aggregation: MetricAggregation, documents: Sequence[Document], schema: Schema) -> dict[str, Any]:
    values = [value for document in documents for value in values_of(document, aggregation.field, schema)]
    if aggregation.metric is Metric.VALUE_COUNT:
        return {"value": len(values)}
    if aggregation.metric is Metric.CARDINALITY:
        return {"value": len({(type(value) is bool, value) for value in values})}
    numbers = [float(value) for value in values if isinstance(value, (int, float))]
    stats: dict[str, Any] = {
        "count": len(numbers),
        "min": min(numbers, default=None),
        "max": max(numbers, default=None),
        "avg": sum(numbers) / len(numbers) if numbers else None,
        "sum": sum(numbers, 0.0),
    }
    return stats if aggregation.metric is Metric.STATS else {"value": stats[aggregation.metric.value]}


def _terms(aggregation: TermsAggregation, documents: Sequence[Document], schema: Schema) -> dict[str, Any]:
    holders: dict[tuple[str, Scalar], list[Document]] = {}
    for document in documents:
        found = values_of(document, aggregation.field, schema)
        for value in dict.fromkeys((type(value).__name__, value) for value in found):
            holders.setdefault(value, []).append(document)
    counts = Counter({value: len(held) for value, held in holders.items() if len(held) >= aggregation.min_doc_count})
    ordered = sorted(counts)
    if aggregation.order == "_count":
        ordered.sort(key=lambda value: counts[value], reverse=aggregation.descending)
    elif aggregation.descending:
        ordered.reverse()
    return {
        "doc_count_error_upper_bound": 0,
        "sum_other_doc_count": sum(counts[value] for value in ordered[aggregation.size :]),
        "buckets": [
            _key(value) | {"doc_count": counts[value]} | aggregate(aggregation.aggregations, holders[value], schema)
            for value in ordered[: aggregation.size]
        ],
    }


def _key(value: tuple[str, Scalar]) -> dict[str, Any]:
    if isinstance(value[1], bool):
        return {"key": int(value[1]), "key_as_string": "true" if value[1] else "false"}
    return {"key": value[1]}

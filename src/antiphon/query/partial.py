"""What one index contributes to an aggregation: partial results that can be merged, then finished into JSON.

The engine makes them, ``query.reduce`` merges those of several indices and finishes them. Keys of buckets are typed
values (str, int, float, or a tuple of them for composite).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class MetricPartial:
    """Count, sum, extremes and (cardinality only) the distinct values."""

    count: int = 0
    total: float = 0.0
    minimum: float | None = None
    maximum: float | None = None
    distinct: set[Any] = field(default_factory=set)


@dataclass(slots=True)
class BucketPartial:
    """Documents of one bucket, and the aggregations below it."""

    count: int
    below: Mapping[str, Partial] = field(default_factory=dict)


@dataclass(slots=True)
class BucketsPartial:
    """Buckets by key, all of them: the cut to ``size`` happens when finishing. ``field_type`` renders the keys.

    ``format`` is the date format of the field's mapping, for ``key_as_string``.
    """

    buckets: dict[Any, BucketPartial]
    field_type: str | None = None
    format: str | None = None


@dataclass(slots=True)
class SinglePartial:
    """One bucket: filter, missing, global, nested."""

    bucket: BucketPartial


@dataclass(slots=True)
class TopHitsPartial:
    """Fetched hits (``query.result.SearchHit``) with what orders them, best first, and how many there were."""

    total: int
    hits: list[tuple[tuple[Any, ...], str, Any]]
    """(sort values or (score,), index name, SearchHit)"""
    max_score: float | None = None


Partial = MetricPartial | BucketsPartial | SinglePartial | TopHitsPartial

"""The aggregations this server answers, parsed and bound to a mapping; names and defaults are OpenSearch's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as default
from enum import StrEnum
from types import MappingProxyType

from antiphon.query.nodes import InnerHits, Query

_NONE: Mapping[str, Aggregation] = MappingProxyType({})


Order = tuple[tuple[str, bool], ...]
"""Pairs of (key, descending): ``_count``, ``_key`` or the path of a metric below."""
BY_KEY: Order = (("_key", False),)


class MetricKind(StrEnum):
    """A single-field metric."""

    MIN = "min"
    MAX = "max"
    AVG = "avg"
    SUM = "sum"
    STATS = "stats"
    VALUE_COUNT = "value_count"
    CARDINALITY = "cardinality"


@dataclass(frozen=True, slots=True)
class Metric:
    """``field`` is None when it is not mapped: no document has a value. ``format`` spells a date field's values."""

    kind: MetricKind
    field: str | None
    missing: float | str | None = None
    format: str | None = None


@dataclass(frozen=True, slots=True)
class TermsAggregation:
    """Buckets by value.

    ``include`` and ``exclude`` are lists of values, or a text in which ``.*`` stands for anything; applied when
    finishing. With ``show_error`` each bucket says by how much its count may be wrong, which is 0 here.
    """

    field: str | None
    size: int = 10
    min_doc_count: int = 1
    order: Order = (("_count", True), ("_key", False))
    missing: str | float | None = None
    include: tuple[str, ...] | str | None = None
    exclude: tuple[str, ...] | str | None = None
    below: Mapping[str, Aggregation] = default(default_factory=lambda: _NONE)
    show_error: bool = False


@dataclass(frozen=True, slots=True)
class Histogram:
    """Buckets of equal width; ``bounds`` are the extended ones."""

    field: str | None
    interval: float
    offset: float = 0.0
    min_doc_count: int = 0
    bounds: tuple[float, float] | None = None
    keyed: bool = False
    missing: float | None = None
    below: Mapping[str, Aggregation] = default(default_factory=lambda: _NONE)
    order: Order = BY_KEY


@dataclass(frozen=True, slots=True)
class DateHistogram:
    """Buckets of time, in ``time_zone`` (an IANA name or offset).

    ``calendar`` is one of minute, hour, day, week, month, quarter, year; else ``fixed_ms`` is given.
    """

    field: str | None
    calendar: str | None = None
    fixed_ms: int | None = None
    offset_ms: int = 0
    time_zone: str = "UTC"
    format: str | None = None
    min_doc_count: int = 0
    bounds: tuple[int, int] | None = None
    keyed: bool = False
    missing: int | None = None
    below: Mapping[str, Aggregation] = default(default_factory=lambda: _NONE)
    order: Order = BY_KEY


@dataclass(frozen=True, slots=True)
class RangeBucket:
    """From ``low`` (inclusive) to ``high`` (exclusive)."""

    key: str
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class RangeAggregation:
    """Buckets between bounds; ``date_format`` is given for date_range."""

    field: str | None
    ranges: tuple[RangeBucket, ...]
    keyed: bool = False
    date_format: str | None = None
    below: Mapping[str, Aggregation] = default(default_factory=lambda: _NONE)


@dataclass(frozen=True, slots=True)
class FiltersAggregation:
    """One bucket per query. ``single`` is the ``filter`` aggregation; names are positions when ``keyed`` is False."""

    filters: tuple[tuple[str, Query], ...]
    single: bool = False
    keyed: bool = True
    other: str | None = None
    below: Mapping[str, Aggregation] = default(default_factory=lambda: _NONE)


@dataclass(frozen=True, slots=True)
class MissingAggregation:
    """Documents without a value."""

    field: str | None
    below: Mapping[str, Aggregation] = default(default_factory=lambda: _NONE)


@dataclass(frozen=True, slots=True)
class GlobalAggregation:
    """Every document of the index, whatever the query."""

    below: Mapping[str, Aggregation] = default(default_factory=lambda: _NONE)


@dataclass(frozen=True, slots=True)
class NestedAggregation:
    """The objects at ``path`` of the documents; ``reverse`` goes back to the documents (``path`` is then "")."""

    path: str
    reverse: bool = False
    below: Mapping[str, Aggregation] = default(default_factory=lambda: _NONE)


@dataclass(frozen=True, slots=True)
class TopHits:
    """The best documents of a bucket."""

    hits: InnerHits


@dataclass(frozen=True, slots=True)
class CompositeSource:
    """One key of a composite bucket: ``interval`` for histogram, ``date`` for date_histogram, else terms.

    ``kind`` is the type of the field, None when it is not mapped.
    """

    name: str
    field: str | None
    descending: bool = False
    missing_bucket: bool = False
    interval: float | None = None
    date: DateHistogram | None = None
    format: str | None = None
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class Composite:
    """Buckets of combined keys in order, ``size`` at a time after the key ``after`` (values in source order)."""

    sources: tuple[CompositeSource, ...]
    size: int = 10
    after: tuple[str | float | int | None, ...] | None = None
    below: Mapping[str, Aggregation] = default(default_factory=lambda: _NONE)


Aggregation = (
    Metric | TermsAggregation | Histogram | DateHistogram | RangeAggregation | FiltersAggregation | MissingAggregation
    | GlobalAggregation | NestedAggregation | TopHits | Composite
)  # fmt: skip
"""Every aggregation an engine answers."""

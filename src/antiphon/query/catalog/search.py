"""A whole search over a catalog: the query and everything around it, and what is found."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from antiphon.domain.source import SourceFilter
from antiphon.query.catalog.clauses import Query, Scalar
from antiphon.query.catalog.schema import Document
from antiphon.query.leaves import MatchAll

MAX_RESULT_WINDOW = 10_000
SCORE = "_score"
DOC = "_doc"


class Missing(StrEnum):
    """Where documents without the sort field go; a value in its place is not supported."""

    FIRST = "_first"
    LAST = "_last"


@dataclass(frozen=True, slots=True)
class Sort:
    """One sort key: a field, ``_score``, ``_id`` or ``_doc``. Of several values, ``largest`` or smallest counts."""

    field: str
    descending: bool = False
    missing: Missing = Missing.LAST
    largest: bool = False


class Metric(StrEnum):
    """Aggregations that yield figures."""

    MIN = "min"
    MAX = "max"
    SUM = "sum"
    AVG = "avg"
    STATS = "stats"
    VALUE_COUNT = "value_count"
    CARDINALITY = "cardinality"


@dataclass(frozen=True, slots=True)
class MetricAggregation:
    """One figure, or several for STATS, over a field's values."""

    metric: Metric
    field: str


@dataclass(frozen=True, slots=True)
class TermsAggregation:
    """The most frequent values of a field, or by ``order`` (``_count`` or ``_key``) otherwise."""

    field: str
    size: int = 10
    min_doc_count: int = 1
    order: str = "_count"
    descending: bool = True
    aggregations: Mapping[str, Aggregation] = dataclasses.field(default_factory=dict)


Aggregation = MetricAggregation | TermsAggregation


@dataclass(frozen=True, slots=True)
class CatalogSearch:
    """A parsed search body. ``track_total_hits``: count up to this many; True counts all, False shows no total."""

    query: Query = dataclasses.field(default_factory=MatchAll)
    from_: int = 0
    size: int = 10
    sort: tuple[Sort, ...] = ()
    search_after: tuple[Scalar | None, ...] | None = None
    source: SourceFilter = dataclasses.field(default_factory=SourceFilter)
    aggregations: Mapping[str, Aggregation] = dataclasses.field(default_factory=dict)
    track_total_hits: bool | int = MAX_RESULT_WINDOW
    track_scores: bool = False
    min_score: float | None = None
    version: bool = False
    seq_no_primary_term: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """One document found. ``score`` is None under a field sort; ``source`` is filtered, None when not shown."""

    document: Document
    score: float | None
    source: Mapping[str, Any] | None
    sort: tuple[Scalar | None, ...] | None = None


@dataclass(frozen=True, slots=True)
class Total:
    """How many documents match: exactly (``eq``), or at least (``gte``)."""

    value: int
    relation: str = "eq"


@dataclass(frozen=True, slots=True)
class Found:
    """One page of hits. ``aggregations`` have the shape of OpenSearch's response member of that name."""

    hits: tuple[Hit, ...]
    total: Total | None
    max_score: float | None
    aggregations: dict[str, Any] = dataclasses.field(default_factory=dict)

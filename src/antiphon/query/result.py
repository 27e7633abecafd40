"""What an engine found in one index, before and after the documents are fetched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.query.partial import Partial


@dataclass(frozen=True, slots=True)
class Leg:
    """The best documents of one query of the plan, best first.

    ``rows`` int64 ``[n]`` number documents within the snapshot (lower is older); ``scores`` float32 ``[n]`` (NaN when
    a field sort made them not worth computing). ``sort`` holds one tuple of typed sort values per row when the search
    sorts (None where a document has no value); ``keys`` the collapse value per row when it collapses.
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]
    sort: Sequence[tuple[Any, ...]] | None = None
    keys: Sequence[Any] | None = None


@dataclass(frozen=True, slots=True)
class ShardResult:
    """The answer of one index. ``total`` counts the documents that match any leg, exactly or up to the threshold.

    ``exact`` is False when counting stopped at the threshold. A leg holds at most from + size rows (a hybrid's: its
    depth), so that results of several indices can be merged.
    """

    legs: tuple[Leg, ...]
    total: int
    exact: bool = True
    max_score: float | None = None
    aggregations: Mapping[str, Partial] = field(default_factory=dict)
    terminated_early: bool = False


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a score is what it is, as a tree."""

    value: float
    description: str
    details: tuple[Explanation, ...] = ()


@dataclass(frozen=True, slots=True)
class InnerResult:
    """The inner hits of one hit under one name."""

    total: int
    max_score: float | None
    hits: tuple[SearchHit, ...]


@dataclass(frozen=True, slots=True)
class SearchHit:
    """One hit, fetched. ``source`` is None when it was not wanted; ``nested`` is (field, offset, inner) of an object.

    ``fields`` are those of ``fields`` and ``docvalue_fields``; all values JSON-ready. ``ignored`` are the paths of the
    fields whose values the mapping kept out.
    """

    id: str
    score: float | None
    source: Mapping[str, Any] | None
    routing: str | None = None
    version: int | None = None
    seq_no: int | None = None
    sort: tuple[Any, ...] | None = None
    fields: Mapping[str, list[Any]] = field(default_factory=dict)
    highlight: Mapping[str, list[str]] = field(default_factory=dict)
    inner_hits: Mapping[str, InnerResult] = field(default_factory=dict)
    matched_queries: tuple[str, ...] = ()
    explanation: Explanation | None = None
    nested: Mapping[str, Any] | None = None
    ignored: tuple[str, ...] = ()

"""A search body, parsed and bound to one index: what to match, how to order, what to return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from antiphon.domain.role import Role
from antiphon.query.aggregations import Aggregation
from antiphon.query.leaves import MatchAll
from antiphon.query.nodes import (
    Bool,
    Fetch,
    InnerHits,
    Query,
    SortKey,
)


@dataclass(frozen=True, slots=True)
class EmbedText:
    """A slot to be filled by a model: ``flows`` embeds ``text`` with ``model_id`` in ``role``.

    ``field`` is the vector field it will be compared with, for fingerprints and dimensions.
    """

    model_id: str
    text: str
    field: str
    role: Role = Role.QUERY


@dataclass(frozen=True, slots=True)
class Vector:
    """A slot that the body filled: the vector as it was given."""

    values: tuple[float, ...]


Slot = EmbedText | Vector


@dataclass(frozen=True, slots=True)
class Collapse:
    """One hit per value of a keyword or number field."""

    field: str
    inner_hits: tuple[InnerHits, ...] = ()


@dataclass(frozen=True, slots=True)
class Rescore:
    """A second query over the best ``window_size``; ``score_mode`` total, multiply, avg, max or min."""

    query: Query
    window_size: int = 10
    query_weight: float = 1.0
    rescore_query_weight: float = 1.0
    score_mode: str = "total"


@dataclass(frozen=True, slots=True)
class Search:
    """One index's share of a search. ``legs`` is one query, or one per sub-query of ``hybrid``.

    ``track_total_hits``: True counts all, False omits the total, a number counts up to it. ``pagination_depth`` is
    the hybrid's D (None: ``size``).
    """

    legs: tuple[Query, ...] = (MatchAll(),)
    slots: tuple[Slot, ...] = ()
    hybrid: bool = False
    pagination_depth: int | None = None
    from_: int = 0
    size: int = 10
    sort: tuple[SortKey, ...] = ()
    search_after: tuple[Any, ...] | None = None
    min_score: float | None = None
    post_filter: Query | None = None
    track_total_hits: bool | int = 10_000
    track_scores: bool = False
    terminate_after: int = 0
    aggregations: Mapping[str, Aggregation] = field(default_factory=dict)
    collapse: Collapse | None = None
    rescore: tuple[Rescore, ...] = ()
    slice: tuple[int, int] | None = None
    fetch: Fetch = field(default_factory=Fetch)

    @property
    def query(self) -> Query:
        """The query; of a hybrid whatever a sub-query finds, the scores as they are, added up."""
        return self.legs[0] if len(self.legs) == 1 else Bool(should=self.legs)

"""The whole answer of a search: the hits of one page over every index that was searched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from antiphon.errors import AntiphonError
from antiphon.query.result import SearchHit


@dataclass(frozen=True, slots=True)
class PageHit:
    """A hit and the name of its index."""

    index: str
    hit: SearchHit


@dataclass(frozen=True, slots=True)
class Page:
    """``total`` is None when it was not tracked, and a lower bound unless ``exact``; ``shards`` counts the indices.

    ``aggregations`` are JSON-ready, None when none were asked for. ``failures`` are (index, error) of the indices that
    failed while others answered. ``took_ms`` are milliseconds. ``terminated_early`` is None without
    ``terminate_after``.
    """

    hits: Sequence[PageHit] = ()
    total: int | None = 0
    exact: bool = True
    max_score: float | None = None
    shards: int = 0
    took_ms: int = 0
    aggregations: Mapping[str, Any] | None = None
    terminated_early: bool | None = None
    failures: Sequence[tuple[str, AntiphonError]] = ()
    scroll_id: str | None = None
    pit_id: str | None = None

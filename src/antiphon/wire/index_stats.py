"""``_stats``: counts and sizes of indices, by metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from antiphon.domain.index import Index
from antiphon.domain.store import IndexStats
from antiphon.errors import IllegalArgument

METRICS = ("docs", "store", "indexing", "search", "segments", "translog")
_UNMEASURED = frozenset({
    "get", "merge", "merges", "refresh", "flush", "warmer", "query_cache", "fielddata", "completion", "request_cache",
    "recovery", "suggest",
})  # fmt: skip
"""Metrics of OpenSearch's that this engine has nothing to say about: accepted, and left out."""


def read_metrics(words: Sequence[str], path: str) -> tuple[str, ...]:
    """Return the metrics asked for, all when none is; IllegalArgument for one nobody knows."""
    if not words or "_all" in words:
        return METRICS
    unknown = [word for word in words if word not in METRICS and word not in _UNMEASURED]
    if unknown:
        raise IllegalArgument(f"request [{path}] contains unrecognized metric: [{unknown[0]}]")
    return tuple(word for word in METRICS if word in words)


def write_stats(
    indices: Sequence[tuple[Index, IndexStats]], metrics: Sequence[str], shards: Mapping[str, int]
) -> dict[str, Any]:
    """Return the answer; ``primaries`` and ``total`` are the same on one node."""
    shown = {index.name: {"uuid": index.uuid, **_both(_figures(stats, metrics))} for index, stats in indices}
    total = _figures(_sum([stats for _, stats in indices]), metrics)
    return {"_shards": dict(shards), "_all": _both(total), "indices": shown}


def _both(figures: dict[str, Any]) -> dict[str, Any]:
    return {"primaries": figures, "total": figures}


def _figures(stats: IndexStats, metrics: Sequence[str]) -> dict[str, Any]:
    everything = {
        "docs": {"count": stats.searchable, "deleted": stats.deleted},
        "store": {"size_in_bytes": stats.store_bytes, "reserved_in_bytes": 0},
        "indexing": {"index_total": stats.operations},
        "search": {"query_total": stats.queries},
        "segments": {
            "count": stats.segments,
            "max_seq_no": stats.max_seq_no,
            "vectors": stats.vectors,
            "graph_vectors": stats.graph_vectors,
        },
        "translog": {"operations": stats.pending, "uncommitted_operations": stats.pending},
    }
    return {key: value for key, value in everything.items() if key in metrics}


def _sum(many: Sequence[IndexStats]) -> IndexStats:
    return IndexStats(
        documents=sum(stats.documents for stats in many),
        deleted=sum(stats.deleted for stats in many),
        searchable=sum(stats.searchable for stats in many),
        pending=sum(stats.pending for stats in many),
        segments=sum(stats.segments for stats in many),
        store_bytes=sum(stats.store_bytes for stats in many),
        max_seq_no=max((stats.max_seq_no for stats in many), default=-1),
        vectors=sum(stats.vectors for stats in many),
        graph_vectors=sum(stats.graph_vectors for stats in many),
        operations=sum(stats.operations for stats in many),
        queries=sum(stats.queries for stats in many),
    )

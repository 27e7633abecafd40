"""``_stats``: counts and sizes of indices, by metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from antiphon.domain.index import Index
from antiphon.domain.store import IndexStats, Work
from antiphon.errors import IllegalArgument

METRICS = ("docs", "store", "indexing", "search", "segments", "translog")
_UNMEASURED = frozenset({
    "get", "merge", "merges", "refresh", "flush", "warmer", "query_cache", "fielddata", "completion", "request_cache",
    "recovery", "suggest",
})  # fmt: skip
"""Metrics of OpenSearch's that this engine has nothing to say about: accepted, and left out."""
_KINDS = ("index", "delete", "query", "fetch")
_PHASES = ("query", "fetch", "scroll", "suggest")
_LUCENE_MEMORY = tuple(
    f"{name}memory_in_bytes"
    for name in (
        "", "terms_", "stored_fields_", "term_vectors_", "norms_", "points_", "doc_values_", "index_writer_",
        "version_map_", "fixed_bit_set_",
    )
)  # fmt: skip
"""What Lucene's segments once held in memory: typed clients insist on each, and OpenSearch answers 0 to most."""


def read_metrics(words: Sequence[str], path: str) -> tuple[str, ...]:
    """Return the metrics asked for, all when none is; IllegalArgument for one nobody knows."""
    if not words or "_all" in words:
        return METRICS
    unknown = [word for word in words if word not in METRICS and word not in _UNMEASURED]
    if unknown:
        raise IllegalArgument(f"request [{path}] contains unrecognized metric: [{unknown[0]}]")
    return tuple(word for word in METRICS if word in words)


def write_totals(many: Sequence[IndexStats], metrics: Sequence[str]) -> dict[str, Any]:
    """Return the figures of several indices as those of one."""
    return _figures(_sum(many), metrics)


def write_stats(
    indices: Sequence[tuple[Index, IndexStats]], metrics: Sequence[str], shards: Mapping[str, int]
) -> dict[str, Any]:
    """Return the answer; ``primaries`` and ``total`` are the same on one node."""
    shown = {index.name: {"uuid": index.uuid, **_both(_figures(stats, metrics))} for index, stats in indices}
    total = write_totals([stats for _, stats in indices], metrics)
    return {"_shards": dict(shards), "_all": _both(total), "indices": shown}


def _both(figures: dict[str, Any]) -> dict[str, Any]:
    return {"primaries": figures, "total": figures}


def _figures(stats: IndexStats, metrics: Sequence[str]) -> dict[str, Any]:
    everything = {
        "docs": {"count": stats.searchable, "deleted": stats.deleted},
        "store": {"size_in_bytes": stats.store_bytes, "reserved_in_bytes": 0},
        "indexing": {
            **_work(stats, "index"),
            "index_current": 0,
            "index_failed": 0,
            **_work(stats, "delete"),
            "delete_current": 0,
            "noop_update_total": 0,
            "is_throttled": False,
            "throttle_time_in_millis": 0,
        },
        "search": {
            "open_contexts": 0,
            **{key: value for kind in _PHASES for key, value in _work(stats, kind).items()},
            **{f"{kind}_current": 0 for kind in _PHASES},
        },
        "segments": {
            "count": stats.segments,
            **dict.fromkeys(_LUCENE_MEMORY, 0),
            "max_unsafe_auto_id_timestamp": -1,
            "file_sizes": {},
            "max_seq_no": stats.max_seq_no,
            "vectors": stats.vectors,
            "graph_vectors": stats.graph_vectors,
        },
        "translog": {
            "operations": stats.pending,
            "size_in_bytes": 0,
            "uncommitted_operations": stats.pending,
            "uncommitted_size_in_bytes": 0,
            "earliest_last_modified_age": 0,
        },
    }
    return {key: value for key, value in everything.items() if key in metrics}


def _work(stats: IndexStats, kind: str) -> dict[str, int]:
    done = stats.work.get(kind, Work())
    return {f"{kind}_total": done.times, f"{kind}_time_in_millis": round(done.seconds * 1000)}


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
        work={kind: sum((stats.work.get(kind, Work()) for stats in many), Work()) for kind in _KINDS},
    )

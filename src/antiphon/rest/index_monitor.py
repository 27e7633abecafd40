"""Handlers that look after indices: refresh, flush, merge, caches, stats, field capabilities, rebuild."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from antiphon.domain.pattern import star_pattern
from antiphon.domain.store import Work
from antiphon.errors import IllegalArgument
from antiphon.flows.ports import IndexStore
from antiphon.rest.call import Call, Handler, Reply, Route
from antiphon.rest.index_options import INDICES, figures_of, resolved, shards
from antiphon.rest.node_names import means_this_node
from antiphon.wire.field_caps import write_field_caps
from antiphon.wire.index_stats import read_metrics, write_stats


def on_stores(work: Callable[[IndexStore], None]) -> Handler:
    """Return the handler that does ``work`` on the store of every open index of the expression."""

    def handler(call: Call) -> Reply:
        indices = resolved(call)
        for index in indices:
            call.node.indices.check_open(index)
        for index in indices:
            work(call.node.indices.store(index))
        return Reply({"_shards": shards(indices)})

    return handler


def stats(call: Call) -> Reply:
    """Counts and sizes, by metric; ``level=cluster`` leaves the single indices out."""
    level = call.query.get("level", "indices")
    if level == "shards":
        raise IllegalArgument("[level=shards] is not supported by Antiphon: an index is one shard, use [level=indices]")
    if level not in ("cluster", "indices"):
        raise IllegalArgument(f"level parameter must be one of [cluster] or [indices] or [shards] but was [{level}]")
    indices = resolved(call)
    metrics = read_metrics(call.words("metric"), call.path)
    if not call.flag("forbid_closed_indices", default=True):
        indices = [index for index in indices if not index.closed]
    for index in indices:
        call.node.indices.check_open(index)
    figures = [(index, call.node.indices.store(index).stats()) for index in indices]
    shown = write_stats(figures, metrics, shards(indices))
    return Reply(shown if level == "indices" else {key: shown[key] for key in ("_shards", "_all")})


def field_caps(call: Call) -> Reply:
    """Types and abilities of fields."""
    body = call.json_or({})
    fields = call.query.get("fields") or (body.get("fields") if isinstance(body, dict) else None)
    patterns = fields.split(",") if isinstance(fields, str) else fields
    if not patterns or not isinstance(patterns, list):
        raise IllegalArgument("specified fields can't be null or empty")
    words = [str(pattern) for pattern in patterns]
    return Reply(write_field_caps(resolved(call), words, unmapped=call.flag("include_unmapped")))


def resolve_index(call: Call) -> Reply:
    """Which indices and aliases an expression stands for."""
    indices = call.node.indices
    expression = call.params["name"]
    found = resolved_names(call, expression)
    shown: list[dict[str, Any]] = []
    carriers: dict[str, list[str]] = {}
    for index in found:
        attributes = ["closed" if index.closed else "open"]
        entry: dict[str, Any] = {"name": index.name, "attributes": attributes}
        if index.aliases:
            entry = {"name": index.name, "aliases": sorted(index.aliases), "attributes": attributes}
        shown.append(entry)
    patterns = [star_pattern("*" if word == "_all" else word) for word in expression.split(",")]
    for index in indices.all():
        for alias in index.aliases:
            if any(pattern.fullmatch(alias) for pattern in patterns):
                carriers.setdefault(alias, []).append(index.name)
    aliases = [{"name": name, "indices": sorted(names)} for name, names in sorted(carriers.items())]
    return Reply({"indices": sorted(shown, key=lambda item: str(item["name"])), "aliases": aliases, "data_streams": []})


def resolved_names(call: Call, expression: str) -> list[Any]:
    """Return the indices that an expression names itself, not through an alias."""
    words = [word for word in expression.split(",") if not call.node.indices.aliased(word)]
    if not words:
        return []
    targets = call.node.indices.resolve(
        ",".join(words), expand_wildcards=call.query.get("expand_wildcards", "open"), aliases=False
    )
    return [target.index for target in targets]


def knn_stats(call: Call) -> Reply:
    """What there is to know about vectors: graphs are mapped from files, so that no breaker can trip."""
    figures = [found for index in call.node.indices.all() if (found := figures_of(call, index)) is not None]
    asked = sum(item.work.get("query", Work()).times for item in figures)
    counted = {"knn_query_requests": asked, "vectors": sum(item.vectors for item in figures)}
    cluster, node = _wanted_stats(call, {"circuit_breaker_triggered": False, "model_index_status": None}, counted)
    known = means_this_node(call)
    return Reply(
        {
            "_nodes": {"total": int(known), "successful": int(known), "failed": 0},
            "cluster_name": call.identity.cluster_name,
            **cluster,
            "nodes": {call.node.catalog.node_id(): node} if known else {},
        }
    )


def _wanted_stats(
    call: Call, cluster: dict[str, Any], counted: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the cluster's and the node's of the stats that are asked for; IllegalArgument for one nobody knows."""
    node = dict.fromkeys(_UNCOUNTED, 0) | counted
    words = call.words("stat")
    if not words or words == ["_all"]:
        return cluster, node
    if unknown := [word for word in words if word not in cluster and word not in node]:
        raise IllegalArgument(f"request [{call.path}] contains unrecognized stat: [{unknown[0]}]")
    return {key: cluster[key] for key in cluster if key in words}, {key: node[key] for key in node if key in words}


_UNCOUNTED = (
    *(f"graph_{word}" for word in ("memory_usage", "memory_usage_percentage", "query_requests", "query_errors",
                                   "index_requests", "index_errors")),
    "hit_count", "miss_count", "eviction_count", "load_success_count", "load_exception_count", "total_load_time",
    "script_compilations", "script_compilation_errors", "script_query_requests", "script_query_errors",
)  # fmt: skip
"""What OpenSearch counts of its cache of graphs, which is not here, and of scripts, which are not counted here."""


_refresh = on_stores(lambda store: store.refresh())
_flush = on_stores(lambda store: store.flush())
_merge = on_stores(lambda store: store.force_merge())
_rebuild = on_stores(lambda store: store.rebuild())
_nothing = on_stores(lambda _: None)

_FLUSH = INDICES | {"force", "wait_if_ongoing"}
_MERGE = INDICES | {"flush", "max_num_segments", "only_expunge_deletes", "wait_for_completion", "primary_only"}
_CLEAR = INDICES | {"fielddata", "fields", "query", "request", "file"}
_STATS = INDICES | {
    "completion_fields", "fielddata_fields", "fields", "forbid_closed_indices", "groups",
    "include_segment_file_sizes", "include_unloaded_segments", "level", "types",
}  # fmt: skip
_CAPS = INDICES | {"fields", "include_unmapped"}

MONITOR_ROUTES: tuple[Route, ...] = (
    *(
        row
        for prefix in ("", "/{index}")
        for row in (
            Route("GET POST", f"{prefix}/_refresh", _refresh, INDICES, heavy=True),
            Route("GET POST", f"{prefix}/_flush", _flush, _FLUSH, heavy=True),
            Route("POST", f"{prefix}/_forcemerge", _merge, _MERGE, heavy=True),
            Route("POST", f"{prefix}/_cache/clear", _nothing, _CLEAR),
            Route("GET", f"{prefix}/_stats", stats, _STATS, heavy=True),
            Route("GET", f"{prefix}/_stats/{{metric}}", stats, _STATS, heavy=True),
            Route("GET POST", f"{prefix}/_field_caps", field_caps, _CAPS),
        )
    ),
    Route("GET", "/_resolve/index/{name}", resolve_index, INDICES),
    Route("POST", "/{index}/_antiphon/rebuild", _rebuild, INDICES, heavy=True),
    Route("GET", "/_plugins/_knn/warmup/{index}", _nothing, INDICES, heavy=True),
    *(
        Route("GET", f"/_plugins/_knn{node}/stats{stat}", knn_stats, frozenset({"timeout"}), heavy=True)
        for node in ("", "/{node_id}")
        for stat in ("", "/{stat}")
    ),
)

"""Handlers of the cluster: banner, health, settings, nodes, ``_cat``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from antiphon.errors import IllegalArgument
from antiphon.rest.call import Call, Reply
from antiphon.wire.cluster_settings import read_changes, write_acknowledged, write_settings

_PLUGINS = ("opensearch-knn", "opensearch-ml", "opensearch-neural-search")


def banner(call: Call) -> Reply:
    """Who is here. Clients read ``version.distribution`` and ``version.number``."""
    identity = call.identity
    return Reply(
        {
            "name": identity.node_name,
            "cluster_name": identity.cluster_name,
            "cluster_uuid": call.node.catalog.cluster_uuid(),
            "version": {
                "distribution": "opensearch",
                "number": identity.api_version,
                "build_type": "antiphon",
                "build_snapshot": False,
                "minimum_wire_compatibility_version": "2.19.0",
                "minimum_index_compatibility_version": "2.0.0",
                "antiphon": identity.version,
            },
            "tagline": "A query calls; a passage answers.",
        }
    )


def health(call: Call) -> Reply:
    """Always green: one node, no shards to lose."""
    return Reply(_health(call))


def get_settings(call: Call) -> Reply:
    """The cluster settings, nested unless ``flat_settings``."""
    current = call.node.configurator.current
    return Reply(
        write_settings(current, flat=call.flag("flat_settings"), include_defaults=call.flag("include_defaults"))
    )


def put_settings(call: Call) -> Reply:
    """Change cluster settings; all or nothing."""
    applied = call.node.configurator.change(read_changes(call.json()))
    return Reply(write_acknowledged(applied, flat=call.flag("flat_settings")))


def nodes(call: Call) -> Reply:
    """The one node."""
    node = {
        "name": call.identity.node_name,
        "version": call.identity.api_version,
        "roles": ["data", "ingest", "ml"],
        "plugins": [{"name": name, "version": call.identity.api_version} for name in _PLUGINS],
    }
    return Reply(
        {
            "_nodes": {"total": 1, "successful": 1, "failed": 0},
            "cluster_name": call.identity.cluster_name,
            "nodes": {call.node.catalog.node_id(): node},
        }
    )


def cat(_: Call) -> Reply:
    """Which ``_cat`` tables there are."""
    tables = "".join(f"/_cat/{name}\n" for name in ("health", "indices", "nodes", "plugins"))
    return Reply(f"=^.^=\n{tables}", media_type="text/plain; charset=UTF-8")


def cat_health(call: Call) -> Reply:
    """Health as a table."""
    shown = _health(call)
    row = {
        "cluster": shown["cluster_name"],
        "status": shown["status"],
        "node.total": shown["number_of_nodes"],
        "node.data": shown["number_of_data_nodes"],
        "shards": 0,
        "pri": 0,
        "relo": 0,
        "init": 0,
        "unassign": 0,
        "pending_tasks": 0,
        "active_shards_percent": "100.0%",
    }
    return _table(call, list(row), [row])


def cat_nodes(call: Call) -> Reply:
    """Nodes as a table."""
    row = {
        "ram.percent": round(call.node.ports.gauges.memory_percent()),
        "node.role": "dim",
        "node.roles": "data,ingest,ml",
        "cluster_manager": "*",
        "name": call.identity.node_name,
    }
    return _table(call, list(row), [row])


def cat_plugins(call: Call) -> Reply:
    """The plugins whose API is spoken, as a table."""
    rows = [
        {"name": call.identity.node_name, "component": name, "version": call.identity.api_version} for name in _PLUGINS
    ]
    return _table(call, ["name", "component", "version"], rows)


def cat_indices(call: Call) -> Reply:
    """The system indexes that hold something, as a table."""
    catalog = call.node.catalog
    counts = {
        ".plugins-ml-model": sum(1 for _ in catalog.models()),
        ".plugins-ml-model-group": sum(1 for _ in catalog.groups()),
        ".plugins-ml-task": sum(1 for _ in catalog.tasks()),
    }
    rows = [
        {"health": "green", "status": "open", "index": index, "pri": 1, "rep": 0, "docs.count": count}
        for index, count in counts.items()
        if count
    ]
    return _table(call, ["health", "status", "index", "pri", "rep", "docs.count"], rows)


def _health(call: Call) -> dict[str, Any]:
    return {
        "cluster_name": call.identity.cluster_name,
        "status": "green",
        "timed_out": False,
        "number_of_nodes": 1,
        "number_of_data_nodes": 1,
        "discovered_master": True,
        "discovered_cluster_manager": True,
        "active_primary_shards": 0,
        "active_shards": 0,
        "relocating_shards": 0,
        "initializing_shards": 0,
        "unassigned_shards": 0,
        "delayed_unassigned_shards": 0,
        "number_of_pending_tasks": 0,
        "number_of_in_flight_fetch": 0,
        "task_max_waiting_in_queue_millis": 0,
        "active_shards_percent_as_number": 100.0,
    }


def _table(call: Call, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Reply:
    """Return rows as OpenSearch's ``_cat`` does: aligned text, or JSON with ``format=json``."""
    asked = [name for name in call.query.get("h", "").split(",") if name] or list(columns)
    unknown = [name for name in asked if name not in columns]
    if unknown:
        raise IllegalArgument(f"[h] names the unknown column [{unknown[0]}]; this table has {list(columns)}")
    for name in reversed([word for word in call.query.get("s", "").split(",") if word]):
        key, _, direction = name.partition(":")
        if key not in columns:
            raise IllegalArgument(f"[s] names the unknown column [{key}]; this table has {list(columns)}")
        rows = sorted(rows, key=lambda row, key=key: str(row[key]), reverse=direction == "desc")  # type: ignore[misc]
    lines = [[str(row[name]) for name in asked] for row in rows]
    if call.query.get("format") == "json":
        return Reply([dict(zip(asked, line, strict=True)) for line in lines])
    if call.flag("v"):
        lines.insert(0, asked)
    widths = [max((len(line[place]) for line in lines), default=0) for place in range(len(asked))]
    text = [" ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return Reply("".join(f"{line}\n" for line in text), media_type="text/plain; charset=UTF-8")

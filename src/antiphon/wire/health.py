"""``_cluster/health`` and the health of each index."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from antiphon.domain.index import Index
from antiphon.domain.index_settings import replicas, setting_number

ORDER = ("green", "yellow", "red")


def index_status(index: Index, *, lost: bool = False) -> str:
    """Return green, yellow when replicas are wanted that one node cannot hold, red when the documents are ``lost``."""
    if lost:
        return "red"
    return "yellow" if replicas(index.settings) else "green"


def write_index_health(index: Index, *, lost: bool = False) -> dict[str, Any]:
    """Return one index of ``level=indices``."""
    primaries = setting_number(index.settings, "index.number_of_shards")
    copies = replicas(index.settings)
    active = 0 if lost else primaries
    return {
        "status": index_status(index, lost=lost),
        "number_of_shards": primaries,
        "number_of_replicas": copies,
        "active_primary_shards": active,
        "active_shards": active,
        "relocating_shards": 0,
        "initializing_shards": 0,
        "unassigned_shards": primaries * (1 + copies) - active,
    }


def write_health(
    cluster_name: str,
    indices: Sequence[Index],
    *,
    level: str = "cluster",
    timed_out: bool = False,
    missing: bool = False,
    lost: Callable[[Index], bool] = lambda _: False,
) -> dict[str, Any]:
    """Return the health of these indices, red when the documents of one are ``lost``, or with ``missing``: one that
    was named is not there.
    """
    each = {index.name: write_index_health(index, lost=lost(index)) for index in indices}
    active = sum(item["active_shards"] for item in each.values())
    unassigned = sum(item["unassigned_shards"] for item in each.values())
    status = max((item["status"] for item in each.values()), key=ORDER.index, default="green")
    health = {
        "cluster_name": cluster_name,
        "status": "red" if missing else status,
        "timed_out": timed_out,
        "number_of_nodes": 1,
        "number_of_data_nodes": 1,
        "discovered_master": True,
        "discovered_cluster_manager": True,
        "active_primary_shards": active,
        "active_shards": active,
        "relocating_shards": 0,
        "initializing_shards": 0,
        "unassigned_shards": unassigned,
        "delayed_unassigned_shards": 0,
        "number_of_pending_tasks": 0,
        "number_of_in_flight_fetch": 0,
        "task_max_waiting_in_queue_millis": 0,
        "active_shards_percent_as_number": 100.0 * active / (active + unassigned) if active + unassigned else 100.0,
    }
    if level == "shards":
        each = {name: item | {"shards": _shards(item)} for name, item in each.items()}
    return health | ({"indices": each} if level in ("indices", "shards") else {})


def _shards(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the shards of one index by number, for ``level=shards``: all are in the same state."""
    count = item["number_of_shards"]
    up = item["active_shards"] > 0
    one = {
        "status": item["status"],
        "primary_active": up,
        "active_shards": int(up),
        "relocating_shards": 0,
        "initializing_shards": 0,
        "unassigned_shards": item["unassigned_shards"] // count,
    }
    return {str(number): one for number in range(count)}

"""Handlers of the cluster: banner, health, state, settings, nodes."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from antiphon.domain.index_settings import LUCENE_VERSION
from antiphon.errors import IllegalArgument
from antiphon.rest.call import Call, Reply, Route
from antiphon.rest.index_options import INDICES, figures_of, index_options, shard_counts
from antiphon.rest.node_names import ROLES, means_this_node
from antiphon.wire.cluster_settings import read_changes, write_acknowledged, write_settings
from antiphon.wire.health import ORDER, write_health
from antiphon.wire.index import write_state
from antiphon.wire.index_stats import write_totals

_NODE_COUNT = re.compile(r"(?P<sign>[<>]=?)?(?P<count>[0-9]+)|(?P<word>ge|le|gt|lt)\((?P<inner>[0-9]+)\)")
_COMPARES: Mapping[str, Callable[[int, int], bool]] = {
    "": operator.eq, ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt,
    "ge": operator.ge, "le": operator.le, "gt": operator.gt, "lt": operator.lt,
}  # fmt: skip

_NODE_COUNTS = {
    "total": 1, **dict.fromkeys(ROLES, 1), "master": 1, "coordinating_only": 0, "remote_cluster_client": 0,
}  # fmt: skip
PLUGINS = ("opensearch-knn", "opensearch-ml", "opensearch-neural-search")


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
                "build_hash": identity.version,
                "build_date": identity.built,
                "build_snapshot": False,
                "lucene_version": LUCENE_VERSION,
                "minimum_wire_compatibility_version": "2.19.0",
                "minimum_index_compatibility_version": "2.0.0",
                "antiphon": identity.version,
            },
            "tagline": "A query calls; a passage answers.",
        }
    )


def health(call: Call) -> Reply:
    """The health of all indices, or of those named; 408 when it is worse than ``wait_for_status``.

    Nothing on one node makes replicas or missing indices appear, so that there is nothing to wait for.
    """
    wanted, level = call.query.get("wait_for_status", "red").lower(), call.query.get("level", "cluster")
    if wanted not in ORDER:
        raise IllegalArgument(f"unknown cluster health status [{wanted}]")
    options: dict[str, Any] = {"ignore_unavailable": True, "expand_wildcards": "open,closed"} | index_options(call)
    indices = [target.index for target in call.node.indices.resolve(call.params.get("index", ""), **options)]
    missing = any("*" not in word and word != "_all" and not call.node.indices.exists(word) for word in
                  call.words("index"))  # fmt: skip
    name, lost = call.identity.cluster_name, call.node.indices.lost
    status = write_health(name, indices, missing=missing, lost=lost)["status"]
    late = missing or ORDER.index(status) > ORDER.index(wanted) or not _enough_nodes(call)
    shown = write_health(name, indices, level=level, timed_out=late, missing=missing, lost=lost)
    return Reply(shown, 408 if late else 200)


def _enough_nodes(call: Call) -> bool:
    """True when the one node is what ``wait_for_nodes`` waits for: ``1``, ``>=1``, ``le(2)``, ..."""
    wanted = call.query.get("wait_for_nodes", "1")
    found = _NODE_COUNT.fullmatch(wanted)
    if found is None:
        raise IllegalArgument(f"Failed to parse [wait_for_nodes] with value [{wanted}]: send [1], [>=1] or [ge(1)]")
    return _COMPARES[found["sign"] or found["word"] or ""](1, int(found["count"] or found["inner"]))


def state(call: Call) -> Reply:
    """The definitions of the indices, as far as clients read them."""
    lenient: dict[str, Any] = {"expand_wildcards": "open,closed", "ignore_unavailable": True}
    targets = call.node.indices.resolve(call.params.get("index", ""), **(lenient | index_options(call)))
    node_id = call.node.catalog.node_id()
    metrics = call.words("metric") or ["_all"]
    everything: dict[str, dict[str, Any]] = {
        "cluster_manager_node": {"cluster_manager_node": node_id, "master_node": node_id},
        "nodes": {"nodes": {node_id: {"name": call.identity.node_name, "attributes": {}}}},
        "metadata": {
            "metadata": {
                "cluster_uuid": call.node.catalog.cluster_uuid(),
                "indices": {target.index.name: write_state(target.index) for target in targets},
            }
        },
        "blocks": {"blocks": {}},
        "version": {"version": 1, "state_uuid": call.node.catalog.cluster_uuid()},
    }
    parts = {"master_node": "cluster_manager_node"}
    wanted = list(everything) if "_all" in metrics else [parts.get(word, word) for word in metrics]
    shown: dict[str, Any] = {
        "cluster_name": call.identity.cluster_name, "cluster_uuid": call.node.catalog.cluster_uuid(),
    }  # fmt: skip
    for word in wanted:
        shown |= everything.get(word, {})
    return Reply(shown)


def stats(call: Call) -> Reply:
    """Totals over all indices."""
    indices = call.node.indices.all()
    figures = [found for index in indices if (found := figures_of(call, index)) is not None]
    primaries, _ = shard_counts(indices)
    return Reply(
        {
            "_nodes": {"total": 1, "successful": 1, "failed": 0},
            "cluster_name": call.identity.cluster_name,
            "cluster_uuid": call.node.catalog.cluster_uuid(),
            "timestamp": call.node.ports.clock(),
            "status": write_health("", indices, lost=call.node.indices.lost)["status"],
            "indices": {
                "count": len(indices),
                "shards": {"total": primaries, "primaries": primaries},
                **write_totals(figures, ("docs", "store", "segments")),
            },
            "nodes": {"count": _NODE_COUNTS, "versions": [call.identity.api_version]},
        }
    )  # fmt: skip


def pending_tasks(_: Call) -> Reply:
    """None: a change of the cluster is done when it is answered."""
    return Reply({"tasks": []})


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
    """The one node, when it is meant, and its parts by metric.

    ``http.publish_address`` is where sniffing clients go on.
    What stands alone behind ``_nodes`` is metrics when all of it can be, else names of nodes.
    """
    metrics, known = call.words("metric"), True
    if "metric" not in call.params and set(call.words("node_id")) <= _METRICS:
        metrics = call.words("node_id")
    else:
        known = means_this_node(call)
    address = call.host if ":" in call.host else call.identity.address
    node: dict[str, Any] = {
        "name": call.identity.node_name,
        "transport_address": address,
        "host": address.rpartition(":")[0],
        "ip": address.rpartition(":")[0],
        "version": call.identity.api_version,
        "build_type": "antiphon",
        "build_hash": call.identity.version,
        "roles": list(ROLES),
        "attributes": {},
    }
    parts: dict[str, Any] = {
        "http": {
            "bound_address": [address],
            "publish_address": address,
            "max_content_length_in_bytes": call.identity.max_body_bytes,
        },
        "plugins": [_plugin(name, call.identity.api_version) for name in PLUGINS],
    }
    everything = not metrics or "_all" in metrics
    node |= {name: part for name, part in parts.items() if everything or name in metrics}
    return Reply(
        {
            "_nodes": {"total": int(known), "successful": int(known), "failed": 0},
            "cluster_name": call.identity.cluster_name,
            "nodes": {call.node.catalog.node_id(): node} if known else {},
        }
    )


def _plugin(name: str, version: str) -> dict[str, Any]:
    """A plugin as typed clients want it: every key is there, and those that only Java has an answer to are empty."""
    return {
        "name": name, "version": version, "opensearch_version": version, "java_version": "", "classname": "",
        "description": f"what {name} does, by Antiphon", "custom_foldername": "", "extended_plugins": [],
        "has_native_controller": False,
    }  # fmt: skip


_OPTIONS = INDICES | {"flat_settings", "wait_for_metadata_version", "wait_for_timeout"}
_HEALTH = INDICES | {
    "wait_for_status", "level", "wait_for_nodes", "wait_for_no_relocating_shards", "wait_for_no_initializing_shards",
    "wait_for_events", "awareness_attribute",
}  # fmt: skip
_NODES = frozenset({"flat_settings", "timeout"})
_METRICS = frozenset({
    "settings", "os", "process", "jvm", "thread_pool", "transport", "http", "plugins", "ingest", "aggregations",
    "indices", "search_pipelines",
})  # fmt: skip
"""What OpenSearch tells of a node; of these there are ``http`` and ``plugins`` here."""

CLUSTER_ROUTES: tuple[Route, ...] = (
    Route("GET", "/_cluster/health", health, _HEALTH),
    Route("GET", "/_cluster/health/{index}", health, _HEALTH),
    Route("GET", "/_cluster/state", state, _OPTIONS),
    Route("GET", "/_cluster/state/{metric}", state, _OPTIONS),
    Route("GET", "/_cluster/state/{metric}/{index}", state, _OPTIONS),
    Route("GET", "/_cluster/stats", stats, _NODES, heavy=True),
    Route("GET", "/_cluster/stats/nodes/{node_id}", stats, _NODES, heavy=True),
    Route("GET", "/_cluster/pending_tasks", pending_tasks, _OPTIONS),
    Route("GET", "/_nodes", nodes, _NODES),
    Route("GET", "/_nodes/{node_id}", nodes, _NODES),
    Route("GET", "/_nodes/{node_id}/{metric}", nodes, _NODES),
)

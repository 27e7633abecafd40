"""Handlers of the ``_cat`` tables."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from antiphon.domain.index_settings import replicas, setting_number
from antiphon.errors import IllegalArgument
from antiphon.flows import SearchRequest
from antiphon.rest.call import Call, Reply, Route
from antiphon.rest.cluster import PLUGINS
from antiphon.rest.index_options import INDICES, figures_of, index_options, resolved
from antiphon.rest.node_names import means_this_node
from antiphon.wire.by_query import render_task
from antiphon.wire.cat import Column, TableOptions, columns, write_help, write_rows, write_text
from antiphon.wire.health import index_status, write_health
from antiphon.wire.template import write_index_template

_TEXT = "text/plain; charset=UTF-8"
_QUERY = frozenset({
    "v", "h", "s", "help", "bytes", "time", "local", "cluster_manager_timeout", "master_timeout", "full_id", "ts",
    "pri", "health", "include_unloaded_segments", "actions", "detailed", "nodes", "parent_task_id", "fields",
}) | INDICES  # fmt: skip

_TIME_UNITS = ("d", "h", "m", "s", "ms", "micros", "nanos")
"""What ``time`` may be. No column holds a duration, so that none is shown in it."""

Rows = Callable[[Call], Iterable[Mapping[str, Any]]]


def table(known: Sequence[Column], rows: Rows) -> Callable[[Call], Reply]:
    """Return the handler of a table: text, JSON, or its columns for ``help``."""

    def handler(call: Call) -> Reply:
        if call.flag("help"):
            return Reply(write_help(known), media_type=_TEXT)
        if (form := call.query.get("format", "text")) not in ("text", "json"):
            raise IllegalArgument(f"[format] {form} is not supported by Antiphon: tables are text or JSON")
        if (unit := call.query.get("time", "ms")) not in _TIME_UNITS:
            raise IllegalArgument(f"[time] must be one of {list(_TIME_UNITS)}, but was [{unit}]")
        picked = call.query.get("h", "") or ("" if call.flag("ts", default=True) else _untimed(known))
        options = TableOptions(picked, call.query.get("s", ""), call.flag("v"), call.query.get("bytes", ""))
        found = list(rows(call))
        if form == "json":
            return Reply(write_rows(known, found, options))
        return Reply(write_text(known, found, options), media_type=_TEXT)

    return handler


def _untimed(known: Sequence[Column]) -> str:
    """Return the usual columns without the time of the answer, as ``h`` spells them: what ``ts=false`` asks for."""
    return ",".join(column.name for column in known if not column.extra and column.name not in ("epoch", "timestamp"))


def overview(_: Call) -> Reply:
    """Which ``_cat`` tables there are."""
    paths = "".join(f"{route.path}\n" for route in CAT_ROUTES if route.path != "/_cat")
    return Reply(f"=^.^=\n{paths}", media_type=_TEXT)


def _now(call: Call) -> dict[str, Any]:
    seconds = call.node.ports.clock() // 1000
    return {"epoch": seconds, "timestamp": _time_of_day(seconds)}


def _time_of_day(seconds: int) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(seconds))


def _health(call: Call) -> Iterable[Mapping[str, Any]]:
    shown = write_health(call.identity.cluster_name, call.node.indices.all(), lost=call.node.indices.lost)
    yield _now(call) | {
        "cluster": shown["cluster_name"],
        "status": shown["status"],
        "node.total": 1,
        "node.data": 1,
        "discovered_cluster_manager": True,
        "shards": shown["active_shards"],
        "pri": shown["active_primary_shards"],
        "relo": 0,
        "init": 0,
        "unassign": shown["unassigned_shards"],
        "pending_tasks": 0,
        "max_task_wait_time": "-",
        "active_shards_percent": f"{shown['active_shards_percent_as_number']:.1f}%",
    }


def _indices(call: Call) -> Iterable[Mapping[str, Any]]:
    wanted = call.query.get("health")
    for index in sorted(resolved(call, expand_wildcards="open,closed"), key=lambda found: found.name):
        stats = figures_of(call, index)
        status = index_status(index, lost=call.node.indices.lost(index))
        if wanted and status != wanted:
            continue
        figures = (
            {}
            if stats is None
            else {
                "docs.count": stats.searchable,
                "docs.deleted": stats.deleted,
                "store.size": stats.store_bytes,
                "pri.store.size": stats.store_bytes,
            }
        )
        yield {
            "health": status,
            "status": "close" if index.closed else "open",
            "index": index.name,
            "uuid": index.uuid,
            "pri": setting_number(index.settings, "index.number_of_shards"),
            "rep": replicas(index.settings),
            "creation.date": index.created_ms,
            **figures,
        }
    if not call.params.get("index"):
        yield from _system_indices(call)


def _system_indices(call: Call) -> Iterable[Mapping[str, Any]]:
    """What OpenSearch's ML plugin keeps in indices of its own."""
    catalog = call.node.catalog
    counts = {
        ".plugins-ml-model": sum(1 for _ in catalog.models()),
        ".plugins-ml-model-group": sum(1 for _ in catalog.groups()),
        ".plugins-ml-task": sum(1 for _ in catalog.tasks()),
    }
    if call.query.get("health") in (None, "green"):
        for name, count in counts.items():
            if count:
                yield {"health": "green", "status": "open", "index": name, "pri": 1, "rep": 0, "docs.count": count}


def _count(call: Call) -> Iterable[Mapping[str, Any]]:
    request = SearchRequest(call.params.get("index", ""), {}, options=index_options(call))
    yield _now(call) | {"count": call.node.searcher.count(request).total}


def _nodes(call: Call) -> Iterable[Mapping[str, Any]]:
    yield {
        "ip": call.identity.address.rpartition(":")[0],
        "ram.percent": round(call.node.ports.gauges.memory_percent()),
        "node.role": "dim",
        "node.roles": "data,ingest,ml",
        "cluster_manager": "*",
        "name": call.identity.node_name,
    }


def _plugins(call: Call) -> Iterable[Mapping[str, Any]]:
    for name in PLUGINS:
        yield {"name": call.identity.node_name, "component": name, "version": call.identity.api_version}


def _aliases(call: Call) -> Iterable[Mapping[str, Any]]:
    names = call.words("name")
    for index in call.node.indices.all():
        for alias, value in index.aliases.items():
            if not names or any(Column(alias).answers_to(word) for word in names):
                writes = "-" if value.is_write_index is None else str(value.is_write_index).lower()
                yield {
                    "alias": alias,
                    "index": index.name,
                    "filter": "*" if value.filter else "-",
                    "routing.index": value.index_routing or "-",
                    "routing.search": value.search_routing or "-",
                    "is_write_index": writes,
                }


def _shards(call: Call) -> Iterable[Mapping[str, Any]]:
    for index in resolved(call, expand_wildcards="open,closed"):
        stats = figures_of(call, index)
        for shard in range(setting_number(index.settings, "index.number_of_shards")):
            first = stats if shard == 0 else None
            yield {
                "index": index.name,
                "shard": shard,
                "prirep": "p",
                "state": "UNASSIGNED" if call.node.indices.lost(index) else "STARTED",
                "docs": first.searchable if first else 0,
                "store": first.store_bytes if first else 0,
                "ip": call.identity.address.rpartition(":")[0],
                "node": call.identity.node_name,
            }
            for _ in range(replicas(index.settings)):
                yield {"index": index.name, "shard": shard, "prirep": "r", "state": "UNASSIGNED"}


def _segments(call: Call) -> Iterable[Mapping[str, Any]]:
    for index in resolved(call):
        stats = figures_of(call, index)
        if stats is not None:
            yield {
                "index": index.name, "shard": 0, "prirep": "p", "segments": stats.segments,
                "docs.count": stats.searchable, "docs.deleted": stats.deleted, "size": stats.store_bytes,
            }  # fmt: skip


def _templates(call: Call) -> Iterable[Mapping[str, Any]]:
    name, templates = call.params.get("name", "*"), call.node.indices.templates
    for key, item in templates.indexes(name).items():
        shown = write_index_template(item)
        yield {
            "name": key,
            "index_patterns": f"[{', '.join(item.index_patterns)}]",
            "order": item.priority or 0,
            "version": shown.get("version"),
            "composed_of": f"[{', '.join(item.composed_of)}]",
        }
    for key, held in templates.legacy(name).items():
        patterns = f"[{', '.join(held.index_patterns)}]"
        yield {
            "name": key, "index_patterns": patterns, "order": held.order, "version": held.version, "composed_of": "",
        }  # fmt: skip


def _allocation(call: Call) -> Iterable[Mapping[str, Any]]:
    if not means_this_node(call):
        return
    indices = call.node.indices.all()
    used = sum(stats.store_bytes for index in indices if (stats := figures_of(call, index)) is not None)
    yield {
        "shards": sum(setting_number(index.settings, "index.number_of_shards") for index in indices),
        "disk.indices": used,
        "disk.avail": call.node.ports.gauges.free_disk_bytes(),
        "host": call.identity.address.rpartition(":")[0],
        "ip": call.identity.address.rpartition(":")[0],
        "node": call.identity.node_name,
    }


def _cluster_manager(call: Call) -> Iterable[Mapping[str, Any]]:
    host = call.identity.address.rpartition(":")[0]
    yield {"id": call.node.catalog.node_id(), "host": host, "ip": host, "node": call.identity.node_name}


def _tasks(call: Call) -> Iterable[Mapping[str, Any]]:
    for task in call.node.background.running():
        shown = render_task(task, call.node.catalog.node_id(), call.node.ports.clock(), detailed=False)
        yield {
            "action": shown["action"],
            "task_id": call.node.background.task_id(task),
            "parent_task_id": "-",
            "type": shown["type"],
            "start_time": shown["start_time_in_millis"],
            "timestamp": _time_of_day(shown["start_time_in_millis"] // 1000),
            "running_time": f"{shown['running_time_in_nanos'] / 1e9:.1f}s",
            "ip": call.identity.address.rpartition(":")[0],
            "node": call.identity.node_name,
        }


_MANAGER = columns("id host,h ip node,n")
_TABLES: Mapping[str, tuple[Sequence[Column], Rows]] = {
    "health": (
        columns(
            "epoch,t,time timestamp,ts,hms,hhmmss cluster,cl status,st node.total,nt,nodeTotal node.data,nd,nodeData "
            "discovered_cluster_manager,dcm shards,t,sh,shards.total pri,p,shards.primary relo,r init,i unassign,u "
            "pending_tasks,pt max_task_wait_time,mtwt active_shards_percent,asp"
        ),
        _health,
    ),
    "indices": (
        [
            *columns("health,h status,s index,i,idx uuid,id pri,p,shards.primary rep,r,shards.replica"),
            *columns("docs.count,dc,docsCount docs.deleted,dd,docsDeleted"),
            *columns("store.size,ss,storeSize pri.store.size", size=True),
            *columns("creation.date,cd", extra=True),
        ],
        _indices,
    ),
    "count": (columns("epoch,t,time timestamp,ts,hms count,dc,docs.count"), _count),
    "nodes": (
        columns(
            "ip,i heap.percent,hp ram.percent,rp cpu load_1m,l load_5m load_15m node.role,r,role node.roles,rs "
            "cluster_manager,m,master name,n"
        ),
        _nodes,
    ),
    "plugins": (columns("name,n component,c version,v"), _plugins),
    "aliases": (
        columns("alias,a index,i,idx filter,f,fi routing.index,ri routing.search,rs is_write_index,w,isWriteIndex"),
        _aliases,
    ),
    "shards": (
        [
            *columns("index,i,idx shard,s,sh prirep,p,pr state,st docs,d,dc"),
            *columns("store,sto", size=True),
            *columns("ip node,n"),
        ],
        _shards,
    ),
    "segments": (
        [
            *columns("index,i,idx shard,s prirep,p segments,sc docs.count,dc docs.deleted,dd"),
            *columns("size,si", size=True),
        ],
        _segments,
    ),
    "templates": (columns("name,n index_patterns,t order,o,p version,v composed_of,c"), _templates),
    "allocation": (
        [
            *columns("shards,s"),
            *columns("disk.indices,di disk.avail,da", size=True),
            *columns("host,h ip node,n"),
        ],
        _allocation,
    ),
    "pending_tasks": (columns("insertOrder,o timeInQueue,t priority,p source,s"), lambda _: ()),
    "cluster_manager": (_MANAGER, _cluster_manager),
    "master": (_MANAGER, _cluster_manager),
    "tasks": (
        columns(
            "action,ac task_id,ti parent_task_id,pti type,ty start_time,start timestamp,ts,hms,hhmmss "
            "running_time,time ip,i node,n"
        ),
        _tasks,
    ),
    "nodeattrs": (columns("node,name host,h ip,i attr,attr.name value,attr.value"), lambda _: ()),
    "fielddata": (columns("id host,h ip node,n field,f size,s"), lambda _: ()),
    "segment_replication": (
        columns(
            "shardId,s target_node,tnode target_host,thost checkpoints_behind,cpb bytes_behind,bb current_lag,clag "
            "last_completed_lag,lcl rejected_requests,rr"
        ),
        lambda _: (),
    ),
}
_NARROWED = {
    "indices": "index", "count": "index", "shards": "index", "segments": "index", "aliases": "name",
    "templates": "name", "allocation": "node_id", "fielddata": "fields", "segment_replication": "index",
}  # fmt: skip

CAT_ROUTES: tuple[Route, ...] = (
    Route("GET", "/_cat", overview, text=True),
    *(
        Route("GET", f"/_cat/{name}{rest}", table(*_TABLES[name]), _QUERY, heavy=True, text=True)
        for name in _TABLES
        for rest in ("", *([f"/{{{_NARROWED[name]}}}"] if name in _NARROWED else []))
    ),
)

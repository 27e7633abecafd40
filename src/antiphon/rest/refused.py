"""Features of OpenSearch that are not here, refused by name."""

from __future__ import annotations

from antiphon.errors import IllegalArgument
from antiphon.rest.call import Call, Handler, Reply, Route

_LOCAL_ONLY = "Antiphon runs local embedding models only; use an OpenSearch cluster for it"

FEATURES = {
    "connectors": f"[connectors] and remote models are not supported: {_LOCAL_ONLY}",
    "agents": f"[agents] are not supported: {_LOCAL_ONLY}",
    "tools": f"[tools] are not supported: {_LOCAL_ONLY}",
    "memory": f"[memory] is not supported: {_LOCAL_ONLY}",
    "memory_containers": f"[memory_containers] are not supported: {_LOCAL_ONLY}",
    "mcp": f"[mcp] is not supported: {_LOCAL_ONLY}",
    "insights": f"[insights] are not supported: {_LOCAL_ONLY}",
    "_train": f"[_train] is not supported: {_LOCAL_ONLY}",
    "_train_predict": f"[_train_predict] is not supported: {_LOCAL_ONLY}",
    "_execute": f"[_execute] is not supported: {_LOCAL_ONLY}",
    "_batch_ingestion": f"[_batch_ingestion] is not supported: {_LOCAL_ONLY}",
}
"""First path segment below ``/_plugins/_ml`` -> what is said about it."""


_CLUSTER = "it belongs to an OpenSearch cluster"
_REINDEX = "create the new index and copy the documents with [_reindex]"
_COPY = "copy the data folder while the server is stopped, or copy the documents with [_reindex]"

ELSEWHERE = (
    ("rollover", "create the next index and move the alias with [_aliases]", ("/{index}/_rollover",)),
    ("shrink", _REINDEX, ("/{index}/_shrink",)),
    ("split", _REINDEX, ("/{index}/_split",)),
    ("clone", _REINDEX, ("/{index}/_clone",)),
    ("scale", "replicas and shards do nothing on one node", ("/{index}/_scale",)),
    ("data streams", "write to an index of your own name, or to an alias", ("/_data_stream",)),
    ("snapshots", _COPY, ("/_snapshot", "/_searchable_snapshots", "/_plugins/_sm", "/_cat/snapshots",
                          "/_cat/repositories")),
    ("segments", "use [_stats/segments] or [_cat/segments]", ("/_segments", "/{index}/_segments")),
    ("shard stores", "use [_cat/shards]", ("/_shard_stores", "/{index}/_shard_stores")),
    ("recovery", "there is one copy of each shard; use [_cluster/health]", ("/_recovery", "/{index}/_recovery",
                                                                            "/_cat/recovery")),
    ("synced flush", "use [_flush]", ("/_flush/synced", "/{index}/_flush/synced")),
    ("upgrade", "use [_antiphon/rebuild]", ("/_upgrade", "/{index}/_upgrade")),
    ("dangling indices", "data without a definition is dropped at start", ("/_dangling",)),
    ("reroute", _CLUSTER, ("/_cluster/reroute",)),
    ("voting configuration", _CLUSTER, ("/_cluster/voting_config_exclusions",)),
    ("allocation", "there is one node; use [_cluster/health]", ("/_cluster/allocation", "/_cluster/decommission",
                                                                "/_cluster/routing", "/_cluster/weights")),
    ("remote clusters", _CLUSTER, ("/_remote", "/_plugins/_replication")),
    ("remote store", _CLUSTER, ("/_remotestore",)),
    ("async search", "use [_search]", ("/_plugins/_asynchronous_search",)),
    ("sql", "use [_search] with the query DSL", ("/_plugins/_sql",)),
    ("ppl", "use [_search] with the query DSL", ("/_plugins/_ppl",)),
    ("trained k-NN models", "use a knn_vector field with method [hnsw] or [flat]", ("/_plugins/_knn/models",)),
    ("k-NN cache clearing", "vectors are memory-mapped, so that there is no cache", ("/_plugins/_knn/clear_cache",)),
    ("index state management", _CLUSTER, ("/_plugins/_ism", "/_ilm", "/_plugins/_im")),
    ("transforms", "use [_search] with aggregations", ("/_plugins/_transform", "/_plugins/_rollup")),
    ("security", "put a proxy that checks users in front", ("/_plugins/_security", "/_opendistro/_security")),
    ("alerting", _CLUSTER, ("/_plugins/_alerting", "/_plugins/_anomaly_detection")),
    ("notifications", _CLUSTER, ("/_plugins/_notifications",)),
    ("learning to rank", "use [hybrid] queries or a [rerank] pipeline", ("/_ltr",)),
    ("stored scripts", "send the script in the request; the recognised ones are documented", ("/_scripts",)),
    ("search templates", "send the query itself", ("/_search/template", "/{index}/_search/template",
                                                   "/_msearch/template", "/{index}/_msearch/template",
                                                   "/_render/template")),
    ("rank evaluation", "compare rankings in the client", ("/_rank_eval", "/{index}/_rank_eval")),
    ("segments of points in time", "use [_cat/segments]", ("/_cat/pit_segments",)),
    ("search shards", "an index is one shard on one node: use [_cat/shards]", ("/_search_shards",
                                                                               "/{index}/_search_shards")),
    ("rethrottling", "nothing is throttled; use [_tasks] to watch or cancel", tuple(
        f"/{name}/{{task_id}}/_rethrottle" for name in ("_update_by_query", "_delete_by_query", "_reindex"))),
    ("neural search statistics", "use [_plugins/_ml/stats]", ("/_plugins/_neural",)),
    ("script contexts", "there is no script language; the recognised scripts are documented", ("/_script_context",
                                                                                               "/_script_language")),
    ("thread pools", "use a profiler of the operating system", ("/_cat/thread_pool",)),
    ("hot threads", "use a profiler of the operating system", ("/_nodes/hot_threads", "/_nodes/{node_id}/hot_threads")),
    ("node statistics", "use [_stats], [_cat/nodes] or [_plugins/_ml/stats]", ("/_nodes/stats", "/_nodes/usage",
        "/_nodes/{node_id}/stats", "/_nodes/{node_id}/usage")),
    ("term vectors", "use [_analyze]", ("/{index}/_termvectors", "/{index}/_mtermvectors", "/_mtermvectors")),
)  # fmt: skip
"""What is refused, what to use instead, and the paths that ask for it (with everything below them)."""


def _refusing(feature: str, instead: str) -> Handler:
    def handler(_: Call) -> Reply:
        raise IllegalArgument(f"[{feature}] is not supported by Antiphon: {instead}")

    return handler


def refuse(feature: str) -> Handler:
    """Return the handler that refuses ``feature`` by name with 400."""

    def handler(_: Call) -> Reply:
        raise IllegalArgument(FEATURES[feature])

    return handler


REFUSED_ROUTES: tuple[Route, ...] = (
    *(
        Route("GET POST PUT DELETE", f"/_plugins/_ml/{feature}{rest}", refuse(feature))
        for feature in FEATURES
        for rest in ("", "/{rest:path}")
    ),
    *(
        Route("GET POST PUT DELETE", f"{path}{rest}", _refusing(feature, instead), any_query=True, any_media=True)
        for feature, instead, paths in ELSEWHERE
        for path in paths
        for rest in ("", "/{rest:path}")
    ),
)

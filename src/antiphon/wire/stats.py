"""``/_plugins/_ml/stats``: which counters a request wants, and how they print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from antiphon.domain.monitoring import NodeStats
from antiphon.errors import IllegalArgument
from antiphon.wire.fields import Fields
from antiphon.wire.model import KNOWN_FUNCTIONS

CLUSTER_STATS = (
    "ml_config_index_status", "ml_connector_count", "ml_connector_index_status", "ml_controller_index_status",
    "ml_model_count", "ml_model_index_status", "ml_task_index_status",
)  # fmt: skip
NODE_STATS = (
    "ml_jvm_heap_usage", "ml_executing_task_count", "ml_request_count", "ml_failure_count",
    "ml_deployed_model_count", "ml_circuit_breaker_trigger_count", "antiphon_double_prefix_count",
    "antiphon_truncated_text_count", "antiphon_truncated_token_count",
)  # fmt: skip
_LEVELS = ("cluster", "node", "algorithm", "model", "action")
_ACTIONS = ("deploy", "undeploy", "register", "predict", "batch_predict", "train", "train_predict", "execute")


@dataclass(frozen=True, slots=True)
class StatsRequest:
    """Which levels, counters, nodes, algorithms, models and actions; an empty tuple means all.

    ``nodes`` are those that the body names.
    """

    levels: tuple[str, ...] = ()
    stats: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    algorithms: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()

    def level(self, name: str) -> bool:
        """True when that level is wanted."""
        return not self.levels or name in self.levels


def read_stats(body: object, stats: Sequence[str]) -> tuple[StatsRequest, list[str]]:
    """Return what is asked for by path and body together; IllegalArgument for a word nobody knows."""
    fields = Fields(body, "stats")
    wanted = list(stats)
    for key in ("cluster_level_stats", "node_level_stats"):
        wanted += [word.lower() for word in fields.words(key) or ()]
    for stat in wanted:
        if stat not in CLUSTER_STATS and stat not in NODE_STATS:
            raise IllegalArgument(f"[stats] unknown stat [{stat}]; known are {list(CLUSTER_STATS + NODE_STATS)}")
    levels = tuple(word.lower() for word in fields.words("target_stat_levels") or ())
    for level in levels:
        if level not in _LEVELS:
            raise IllegalArgument(f"[target_stat_levels] must hold some of {list(_LEVELS)}, but holds [{level}]")
    algorithms, actions = (tuple(map(str.lower, fields.words(key) or ())) for key in ("algorithms", "actions"))
    for word in algorithms:
        if word.upper() not in KNOWN_FUNCTIONS:
            raise IllegalArgument(f"Wrong function name [{word}]")
    for word in actions:
        if word not in _ACTIONS:
            raise IllegalArgument(f"Wrong action name [{word}]; known are {list(_ACTIONS)}")
    request = StatsRequest(
        levels=(*levels, "algorithm", "model") if "action" in levels else levels,
        stats=tuple(wanted),
        nodes=fields.words("node_ids") or (),
        algorithms=algorithms,
        models=fields.words("models") or (),
        actions=actions,
    )
    fields.skip("action_level_stats")
    return request, fields.notices()


def render_stats(stats: NodeStats, request: StatsRequest, *, here: bool = True) -> dict[str, Any]:
    """Return the cluster counters and, under ``nodes``, this node's, if it is asked (``here``) and has any."""
    body = {key: value for key, value in _cluster(stats).items() if _wanted(key, request)}
    if not request.level("cluster"):
        body = {}
    node = _node(stats, request) if here else {}
    return body | ({"nodes": {stats.node_id: node}} if node else {})


def _wanted(key: str, request: StatsRequest) -> bool:
    return not request.stats or key in request.stats


def _cluster(stats: NodeStats) -> dict[str, Any]:
    return {
        "ml_config_index_status": "non-existent",
        "ml_connector_count": 0,
        "ml_connector_index_status": "non-existent",
        "ml_controller_index_status": "green" if stats.controller_count else "non-existent",
        "ml_model_count": stats.model_count,
        "ml_model_index_status": "green" if stats.model_count else "non-existent",
        "ml_task_index_status": "green" if stats.task_count else "non-existent",
    }


def _node(stats: NodeStats, request: StatsRequest) -> dict[str, Any]:
    node: dict[str, Any] = {}
    if request.level("node"):
        counters = (
            stats.memory_percent, stats.executing_tasks, stats.requests, stats.failures, stats.deployed_models,
            stats.breaker_trips, stats.doubled_prefixes, stats.truncated_texts, stats.truncated_tokens,
        )  # fmt: skip
        node = {key: value for key, value in zip(NODE_STATS, counters, strict=True) if _wanted(key, request)}
    if request.stats:
        return node
    if request.level("algorithm") and (not request.algorithms or "text_embedding" in request.algorithms):
        actions = {name: _action(*counts) for name, counts in stats.actions.items() if _named(name, request.actions)}
        if actions:
            node["algorithms"] = {"text_embedding": actions}
    if request.level("model"):
        models = {
            model_id: {name: _action(*counts) for name, counts in actions.items() if _named(name, request.actions)}
            for model_id, actions in stats.models.items()
            if _named(model_id, request.models)
        }
        if models:
            node["models"] = models
    return node


def _named(name: str, wanted: tuple[str, ...]) -> bool:
    return not wanted or name in wanted


def _action(requests: int, failures: int | None) -> dict[str, int]:
    counted = {} if failures is None else {"ml_action_failure_count": failures}
    return {"ml_action_request_count": requests} | counted

"""The cluster settings: which keys exist, how a change is checked, and the values in force.

The keys, defaults and ranges are those of ML Commons and OpenSearch; ``antiphon.*`` is ours. A setting whose row
does not say ``acts`` is accepted, stored and shown, and changes nothing: a cluster of one process has no shards to
move, no remote models and no agents. Defaults of remote-only lists are empty here, as nothing remote is trusted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from antiphon.domain import setting as parse
from antiphon.domain.pattern import star_pattern
from antiphon.domain.role import DoublePrefix
from antiphon.domain.setting import Mutability, Setting, SettingType, SettingValue
from antiphon.errors import SettingsError

ML = "plugins.ml_commons."
DOUBLE_PREFIX = "antiphon.double_prefix"

_TRUSTED_URL = (
    "^(https?|ftp|file)://"
    "[-a-zA-Z0-9+&@#/%?=~_|!:,.;]*[-a-zA-Z0-9+&@#/%=~_|]"
)  # fmt: skip


def _switches(default: str, prefix: str, names: str, **kind: Any) -> Iterator[Setting]:
    return (Setting(prefix + name, SettingType.BOOLEAN, default, **kind) for name in names.split())


def _count(key: str, default: int, low: int | None = None, high: int | None = None, **kind: Any) -> Setting:
    return Setting(key, SettingType.INTEGER, str(default), low, high, **kind)


def _one_of(key: str, *choices: str, **kind: Any) -> Setting:
    return Setting(key, SettingType.CHOICE, choices[0], choices=choices, **kind)


def _ours() -> Iterator[Setting]:
    yield _one_of(DOUBLE_PREFIX, *(choice.value for choice in DoublePrefix), acts=True)


def _ml_local() -> Iterator[Setting]:
    yield from _switches(
        "false", ML, "allow_registering_model_via_url allow_registering_model_via_local_file "
        "allow_custom_deployment_plan", acts=True,
    )  # fmt: skip
    yield from _switches("true", ML, "model_auto_redeploy.enable local_model.enabled controller_enabled", acts=True)
    yield _count(ML + "model_auto_redeploy.lifetime_retry_times", 3, 0, acts=True)
    yield Setting(ML + "trusted_url_regex", SettingType.REGEX, _TRUSTED_URL, acts=True)
    yield _count(ML + "jvm_heap_memory_threshold", 85, 0, 100, acts=True)
    yield Setting(ML + "disk_free_space_threshold", SettingType.BYTES, "5368709120b", acts=True)
    yield _count(ML + "max_model_on_node", 10, 0, 10_000, acts=True)
    yield _count(ML + "max_register_model_tasks_per_node", 10, 0, 10, acts=True)
    yield _count(ML + "max_deploy_model_tasks_per_node", 10, 0, 10, acts=True)
    yield _count(ML + "sync_up_job_interval_in_seconds", 10, 0, 86_400, acts=True)
    yield _count(ML + "ml_task_timeout_in_seconds", 600, 1, 86_400, acts=True)
    yield _count(ML + "monitoring_request_count", 100, 0, 10_000_000, acts=True)


def _ml_cluster() -> Iterator[Setting]:
    yield from _switches("true", ML, "only_run_on_ml_node")
    yield from _switches("false", ML, "model_access_control_enabled safe_delete_model")
    yield Setting(ML + "task_dispatcher.eligible_node_role.local_model", SettingType.WORDS, ["data", "ml"])
    yield Setting(ML + "task_dispatcher.eligible_node_role.remote_model", SettingType.WORDS, ["data", "ml"])
    yield Setting(ML + "exclude_nodes._name", SettingType.WORDS, "")
    yield _one_of(ML + "task_dispatch_policy", "round_robin", "least_load")
    yield _count(ML + "native_memory_threshold", 90, 0, 100)
    yield _count(ML + "max_ml_task_per_node", 10, 0, 10_000)
    yield Setting(ML + "model_auto_redeploy_success_ratio", SettingType.FLOAT, "0.8", 0.0, 1.0)
    yield _count(ML + "max_json_size", 100_000_000, 1)
    yield _count(ML + "master_key_cache_ttl_minutes", 5, mutability=Mutability.STATIC)
    yield from _switches("false", ML, "multi_tenancy_enabled", mutability=Mutability.STATIC)
    yield from _switches("false", ML, "metrics_collection_enabled", mutability=Mutability.FINAL)
    yield Setting(ML + "global_tenant_id", SettingType.TEXT, "", mutability=Mutability.FINAL)
    yield Setting(ML + "remote_metadata_*", SettingType.TEXT, "", mutability=Mutability.FINAL)


def _ml_remote() -> Iterator[Setting]:
    yield from _switches(
        "true", ML, "model_auto_deploy.enable remote_inference.enabled offline_batch_inference_enabled "
        "offline_batch_ingestion_enabled agent_framework_enabled memory_feature_enabled rag_pipeline_feature_enabled "
        "agentic_memory_enabled execute_tools_enabled",
    )  # fmt: skip
    yield from _switches(
        "false", ML, "connector_access_control_enabled connector.private_ip_enabled enable_inhouse_python_model "
        "stream_enabled mcp_connector_enabled mcp_server_enabled mcp_header_passthrough_enabled ag_ui_enabled "
        "unified_agent_api_enabled agentic_search_template_enabled index_insight_feature_enabled "
        "metrics_static_collection_enabled remote_agentic_memory_enabled",
    )  # fmt: skip
    yield Setting(ML + "trusted_connector_endpoints_regex", SettingType.REGEXES, [])
    yield Setting(ML + "trusted_connector_private_endpoints_regex", SettingType.REGEXES, [])
    yield Setting(ML + "connector.restricted_ip_patterns", SettingType.WORDS, [], mutability=Mutability.FINAL)
    yield _count(ML + "max_batch_inference_tasks", 100, 0, 10_000)
    yield _count(ML + "max_batch_ingestion_tasks", 100, 0, 10_000)
    yield _count(ML + "batch_ingestion_bulk_size", 500, 100, 100_000)
    yield Setting(ML + "remote_job.status_field", SettingType.WORDS, [])
    for state in ("completed", "cancelled", "cancelling", "expired", "failed"):
        yield Setting(f"{ML}remote_job.status_regex.{state}", SettingType.REGEXES, [])
    yield Setting(ML + "memory.retention_*", SettingType.TEXT, "")


def _allocation() -> Iterator[Setting]:
    prefix = "cluster.routing.allocation."
    yield _one_of(prefix + "enable", "all", "primaries", "new_primaries", "none")
    yield _one_of("cluster.routing.rebalance.enable", "all", "primaries", "replicas", "none")
    yield _one_of(prefix + "allow_rebalance", "indices_all_active", "indices_primaries_active", "always")
    yield _count(prefix + "cluster_concurrent_rebalance", 2, -1)
    yield _count(prefix + "node_concurrent_recoveries", 2, 0)
    yield _count(prefix + "node_initial_primaries_recoveries", 4, 0)
    yield _count(prefix + "total_shards_per_node", -1, -1)
    yield from _switches("true", prefix, "disk.threshold_enabled")
    yield Setting(prefix + "disk.watermark.low", SettingType.TEXT, "85%")
    yield Setting(prefix + "disk.watermark.high", SettingType.TEXT, "90%")
    yield Setting(prefix + "disk.watermark.flood_stage", SettingType.TEXT, "95%")
    yield Setting(prefix + "awareness.attributes", SettingType.WORDS, [])
    for rule in ("include", "exclude", "require"):
        yield Setting(f"{prefix}{rule}.*", SettingType.TEXT, "")


def _core() -> Iterator[Setting]:
    yield from _allocation()
    yield Setting("action.auto_create_index", SettingType.TEXT, "true", acts=True)
    yield from _switches("false", "", "action.destructive_requires_name compatibility.override_main_response_version")
    yield _count("cluster.max_shards_per_node", 1000, 1)
    yield Setting("cluster.info.update.interval", SettingType.TIME, "30s")
    yield from _switches("true", "", "cluster.indices.close.enable search.default_allow_partial_results")
    yield from _switches("true", "", "search.allow_expensive_queries knn.memory.circuit_breaker.enabled")
    yield Setting("indices.recovery.max_bytes_per_sec", SettingType.BYTES, "40mb")
    yield Setting("indices.breaker.total.limit", SettingType.TEXT, "95%")
    yield Setting("indices.breaker.fielddata.limit", SettingType.TEXT, "40%")
    yield Setting("indices.breaker.request.limit", SettingType.TEXT, "60%")
    yield _count("indices.query.bool.max_clause_count", 1024, 1)
    yield _count("search.max_buckets", 65_535, 0)
    yield _count("search.max_open_scroll_context", 500, 0, acts=True)
    yield Setting("search.default_search_timeout", SettingType.TIME, "-1")
    yield Setting("search.default_keep_alive", SettingType.TIME, "5m")
    yield Setting("search.max_keep_alive", SettingType.TIME, "24h")
    yield Setting("script.max_compilations_rate", SettingType.TEXT, "75/5m")
    yield Setting("knn.memory.circuit_breaker.limit", SettingType.TEXT, "50%")
    yield _count("knn.algo_param.index_thread_qty", 1, 1, 32)
    yield from _switches("false", "plugins.neural_search.", "stats_enabled")
    yield Setting("logger.*", SettingType.TEXT, "")


TABLE: Mapping[str, Setting] = {
    row.key: row for source in (_ours, _ml_local, _ml_cluster, _ml_remote, _core) for row in source()
}
"""Every known setting by its key; families end in ``*``."""

_FAMILIES = tuple(row for row in TABLE.values() if row.family)


def find(key: str) -> Setting | None:
    """Return the row that governs ``key``: its own, or that of its family; None when there is none."""
    if key.endswith("*"):
        return None
    return TABLE.get(key) or next(
        (row for row in _FAMILIES if key.startswith(row.key[:-1]) and key != row.key[:-1]), None
    )


def validate(
    section: str, changes: Mapping[str, SettingValue | None], stored: Mapping[str, Any]
) -> dict[str, SettingValue | None]:
    """Return the changes to a section key by key, None for a key to reset, or raise at the first that is not legal.

    ``section`` is ``persistent`` or ``transient`` and appears in the messages; ``stored`` is what it holds now: a
    key with ``*`` and None resets every stored key it matches, before other changes apply. SettingsError for an
    unknown, static or final key; IllegalArgument or ParseError for a value that does not fit.
    """
    resets = [key for key, value in changes.items() if value is None and key.endswith("*")]
    checked: dict[str, SettingValue | None] = {
        key: None for key in stored if any(_matches(pattern, key) for pattern in resets)
    }
    for key, value in changes.items():
        if key in resets:
            continue
        if value is not None or key not in stored:
            _check(section, key, value)
        checked[key] = value
    return checked


def _check(section: str, key: str, value: SettingValue | None) -> None:
    row = find(key)
    if row is None:
        raise SettingsError(f"{section} setting [{key}], not recognized")
    if row.mutability is Mutability.FINAL:
        raise SettingsError(f"final {section} setting [{key}], not updateable")
    if row.mutability is Mutability.STATIC:
        raise SettingsError(f"{section} setting [{key}], not dynamically updateable")
    if value is not None:
        row.check(key, value)


def _matches(pattern: str, key: str) -> bool:
    return star_pattern(pattern).fullmatch(key) is not None


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """The values in force: transient before persistent before default. Both maps hold flat keys to values."""

    persistent: Mapping[str, Any] = field(default_factory=dict)
    transient: Mapping[str, Any] = field(default_factory=dict)

    def get(self, key: str) -> SettingValue:
        """Return the value as stored, or the default; KeyError for a key that no row governs."""
        for section in (self.transient, self.persistent):
            if key in section:
                value: SettingValue = section[key]
                return value
        row = find(key)
        if row is None:
            raise KeyError(key)
        return row.default

    def flag(self, key: str) -> bool:
        """Return a boolean setting."""
        return parse.boolean(self.get(key))

    def number(self, key: str) -> float:
        """Return an integer or float setting."""
        return parse.floating(key, self.get(key))

    def text(self, key: str) -> str:
        """Return a text, choice or regex setting."""
        value = self.get(key)
        return value if isinstance(value, str) else ",".join(value)

    def words(self, key: str) -> tuple[str, ...]:
        """Return a list setting."""
        return parse.words(self.get(key))

    def size_bytes(self, key: str) -> int:
        """Return a byte-size setting in bytes; -1 where it is switched off."""
        return parse.size_bytes(key, self.get(key))

    def defaults(self) -> dict[str, SettingValue]:
        """Return the default of every setting that neither section holds; families have none."""
        held = self.transient.keys() | self.persistent.keys()
        return {key: row.default for key, row in TABLE.items() if not row.family and key not in held}

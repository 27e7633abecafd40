"""How the documents of models, groups and tasks are searched: the mappings of ML Commons' own indices (3.6)."""

from __future__ import annotations

from typing import Any

_KEYWORD = {"type": "keyword"}
_DATE = {"type": "date", "format": "strict_date_time||epoch_millis"}
_NAMED = {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}}
_TEXT, _INTEGER, _LONG, _BOOLEAN, _FLAT = (
    {"type": kind} for kind in ("text", "integer", "long", "boolean", "flat_object")
)

MODELS: dict[str, Any] = {
    "name": _NAMED,
    "description": _TEXT,
    **dict.fromkeys(
        ("algorithm", "model_id", "model_group_id", "model_version", "model_format", "model_state",
         "model_content_hash_value", "planning_worker_nodes", "tenant_id"), _KEYWORD,
    ),
    **dict.fromkeys(
        ("created_time", "last_updated_time", "last_registered_time", "last_deployed_time", "last_undeployed_time"),
        _DATE,
    ),
    **dict.fromkeys(("model_content_size_in_bytes", "chunk_number", "total_chunks"), _LONG),
    **dict.fromkeys(
        ("planning_worker_node_count", "current_worker_node_count", "auto_redeploy_retry_times"), _INTEGER
    ),
    **dict.fromkeys(("deploy_to_all_nodes", "is_enabled", "is_hidden", "is_controller_enabled"), _BOOLEAN),
    **dict.fromkeys(("deploy_setting", "rate_limiter", "interface"), _FLAT),
    "model_config": {
        "properties": {
            **dict.fromkeys(("model_type", "framework_type", "pooling_mode"), _KEYWORD),
            **dict.fromkeys(("embedding_dimension", "model_max_length"), _INTEGER),
            "normalize_result": _BOOLEAN,
            "all_config": _TEXT,
            "additional_config": _FLAT,
        }
    },
}  # fmt: skip
GROUPS: dict[str, Any] = {
    "name": _NAMED,
    "description": _TEXT,
    **dict.fromkeys(("access", "model_group_id", "tenant_id"), _KEYWORD),
    **dict.fromkeys(("created_time", "last_updated_time"), _DATE),
    "latest_version": _INTEGER,
}
TASKS: dict[str, Any] = {
    **dict.fromkeys(
        ("model_id", "task_type", "function_name", "state", "input_type", "output_index", "worker_node", "tenant_id"),
        _KEYWORD,
    ),
    **dict.fromkeys(("create_time", "last_update_time"), _DATE),
    "progress": {"type": "float"},
    "error": _TEXT,
    "is_async": _BOOLEAN,
    **dict.fromkeys(("remote_job", "response"), _FLAT),
}

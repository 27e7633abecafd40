"""Models: register, meta and update bodies, and the model document."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from enum import StrEnum
from typing import Any, TypeVar

from antiphon.domain.model import MAX_CHUNKS, DeploySetting, Model, ModelFormat, RateLimiter
from antiphon.domain.names import check_custom_id, text_problems
from antiphon.domain.package import BuiltPackage
from antiphon.domain.registration import ModelChange, ModelRegistration
from antiphon.errors import IllegalArgument, ParseError, StatusError, ValidationError
from antiphon.wire.fields import Fields, without_nulls
from antiphon.wire.model_config import read_config, read_config_change, render_config
from antiphon.wire.model_group import refuse_access_fields

_REMOTE_FIELDS = ("connector", "connector_id", "guardrails")
KNOWN_FUNCTIONS = (
    "TEXT_EMBEDDING", "SPARSE_ENCODING", "SPARSE_TOKENIZE", "TEXT_SIMILARITY", "QUESTION_ANSWERING", "REMOTE", "KMEANS",
    "LINEAR_REGRESSION", "LOGISTIC_REGRESSION", "RCF_SUMMARIZE", "BATCH_RCF", "FIT_RCF", "LOCAL_SAMPLE_CALCULATOR",
    "ANOMALY_LOCALIZATION", "METRICS_CORRELATION", "AGENT", "CONNECTOR", "QUERY_UNDERSTANDING",
)  # fmt: skip
_Enum = TypeVar("_Enum", bound=StrEnum)


def check_function(word: str) -> None:
    """Accept TEXT_EMBEDDING in any case; IllegalArgument naming any other algorithm."""
    upper = word.upper()
    if upper == "TEXT_EMBEDDING":
        return
    if upper in KNOWN_FUNCTIONS:
        raise IllegalArgument(
            f"[function_name] {upper} is not supported by Antiphon, which runs TEXT_EMBEDDING models only; "
            "use an OpenSearch cluster for it"
        )
    raise IllegalArgument(f"Wrong function name [{word}]; Antiphon runs [TEXT_EMBEDDING]")


def read_registration(body: object, *, deploy: bool = False) -> tuple[ModelRegistration, list[str]]:
    """Return the model asked for by ``POST /models/_register``, and notices about ignored fields."""
    fields = Fields(body, "model registration")
    name = fields.text("name")
    if name is None:
        raise IllegalArgument("model name is null")
    registration = _read_common(fields, name, exact_case=False)
    url = fields.text("url")
    if url is not None and registration.model_config is None:
        raise IllegalArgument("model config is null")
    problems = text_problems("Model name", name, required=True)
    problems += text_problems("Model description", registration.description)
    if problems:
        raise ValidationError(*problems)
    node_ids = fields.words("model_node_ids") or ()
    asked = replace(registration, url=url, deploy=deploy, model_node_ids=node_ids, total_chunks=None)
    return asked, fields.notices()


def read_meta(body: object) -> tuple[ModelRegistration, list[str]]:
    """Return the model asked for by ``POST /models/_register_meta``, and notices about ignored fields."""
    fields = Fields(body, "model meta")
    name = fields.text("name")
    if name is None:
        raise IllegalArgument("model name is null")
    registration = _read_common(fields, name, exact_case=True)
    fields.skip("model_state")
    if registration.model_config is None:
        raise IllegalArgument("model config is null")
    if registration.model_content_hash_value is None:
        raise IllegalArgument("model content hash value is null")
    if registration.total_chunks is None:
        raise IllegalArgument("total chunks field is null")
    if not 1 <= registration.total_chunks <= MAX_CHUNKS:
        raise IllegalArgument(f"[total_chunks] must be from 1 to {MAX_CHUNKS}, but was {registration.total_chunks}")
    return registration, fields.notices()


def _read_common(fields: Fields, name: str, *, exact_case: bool) -> ModelRegistration:
    for key in _REMOTE_FIELDS:
        if fields.raw(key) is not None:
            raise IllegalArgument(
                f"[{key}] is not supported: Antiphon runs local embedding models only, no connectors or remote models"
            )
    function = fields.text("function_name")
    check_function("TEXT_EMBEDDING" if function is None else function)
    word = fields.text("model_format")
    if word is None:
        raise IllegalArgument("model format is null")
    model_format = _read_enum(ModelFormat, word if exact_case else word.upper(), "Wrong model format")
    if model_format is not ModelFormat.ONNX:
        raise IllegalArgument(
            "[model_format] TORCH_SCRIPT is not supported by Antiphon: export the model as ONNX "
            "(`antiphon model build SOURCE -o FILE.zip` makes the zip) and send [ONNX]"
        )
    config, limiter = fields.nested("model_config"), fields.nested("rate_limiter")
    model_id = fields.text("model_id")
    if model_id is not None:
        check_custom_id("model id", model_id)
    refuse_access_fields(fields)
    fields.skip(
        "version", "model_task_type", "created_time", "is_hidden", "tenant_id", "provisioned_by", "last_updated_time",
        "model_config_json",
    )  # fmt: skip
    return ModelRegistration(
        name=name,
        model_format=model_format,
        model_config=None if config is None else read_config(config, explicit=fields.raw("function_name") is not None),
        model_content_hash_value=(fields.text("model_content_hash_value") or "").strip().lower() or None,
        total_chunks=fields.integer("total_chunks"),
        model_content_size_in_bytes=fields.integer("model_content_size_in_bytes"),
        description=fields.text("description"),
        model_group_id=fields.text("model_group_id") or None,
        model_id=model_id,
        is_enabled=fields.boolean("is_enabled"),
        rate_limiter=None if limiter is None else RateLimiter.of(read_limit(limiter, "rate_limiter")),
        deploy_setting=_read_deploy_setting(fields.nested("deploy_setting")),
        interface=_read_interface(fields.nested("interface")),
    )


def read_change(body: object) -> tuple[ModelChange, list[str]]:
    """Return what ``PUT /models/{id}`` changes, and notices about ignored fields."""
    fields = Fields(body, "model update")
    for key in _REMOTE_FIELDS[:2]:
        if fields.raw(key) is not None:
            raise StatusError("Trying to update the connector or connector_id field on a local model.", status=400)
    config, limiter = fields.nested("model_config"), fields.nested("rate_limiter")
    change = ModelChange(
        name=fields.text("name"),
        description=fields.text("description"),
        model_group_id=fields.text("model_group_id") or None,
        is_enabled=fields.boolean("is_enabled"),
        rate_limiter=None if limiter is None else read_limit(limiter, "rate_limiter"),
        deploy_setting=_read_deploy_setting(fields.nested("deploy_setting")),
        interface=_read_interface(fields.nested("interface")),
        model_config=None if config is None else read_config_change(config),
    )
    problems = text_problems("Model Name", change.name, required=change.name is not None)
    problems += text_problems("Model Description", change.description)
    if problems:
        raise ValidationError(*problems)
    return change, fields.notices()


def render_model(model: Model) -> dict[str, Any]:
    """Return the model document in ML Commons' field order, null fields left out.

    ``model_id`` is always there: clients that look for chunk documents to learn ids find it on the model itself.
    """
    return without_nulls(
        [
            ("name", model.name),
            ("model_group_id", model.model_group_id),
            ("algorithm", model.algorithm),
            ("model_version", model.model_version),
            ("description", model.description),
            ("model_format", model.model_format),
            ("model_state", model.model_state),
            ("model_content_size_in_bytes", model.model_content_size_in_bytes),
            ("model_content_hash_value", model.model_content_hash_value),
            ("model_config", None if model.model_config is None else render_config(model.model_config)),
            ("deploy_setting", _render_deploy_setting(model.deploy_setting)),
            ("is_enabled", model.is_enabled),
            ("is_controller_enabled", model.is_controller_enabled),
            ("rate_limiter", None if model.rate_limiter is None else render_rate_limiter(model.rate_limiter)),
            ("created_time", model.created_time),
            ("last_updated_time", model.last_updated_time),
            ("last_registered_time", model.last_registered_time),
            ("last_deployed_time", model.last_deployed_time),
            ("last_undeployed_time", model.last_undeployed_time),
            ("model_id", model.model_id),
            ("auto_redeploy_retry_times", model.auto_redeploy_retry_times),
            ("total_chunks", model.total_chunks),
            ("planning_worker_node_count", model.planning_worker_node_count),
            ("current_worker_node_count", model.current_worker_node_count),
            ("planning_worker_nodes", list(model.planning_worker_nodes) or None),
            ("deploy_to_all_nodes", model.deploy_to_all_nodes or None),
            ("is_hidden", model.is_hidden),
            ("interface", model.interface),
        ]
    )


def render_registration(package: BuiltPackage, url: str | None = None) -> dict[str, Any]:
    """Return the exact ``_register`` body for a built package; ``url`` is where the server will find the zip."""
    manifest = package.manifest
    body: dict[str, Any] = {
        "name": manifest.name,
        "version": "1.0.0",
        "description": manifest.description,
        "function_name": "TEXT_EMBEDDING",
        "model_format": "ONNX",
        "model_content_size_in_bytes": package.size_bytes,
        "model_content_hash_value": package.sha256,
        "model_config": render_config(manifest.config),
    }
    return body if url is None else body | {"url": url}


def _read_enum(kind: type[_Enum], word: str, problem: str) -> _Enum:
    try:
        return kind(word)
    except ValueError:
        raise IllegalArgument(f"{problem} [{word}]; legal are {[item.value for item in kind]}") from None


def read_limit(body: object, where: str) -> dict[str, Any]:
    """Return the keys ``limit`` and ``unit`` that were sent, typed as in ``RateLimiter``.

    ParseError for a limit that is no number, negative or endless, IllegalArgument for a unit nobody knows.
    """
    fields = Fields(body, where)
    limit, unit = fields.text("limit"), fields.text("unit")
    sent: dict[str, Any] = {}
    if limit is not None:
        sent["limit"] = _limit(limit)
    if unit is not None:
        if unit not in RateLimiter.UNITS:
            raise IllegalArgument(f"Wrong rate limiter unit [{unit}]; legal are {list(RateLimiter.UNITS)}")
        sent["unit"] = unit
    return sent


def _limit(word: str) -> float:
    try:
        limit = float(word)
    except ValueError:
        limit = math.nan
    if not 0 <= limit < math.inf:
        raise ParseError("Limit field must be a positive number.")
    return limit


def render_rate_limiter(limiter: RateLimiter) -> dict[str, str]:
    """Return the limiter with its limit as text, in full: ``4``, ``1000000``, ``0.5``."""
    limit = limiter.limit
    return {"limit": str(int(limit)) if limit.is_integer() and limit < 1e15 else repr(limit), "unit": limiter.unit}


def _read_deploy_setting(body: dict[str, Any] | None) -> DeploySetting | None:
    if body is None:
        return None
    fields = Fields(body, "deploy_setting")
    ttl = fields.integer("model_ttl_minutes")
    return DeploySetting(fields.boolean("is_auto_deploy_enabled"), -1 if ttl is None else ttl)


def _render_deploy_setting(setting: DeploySetting | None) -> dict[str, Any] | None:
    if setting is None:
        return None
    return without_nulls(
        [
            ("is_auto_deploy_enabled", setting.is_auto_deploy_enabled),
            ("model_ttl_minutes", setting.model_ttl_minutes),
        ]
    )


def _read_interface(body: dict[str, Any] | None) -> dict[str, str] | None:
    """Return the schemas as JSON text, as they are kept and shown; an object is spelled compactly."""
    if body is None:
        return None
    interface: dict[str, str] = {}
    for key, schema in body.items():
        if key not in ("input", "output"):
            raise IllegalArgument(f"[interface] takes [input] and [output], but holds [{key}]")
        interface[key] = schema if isinstance(schema, str) else json.dumps(schema, separators=(",", ":"))
    return interface

"""What a client asks for when it registers or changes a group or a model: checked, typed, not yet carried out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from antiphon.domain.model import DeploySetting, ModelConfig, ModelFormat, RateLimiter


@dataclass(frozen=True, slots=True)
class GroupRegistration:
    """A new model group; ``model_group_id`` is a caller-chosen id."""

    name: str
    description: str | None = None
    model_group_id: str | None = None


@dataclass(frozen=True, slots=True)
class GroupChange:
    """New values for a group; None leaves a value."""

    name: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class ModelRegistration:
    """A new model: by ``url``, or by chunks when ``total_chunks`` is given. The hash is lower-case hex SHA-256."""

    name: str
    model_format: ModelFormat
    model_config: ModelConfig | None = None
    url: str | None = None
    model_content_hash_value: str | None = None
    total_chunks: int | None = None
    model_content_size_in_bytes: int | None = None
    description: str | None = None
    model_group_id: str | None = None
    model_id: str | None = None
    is_enabled: bool | None = None
    rate_limiter: RateLimiter | None = None
    deploy_setting: DeploySetting | None = None
    interface: dict[str, Any] | None = None
    model_node_ids: tuple[str, ...] = ()
    deploy: bool = False


@dataclass(frozen=True, slots=True)
class ModelChange:
    """New values for a model; None leaves a value.

    ``model_config``, ``rate_limiter`` and ``interface`` hold only the keys that were sent.
    """

    name: str | None = None
    description: str | None = None
    model_group_id: str | None = None
    is_enabled: bool | None = None
    rate_limiter: dict[str, Any] | None = None
    deploy_setting: DeploySetting | None = None
    interface: dict[str, Any] | None = None
    model_config: dict[str, Any] | None = None


def registering(registration: ModelRegistration, **given: Any) -> dict[str, Any]:
    """Return the fields of a model document that a registration carries over, with ``given`` on top."""
    kept = (
        "name", "model_format", "model_config", "description", "is_enabled", "rate_limiter", "deploy_setting",
        "interface", "model_content_hash_value", "model_content_size_in_bytes", "total_chunks",
    )  # fmt: skip
    return {key: getattr(registration, key) for key in kept} | given


def loaded_differently(before: ModelConfig, after: ModelConfig) -> bool:
    """True when a deployed model must be loaded again for ``after`` to act; prefixes act at once."""
    return (
        before.pooling != after.pooling
        or before.normalize_result != after.normalize_result
        or before.model_max_length != after.model_max_length
        or before.embedding_dimension != after.embedding_dimension
    )

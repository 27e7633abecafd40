"""A registered model: its document, its configuration, its states and the transitions between them.

Names and values are those of the ML Commons model document; the field order here is the printing order there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from antiphon.domain.role import Role
from antiphon.errors import AntiphonError, Conflict, IllegalArgument


class Function(StrEnum):
    """ML Commons' ``function_name`` (printed as ``algorithm``); only TEXT_EMBEDDING runs here."""

    TEXT_EMBEDDING = "TEXT_EMBEDDING"


class ModelFormat(StrEnum):
    """What the zip holds; only ONNX runs here."""

    ONNX = "ONNX"
    TORCH_SCRIPT = "TORCH_SCRIPT"


class FrameworkType(StrEnum):
    """Who exported the model. Informational for ONNX."""

    SENTENCE_TRANSFORMERS = "SENTENCE_TRANSFORMERS"
    HUGGINGFACE_TRANSFORMERS = "HUGGINGFACE_TRANSFORMERS"
    HUGGINGFACE_TRANSFORMERS_NEURON = "HUGGINGFACE_TRANSFORMERS_NEURON"


class Pooling(StrEnum):
    """How token vectors become one vector; the formulas are in ``encode/pooling.py``."""

    MEAN = "MEAN"
    MEAN_SQRT_LEN = "MEAN_SQRT_LEN"
    MAX = "MAX"
    WEIGHTED_MEAN = "WEIGHTED_MEAN"
    CLS = "CLS"
    LAST_TOKEN = "LAST_TOKEN"  # noqa: S105
    NONE = "NONE"

    @classmethod
    def parse(cls, word: str) -> Pooling:
        """Return the mode, ignoring case and accepting sentence-transformers' spellings; ValueError otherwise."""
        spelled = word.upper()
        return cls(_POOLING_SYNONYMS.get(spelled, spelled))


_POOLING_SYNONYMS = {
    "WEIGHTEDMEAN": "WEIGHTED_MEAN",
    "LASTTOKEN": "LAST_TOKEN",
    "MEAN_SQRT_LEN_TOKENS": "MEAN_SQRT_LEN",
}


class ModelState(StrEnum):
    """ML Commons' model states that a single process can reach."""

    REGISTERING = "REGISTERING"
    REGISTERED = "REGISTERED"
    DEPLOYING = "DEPLOYING"
    DEPLOYED = "DEPLOYED"
    DEPLOY_FAILED = "DEPLOY_FAILED"
    UNDEPLOYED = "UNDEPLOYED"


TRANSITIONS: Mapping[ModelState, frozenset[ModelState]] = {
    ModelState.REGISTERING: frozenset({ModelState.REGISTERED}),
    ModelState.REGISTERED: frozenset({ModelState.DEPLOYING, ModelState.UNDEPLOYED}),
    ModelState.DEPLOYING: frozenset({ModelState.DEPLOYED, ModelState.DEPLOY_FAILED, ModelState.UNDEPLOYED}),
    ModelState.DEPLOYED: frozenset({ModelState.DEPLOYING, ModelState.UNDEPLOYED, ModelState.DEPLOY_FAILED}),
    ModelState.DEPLOY_FAILED: frozenset({ModelState.DEPLOYING, ModelState.UNDEPLOYED}),
    ModelState.UNDEPLOYED: frozenset({ModelState.DEPLOYING, ModelState.UNDEPLOYED}),
}
"""Which state may follow which; ``Model.to`` enforces it."""


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """``model_config`` of a text-embedding model; ``None`` means the key was not given."""

    model_type: str
    embedding_dimension: int | None = None
    framework_type: FrameworkType | None = None
    all_config: str | None = None
    additional_config: dict[str, Any] | None = None
    model_max_length: int | None = None
    pooling_mode: Pooling | None = None
    normalize_result: bool = False
    query_prefix: str | None = None
    passage_prefix: str | None = None

    @property
    def asymmetric(self) -> bool:
        """True when either prefix is given, even an empty one (ML Commons' own rule)."""
        return self.query_prefix is not None or self.passage_prefix is not None

    @property
    def pooling(self) -> Pooling:
        """The mode in force: mean when none was given."""
        return self.pooling_mode or Pooling.MEAN

    def prefix(self, role: Role) -> str:
        """Return what goes in front of a text in ``role``; empty when that prefix was not given."""
        return (self.query_prefix if role is Role.QUERY else self.passage_prefix) or ""

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Both prefixes that are given."""
        return tuple(item for item in (self.query_prefix, self.passage_prefix) if item)


@dataclass(frozen=True, slots=True)
class RateLimiter:
    """``limit`` requests per ``unit`` (a java.util.concurrent.TimeUnit name); a limit of 0 is none."""

    limit: float
    unit: str

    UNITS = {  # noqa: RUF012  a class constant, not a field: it has no annotation
        "NANOSECONDS": 1e-9,
        "MICROSECONDS": 1e-6,
        "MILLISECONDS": 1e-3,
        "SECONDS": 1.0,
        "MINUTES": 60.0,
        "HOURS": 3600.0,
        "DAYS": 86400.0,
    }

    @classmethod
    def of(cls, sent: Mapping[str, Any]) -> RateLimiter:
        """Return the limiter with these keys; IllegalArgument when one is missing."""
        if "limit" not in sent or "unit" not in sent:
            raise IllegalArgument("[rate_limiter] needs both [limit] and [unit]")
        return cls(sent["limit"], sent["unit"])

    @property
    def per_second(self) -> float:
        """Tokens that flow into the bucket each second."""
        return self.limit / self.UNITS[self.unit]


@dataclass(frozen=True, slots=True)
class DeploySetting:
    """``deploy_setting``; a ``model_ttl_minutes`` of -1 never expires."""

    is_auto_deploy_enabled: bool | None = None
    model_ttl_minutes: int = -1


@dataclass(frozen=True, slots=True)
class Model:
    """The model document (without its chunks). Times are epoch milliseconds, sizes bytes."""

    model_id: str
    name: str
    model_group_id: str
    model_version: str
    model_format: ModelFormat
    model_state: ModelState
    created_time: int
    algorithm: Function = Function.TEXT_EMBEDDING
    description: str | None = None
    model_content_size_in_bytes: int | None = None
    model_content_hash_value: str | None = None
    model_config: ModelConfig | None = None
    deploy_setting: DeploySetting | None = None
    is_enabled: bool | None = None
    is_controller_enabled: bool | None = None
    rate_limiter: RateLimiter | None = None
    last_updated_time: int | None = None
    last_registered_time: int | None = None
    last_deployed_time: int | None = None
    last_undeployed_time: int | None = None
    auto_redeploy_retry_times: int | None = None
    total_chunks: int | None = None
    planning_worker_node_count: int | None = None
    current_worker_node_count: int | None = None
    planning_worker_nodes: tuple[str, ...] = ()
    deploy_to_all_nodes: bool = False
    is_hidden: bool = False
    interface: dict[str, Any] | None = None

    def to(self, state: ModelState, **changes: Any) -> Model:
        """Return this model in ``state`` with ``changes``; Conflict when the transition is not allowed."""
        if state not in TRANSITIONS[self.model_state]:
            raise Conflict(f"Model [{self.model_id}] cannot go from {self.model_state} to {state}")
        return replace(self, model_state=state, **changes)

    def to_deploy(self) -> ModelConfig:
        """Return the configuration to deploy with; AntiphonError when the model cannot be deployed."""
        if self.model_config is None:
            raise AntiphonError("model config is null")
        return self.model_config


CHUNK_BYTES = 10_000_000
"""ML Commons' chunk size: decimal, not 10 MiB."""

MAX_CHUNKS = 10_000
"""More than any package has, even in chunks smaller than that."""


def chunk_count(size_bytes: int) -> int:
    """Return how many chunks a zip of ``size_bytes`` travels in."""
    return -(-size_bytes // CHUNK_BYTES)

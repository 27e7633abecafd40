"""``model_config`` of a text-embedding model: register and update forms, and how it prints."""

from __future__ import annotations

import json
from typing import Any

from antiphon.domain.model import FrameworkType, ModelConfig, Pooling
from antiphon.errors import IllegalArgument, ParseError
from antiphon.wire.fields import Fields, without_nulls

_KEYS = (
    "model_type", "embedding_dimension", "framework_type", "all_config", "additional_config", "model_max_length",
    "pooling_mode", "normalize_result", "query_prefix", "passage_prefix",
)  # fmt: skip


def read_config(body: object, *, explicit: bool) -> ModelConfig:
    """Return the configuration; IllegalArgument in ML Commons' words for what is missing or wrong.

    ``explicit``: the request named its function, so that ``embedding_dimension`` and ``framework_type`` are
    required. An unknown key is refused by name: a misspelt prefix would silently make a symmetric model.
    """
    fields = Fields(body, "model_config")
    model_type = fields.text("model_type")
    if model_type is None:
        raise IllegalArgument("model type is null")
    dimension = fields.integer("embedding_dimension")
    framework = fields.text("framework_type")
    if explicit and dimension is None:
        raise IllegalArgument("embedding dimension is null")
    if explicit and framework is None:
        raise IllegalArgument("framework type is null")
    if dimension is not None and dimension < 1:
        raise IllegalArgument(f"[embedding_dimension] must be positive, but was {dimension}")
    all_config, additional = fields.text("all_config"), fields.nested("additional_config")
    _check_configs(all_config, additional)
    config = ModelConfig(
        model_type=model_type,
        embedding_dimension=dimension,
        framework_type=None if framework is None else _framework(framework),
        all_config=all_config,
        additional_config=additional,
        model_max_length=_positive(fields, "model_max_length"),
        pooling_mode=_pooling(fields.text("pooling_mode")),
        normalize_result=fields.boolean("normalize_result") or False,
        query_prefix=fields.text("query_prefix"),
        passage_prefix=fields.text("passage_prefix"),
    )
    if fields.unread():
        raise IllegalArgument(
            f"[model_config] holds the unknown key [{fields.unread()[0]}]; text embedding models take {list(_KEYS)}"
        )
    return config


def read_config_change(body: object) -> dict[str, Any]:
    """Return the keys that an update sends, typed as in ``ModelConfig``; None removes a prefix."""
    config = read_config(body, explicit=False)
    fields = Fields(body, "model_config")
    return {key: getattr(config, key) for key in _KEYS if fields.has(key)}


def render_config(config: ModelConfig) -> dict[str, Any]:
    """Return the printed form: enumerations upper-case, ``normalize_result`` only when true."""
    return without_nulls(
        [
            ("model_type", config.model_type),
            ("embedding_dimension", config.embedding_dimension),
            ("framework_type", config.framework_type),
            ("all_config", config.all_config),
            ("additional_config", config.additional_config),
            ("model_max_length", config.model_max_length),
            ("pooling_mode", config.pooling_mode),
            ("normalize_result", config.normalize_result or None),
            ("query_prefix", config.query_prefix),
            ("passage_prefix", config.passage_prefix),
        ]
    )


def _framework(word: str) -> FrameworkType:
    try:
        return FrameworkType(word.upper())
    except ValueError:
        legal = [item.value.lower() for item in FrameworkType]
        raise IllegalArgument(f"Wrong framework type [{word}]; legal are {legal}") from None


def _pooling(word: str | None) -> Pooling | None:
    if word is None:
        return None
    try:
        return Pooling.parse(word)
    except ValueError:
        legal = [item.value.lower() for item in Pooling]
        raise IllegalArgument(f"Wrong pooling method [{word}]; legal are {legal}") from None


def _positive(fields: Fields, key: str) -> int | None:
    value = fields.integer(key)
    if value is not None and value < 1:
        raise IllegalArgument(f"[{key}] must be positive, but was {value}")
    return value


def _check_configs(all_config: str | None, additional: dict[str, Any] | None) -> None:
    if additional is None or all_config is None:
        return
    try:
        parsed = json.loads(all_config)
    except ValueError as error:
        raise ParseError(f"Failed to parse content to map: [all_config] beside [additional_config]: {error}") from None
    both = sorted(set(parsed) & set(additional)) if isinstance(parsed, dict) else []
    if both:
        raise IllegalArgument(f"Duplicate keys found in both all_config and additional_config: {', '.join(both)}")

"""Reads ``text_chunking``: one algorithm and its parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from antiphon.domain.chunking import (
    OTHER_TOKENIZERS,
    TOKENIZERS,
    UNLIMITED,
    Chunker,
    Delimiter,
    FixedCharLength,
    FixedTokenLength,
)
from antiphon.domain.embedding_fields import FieldMap
from antiphon.domain.processors.chunking import TextChunking
from antiphon.domain.processors.config import Config
from antiphon.errors import IllegalArgument, MapperParsing

_ALGORITHMS = ("fixed_token_length", "delimiter", "fixed_char_length")


def read_text_chunking(config: Config) -> TextChunking:
    """Return the processor; IllegalArgument in OpenSearch's words for parameters out of range."""
    field_map = _read_map(config.mapping("field_map"))
    algorithm = config.mapping("algorithm") if config.has("algorithm") else {}
    return TextChunking(field_map, read_chunker(algorithm), config.boolean("ignore_missing", default=False))


def read_steps(name: str, chunking: bool | Sequence[Any]) -> list[Chunker]:
    """Return the chunkers of the semantic field ``name``, in order: the default one for a boolean; MapperParsing or
    IllegalArgument in OpenSearch's words."""
    return [FixedTokenLength()] if isinstance(chunking, bool) else [_read_step(name, step) for step in chunking]


def _read_step(name: str, step: Any) -> Chunker:
    if not isinstance(step, Mapping):
        raise MapperParsing(f"[{name}] must be either a List of Maps or a Boolean")
    unknown = [key for key in step if key not in ("algorithm", "parameters")]
    if unknown:
        raise MapperParsing(f"[chunking] does not support parameters [[{', '.join(unknown)}]]")
    if "algorithm" not in step:
        raise MapperParsing("[algorithm] is required to configure the chunking strategy.")
    if step["algorithm"] not in _ALGORITHMS:
        raise MapperParsing(f"[algorithm] must be [{', '.join(_ALGORITHMS)}]")
    given = step.get("parameters") or {}
    if not isinstance(given, Mapping):
        raise MapperParsing("parameters in chunking should be a Map.")
    return read_chunker({step["algorithm"]: given})


def _read_map(body: Mapping[str, Any]) -> FieldMap:
    if not body:
        raise IllegalArgument("Unable to create the processor as field_map has invalid key or value")
    for key, value in body.items():
        if isinstance(value, Mapping):
            _read_map(value)
        elif not key.strip() or not isinstance(value, str) or not value.strip():
            raise IllegalArgument("Unable to create the processor as field_map has invalid key or value")
    return body


def read_chunker(body: Mapping[str, Any]) -> Chunker:
    """Return the chunker of ``{algorithm: parameters}``, the default one for nothing; IllegalArgument."""
    if len(body) > 1:
        raise IllegalArgument("Unable to create text_chunking processor as [algorithm] contains multiple algorithms")
    name, given = next(iter(body.items()), ("fixed_token_length", {}))
    if name not in _ALGORITHMS:
        raise IllegalArgument(
            f"Chunking algorithm [{name}] is not supported. Supported chunking algorithms are "
            f"[{', '.join(_ALGORITHMS)}]"
        )
    if not isinstance(given, Mapping):
        raise IllegalArgument(
            f"Unable to create text_chunking processor as parameters for [{name}] algorithm must be an object"
        )
    parameters = dict(given)
    chunker = _READERS[name](parameters)
    if parameters:
        raise IllegalArgument(f"[{next(iter(parameters))}] is no parameter of the chunking algorithm [{name}]")
    return chunker


def _token_length(parameters: dict[str, Any]) -> Chunker:
    tokenizer = _text(parameters, "tokenizer", "standard")
    if tokenizer in OTHER_TOKENIZERS:
        raise IllegalArgument(
            f"[tokenizer] [{tokenizer}] is not supported by Antiphon: use one of [{', '.join(TOKENIZERS)}]"
        )
    if tokenizer not in TOKENIZERS:
        raise IllegalArgument(
            f"Tokenizer [{tokenizer}] is not supported for [fixed_token_length] algorithm. Supported tokenizers are "
            f"[{', '.join(TOKENIZERS)}]"
        )
    return FixedTokenLength(
        _positive(parameters, "token_limit", 384), tokenizer, _overlap(parameters), _limit(parameters)
    )


def _char_length(parameters: dict[str, Any]) -> Chunker:
    return FixedCharLength(_positive(parameters, "char_limit", 2048), _overlap(parameters), _limit(parameters))


def _delimiter(parameters: dict[str, Any]) -> Chunker:
    delimiter = _text(parameters, "delimiter", "\n\n")
    if not delimiter:
        raise IllegalArgument("Parameter [delimiter] should not be empty.")
    return Delimiter(delimiter, _limit(parameters))


_READERS = {"fixed_token_length": _token_length, "fixed_char_length": _char_length, "delimiter": _delimiter}


def _text(parameters: dict[str, Any], key: str, default: str) -> str:
    value = parameters.pop(key, default)
    if isinstance(value, str):
        return value
    raise IllegalArgument(f"Parameter [{key}] must be of java.lang.String type")


def _whole(parameters: dict[str, Any], key: str, default: int) -> int:
    value = parameters.pop(key, default)
    if isinstance(value, str) and value.lstrip("-").isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise IllegalArgument(f"Parameter [{key}] must be of java.lang.Integer type")
    return value


def _positive(parameters: dict[str, Any], key: str, default: int) -> int:
    value = _whole(parameters, key, default)
    if value <= 0:
        raise IllegalArgument(f"Parameter [{key}] must be positive.")
    return value


def _limit(parameters: dict[str, Any]) -> int:
    value = _whole(parameters, "max_chunk_limit", 100)
    if value <= 0 and value != UNLIMITED:
        raise IllegalArgument("Parameter [max_chunk_limit] must be positive or -1 to disable this parameter")
    return value


def _overlap(parameters: dict[str, Any]) -> float:
    value = parameters.pop("overlap_rate", 0.0)
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise IllegalArgument("Parameter [overlap_rate] must be of java.lang.Double type")
    try:
        rate = float(value)
    except ValueError:
        raise IllegalArgument("Parameter [overlap_rate] must be of java.lang.Double type") from None
    if not 0 <= rate <= 0.5:
        raise IllegalArgument("Parameter [overlap_rate] must be between 0.0 and 0.5")
    return rate

"""A predict request and its answer, and the rule by which a request's role is decided.

Source: ML Commons' predict API and its ``AsymmetricTextEmbeddingParameters``, made strict: a missing or misspelt
``content_type`` is an error instead of meaning "query".
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.domain.model import ModelConfig
from antiphon.domain.role import Role, parse_content_type
from antiphon.errors import IllegalArgument, RoleError

OUTPUT_NAME = "sentence_embedding"
"""The name of the one output tensor, as ML Commons gives it."""

_HOW = 'send "parameters": {"content_type": "query"} for a search text or {"content_type": "passage"} for a stored text'
_UNDECLARED = (
    "The embedding model chosen is asymmetric. To use it, you must declare whether the input is of type `QUERY` "
    "or of type `PASSAGE`."
)
_UNWANTED = (
    "When passing AsymmetricTextEmbeddingParameters, the model requires to be registered with at least one of "
    "`query_prefix` or `passage_prefix`."
)


@dataclass(frozen=True, slots=True)
class ResultFilter:
    """Which outputs a client wants; names and positions form a union, and none of either means all."""

    return_number: bool = True
    return_bytes: bool = False
    target_response: tuple[str, ...] = ()
    target_response_positions: tuple[int, ...] = ()

    def keeps(self, name: str, position: int) -> bool:
        """True when the output of this name at this index is wanted."""
        if not self.target_response and not self.target_response_positions:
            return True
        return name in self.target_response or position in self.target_response_positions


@dataclass(frozen=True, slots=True)
class PredictRequest:
    """Texts to embed; ``parameters`` is what was sent, None when the key was absent."""

    text_docs: tuple[str, ...]
    parameters: Mapping[str, Any] | None = None
    result_filter: ResultFilter = ResultFilter()


@dataclass(frozen=True, slots=True)
class Prediction:
    """One float32 row per text, in order, with how many tokens were embedded and cut off.

    ``doubled`` are the positions (0-based) of texts that came with a prefix.
    """

    rows: Sequence[NDArray[np.float32]]
    doubled: tuple[int, ...] = ()
    tokens: tuple[int, ...] = ()
    lost: tuple[int, ...] = ()

    @property
    def truncated(self) -> tuple[int, ...]:
        """Positions (0-based) of the texts that lost tokens."""
        return tuple(position for position, count in enumerate(self.lost) if count)

    @property
    def lost_tokens(self) -> int:
        """Tokens cut off over all texts."""
        return sum(self.lost)

    def notices(self, name: str) -> list[str]:
        """Return a sentence about doubled prefixes and one about truncation, where there were any.

        ``name`` is what the caller calls the texts.
        """
        notices, count = [], len(self.rows)
        if self.doubled:
            notices.append(
                f"{len(self.doubled)} of {count} texts already start with a role's prefix, the first is "
                f"{name}[{self.doubled[0]}]: send the bare text, the prefix is added for you"
            )
        if self.truncated:
            notices.append(
                f"{len(self.truncated)} of {count} texts were truncated, losing {self.lost_tokens} tokens, the first "
                f"is {name}[{self.truncated[0]}]"
            )
        return notices


def decide_role(model_id: str, config: ModelConfig, parameters: Mapping[str, Any] | None) -> Role | None:
    """Return the role a request asks for, None for a symmetric model.

    Raises RoleError (400) when an asymmetric model is asked without a role or with keys nobody knows, and when a
    symmetric model is given parameters; IllegalArgument for a ``content_type`` that is no role.
    """
    failed = f"Failed to inference TEXT_EMBEDDING model: {model_id}"
    if not config.asymmetric:
        if parameters is None:
            return None
        raise RoleError(f"{failed}; leave out [parameters]: this model is symmetric", cause=IllegalArgument(_UNWANTED))
    unknown = [key for key in parameters or () if key != "content_type"]
    if unknown:
        cause = IllegalArgument(f"{_UNDECLARED} {_name(unknown)}")
        raise RoleError(f"{failed}; {_name(unknown)}; {_HOW}", cause=cause)
    word = None if parameters is None else parameters.get("content_type")
    if word is None:
        raise RoleError(f"{failed}; {_HOW}", cause=IllegalArgument(_UNDECLARED))
    if not isinstance(word, str):
        raise IllegalArgument(f"[content_type] must be the string [query] or [passage], but was [{word}]; {_HOW}")
    return parse_content_type(word)


def _name(unknown: Sequence[str]) -> str:
    key = unknown[0]
    if key == "sparse_embedding_format":
        return "[parameters] holds [sparse_embedding_format], which only sparse models take"
    near = difflib.get_close_matches(key.lower(), ["content_type"], cutoff=0.5)
    hint = ", did you mean [content_type]?" if near else ""
    return f"[parameters] holds the unknown key [{key}]{hint}"

"""What a model must show before it may serve: finite numbers, one dimension, no batch effects, two roles.

Each figure has a limit; one that misses it raises InferenceError with figure, limit and advice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from antiphon.domain.deployment import Precision
from antiphon.domain.model import ModelConfig
from antiphon.domain.role import Role
from antiphon.encode.tokenize import TextTokenizer, Tokens
from antiphon.errors import InferenceError

Floats = NDArray[np.float32]
Run = Callable[[Sequence[Tokens]], list[Floats]]

BATCH_LIMIT = 0.99999
ROLE_LIMIT = 0.99999
_LIMITS = {Precision.FP32: 0.99999, Precision.BF16: 0.9999, Precision.INT8: 0.9}

_TEXTS = (
    "?",
    "how much protein should a female eat",
    "warm up sentence",
    "As a general guideline, the average requirement of protein for women ages 19 to 70 is 46 grams per day.",
    "南瓜的家常做法",
    "Wie funktioniert asymmetrische semantische Suche?",
)
_LONG = "The neighbour in this batch is as long as the model allows; its length must not matter to anyone else. "


class ProbeFailure(InferenceError):
    """A figure beyond its limit."""


class PrecisionFailure(ProbeFailure):
    """A figure that a higher precision may mend."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What the probes measured; see ``DeployReport``. ``role_cosine`` is None for a symmetric model."""

    dimension: int
    batch_cosine: float
    role_cosine: float | None


class Probes:
    """The probe texts of one model: ``tokens`` in both of its roles, ``longest`` as long as it allows."""

    def __init__(self, tokenizer: TextTokenizer, config: ModelConfig) -> None:
        self._config = config
        roles = [config.prefix(role) for role in Role] if config.asymmetric else [""]
        self._roles = [tokenizer([prefix + text for text in _TEXTS]) for prefix in roles]
        self.crowded = next((prefix for prefix in roles if tokenizer([prefix + "?"])[0].lost), None)
        self.tokens = [one for tokens in self._roles for one in tokens]
        self.longest = tokenizer([_LONG * tokenizer.max_tokens])[0]

    def check(self, run: Run) -> tuple[Figures, list[Floats]]:
        """Return the figures and the vectors of ``tokens``, one text per run; ProbeFailure names a bad figure."""
        if self.crowded:
            raise ProbeFailure(
                f"The prefix [{self.crowded[:60]}] leaves no room for text: it fills all of the model's tokens. "
                "Register a shorter query_prefix or passage_prefix"
            )
        alone = [run([one])[0] for one in self.tokens]
        if not all(np.isfinite(row).all() for row in alone):
            raise ProbeFailure(
                "The model answers with numbers that are not finite: its weights or its export are broken"
            )
        dimension = alone[0].shape[-1]
        declared = self._config.embedding_dimension
        if declared is not None and declared != dimension:
            raise ProbeFailure(
                f"The model's vectors have {dimension} dimensions, model_config.embedding_dimension says {declared}: "
                f"register it with {dimension}"
            )
        return Figures(dimension, self.batch_cosine(run, alone), self._role_cosine(alone)), alone

    def batch_cosine(self, run: Run, alone: list[Floats]) -> float:
        """Return the lowest cosine of a text in a batch to its vector ``alone``: all together, one with the longest."""
        together = lowest_cosine(run(self.tokens), alone)
        figure = min(together, lowest_cosine(run([self.longest, self.tokens[-1]])[1:], alone[-1:]))
        if figure < BATCH_LIMIT:
            raise PrecisionFailure(
                f"A text beside one of {len(self.longest.ids)} tokens gets another vector than alone: cosine "
                f"{figure:.6f}, limit {BATCH_LIMIT}. The graph ignores attention_mask, or its numbers depend on the "
                "padding: export it with a masked attention; an int8 graph must quantize per token"
            )
        return figure

    def short_cosine(self, run: Run, alone: list[Floats], width: int) -> float:
        """Return the lowest cosine to ``alone`` of the texts that ``run``, made for ``width`` tokens, can take."""
        short = [(one, row) for one, row in zip(self.tokens, alone, strict=True) if len(one.ids) <= width]
        if not short:
            raise PrecisionFailure(f"No probe text has {width} tokens or fewer")
        figure = lowest_cosine([run([one])[0] for one, _ in short], [row for _, row in short])
        if figure < BATCH_LIMIT:
            raise PrecisionFailure(f"Padded to {width} tokens a text gets another vector: cosine {figure:.6f}")
        return figure

    def _role_cosine(self, alone: list[Floats]) -> float | None:
        if len(self._roles) < 2:
            return None
        half = len(self._roles[0])
        figure = float(np.mean([cosine(query, other) for query, other in zip(alone[:half], alone[half:], strict=True)]))
        if figure > ROLE_LIMIT:
            raise ProbeFailure(
                f"The roles query and passage give the same vectors: mean cosine {figure:.6f}, limit {ROLE_LIMIT}. "
                f"query_prefix is [{self._config.query_prefix}], passage_prefix [{self._config.passage_prefix}]: give "
                "the prefixes the model was trained with, or none for a symmetric model"
            )
        return figure


def check_precision(vectors: list[Floats], reference: list[Floats], precision: Precision) -> float:
    """Return the lowest cosine between the two; ProbeFailure below the limit of ``precision``."""
    figure = lowest_cosine(vectors, reference)
    limit = _LIMITS.get(precision, 1.0)
    if figure < limit:
        raise PrecisionFailure(
            f"{precision} is not exact enough for this model: cosine {figure:.6f} against fp32, limit {limit}: "
            "choose precision fp32"
        )
    return figure


def lowest_cosine(one: Sequence[Floats], other: Sequence[Floats]) -> float:
    """Return the smallest cosine over pairs of rows."""
    return min(cosine(left, right) for left, right in zip(one, other, strict=True))


def cosine(one: Floats, other: Floats) -> float:
    """Return the cosine of two vectors (over all numbers, in float64); 1.0 for two zero vectors."""
    left, right = one.ravel().astype(np.float64), other.ravel().astype(np.float64)
    length = float(np.linalg.norm(left) * np.linalg.norm(right))
    if length == 0.0:
        return 1.0 if np.array_equal(left, right) else 0.0
    return min(1.0, float(left @ right) / length)

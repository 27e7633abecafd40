"""Are the vectors of two servers the same, and if not, why?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from antiphon.domain.model import ModelConfig, Pooling
from antiphon.domain.role import Role
from antiphon.transfer.side import Floats

LEAST_COSINE = 0.9999
"""Below it two vectors are not the same; bf16 against fp32 stays above."""
_LENGTH_TOLERANCE = 0.01
_LONG = "The quick brown fox jumps over the lazy dog near the river bank. " * 60
PROBES = (
    "What day is it today?",
    "how much protein should a female eat",
    "Berlin ist die Hauptstadt von Deutschland.",
    "绿茶要用多少度的水冲泡？",  # noqa: RUF001
    "a",
    _LONG,
)
"""Short and long texts in several languages; the last is longer than any model reads."""

Load = Callable[[ModelConfig], Any]
"""The package with another configuration, as a ``TextEmbedder``."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Cosines ``[n]`` and the ratio of lengths ``[n]`` (there to here) of the vectors of the same texts."""

    cosines: Floats
    lengths: Floats

    @classmethod
    def of(cls, here: Floats, there: Floats) -> Agreement:
        """Compare float32 ``[n, d]`` row by row; vectors of another dimension agree in nothing."""
        if here.shape != there.shape:
            nothing = np.zeros(len(here), np.float32)
            return cls(nothing, nothing)
        one, other = here.astype(np.float64), there.astype(np.float64)
        norms, others = np.linalg.norm(one, axis=1), np.linalg.norm(other, axis=1)
        cosines = np.einsum("ij,ij->i", one, other) / np.maximum(norms * others, 1e-30)
        return cls(cosines.astype(np.float32), (others / np.maximum(norms, 1e-30)).astype(np.float32))

    @property
    def worst(self) -> float:
        """The smallest cosine."""
        return float(self.cosines.min())

    @property
    def same_length(self) -> bool:
        """Whether all lengths agree."""
        return bool((np.abs(self.lengths - 1) < _LENGTH_TOLERANCE).all())

    @property
    def same(self) -> bool:
        """Whether the vectors are the same but for rounding."""
        return self.worst >= LEAST_COSINE and self.same_length


@dataclass(frozen=True, slots=True)
class _Guess:
    cause: str
    config: ModelConfig
    texts: list[str]


def likely_cause(config: ModelConfig, role: Role, here: Floats, there: Floats, load: Load) -> str:
    """Return why vectors of ``PROBES`` differ there, found by computing them in other ways here.

    ``load`` makes an embedder of the same package with another configuration.
    """
    if here.shape != there.shape:
        return f"another model: its vectors have {there.shape[1:]} numbers, not {here.shape[1:]}"
    agreement = Agreement.of(here, there)
    if agreement.worst >= LEAST_COSINE:
        return (
            f"normalisation: the directions agree, the lengths are {float(agreement.lengths.min()):.3g} to "
            f"{float(agreement.lengths.max()):.3g} times ours ([normalize_result] here is {config.normalize_result})"
        )
    if (agreement.cosines[:-1] >= LEAST_COSINE).all():
        return f"truncation: short texts agree, a long one does not ([model_max_length] is {config.model_max_length})"
    short = there[:-1]
    for base, guesses in _by_config(_guesses(config, role)):
        with load(base) as embedder:
            for guess in guesses:
                if Agreement.of(embedder.embed(guess.texts[:-1], role), short).worst >= LEAST_COSINE:
                    return guess.cause
    return "another file: no other prefix or pooling of this package gives those vectors; compare the SHA-256"


def _guesses(config: ModelConfig, role: Role) -> Iterator[_Guess]:
    """Other ways to embed; the texts carry their prefix, so the configuration is symmetric."""
    plain = replace(config, query_prefix=None, passage_prefix=None)
    own = config.prefix(role)
    other_role = Role.PASSAGE if role is Role.QUERY else Role.QUERY
    prefixes = {
        f"prefix: the text goes in without [{own}]": "",
        f"prefix: [{config.prefix(other_role)}], the {other_role.value} prefix, in place of [{own}]": config.prefix(
            other_role
        ),
        f"prefix: [{own}] stands twice": own + own,
        f"prefix: [{own}] without its blank": own.rstrip(),
    }
    for cause, prefix in prefixes.items():
        if prefix != own:
            yield _Guess(cause, plain, _with(prefix))
    for pooling in Pooling:
        if pooling not in (config.pooling, Pooling.NONE):
            cause = f"pooling: {pooling.value.lower()} in place of {config.pooling.value.lower()}"
            yield _Guess(cause, replace(plain, pooling_mode=pooling), _with(own))


def _with(prefix: str) -> list[str]:
    return [prefix + text for text in PROBES]


def _by_config(guesses: Iterator[_Guess]) -> Iterator[tuple[ModelConfig, Sequence[_Guess]]]:
    """Bring together what one loaded model can answer."""
    groups: list[tuple[ModelConfig, list[_Guess]]] = []
    for guess in guesses:
        for config, group in groups:
            if config == guess.config:
                group.append(guess)
                break
        else:
            groups.append((guess.config, [guess]))
    yield from groups

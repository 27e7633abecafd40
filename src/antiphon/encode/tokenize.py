"""Text to token ids: ragged, never padded, cut where ML Commons cuts, and every cut token counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from antiphon.domain.model import ModelConfig
from antiphon.errors import IllegalArgument, InferenceError

Ints = NDArray[np.int64]

CEILING = 512
"""No text is longer, whatever the files say: ML Commons' own ceiling, so that vectors stay equal to a cluster's."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """One text: ``ids`` and ``type_ids`` int64 ``[tokens]``, and how many tokens the limit took from it."""

    ids: Ints
    type_ids: Ints
    lost: int


class TextTokenizer:
    """The tokenizer of a package. Thread-safe."""

    def __init__(self, tokenizer: Tokenizer, config: ModelConfig) -> None:
        self.max_tokens = _limit(tokenizer, config)
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self._special = tokenizer.num_special_tokens_to_add(is_pair=False)
        self._typed = any(tokenizer.encode("a").type_ids)
        if self.max_tokens <= self._special:
            raise InferenceError(
                f"A limit of {self.max_tokens} tokens leaves no room beside {self._special} special tokens: "
                "raise model_max_length, or truncation.max_length in tokenizer.json"
            )

    @classmethod
    def load(cls, folder: Path, config: ModelConfig) -> TextTokenizer:
        """Read ``folder/tokenizer.json``; InferenceError when it is missing or not a fast tokenizer."""
        path = folder / "tokenizer.json"
        try:
            tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises bare Exception
            raise InferenceError(f"Cannot read {path.name} as a Hugging Face fast tokenizer: {error}") from error
        return cls(tokenizer, config)

    def __call__(self, texts: Sequence[str]) -> list[Tokens]:
        """Tokenize in order; IllegalArgument names a text that has no tokens at all."""
        encodings = self._tokenizer.encode_batch_fast(list(texts))
        return [self._tokens(encoding, position) for position, encoding in enumerate(encodings)]

    def _tokens(self, encoding: Encoding, position: int) -> Tokens:
        ids = np.array(encoding.ids, np.int64)
        if not len(ids):
            raise IllegalArgument(f"Text [{position}] has no tokens: this model cannot embed an empty text")
        types = np.array(encoding.type_ids, np.int64) if self._typed else np.zeros(len(ids), np.int64)
        lost = len(ids) - self.max_tokens
        if lost <= 0:
            return Tokens(ids, types, 0)
        keep = _kept(np.array(encoding.special_tokens_mask, bool), self.max_tokens)
        return Tokens(ids[keep], types[keep], lost)


def _kept(special: NDArray[np.bool_], limit: int) -> NDArray[np.bool_]:
    """Mark all special tokens and, from the left, as many others as ``limit`` leaves room for."""
    room = limit - int(special.sum())
    result: NDArray[np.bool_] = special | (np.cumsum(~special) <= room)
    return result


def _limit(tokenizer: Tokenizer, config: ModelConfig) -> int:
    """Tokens per text: the file's truncation, else its fixed padding, else 512; a smaller model_max_length wins."""
    truncation, padding = tokenizer.truncation, tokenizer.padding
    if truncation:
        limit = int(truncation["max_length"])
    elif padding and padding.get("length"):
        limit = int(padding["length"])
    else:
        limit = CEILING
    limits = [limit, CEILING, config.model_max_length or CEILING]
    return min(limits)

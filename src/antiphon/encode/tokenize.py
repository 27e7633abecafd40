"""Text to token ids: ragged, never padded, cut where ML Commons cuts, and every cut token counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from antiphon.domain.model import ModelConfig
from antiphon.encode.unigram_file import read_unigram
from antiphon.encode.unigram_text import UnigramTexts
from antiphon.errors import IllegalArgument, InferenceError

Ints = NDArray[np.int64]

CEILING = 512
"""No text is longer, whatever the files say: ML Commons' own ceiling, so that vectors stay equal to a cluster's."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """One text: ``ids`` and ``type_ids`` int64 ``[tokens]``, and how many tokens the limit took from it.

    ``lost`` is a lower bound for a text of more than ``unigram_text.MOST_CHARACTERS``, of which the rest is not read.
    """

    ids: Ints
    type_ids: Ints
    lost: int


class TextTokenizer:
    """The tokenizer of a package. Thread-safe.

    ``unigram``: reads texts in place of ``tokenizer``, which is then its outline.
    """

    def __init__(self, tokenizer: Tokenizer, config: ModelConfig, unigram: UnigramTexts | None = None) -> None:
        self.max_tokens = _limit(tokenizer, config)
        if unigram is None:  # an outline is shared, and stays as it was read
            tokenizer.no_truncation()
            tokenizer.no_padding()
        self._tokenizer = tokenizer
        self._unigram = unigram
        self._special = tokenizer.num_special_tokens_to_add(is_pair=False)
        self._typed = unigram is None and any(tokenizer.encode("a").type_ids)
        if self.max_tokens <= self._special:
            raise InferenceError(
                f"A limit of {self.max_tokens} tokens leaves no room beside {self._special} special tokens: "
                "raise model_max_length, or truncation.max_length in tokenizer.json"
            )

    @classmethod
    def load(cls, folder: Path, config: ModelConfig, cache: Path | None = None) -> TextTokenizer:
        """Read ``folder/tokenizer.json``; InferenceError when it is missing or not a fast tokenizer.

        ``cache``: where a prepared vocabulary is kept, None for nowhere.
        """
        path = folder / "tokenizer.json"
        try:
            unigram = read_unigram(path, cache)
            tokenizer = Tokenizer.from_file(str(path)) if unigram is None else unigram.outline
        except Exception as error:  # the library raises bare Exception
            raise InferenceError(f"Cannot read {path.name} as a Hugging Face fast tokenizer: {error}") from error
        return cls(tokenizer, config, unigram)

    def __call__(self, texts: Sequence[str]) -> list[Tokens]:
        """Tokenize in order; IllegalArgument names a text that has no tokens at all, or half a character."""
        if self._unigram is not None:
            return [self._by_unigram(self._unigram, text, position) for position, text in enumerate(texts)]
        encodings = self._tokenizer.encode_batch_fast(list(texts))
        return [self._by_library(encoding, position) for position, encoding in enumerate(encodings)]

    def _by_unigram(self, unigram: UnigramTexts, text: str, position: int) -> Tokens:
        try:
            read = unigram(text, self.max_tokens)
        except UnicodeEncodeError as error:
            raise IllegalArgument(
                f"Text [{position}] holds the lone surrogate {text[error.start]!r} at character {error.start}, "
                "which is half of a character: send valid Unicode"
            ) from error
        if read is None:
            return self._by_library(unigram.whole().encode_batch_fast([text])[0], position)
        ids, special = read
        return self._cut(ids, np.zeros(len(ids), np.int64), special)

    def _by_library(self, encoding: Encoding, position: int) -> Tokens:
        ids = np.array(encoding.ids, np.int64)
        if not len(ids):
            raise IllegalArgument(f"Text [{position}] has no tokens: this model cannot embed an empty text")
        types = np.array(encoding.type_ids, np.int64) if self._typed else np.zeros(len(ids), np.int64)
        return self._cut(ids, types, np.array(encoding.special_tokens_mask, bool))

    def _cut(self, ids: Ints, types: Ints, special: NDArray[np.bool_]) -> Tokens:
        lost = len(ids) - self.max_tokens
        if lost <= 0:
            return Tokens(ids, types, 0)
        keep = _kept(special, self.max_tokens)
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

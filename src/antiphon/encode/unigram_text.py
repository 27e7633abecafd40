"""Texts to token ids by a Unigram vocabulary, wherever that is what ``tokenizers`` would answer."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from antiphon.encode.unigram import Unigram
from antiphon.errors import InferenceError

_log = logging.getLogger(__name__)

Splitter = Callable[[str], list[str]]

_BLANK = "\u2581"
_CHUNKS = re.compile(r"[^\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
"""Runs without Unicode's White_Space. ``str.split`` would also split at U+001C to U+001F."""

MOST_CHARACTERS = 100_000
"""Of a longer text little more is read, when that gives all the tokens that are wanted."""

_BORDER = re.compile(r"\n| (?=[!-~])")
"""White space behind which no grapheme, and so no step of the normalizer, goes on."""

_WORDS = re.compile(f"{_BLANK}[^{_BLANK}]*")


def split_at_whitespace(text: str) -> list[str]:
    """Return the words of ``WhitespaceSplit`` and ``Metaspace``, each with its leading U+2581."""
    chunks = [_BLANK + chunk for chunk in _CHUNKS.findall(text)]
    return chunks if _BLANK not in text else [word for chunk in chunks for word in _words(chunk)]


def split_at_blanks(text: str) -> list[str]:
    """Return the words of ``Metaspace`` alone: every U+0020 begins one, other white space is part of its word."""
    return _words(_BLANK + text.replace(" ", _BLANK)) if text else []


def _words(text: str) -> list[str]:
    """Cut before every U+2581; of two in front one was put there, and is not put where there is one already."""
    return _WORDS.findall(text[1:] if text.startswith(_BLANK * 2) else text)


class UnigramTexts:
    """Texts to ids, with the special tokens around them. Thread-safe.

    ``outline``: the tokenizer of ``file`` without its vocabulary, whose normalizer is used; ``added``: its added
    tokens, which are recognised in texts as written; ``around``: ids in front of and behind every text; ``local``:
    the normalizer makes of a text up to a ``_BORDER`` the beginning of what it makes of the whole, but for blanks.
    """

    def __init__(
        self,
        outline: Tokenizer,
        unigram: Unigram,
        split: Splitter,
        *,
        added: Sequence[str],
        around: tuple[Sequence[int], Sequence[int]],
        local: bool,
        file: Path,
    ) -> None:
        self.outline = outline
        self._normalizer = outline.normalizer
        self._unigram = unigram
        self._split = split
        self._added = re.compile("|".join(map(re.escape, added)) or r"(?!)")
        self._longest_added = max(map(len, added), default=0)
        self._local = local
        self._around = (np.array(around[0], np.int64), np.array(around[1], np.int64))
        self._file = file
        self._whole: Tokenizer | None = None
        self._lock = Lock()

    def __call__(self, text: str, wanted: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]] | None:
        """Return ids and which of them are special, ``[tokens]`` each; None for a text that ``whole`` must read.

        Of a text longer than ``MOST_CHARACTERS`` these may be the first ids only, more than ``wanted``.
        UnicodeEncodeError for a lone surrogate in what is read.
        """
        size = MOST_CHARACTERS
        while self._local and size < len(text):
            border = _BORDER.search(text, size, 4 * size)
            if border is not None:
                if self._added.search(text, 0, border.end() + self._longest_added):
                    return None
                words = self._split(self._normalizer.normalize_str(text[: border.end()]))
                ids = self._unigram(words[:-1])  # the last word may go on
                if len(ids) > wanted:
                    return self._with_special(ids)
            size *= 4
        if self._added.search(text):
            return None
        return self._with_special(self._unigram(self._split(self._normalizer.normalize_str(text))))

    def _with_special(self, ids: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        front, behind = self._around
        ids = np.concatenate((front, ids, behind))
        special = np.zeros(len(ids), bool)
        special[: len(front)] = special[len(ids) - len(behind) :] = True
        return ids, special

    def whole(self) -> Tokenizer:
        """Return the tokenizer of the file, vocabulary and all; the first call reads it.

        InferenceError when the file can no longer be read.
        """
        with self._lock:
            if self._whole is None:
                _log.debug("A text holds an added token as written: reading all of %s", self._file)
                try:
                    tokenizer = Tokenizer.from_file(str(self._file))
                except Exception as error:  # the library raises bare Exception
                    raise InferenceError(f"Cannot read {self._file} again: {error}") from error
                tokenizer.no_truncation()
                tokenizer.no_padding()
                self._whole = tokenizer
            return self._whole

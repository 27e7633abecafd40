"""Cuts a text into chunks: by words, by characters, or after a delimiter. Source: neural-search's chunkers.

Chunks are substrings: white space and punctuation survive, and without overlap they join to the original.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from antiphon.errors import IllegalState

TOKENIZERS = ("standard", "letter", "lowercase", "whitespace", "uax_url_email")
"""The word tokenizers that are here."""
OTHER_TOKENIZERS = ("classic", "thai")
"""The ones of OpenSearch that are not."""
UNLIMITED = -1


@dataclass(slots=True)
class ChunkBudget:
    """How many chunks a document may still get (UNLIMITED: any number), and how many of its strings are to come.

    One slot is kept for each string still to come, so that the last of them is not left without.
    """

    left: int
    strings: int
    max_token_count: int = 10_000

    def spent(self, chunks: int) -> bool:
        """True when the string at hand, with so many chunks cut, must take its remainder as its last one."""
        return self.left != UNLIMITED and chunks + self.strings >= self.left


class Chunker(Protocol):
    """One algorithm with its parameters."""

    @property
    def max_chunk_limit(self) -> int:
        """Most chunks of one document; UNLIMITED for no limit."""

    def chunk(self, text: str, budget: ChunkBudget) -> list[str]:
        """Return the chunks of ``text`` within the budget, which is not changed."""


@dataclass(frozen=True, slots=True)
class FixedTokenLength:
    """Chunks of ``token_limit`` words of a tokenizer; ``overlap_rate`` (0..0.5) of them repeat in the next chunk."""

    token_limit: int = 384
    tokenizer: str = "standard"
    overlap_rate: float = 0.0
    max_chunk_limit: int = 100

    def chunk(self, text: str, budget: ChunkBudget) -> list[str]:
        """See ``Chunker``. IllegalState when the text has more tokens than the index allows."""
        starts = list(token_starts(text, self.tokenizer))
        if len(starts) > budget.max_token_count:
            raise IllegalState(
                f"analyzer {self.tokenizer} throws exception: The number of tokens produced by calling _analyze has "
                f"exceeded the allowed maximum of [{budget.max_token_count}]. This limit can be set by changing the "
                "[index.analyze.max_token_count] index level setting."
            )
        return _windows(text, starts, self.token_limit, self.overlap_rate, budget)


@dataclass(frozen=True, slots=True)
class FixedCharLength:
    """Chunks of ``char_limit`` UTF-16 units; a pair of surrogates is never cut apart."""

    char_limit: int = 2048
    overlap_rate: float = 0.0
    max_chunk_limit: int = 100

    def chunk(self, text: str, budget: ChunkBudget) -> list[str]:
        """See ``Chunker``."""
        return _windows(text, _unit_starts(text), self.char_limit, self.overlap_rate, budget)


@dataclass(frozen=True, slots=True)
class Delimiter:
    """Chunks that end with ``delimiter``."""

    delimiter: str = "\n\n"
    max_chunk_limit: int = 100

    def chunk(self, text: str, budget: ChunkBudget) -> list[str]:
        """See ``Chunker``."""
        chunks: list[str] = []
        start = 0
        while (found := text.find(self.delimiter, start)) >= 0 and not budget.spent(len(chunks)):
            end = found + len(self.delimiter)
            chunks.append(text[start:end])
            start = end
        return [*chunks, text[start:]] if start < len(text) else chunks


def token_starts(text: str, tokenizer: str = "standard") -> Iterator[int]:
    """Yield where each word begins, in characters from 0, as the tokenizer of that name cuts them."""
    return (found.start() for found in _PATTERNS[tokenizer]().finditer(text))


def _windows(text: str, starts: list[int], limit: int, overlap_rate: float, budget: ChunkBudget) -> list[str]:
    """Cut where units begin: windows of ``limit`` units, each reaching to where the next unit after it begins."""
    step = limit - math.floor(limit * overlap_rate)
    chunks: list[str] = []
    first = 0
    while first < len(starts):
        begin = 0 if first == 0 else starts[first]
        if first + limit >= len(starts) or budget.spent(len(chunks)):
            chunks.append(text[begin:])
            break
        end = starts[first + limit]
        if end > begin:
            chunks.append(text[begin:end])
        first += step
    return chunks


def _unit_starts(text: str) -> list[int]:
    if text.isascii() or max(text) < "\U00010000":
        return list(range(len(text)))
    starts: list[int] = []
    for position, letter in enumerate(text):
        starts.extend([position] * (2 if letter >= "\U00010000" else 1))
    return starts


@cache
def _standard() -> re.Pattern[str]:
    """Words as Unicode Annex 29 cuts them, near enough for counting: ideographs and hiragana stand alone."""
    return re.compile(_standard_source())


@cache
def _url_email() -> re.Pattern[str]:
    address = r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+|(?:(?:https?|ftp|file)://|www\.)[^\s<>\"]+[^\s<>\".,;:!?)\]}']"
    return re.compile(f"{address}|{_standard_source()}")


@cache
def _letter() -> re.Pattern[str]:
    return re.compile(r"[^\W\d_]+")


@cache
def _whitespace() -> re.Pattern[str]:
    return re.compile(r"\S+")


_PATTERNS: dict[str, Callable[[], re.Pattern[str]]] = {
    "standard": _standard,
    "letter": _letter,
    "lowercase": _letter,
    "whitespace": _whitespace,
    "uax_url_email": _url_email,
}

_IDEOGRAPH = "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff\u3041-\u309f"
_KATAKANA = "\u30a0-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9d"
_MIDDLE = ".'\u2018\u2019\u2024\ufe52\uff07\uff0e"
_EMOJI = "\u2600-\u27bf\U0001f300-\U0001faff"


def _standard_source() -> str:
    mark = f"[{_marks()}\u200d\ufe0f]"
    alone = _IDEOGRAPH + _KATAKANA
    letter, digit = f"[^\\W\\d_{alone}]", r"\d"
    unit = f"(?:{letter}|{digit}){mark}*"
    joint = f"(?<=[^\\W\\d_]){mark}*[:\xb7\u2027{_MIDDLE}]{letter}|(?<=\\d)[,;\u066c{_MIDDLE}]{digit}"
    return (
        f"_*{unit}(?:_*{unit}|(?:{joint}){mark}*)*_*"
        f"|[{_KATAKANA}]{mark}*(?:[{_KATAKANA}]{mark}*)*|[{_IDEOGRAPH}]{mark}*"
        f"|[{_EMOJI}][\ufe0f\u200d\U0001f3fb-\U0001f3ff{_EMOJI}]*"
    )


@cache
def _marks() -> str:
    """The combining marks of the basic plane, as ranges of a character class."""
    ranges: list[list[int]] = []
    for code in range(0x300, 0xFE30):
        if unicodedata.category(chr(code)).startswith("M"):
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)

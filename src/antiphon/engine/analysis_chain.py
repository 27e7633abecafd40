"""One analyzer: character filters, a tokenizer, token filters. As much of it as possible runs inside tantivy."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import tantivy


@dataclass(frozen=True, slots=True)
class Piece:
    """One token: ``start`` and ``end`` count characters of the original text; ``type`` is Lucene's word for it."""

    text: str
    start: int
    end: int
    position: int
    type: str = "word"


@dataclass(frozen=True, slots=True)
class Mapped:
    """A text after a character filter: ``origins`` ``[len(text) + 1]`` are positions in the original (None: same)."""

    text: str
    origins: Sequence[int] | None = None


_ALONE = "\u3001\u3002\u3041-\u309f\u3400-\u4dbf\u4e00-\u9fff"
CharFilter = Callable[[str], Mapped]
TokenFilter = Callable[[list[Piece]], list[Piece]]
Typed = Callable[[str], str]
"""The type of a token, from its text."""


class Chain:
    """``native`` is the whole analyzer as tantivy's own, None when some part of it is Python.

    Words of more than ``longest`` characters (None: of any length) are cut; ``native`` must not see a text with one.
    """

    def __init__(
        self,
        tokenizer: tantivy.Tokenizer | Callable[[str], list[Piece]],
        filters: Sequence[tantivy.Filter | TokenFilter] = (),
        char_filters: Sequence[CharFilter] = (),
        typed: Typed | None = None,
        longest: int | None = None,
    ) -> None:
        self._char_filters = tuple(char_filters)
        self._typed = typed
        self._python: Callable[[str], list[Piece]] | None = None
        rest = list(filters)
        self._front: Any = None
        self._cutting: Chain | None = None
        if longest is not None:
            whole = Chain(tokenizer, (), (), typed)
            self._cutting = Chain(lambda text: _cut(whole.pieces(text), longest), filters, char_filters, typed)
            self._half = (longest + 1) // 2
            alone = _ALONE if typed else ""  # typed: by Unicode's rules, which make a word of each of these
            self._long = re.compile(rf"[^\s{alone}]{{{longest + 1}}}")
        if isinstance(tokenizer, tantivy.Tokenizer):
            builder = tantivy.TextAnalyzerBuilder(tokenizer)
            while rest and isinstance(rest[0], tantivy.Filter):
                builder = builder.filter(rest[0])
                rest = rest[1:]
            self._front = builder.build()
        else:
            self._python = tokenizer
        self._rest = tuple(_per_token(step) if isinstance(step, tantivy.Filter) else step for step in rest)
        self.native: Any = None if self._rest or self._char_filters or self._front is None else self._front

    def pieces(self, text: str) -> list[Piece]:
        """Return the tokens of a text, in order."""
        if self._cutting is not None and self._has_long(text):
            return self._cutting.pieces(text)
        original, origins = text, None
        for char_filter in self._char_filters:
            mapped = char_filter(text)
            text = mapped.text
            origins = _composed(origins, mapped.origins)
        pieces = self._python(text) if self._python else self._tantivy_pieces(text)
        for step in self._rest:
            pieces = step(pieces)
        if origins is not None:
            last = len(original)
            pieces = [replace(p, start=min(origins[p.start], last), end=min(origins[p.end], last)) for p in pieces]
        return pieces

    def takes(self, text: str) -> bool:
        """True when ``native`` makes of the text what ``pieces`` does."""
        return self.native is not None and (self._cutting is None or not self._has_long(text))

    def _has_long(self, text: str) -> bool:
        """True when some word may be too long: the quick look finds that a long run fills a half of its length."""
        half = self._half
        if all(" " in text[at : at + half] for at in range(0, len(text) - half + 1, half)):
            return False
        return self._long.search(text) is not None

    def pre_tokenized(self, texts: Sequence[str], gap: int) -> tantivy.PreTokenizedString:
        """Return the values of a field as one run of tokens, ``gap`` positions between two values."""
        tokens = []
        base = 0
        for text in texts:
            last = -1
            for piece in self.pieces(text):
                last = piece.position
                tokens.append(tantivy.Token(piece.text, base + last, 0, 0))
            base += last + 1 + gap
        return tantivy.PreTokenizedString("", tokens)

    def _tantivy_pieces(self, text: str) -> list[Piece]:
        typed = self._typed
        return [
            Piece(
                token.text,
                token.char_offset_from,
                token.char_offset_to,
                token.position,
                typed(text[token.char_offset_from : token.char_offset_to]) if typed else "word",
            )
            for token in self._front.pre_tokenize(text).tokens
        ]


def _cut(pieces: Sequence[Piece], longest: int) -> list[Piece]:
    parts = [
        replace(piece, text=piece.text[at : at + longest], start=piece.start + at)
        for piece in pieces
        for at in range(0, len(piece.text), longest)
    ]
    return [replace(part, end=part.start + len(part.text), position=number) for number, part in enumerate(parts)]


def _composed(first: Sequence[int] | None, second: Sequence[int] | None) -> Sequence[int] | None:
    if first is None or second is None:
        return first if second is None else second
    return [first[min(position, len(first) - 1)] for position in second]


def _per_token(native: tantivy.Filter) -> TokenFilter:
    analyzer = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.raw()).filter(native).build()

    def apply(pieces: list[Piece]) -> list[Piece]:
        return [replace(piece, text=text) for piece in pieces for text in analyzer.analyze(piece.text)]

    return apply

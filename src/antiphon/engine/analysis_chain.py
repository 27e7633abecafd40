"""One analyzer: character filters, a tokenizer, token filters. As much of it as possible runs inside tantivy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import tantivy

from antiphon.engine.analysis_words import Words


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


CharFilter = Callable[[str], Mapped]
TokenFilter = Callable[[list[Piece]], list[Piece]]
Typed = Callable[[str], str]
"""The type of a token, from its text."""


class Chain:
    """``native`` is the whole analyzer as tantivy's own, but that it cuts no long words; None when a part is Python.

    ``indexed`` is tantivy's analyzer of what ``prepared`` makes of a text; None when its tokens must be handed over.
    """

    def __init__(
        self,
        tokenizer: Words | tantivy.Tokenizer | Callable[[str], list[Piece]],
        filters: Sequence[tantivy.Filter | TokenFilter] = (),
        char_filters: Sequence[CharFilter] = (),
        typed: Typed | None = None,
    ) -> None:
        self._char_filters = tuple(char_filters)
        self._typed = typed
        self._words = tokenizer if isinstance(tokenizer, Words) else None
        cutter = tokenizer.tokenizer if isinstance(tokenizer, Words) else tokenizer
        self._python: Callable[[str], list[Piece]] | None = None
        self._front: Any = None
        own: list[tantivy.Filter] = []
        if isinstance(cutter, tantivy.Tokenizer):
            own = _leading(filters)
            self._front = _native(cutter, own)
        else:
            self._python = cutter
        self._rest = tuple(_per_token(step) for step in filters[len(own) :])
        self.native: Any = None if self._rest or self._char_filters else self._front
        self.indexed: Any = self.native
        self._cutting: Chain | None = None
        if self._words is not None:
            self.indexed = None if self._rest else _native(tantivy.Tokenizer.whitespace(), own)
            self._cutting = _cutting(self._words, filters, char_filters, typed)

    def pieces(self, text: str) -> list[Piece]:
        """Return the tokens of a text, in order."""
        if self._cutting is not None and self._has_long(text):
            return self._cutting.pieces(text)
        original = text
        text, origins = self._mapped(text)
        pieces = self._python(text) if self._python else self._tantivy_pieces(text)
        for step in self._rest:
            pieces = step(pieces)
        if origins is not None:
            last = len(original)
            pieces = [replace(p, start=min(origins[p.start], last), end=min(origins[p.end], last)) for p in pieces]
        return pieces

    def takes(self, text: str) -> bool:
        """True when ``native`` makes of the text what ``pieces`` does."""
        return self.native is not None and not self._has_long(text)

    def prepared(self, text: str) -> str:
        """Return the text of which ``indexed`` makes what ``pieces`` does of ``text``, offsets apart."""
        text, _ = self._mapped(text)
        return text if self._words is None else self._words.spaced(text)

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

    def _has_long(self, text: str) -> bool:
        return self._words is not None and self._words.has_long(text)

    def _mapped(self, text: str) -> tuple[str, Sequence[int] | None]:
        origins = None
        for char_filter in self._char_filters:
            mapped = char_filter(text)
            text = mapped.text
            origins = _composed(origins, mapped.origins)
        return text, origins

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


def _cutting(
    words: Words,
    filters: Sequence[tantivy.Filter | TokenFilter],
    char_filters: Sequence[CharFilter],
    typed: Typed | None,
) -> Chain | None:
    """The same analyzer in Python, for texts that have words to be cut."""
    longest = words.longest
    if longest is None:
        return None
    whole = Chain(words.tokenizer, typed=typed)
    return Chain(lambda text: cut(whole.pieces(text), longest), filters, char_filters, typed)


def cut(pieces: Sequence[Piece], longest: int) -> list[Piece]:
    """Return the pieces with those of more than ``longest`` characters in parts."""
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


def _leading(filters: Sequence[tantivy.Filter | TokenFilter]) -> list[tantivy.Filter]:
    """The filters before the first that is Python."""
    leading: list[tantivy.Filter] = []
    for step in filters:
        if not isinstance(step, tantivy.Filter):
            break
        leading.append(step)
    return leading


def _native(tokenizer: tantivy.Tokenizer, filters: Sequence[tantivy.Filter]) -> Any:
    builder = tantivy.TextAnalyzerBuilder(tokenizer)
    for one in filters:
        builder = builder.filter(one)
    return builder.build()


def _per_token(step: tantivy.Filter | TokenFilter) -> TokenFilter:
    if not isinstance(step, tantivy.Filter):
        return step
    analyzer = _native(tantivy.Tokenizer.raw(), [step])

    def apply(pieces: list[Piece]) -> list[Piece]:
        return [replace(piece, text=text) for piece in pieces for text in analyzer.analyze(piece.text)]

    return apply

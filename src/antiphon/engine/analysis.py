"""Analyzers: text -> terms, for the lexicon, for queries, for highlighting and for ``_analyze``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from antiphon.domain.analysis import AnalyzeRequest, Token
from antiphon.engine.analysis_chain import Chain, Piece
from antiphon.engine.analysis_names import Definitions
from antiphon.errors import IllegalArgument

POSITION_GAP = 100
"""How far apart the positions of two values of one field are (``position_increment_gap``)."""


class Analyzers:
    """The analyzers of one index, built from its flat ``index.analysis.*`` settings and the built-in ones.

    Built on first use and kept. Thread-safe: two threads may build the same one, and either is good.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._definitions = Definitions(settings)
        self._chains: dict[str, Chain] = {}
        self._normalizers: dict[str, Chain] = {}

    def chain(self, analyzer: str) -> Chain:
        """Return the analyzer of this name; IllegalArgument when there is none or it cannot be built."""
        if (chain := self._chains.get(analyzer)) is None:
            chain = self._chains[analyzer] = self._definitions.analyzer(analyzer)
        return chain

    def check(self) -> None:
        """IllegalArgument when anything that the settings define cannot be built."""
        for name in self._definitions.names("analyzer"):
            self.chain(name)
        for name in self._definitions.names("normalizer"):
            self._definitions.normalizer(name)

    def terms(self, analyzer: str, text: str) -> list[str]:
        """Return the terms of a text in order."""
        chain = self.chain(analyzer)
        if chain.takes(text):
            return list(chain.native.analyze(text))
        return [piece.text for piece in chain.pieces(text)]

    def tokens(self, analyzer: str, text: str) -> list[Token]:
        """Return the tokens of a text with offsets and positions."""
        return _tokens(self.chain(analyzer), (text,))

    def normalize(self, normalizer: str, text: str) -> str:
        """Return a keyword as its normalizer leaves it."""
        if (chain := self._normalizers.get(normalizer)) is None:
            chain = self._normalizers[normalizer] = self._definitions.normalizer(normalizer)
        return "".join(piece.text for piece in chain.pieces(text))

    def analyze(self, request: AnalyzeRequest) -> list[Token]:
        """Answer ``_analyze``; IllegalArgument for an unknown analyzer, tokenizer or filter."""
        if request.normalizer is not None:
            return _tokens(self._definitions.normalizer(request.normalizer), request.texts)
        if request.tokenizer is not None:
            chain = self._definitions.custom(request.tokenizer, request.filters, request.char_filters)
        elif request.filters or request.char_filters:
            if request.analyzer is not None:
                raise IllegalArgument("cannot define extra components on a named analyzer")
            chain = self._definitions.custom("keyword", request.filters, request.char_filters)
        else:
            chain = self.chain(request.analyzer or "standard")
        return _tokens(chain, request.texts)


def _tokens(chain: Chain, texts: tuple[str, ...]) -> list[Token]:
    tokens: list[Token] = []
    position_base = offset_base = 0
    for text in texts:
        units = _utf16_offsets(text)
        pieces = chain.pieces(text)
        for piece in pieces:
            start, end = (piece.start, piece.end) if units is None else (units[piece.start], units[piece.end])
            position = position_base + piece.position
            tokens.append(Token(piece.text, offset_base + start, offset_base + end, _kind(piece), position))
        position_base += (pieces[-1].position + 1 if pieces else 0) + POSITION_GAP
        offset_base += (len(text) if units is None else units[-1]) + 1
    return tokens


def _kind(piece: Piece) -> str:
    return piece.type


def _utf16_offsets(text: str) -> list[int] | None:
    if text.isascii() or max(text) <= "\uffff":
        return None
    offsets = [0]
    for character in text:
        offsets.append(offsets[-1] + (2 if character > "\uffff" else 1))
    return offsets

"""Analyzers: text -> terms, for the lexicon, for queries, for highlighting and for ``_analyze``."""

from __future__ import annotations

from typing import Any

from antiphon.domain.analysis import AnalyzeRequest, Token


class Analyzers:
    """The analyzers of one index, built from its flat ``index.analysis.*`` settings and the built-in ones."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings

    def terms(self, analyzer: str, text: str) -> list[str]:
        """Return the terms of a text in order."""
        return [token.token for token in self.tokens(analyzer, text)]

    def tokens(self, analyzer: str, text: str) -> list[Token]:
        """Return the tokens of a text with offsets and positions."""
        raise NotImplementedError

    def analyze(self, request: AnalyzeRequest) -> list[Token]:
        """Answer ``_analyze``; IllegalArgument for an unknown analyzer, tokenizer or filter."""
        raise NotImplementedError

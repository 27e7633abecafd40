"""Cuts long texts into pieces that a model reads whole."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from antiphon.cli.files import Item

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_TOKEN = re.compile(rf"[{_CJK}]|[^\W{_CJK}]{{1,8}}|[^\w\s]")
_SENTENCE_ENDS = (". ", "! ", "? ", ".\n", "!\n", "?\n", "。", "！", "？")  # noqa: RUF001


def in_pieces(items: Iterable[Item], text_field: str, limit: int) -> Iterator[Item]:
    """Yield the documents, those with a longer text as several: ``id#0``, ``id#1`` ... with pieces of that text."""
    for item in items:
        text = item.source.get(text_field)
        found = list(pieces(text, limit)) if isinstance(text, str) else []
        if len(found) < 2:
            yield item
            continue
        for number, piece in enumerate(found):
            yield replace(
                item,
                id=f"{item.id}#{number}",
                source={**item.source, text_field: piece},
                parent=item.id,
                chunk=number,
                pieces=len(found),
            )


def count_tokens(text: str) -> int:
    """Return how long a text is: a Chinese, Japanese or Korean character, a mark, and 8 characters of a word are one.

    It is an estimate of a multilingual model's tokens, good to about a third.
    """
    return sum(1 for _ in _TOKEN.finditer(text))


def pieces(text: str, limit: int) -> Iterator[str]:
    """Yield pieces of at most ``limit`` tokens, together the whole text but the white space between them.

    Each ends with a paragraph if one ends in its second half, else with a sentence, else between words, else in one.
    """
    tokens = [match.span() for match in _TOKEN.finditer(text)]
    first = 0
    while len(tokens) - first > limit:
        start, half, end = tokens[first][0], tokens[first + limit // 2][0], tokens[first + limit][0]
        end = _cut(text, half, end)
        yield text[start:end].strip()
        while tokens[first][0] < end:
            first += 1
    if first < len(tokens):
        yield text[tokens[first][0] :].strip()


def _cut(text: str, half: int, end: int) -> int:
    """Return the best place to cut between ``half`` and ``end``, which begins a token."""
    paragraph = text.rfind("\n\n", half, end)
    if paragraph > half:
        return paragraph
    sentence = max(text.rfind(mark, half, end) for mark in _SENTENCE_ENDS) + 1
    if sentence > half:
        return sentence
    return next((place for place in range(end, half, -1) if text[place - 1].isspace()), end)

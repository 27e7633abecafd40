"""Regular expressions that clients wrote. None of them may run for long: one that tries many ways is stopped.

The syntax is Java's as far as the ``regex`` library has it: possessive quantifiers, atomic groups, ``\\p{...}``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import regex

from antiphon.errors import IllegalArgument

LONGEST_S = 1.0
"""How long one expression may work on one text."""

Match = regex.Match[str]


class RegularExpression:
    """Every method raises IllegalArgument when it takes longer than ``LONGEST_S``."""

    def __init__(self, source: str, *, ignore_case: bool = False, dot_all: bool = False) -> None:
        """ValueError when ``source`` cannot be read."""
        flags = (regex.IGNORECASE if ignore_case else 0) | (regex.DOTALL if dot_all else 0)
        try:
            self._compiled = regex.compile(source, flags)
        except regex.error as error:
            raise ValueError(str(error)) from None
        self.source = source

    def knows(self, group: str) -> bool:
        """True when there is a group of this number or name."""
        if group.isdigit():
            return int(group) <= self._compiled.groups
        return group in self._compiled.groupindex

    def finditer(self, text: str) -> Iterator[Match]:
        """Yield the matches from left to right."""
        try:
            yield from self._compiled.finditer(text, timeout=LONGEST_S)
        except TimeoutError:
            raise self._too_long(text) from None

    def split(self, text: str, *, keep_empty_ends: bool) -> list[str]:
        """Return the text cut at the matches, as Java does: an empty match at its start cuts nothing, groups are not
        kept. Empty parts at the end are dropped unless they are to be kept; a text that is not cut is its own part.
        """
        parts, start = [], 0
        for found in self.finditer(text):
            if found.end() > 0:
                parts.append(text[start : found.start()])
                start = found.end()
        if not parts:
            return [text]
        parts.append(text[start:])
        while not keep_empty_ends and parts and not parts[-1]:
            parts.pop()
        return parts

    def sub(self, replacement: str | Callable[[Match], str], text: str) -> str:
        """Return the text with every match replaced."""
        try:
            return self._compiled.sub(replacement, text, timeout=LONGEST_S)
        except TimeoutError:
            raise self._too_long(text) from None

    def fullmatch(self, text: str) -> bool:
        """True when all of the text matches."""
        try:
            return self._compiled.fullmatch(text, timeout=LONGEST_S) is not None
        except TimeoutError:
            raise self._too_long(text) from None

    def _too_long(self, text: str) -> IllegalArgument:
        return IllegalArgument(
            f"the regular expression [{self.source}] took longer than {LONGEST_S:g} s on a text of {len(text)} "
            "characters: write it without repetitions inside repetitions"
        )

"""The words of a text by a regular expression. Texts repeat their words, so each is looked at once for all of them."""

from __future__ import annotations

import re
from collections.abc import Callable

import tantivy

_JOINING = "\x1c\x1d\x1e\x1f\u202f"
"""White space to ``str.split``, but not to every pattern."""
_KEPT = 1 << 16
"""Parts that are remembered, of at most ``_KEPT_LENGTH`` characters: some 10 MB."""
_KEPT_LENGTH = 32
_KEPT_IDEOGRAPHS = 8
"""The same of those that fall into several words: whole sentences hardly come again."""


class Words:
    """``pattern`` (of Rust's regex) matches a word, never across ASCII white space. Thread-safe.

    Words of more than ``longest`` characters are cut (None: of any length). ``stretches`` (of Python's regex) cuts what
    is between white space further, where no word is cut by that; ``quick`` returns the words of an easy text with
    blanks between them, None for others.
    """

    def __init__(
        self, pattern: str, longest: int | None = None, stretches: re.Pattern[str] | None = None,
        quick: Callable[[str], str | None] | None = None,
    ) -> None:  # fmt: skip
        self.tokenizer = tantivy.Tokenizer.regex(pattern)
        self.longest = longest
        self._stretches = stretches
        self._quick = quick
        self._analyzer = tantivy.TextAnalyzerBuilder(self.tokenizer).build()
        self._known = _Known(self.looked_at)

    def spaced(self, text: str) -> str:
        """Return the words in order with blanks between them."""
        if self._quick is not None and (spaced := self._quick(text)) is not None and self._all_short(spaced):
            return spaced
        return " ".join(map(self._known.__getitem__, _parts(text)))

    def looked_at(self, part: str) -> str:
        """Return the same of a part of a text that is not remembered."""
        stretches = self._cut(part)
        if len(stretches) > 1:
            return " ".join(map(self._known.__getitem__, stretches))
        words: list[str] = self._analyzer.analyze(part)
        longest = self.longest
        if longest is not None and len(part) > longest:
            words = [word[at : at + longest] for word in words for at in range(0, len(word), longest)]
        return " ".join(words)

    def has_long(self, text: str) -> bool:
        """True when a word may have to be cut."""
        longest = self.longest
        if longest is None or self._all_short(text):
            return False
        return any(len(one) > longest for part in _parts(text) if len(part) > longest for one in self._cut(part))

    def _all_short(self, text: str) -> bool:
        """True when no word has to be cut, by a quick look: one that has fills a half of its length with itself."""
        longest = self.longest
        if longest is None or len(text) <= longest:
            return True
        half = (longest + 1) // 2
        return all(" " in text[at : at + half] for at in range(0, len(text) - half + 1, half))

    def _cut(self, part: str) -> list[str]:
        return [part] if self._stretches is None or part.isascii() else self._stretches.findall(part)


def _parts(text: str) -> list[str]:
    return [text] if any(blank in text for blank in _JOINING) else text.split()


class _Known(dict[str, str]):
    """What ``look`` returns for each key."""

    def __init__(self, look: Callable[[str], str]) -> None:
        super().__init__()
        self._look = look

    def __missing__(self, part: str) -> str:
        found = self._look(part)
        longest = _KEPT_LENGTH if part.isascii() or " " not in found else _KEPT_IDEOGRAPHS
        if len(part) <= longest:
            if len(self) >= _KEPT:
                self.clear()
            self[part] = found
        return found

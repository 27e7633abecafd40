"""The words of a script source."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"\s+|//[^\n]*\n?"
    r"|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?[fFdDlL]?)"
    r"|(?P<name>[A-Za-z_]\w*)"
    r"|'(?P<single>[^'\\]*)'|\"(?P<double>[^\"\\]*)\""
    r"|(?P<operator>==|!=|<=|>=|&&|\|\||[-+*/%<>!?:()\[\].,;])",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Token:
    """``kind`` is number, name, text (of a string), operator, other or end."""

    kind: str
    text: str


def tokens(source: str) -> list[Token]:
    """Return the words in order, without spaces and comments; a character no script here has is an ``other``."""
    found: list[Token] = []
    at = 0
    while at < len(source):
        match = _TOKEN.match(source, at)
        if match is None:
            found.append(Token("other", source[at]))
            at += 1
            continue
        at = match.end()
        kind = match.lastgroup
        if kind is not None:
            found.append(Token("text" if kind in ("single", "double") else kind, match[kind]))
    return found

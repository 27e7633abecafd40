"""The words of Lucene's query syntax."""

from __future__ import annotations

import re
from dataclasses import dataclass

from antiphon.errors import ParseError

_SPACE = re.compile(r"\s+")
_OPERATOR = re.compile(r"(AND|OR|NOT)(?=[\s(+\-!]|$)|&&|\|\||[+!()-]")
_FIELD = re.compile(r"((?:[^\s+\-!(){}\[\]^\"~*?:\\/&|<>=]|\\.|(?<=.)[-+*/])+|\*):", re.DOTALL)
_PHRASE = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_REGEXP = re.compile(r"/((?:[^/\\]|\\.)*)/")
_RANGE = re.compile(r"([\[{])\s*(\"[^\"]*\"|\S+?)\s+TO\s+(\"[^\"]*\"|[^\s\]}]+)\s*([\]}])")
_COMPARE = re.compile(r"(>=|<=|>|<)\s*(\"[^\"]*\"|(?:[^\s()\\]|\\.)+)")
_TERM = re.compile(r"(?:[^\s+\-!(){}\[\]^\"~:\\/]|\\.|(?<=\S)[-+/!])+", re.DOTALL)
_EDITS = re.compile(r"~(\d+(?:\.\d+)?)?")
_BOOST = re.compile(r"\^(\d+(?:\.\d+)?)")
_WORDS = {"AND": "and", "&&": "and", "OR": "or", "||": "or", "NOT": "not", "!": "not"}
_COMPARED = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}


class QuerySyntaxError(ParseError):
    """A text that is no query; the clause turns it into a failed query."""


@dataclass(frozen=True, slots=True)
class Lexeme:
    """``kind``: and, or, not, +, -, (, ), field, term, phrase, range or regexp.

    ``edits`` is what follows ``~`` (-1: nothing). ``wild``: the term has an unescaped ``*`` or ``?``. ``bounds`` are
    (range option, value) pairs. Terms keep their escapes; phrases have lost them.
    """

    kind: str
    text: str = ""
    edits: float | None = None
    boost: float = 1.0
    wild: bool = False
    bounds: tuple[tuple[str, str], ...] = ()


def lexemes(text: str) -> list[Lexeme]:
    """Return the words of a query in order; QuerySyntaxError where none can be read."""
    found: list[Lexeme] = []
    at = 0
    while at < len(text):
        space = _SPACE.match(text, at)
        if space is not None:
            at = space.end()
            continue
        lexeme, at = _one(text, at)
        found.append(lexeme)
    return found


def unescape(text: str) -> str:
    """Return the text without its backslashes."""
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def _one(text: str, at: int) -> tuple[Lexeme, int]:
    operator = _OPERATOR.match(text, at)
    if operator is not None:
        sign = operator[0]
        if sign == ")":
            boost, end = _boost(text, operator.end())
            return Lexeme(")", ")", boost=boost), end
        return Lexeme(_WORDS.get(sign, sign), sign), operator.end()
    field = _FIELD.match(text, at)
    if field is not None:
        return Lexeme("field", unescape(field[1])), field.end()
    for pattern, make in (
        (_PHRASE, _phrase),
        (_REGEXP, _regexp),
        (_RANGE, _range),
        (_COMPARE, _compare),
        (_TERM, _term),
    ):
        match = pattern.match(text, at)
        if match is not None:
            return make(match, text)
    raise QuerySyntaxError(f'Lexical error at line 1, column {at + 1}. Encountered: "{text[at]}"')


def _edits(text: str, at: int) -> tuple[float | None, int]:
    match = _EDITS.match(text, at)
    if match is None:
        return None, at
    return (-1.0 if match[1] is None else float(match[1])), match.end()


def _boost(text: str, at: int) -> tuple[float, int]:
    match = _BOOST.match(text, at)
    return (1.0, at) if match is None else (float(match[1]), match.end())


def _phrase(match: re.Match[str], text: str) -> tuple[Lexeme, int]:
    edits, end = _edits(text, match.end())
    boost, end = _boost(text, end)
    return Lexeme("phrase", unescape(match[1]), None if edits is None or edits < 0 else edits, boost), end


def _regexp(match: re.Match[str], text: str) -> tuple[Lexeme, int]:
    boost, end = _boost(text, match.end())
    return Lexeme("regexp", match[1], boost=boost), end


def _range(match: re.Match[str], text: str) -> tuple[Lexeme, int]:
    boost, end = _boost(text, match.end())
    low = ("gte" if match[1] == "[" else "gt", unescape(match[2].strip('"')))
    high = ("lte" if match[4] == "]" else "lt", unescape(match[3].strip('"')))
    return Lexeme("range", match[0], boost=boost, bounds=(low, high)), end


def _compare(match: re.Match[str], _text: str) -> tuple[Lexeme, int]:
    bound = (_COMPARED[match[1]], unescape(match[2].strip('"')))
    return Lexeme("range", match[0], bounds=(bound,)), match.end()


def _term(match: re.Match[str], text: str) -> tuple[Lexeme, int]:
    term = match[0]
    bare = re.sub(r"\\.", "", term, flags=re.DOTALL)
    wild = "*" in bare or "?" in bare
    edits, end = _edits(text, match.end())
    boost, end = _boost(text, end)
    return Lexeme("term", term, edits, boost, wild), end

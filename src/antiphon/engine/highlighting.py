"""Highlights: where in a text the terms of a query are, cut into fragments (after Lucene's unified highlighter)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from antiphon.domain.field import Family, Field
from antiphon.engine.match_pattern import compiled, fuzzy_terms
from antiphon.engine.matches import Evaluator
from antiphon.engine.table import Table
from antiphon.engine.text_match import words_of
from antiphon.query import (
    Bool,
    Boosting,
    ConstantScore,
    DisMax,
    FunctionScore,
    HighlightField,
    KeywordTerms,
    Named,
    Nested,
    Pattern,
    PatternKind,
    Query,
    ScriptScore,
    Search,
    TermsSet,
    TextMatch,
    TextPhrase,
    TextTerms,
)

Fits = Callable[[str], bool]
_SENTENCE = re.compile(r"[^.!?。！？\n]*(?:[.!?。！？]+[\s\"')\]]*|\n+|$)")  # noqa: RUF001


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Terms of one field that a query can match."""

    field: str
    fits: Fits


def highlight(
    evaluator: Evaluator, asked: Search, fields: Sequence[HighlightField], source: Mapping[str, Any]
) -> dict[str, list[str]]:
    """Return the highlighted fragments by field; only fields in which something was found."""
    table = evaluator.view.tables[""]
    shown: dict[str, list[str]] = {}
    for request in fields:
        queries = asked.legs if request.query is None else (request.query,)
        wanted = [one for query in queries for one in _wanted(table, query)]
        for field in _fields(table, request.pattern):
            fitting = [
                one.fits for one in wanted if one.field in (field.path, field.source) or not request.require_field_match
            ]
            fragments = _of_field(table, field, request, fitting, source)
            if fragments:
                shown[field.path] = fragments
    return shown


def _fields(table: Table, pattern: str) -> list[Field]:
    found = table.mapping.matching(pattern) if "*" in pattern else [table.mapping.field(pattern)]
    return [field for field in found if field is not None and field.family in (Family.TEXT, Family.KEYWORD)]


def _wanted(table: Table, query: Query) -> Iterator[_Wanted]:  # noqa: C901  one case per node
    match query:
        case Bool():
            for part in (*query.must, *query.filter, *query.should):
                yield from _wanted(table, part)
        case DisMax():
            for part in query.queries:
                yield from _wanted(table, part)
        case ConstantScore():
            yield from _wanted(table, query.filter)
        case Boosting():
            yield from _wanted(table, query.positive)
        case FunctionScore() | ScriptScore() | Nested() | Named():
            yield from _wanted(table, query.query)
        case TermsSet():
            for part in query.terms:
                yield from _wanted(table, part)
        case TextMatch():
            words = [term for _, terms in words_of(table, query.field, query.text, query.analyzer) for term in terms]
            yield from (_Wanted(query.field, _term_of(query, word, word == words[-1])) for word in words)
        case TextPhrase():
            words = [term for _, terms in words_of(table, query.field, query.text, query.analyzer) for term in terms]
            for word in words:
                prefix = query.prefix and word == words[-1]
                yield _Wanted(query.field, _starts(word) if prefix else _is(word))
        case TextTerms():
            yield from (_Wanted(query.field, _is(term)) for term in query.terms)
        case KeywordTerms():
            yield from (_Wanted(query.field, _is(value)) for value in query.values)
        case Pattern(kind=PatternKind.FUZZY):
            yield _Wanted(query.field, lambda term: bool(fuzzy_terms(query, [term])))
        case Pattern():
            shape = compiled(query)
            yield _Wanted(query.field, shape.fullmatch)
        case _:
            return


def _term_of(query: TextMatch, word: str, last: bool) -> Fits:
    if query.last_prefix and last:
        return _starts(word)
    if query.fuzziness is None or query.fuzziness.edits_for(len(word)) == 0:
        return _is(word)
    near = Pattern(query.field, PatternKind.FUZZY, word, fuzziness=query.fuzziness, prefix_length=query.prefix_length)
    return lambda term: bool(fuzzy_terms(near, [term]))


def _is(word: str) -> Fits:
    return lambda term: term == word


def _starts(word: str) -> Fits:
    return lambda term: term.startswith(word)


def _of_field(
    table: Table, field: Field, request: HighlightField, fitting: Sequence[Fits], source: Mapping[str, Any]
) -> list[str]:
    texts = list(_texts(source, (field.source or field.path).split(".")))
    fragments: list[tuple[int, str]] = []
    for text in texts:
        spans = _spans(table, field, text, fitting)
        if spans:
            fragments += _fragments(text, spans, request)
    if not fragments:
        if request.no_match_size and texts:
            return [texts[0][: request.no_match_size]]
        return []
    if request.fragments == 0:
        return [text for _, text in fragments]
    best = sorted(range(len(fragments)), key=lambda at: (-fragments[at][0], at))[: request.fragments]
    return [fragments[at][1] for at in sorted(best)]


def _texts(value: Any, path: list[str]) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _texts(item, path)
    elif path and isinstance(value, Mapping):
        yield from _texts(value.get(path[0]), path[1:])
        dotted = ".".join(path)
        if len(path) > 1 and dotted in value:
            yield from _texts(value[dotted], [])
    elif not path and isinstance(value, (str, int, float)):
        yield str(value)


def _spans(table: Table, field: Field, text: str, fitting: Sequence[Fits]) -> list[tuple[int, int]]:
    """Where the wanted terms are, in characters."""
    if field.family is Family.KEYWORD:
        return [(0, len(text))] if any(fits(text) for fits in fitting) else []
    units = _units(text)
    return [
        (units[token.start_offset], units[token.end_offset])
        for token in table.analyzers.tokens(field.analyzer, text)
        if any(fits(token.token) for fits in fitting)
    ]


def _units(text: str) -> Sequence[int]:
    """The character of each UTF-16 unit, and of the end."""
    if text.isascii() or all(ord(character) < 0x10000 for character in text):
        return range(len(text) + 1)
    places: list[int] = []
    for at, character in enumerate(text):
        places += [at] * (1 if ord(character) < 0x10000 else 2)
    return [*places, len(text)]


def _fragments(text: str, spans: list[tuple[int, int]], request: HighlightField) -> list[tuple[int, str]]:
    """Return (how many terms, the marked fragment) of each fragment with a term in it."""
    if request.fragments == 0:
        return [(len(spans), _marked(text, 0, len(text), spans, request))]
    found: list[tuple[int, str]] = []
    for start, end in _passages(text, request.fragment_size):
        inside = [span for span in spans if start <= span[0] < end]
        if inside:
            found.append((len(inside), _marked(text, start, end, inside, request).strip()))
    return found


def _passages(text: str, size: int) -> Iterator[tuple[int, int]]:
    """Cut at ends of sentences; join short ones up to ``size``, cut long ones between words."""
    start = end = 0
    for sentence in _SENTENCE.finditer(text):
        if sentence.end() - start > size and end > start:
            yield start, end
            start = end
        end = sentence.end()
        while end - start > size * 3 // 2:
            cut = text.rfind(" ", start + size // 2, start + size)
            cut = start + size if cut < 0 else cut + 1
            yield start, cut
            start = cut
    if end > start:
        yield start, end


def _marked(text: str, start: int, end: int, spans: list[tuple[int, int]], request: HighlightField) -> str:
    parts: list[str] = []
    at = start
    for first, last in spans:
        if first < at:
            continue
        parts += [text[at:first], request.pre_tag, text[first:last], request.post_tag]
        at = last
    return "".join([*parts, text[at:end]])

"""Highlights: where in a text the terms of a query are, cut into fragments (after Lucene's unified highlighter)."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from antiphon.domain.analysis import Token
from antiphon.domain.field import Family, Field
from antiphon.engine.highlight_passages import Match, Passage, beginning, best_passages, whole_values
from antiphon.engine.match_pattern import fuzzy_terms
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
    TextCross,
    TextMatch,
    TextPhrase,
    TextTerms,
    compiled_pattern,
)

Fits = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Words of one field that a query can match, each at its position; several only where they form the phrase.

    ``slop`` is how much further than side by side they may stand; then in any order.
    """

    field: str
    words: tuple[tuple[int, Fits], ...]
    slop: int = 0

    @classmethod
    def word(cls, field: str, fits: Fits) -> _Wanted:
        """Return a single word, wanted wherever it stands."""
        return cls(field, ((0, fits),))


def highlight(
    evaluator: Evaluator, asked: Search, fields: Sequence[HighlightField], source: Mapping[str, Any]
) -> dict[str, list[str]]:
    """Return the highlighted fragments by field; only fields in which something was found."""
    table = evaluator.view.tables[""]
    shown: dict[str, list[str]] = {}
    for request in fields:
        queries = asked.legs if request.query is None else (request.query,)
        wanted = [one for query in queries for one in _wanted(table, query)]
        for name, field in table.mapping.named(request.pattern):
            if field.family not in (Family.TEXT, Family.KEYWORD):
                continue
            fitting = [
                one for one in wanted if one.field in (field.path, field.source) or not request.require_field_match
            ]
            fragments = _of_field(table, field, request, fitting, source)
            if fragments:
                shown[name] = fragments
    return shown


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
            yield from (_Wanted.word(query.field, _term_of(query, word, word == words[-1])) for word in words)
        case TextCross():
            words = [term for _, terms in words_of(table, query.field, query.text, query.analyzer) for term in terms]
            yield from (_Wanted.word(path, _is(word)) for path, _ in query.fields for word in words)
        case TextPhrase():
            yield from _wanted_phrase(table, query)
        case TextTerms():
            yield from (_Wanted.word(query.field, _is(term)) for term in query.terms)
        case KeywordTerms():
            yield from (_Wanted.word(query.field, _is(value)) for value in query.values)
        case Pattern(kind=PatternKind.FUZZY):
            yield _Wanted.word(query.field, lambda term: bool(fuzzy_terms(query, [term])))
        case Pattern():
            shape = compiled_pattern(query)
            yield _Wanted.word(query.field, shape.fullmatch)
        case _:
            return


def _wanted_phrase(table: Table, query: TextPhrase) -> Iterator[_Wanted]:
    words = words_of(table, query.field, query.text, query.analyzer)
    last = words[-1][0] if words and query.prefix else None
    if words:
        fits = tuple((position, _any_of(terms, prefix=position == last)) for position, terms in words)
        yield _Wanted(query.field, fits, query.slop)


def _term_of(query: TextMatch, word: str, last: bool) -> Fits:
    if query.last_prefix and last:
        return _starts(word)
    if query.fuzziness is None or query.fuzziness.edits_for(len(word)) == 0:
        return _is(word)
    near = Pattern(query.field, PatternKind.FUZZY, word, fuzziness=query.fuzziness, prefix_length=query.prefix_length)
    return lambda term: bool(fuzzy_terms(near, [term]))


def _is(word: str) -> Fits:
    return lambda term: term == word


def _any_of(terms: Sequence[str], *, prefix: bool) -> Fits:
    return (lambda term: term.startswith(tuple(terms))) if prefix else (lambda term: term in terms)


def _starts(word: str) -> Fits:
    return lambda term: term.startswith(word)


def _of_field(
    table: Table, field: Field, request: HighlightField, wanted: Sequence[_Wanted], source: Mapping[str, Any]
) -> list[str]:
    texts = list(_texts(source, (field.source or field.path).split(".")))
    matches = [_matches(table, field, text, wanted) for text in texts]
    if not any(matches):
        if request.no_match_size <= 0 or not texts:
            return []
        start = beginning(texts[0], request.no_match_size)
        return [_escaped(start) if request.html else start]
    if request.fragments == 0:
        passages = whole_values(texts, matches)
    else:
        passages = best_passages(
            texts, matches, request.fragment_size, request.fragments, words=request.by_word, by_score=request.by_score
        )
    return [_marked(passage, request).strip() for passage in passages]


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


def _matches(table: Table, field: Field, text: str, wanted: Sequence[_Wanted]) -> list[Match]:
    """Where the wanted words are, in characters, in order."""
    if field.family is Family.KEYWORD:
        fits = any(len(one.words) == 1 and one.words[0][1](text) for one in wanted)
        return [Match(0, len(text), text)] if fits else []
    tokens = table.analyzers.tokens(field.analyzer, text)
    marked: set[int] = set()
    for one in wanted:
        marked |= _together(tokens, one)
    units = _units(text)
    return [
        Match(units[token.start_offset], units[token.end_offset], token.token)
        for at, token in enumerate(tokens)
        if at in marked
    ]


def _together(tokens: Sequence[Token], wanted: _Wanted) -> set[int]:
    """The tokens, by number, that stand where all the wanted words do."""
    places = [{token.position: at for at, token in enumerate(tokens) if fits(token.token)} for _, fits in wanted.words]
    if len(places) == 1:
        fits = wanted.words[0][1]
        return {at for at, token in enumerate(tokens) if fits(token.token)}
    first = wanted.words[0][0]
    marked: set[int] = set()
    for start in sorted({position for found in places for position in found} if wanted.slop else places[0]):
        if wanted.slop:
            last = start + wanted.words[-1][0] - first + wanted.slop
            held = [[found[p] for p in sorted(found) if start <= p <= last][:1] for found in places]
        else:
            offsets = [position - first for position, _ in wanted.words]
            held = [
                [found[start + offset]] if start + offset in found else []
                for offset, found in zip(offsets, places, strict=True)
            ]
        chosen = {at for part in held for at in part}
        if len(chosen) == len(places):
            marked |= chosen
    return marked


def _units(text: str) -> Sequence[int]:
    """The character of each UTF-16 unit, and of the end."""
    if text.isascii() or all(ord(character) < 0x10000 for character in text):
        return range(len(text) + 1)
    places: list[int] = []
    for at, character in enumerate(text):
        places += [at] * (1 if ord(character) < 0x10000 else 2)
    return [*places, len(text)]


def _marked(passage: Passage, request: HighlightField) -> str:
    parts: list[str] = []
    shown = _escaped if request.html else str
    at = passage.start
    end = max(passage.end, passage.matches[-1].end)
    for match in passage.matches:
        if match.start < at:
            continue
        parts += [shown(passage.text[at : match.start]), request.pre_tag, shown(passage.text[match.start : match.end])]
        parts.append(request.post_tag)
        at = match.end
    return "".join([*parts, shown(passage.text[at:end])])


def _escaped(text: str) -> str:
    """Text within HTML, as Lucene's encoder writes it."""
    return html.escape(text).replace("/", "&#x2F;")

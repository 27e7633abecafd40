"""Does a document match, and how well?

Scores follow OpenSearch: BM25 (k1 1.2, b 0.75) for terms of text, the same without length for keywords, 1 for
everything else that is not a filter; what a ``bool`` adds up comes from its ``must`` and ``should``. Statistics are
those of the documents at hand.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Any, assert_never

from antiphon.domain.pattern import between_stars
from antiphon.query import reading
from antiphon.query.catalog.analyse import terms_of
from antiphon.query.catalog.clauses import Bool, Query, Range, Scalar, Term, Terms
from antiphon.query.catalog.schema import Document, FieldType, Schema, has_value, values_of
from antiphon.query.leaves import (
    Exists,
    Ids,
    MatchAll,
    MatchNone,
    Operator,
    Pattern,
    PatternKind,
    TextMatch,
    TextPhrase,
)
from antiphon.query.minimum import required_matches

_K1 = 1.2
_B = 0.75


class Corpus:
    """The documents searched, with what scoring needs to know about all of them, computed when first asked for."""

    def __init__(self, documents: Sequence[Document], schema: Schema) -> None:
        self.documents = documents
        self.schema = schema
        self._columns: dict[str, Column] = {}

    def column(self, field: str) -> Column:
        """Return the field's values over all documents."""
        if field not in self._columns:
            self._columns[field] = Column(self.documents, field, self.schema)
        return self._columns[field]

    def score(self, query: Query, number: int) -> float | None:
        """Return the score of document ``number``, or None when it does not match."""
        match query:
            case MatchAll():
                return query.boost
            case MatchNone():
                return None
            case TextMatch():
                return self._match(query, number)
            case TextPhrase():
                return self._phrase(query, number)
            case Term():
                return self._term(query, number)
            case Bool():
                return self._bool(query, number)
            case Terms() | Ids() | Exists() | Pattern() | Range():
                return query.boost if self._holds(query, number) else None
            case _:
                assert_never(query)

    def _holds(self, query: Terms | Ids | Exists | Pattern | Range, number: int) -> bool:
        match query:
            case Terms():
                column = self.column(query.field)
                return any(column.count(number, value) for value in query.values)
            case Ids():
                return self.documents[number].id in query.values
            case Exists():
                return any(has_value(self.documents[number], field, self.schema) for field in query.fields)
            case Pattern():
                values = [value for value in self.column(query.field).values[number] if isinstance(value, str)]
                if query.case_insensitive:
                    return _fits([value.lower() for value in values], query.value.lower(), query.kind)
                return _fits(values, query.value, query.kind)
            case Range():
                return any(_within(value, query) for value in self.column(query.field).values[number])
            case _:
                assert_never(query)

    def _match(self, query: TextMatch, number: int) -> float | None:
        terms = terms_of(query.text)
        if not terms:
            return query.boost if query.zero_terms_all else None
        column = self.column(query.field)
        found = [term for term in terms if column.count(number, term)]
        needed = (
            len(terms)
            if query.operator is Operator.AND
            else required_matches(query.minimum_should_match, len(terms), 1)
        )
        if len(found) < max(1, needed):
            return None
        return query.boost * sum(column.weight(number, term) for term in found)

    def _phrase(self, query: TextPhrase, number: int) -> float | None:
        terms = terms_of(query.text)
        if not terms:
            return query.boost if query.zero_terms_all else None
        column = self.column(query.field)
        values, length = column.values[number], len(terms)
        frequency = sum(list(values[i : i + length]) == terms for i in range(len(values) - length + 1))
        if not frequency:
            return None
        return query.boost * sum(column.idf(term) for term in terms) * column.saturation(number, frequency)

    def _term(self, query: Term, number: int) -> float | None:
        column = self.column(query.field)
        if query.case_insensitive:
            wanted = reading.as_text(query.value).lower()
            same = any(_canonical(value, lower=True) == wanted for value in column.values[number])
            return query.boost if same else None
        if not column.count(number, query.value):
            return None
        return query.boost * column.weight(number, query.value)

    def _bool(self, query: Bool, number: int) -> float | None:
        if any(self.score(clause, number) is not None for clause in query.must_not):
            return None
        if any(self.score(clause, number) is None for clause in query.filter):
            return None
        must = [self.score(clause, number) for clause in query.must]
        should = [score for clause in query.should if (score := self.score(clause, number)) is not None]
        default = 0 if query.must or query.filter or not query.should else 1
        if None in must or len(should) < required_matches(query.minimum_should_match, len(query.should), default):
            return None
        if not (query.must or query.filter or query.should or query.must_not):
            return query.boost
        return query.boost * (sum(score for score in must if score is not None) + sum(should))


class Column:
    """One field over all documents. ``values[n]`` are document n's: terms of a text field, else the plain values."""

    def __init__(self, documents: Sequence[Document], field: str, schema: Schema) -> None:
        self.analysed = schema.type_of(field) is FieldType.TEXT
        self._having: dict[tuple[type, Scalar], int] = {}
        self._scored = field != "_id"
        found = [values_of(document, field, schema) for document in documents]
        self.values: list[tuple[Any, ...]] = [self._terms(row) for row in found] if self.analysed else found
        self._counts = [Counter(_canonical(value) for value in row) for row in self.values]

    def count(self, number: int, value: Scalar) -> int:
        """Return how often document ``number`` holds ``value``."""
        counts = self._counts[number]
        return sum(counts[form] for form in _forms(value))

    def weight(self, number: int, value: Scalar) -> float:
        """Return the score of a term that document ``number`` holds."""
        if not (self._scored and any(isinstance(held, str) for held in self.values[number])):
            return 1.0
        return self.idf(value) * self.saturation(number, self.count(number, value))

    def idf(self, value: Scalar) -> float:
        """Return ln(1 + (N - n + 0.5) / (n + 0.5)): N documents have the field, n of them the value."""
        key = type(value), value
        if key not in self._having:
            self._having[key] = sum(1 for number in range(len(self.values)) if self.count(number, value))
        having = self._having[key]
        return math.log(1 + (self._filled - having + 0.5) / (having + 0.5))

    def saturation(self, number: int, frequency: int) -> float:
        """Return f / (f + k1 (1 - b + b length / average length)); keywords have no length and count once."""
        if not self.analysed:
            return 1 / (1 + _K1)
        length = len(self.values[number]) / self._average_length
        return frequency / (frequency + _K1 * (1 - _B + _B * length))

    @cached_property
    def _filled(self) -> int:
        return sum(1 for row in self.values if row)

    @cached_property
    def _average_length(self) -> float:
        return sum(len(row) for row in self.values) / max(1, self._filled)

    def _terms(self, row: tuple[Any, ...]) -> tuple[str, ...]:
        return tuple(term for value in row for term in terms_of(reading.as_text(value)))


def _canonical(value: Any, *, lower: bool = False) -> str | float:
    """Return what a stored value is compared by: numbers as numbers, the rest as text."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and not lower:
        return float(value)
    text = reading.as_text(value)
    return text.lower() if lower else text


def _forms(value: Scalar) -> set[str | float]:
    """Return what an asked-for value may equal: its text, and the number that it is or spells."""
    number = None if isinstance(value, bool) else reading.as_number(value)
    return {reading.as_text(value)} if number is None else {reading.as_text(value), number}


def _fits(values: list[str], pattern: str, kind: PatternKind) -> bool:
    if kind is PatternKind.PREFIX:
        return any(value.startswith(pattern) for value in values)
    return any(_pattern(pattern).fullmatch(value) for value in values)


@lru_cache(maxsize=64)
def _pattern(wildcard: str) -> re.Pattern[str]:
    parts = [""]
    for piece in re.findall(r"\\.|.", wildcard, re.DOTALL):
        if piece == "*":
            parts.append("")
        else:
            parts[-1] += "." if piece == "?" else re.escape(piece[-1])
    return between_stars(parts)


def _within(value: Any, query: Range) -> bool:
    if isinstance(value, str):
        return _between(value, *(None if side is None else reading.as_text(side) for side in _sides(query)))
    bounds = [None if side is None else reading.as_number(side) for side in _sides(query)]
    if any(number is None and side is not None for number, side in zip(bounds, _sides(query), strict=True)):
        return False
    return _between(float(value), *bounds)


def _sides(query: Range) -> tuple[Scalar | None, Scalar | None, Scalar | None, Scalar | None]:
    return query.gt, query.gte, query.lt, query.lte


def _between(value: Any, gt: Any, gte: Any, lt: Any, lte: Any) -> bool:
    return (
        (gt is None or value > gt)
        and (gte is None or value >= gte)
        and (lt is None or value < lt)
        and (lte is None or value <= lte)
    )

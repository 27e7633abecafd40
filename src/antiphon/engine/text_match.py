"""Text nodes become one tantivy query: terms analysed, fuzzy ones and patterns expanded over the field's terms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby, islice, product
from typing import Any

import tantivy

from antiphon.domain.field import Family, Field
from antiphon.engine.lexicon import LexiconView
from antiphon.engine.match_pattern import fuzzy_terms, literal_prefix, matching_terms
from antiphon.engine.table import Table
from antiphon.errors import TooManyClauses
from antiphon.query import (
    Bool,
    ConstantScore,
    DisMax,
    KeywordRange,
    Named,
    Operator,
    Pattern,
    PatternKind,
    Query,
    TextCross,
    TextMatch,
    TextPhrase,
    TextTerms,
    required_matches,
)

SCALE = 2.2
"""The lexicon divides every score by this (k1 + 1), so constants are multiplied first."""
MAX_CLAUSES = 1024
MAX_PHRASES = 64
"""How many readings of a phrase with synonyms are tried."""

Words = list[tuple[int, list[str]]]
"""(position, terms at it)."""


def text_query(table: Table, node: Query) -> Any | None:
    """Return the tantivy query of a subtree that only asks about text of this table; None when it asks for more."""
    match node:
        case TextCross():
            return boosted(_across(table, node), node.boost) if _is_text(table, node.field) else None
        case TextMatch() | TextPhrase() | TextTerms():
            return leaf(table, node) if _is_text(table, node.field) else None
        case Pattern() | KeywordRange():
            return leaf(table, node) if _is_text(table, node.field) else None
        case Named():
            return text_query(table, node.query)
        case ConstantScore():
            inner = text_query(table, node.filter)
            return None if inner is None else constant(inner, node.boost)
        case DisMax():
            parts = [part for query in node.queries if (part := text_query(table, query)) is not None]
            if not parts or len(parts) < len(node.queries):
                return None
            return boosted(tantivy.Query.disjunction_max_query(parts, node.tie_breaker), node.boost)
        case Bool():
            return _bool(table, node)
        case _:
            return None


def leaf(table: Table, node: TextMatch | TextPhrase | TextTerms | Pattern | KeywordRange) -> Any:
    """Return the tantivy query of one text node."""
    lexicon = table.lexicon
    slot = None if lexicon is None else lexicon.slot(node.field)
    if lexicon is None or slot is None:
        return tantivy.Query.empty_query()
    writer = _Writer(table, lexicon, slot, node.field)
    match node:
        case TextMatch():
            return boosted(writer.match(node), node.boost)
        case TextPhrase():
            return boosted(writer.phrase(node), node.boost)
        case TextTerms():
            if node.scored and len(node.terms) == 1:
                return boosted(writer.term(node.terms[0]), node.boost)
            return constant(writer.any_of(node.terms), node.boost)
        case Pattern(kind=PatternKind.FUZZY):
            return boosted(writer.fuzzy(node), node.boost)
        case Pattern():
            return constant(writer.any_of(expanded(lexicon, node)), node.boost)
        case KeywordRange():
            terms = [term for term, _ in lexicon.terms(node.field) if inside(node, term)]
            return constant(writer.any_of(terms), node.boost)


def expanded(lexicon: LexiconView, node: Pattern) -> list[str]:
    """Return the terms of a text field that a pattern (not FUZZY) means."""
    terms = [term for term, _ in lexicon.terms(node.field, literal_prefix(node))]
    wanted = matching_terms(node, terms)
    return [term for term, yes in zip(terms, wanted, strict=True) if yes]


def inside(node: KeywordRange, term: str) -> bool:
    """Tell whether a term lies between the bounds."""
    if node.low is not None and (term < node.low or (term == node.low and not node.include_low)):
        return False
    return node.high is None or term < node.high or (term == node.high and node.include_high)


def words_of(table: Table, field: str, text: str, analyzer: str | None) -> Words:
    """Return the terms that a query text means on a field, by position."""
    known = table.mapping.fields.get(field)
    name = analyzer or (known.search_analyzer if known else "standard")
    tokens = table.analyzers.tokens(name, text)
    return [
        (position, list(dict.fromkeys(token.token for token in group)))
        for position, group in groupby(sorted(tokens, key=lambda token: token.position), lambda token: token.position)
    ]


def constant(query: Any, boost: float) -> Any:
    """Return the query with a fixed score."""
    return tantivy.Query.const_score_query(query, boost * SCALE)


def boosted(query: Any, boost: float) -> Any:
    """Return the query with its scores multiplied."""
    return query if boost == 1.0 else tantivy.Query.boost_query(query, boost)


def any_query(queries: Sequence[Any]) -> Any:
    """Return the query of everything that any of them matches."""
    return tantivy.Query.boolean_query([(tantivy.Occur.Should, query) for query in queries])


class _Writer:
    """Writes queries on one text field."""

    def __init__(self, table: Table, lexicon: LexiconView, slot: str, field: str) -> None:
        self._table, self._lexicon, self._slot, self._field = table, lexicon, slot, field

    def term(self, term: str) -> Any:
        return tantivy.Query.term_query(self._lexicon.schema, self._slot, term)

    def any_of(self, terms: Sequence[str]) -> Any:
        if not terms:
            return tantivy.Query.empty_query()
        return tantivy.Query.term_set_query(self._lexicon.schema, self._slot, list(terms))

    def match(self, node: TextMatch) -> Any:
        words = words_of(self._table, self._field, node.text, node.analyzer)
        if not words:
            return zero_terms(node.zero_terms_all)
        _check_clauses(len(words))
        parts = [self._alternatives(terms, node) for _, terms in words]
        if node.last_prefix:
            last = Pattern(self._field, PatternKind.PREFIX, words[-1][1][-1])
            parts[-1] = constant(self.any_of(expanded(self._lexicon, last)), 1.0)
        return _enough(parts, node)

    def _alternatives(self, terms: Sequence[str], node: TextMatch) -> Any:
        if node.fuzziness is not None:
            parts = [
                self.fuzzy(
                    Pattern(
                        self._field,
                        PatternKind.FUZZY,
                        term,
                        fuzziness=node.fuzziness,
                        prefix_length=node.prefix_length,
                        max_expansions=node.max_expansions,
                        transpositions=node.transpositions,
                    )
                )
                for term in terms
            ]
        else:
            parts = [self.term(term) for term in terms]
        return parts[0] if len(parts) == 1 else tantivy.Query.disjunction_max_query(parts)

    def fuzzy(self, node: Pattern) -> Any:
        if node.fuzziness.edits_for(len(node.value)) == 0:
            return self.term(node.value)
        known = self._lexicon.terms(node.field, literal_prefix(node))
        near = fuzzy_terms(node, [term for term, _ in known])
        if not near:
            return tantivy.Query.empty_query()
        # all score as if they were as frequent as the most frequent of them (Lucene's BlendedTermQuery)
        common = max(known[at][1] for at, _ in near)
        return any_query([
            boosted(self.term(known[at][0]), factor * self.relative(common, known[at][1])) for at, factor in near
        ])  # fmt: skip

    def relative(self, common: int, documents: int) -> float:
        """Return how rare a term of ``common`` documents is, relative to one of ``documents``."""
        return self._rarity(min(common, self._lexicon.size)) / self._rarity(documents)

    def documents(self, term: str) -> int:
        """Return how many documents have a term."""
        return next((count for known, count in self._lexicon.terms(self._field, term) if known == term), 0)

    def _rarity(self, documents: int) -> float:
        """BM25's idf of a term that so many documents have."""
        return math.log(1 + (self._lexicon.size - documents + 0.5) / (documents + 0.5))

    def phrase(self, node: TextPhrase) -> Any:
        words = words_of(self._table, self._field, node.text, node.analyzer)
        if not words:
            return zero_terms(node.zero_terms_all)
        if node.prefix:
            position, terms = words[-1]
            found = self._lexicon.terms(self._field, terms[-1])[: node.max_expansions]
            words[-1] = (position, [term for term, _ in found])
            if not found:
                return tantivy.Query.empty_query()
            if len(words) == 1:
                return any_query([self.term(term) for term in words[0][1]])
        limit = max(MAX_PHRASES, node.max_expansions)
        readings = islice(product(*(terms for _, terms in words)), limit)
        first = words[0][0]
        offsets = [position - first for position, _ in words]
        if all(len(terms) == 1 for _, terms in words):
            return self._reading(
                [(offset, terms[0]) for offset, (_, terms) in zip(offsets, words, strict=True)], node.slop
            )
        # every reading scores by the rarity of all the words of all of them (Lucene's MultiPhraseQuery)
        counts = dict(self._lexicon.terms(self._field))
        whole = sum(self._rarity(counts.get(term, 0)) for _, terms in words for term in terms)
        parts = []
        for reading in readings:
            own = sum(self._rarity(counts.get(term, 0)) for term in reading)
            parts.append(boosted(self._reading(list(zip(offsets, reading, strict=True)), node.slop), whole / own))
        return tantivy.Query.disjunction_max_query(parts)

    def _reading(self, words: list[str | tuple[int, str]], slop: int) -> Any:
        if len(words) == 1:
            return self.term(words[0][-1])
        return tantivy.Query.phrase_query(self._lexicon.schema, self._slot, words, slop)


def _across(table: Table, node: TextCross) -> Any:
    lexicon = table.lexicon
    words = words_of(table, node.field, node.text, node.analyzer)
    if not words:
        return zero_terms(node.zero_terms_all)
    _check_clauses(len(words))
    slots = [] if lexicon is None else [(lexicon.slot(field), field, boost) for field, boost in node.fields]
    writers = [(_Writer(table, lexicon, slot, field), boost) for slot, field, boost in slots if lexicon and slot]
    parts = []
    for _, terms in words:
        found = [(writer.documents(term), writer, term, boost) for writer, boost in writers for term in terms]
        parts.append(_blended(sorted((one for one in found if one[0]), key=lambda one: -one[0]), node.tie_breaker))
    return _enough(parts, node)


def _blended(found: Sequence[tuple[int, _Writer, str, float]], tie_breaker: float) -> Any:
    """Return the best of terms (documents, writer, term, boost) that score as if as frequent as the first of them.

    A term of fewer documents counts one more than the one before it (Lucene's ``BlendedTermQuery``).
    """
    if not found:
        return tantivy.Query.empty_query()
    parts = []
    common = before = found[0][0]
    for documents, writer, term, boost in found:
        common, before = common + (documents < before), documents
        parts.append(boosted(writer.term(term), boost * writer.relative(common, documents)))
    return tantivy.Query.disjunction_max_query(parts, tie_breaker)


def _enough(parts: Sequence[Any], node: TextMatch | TextCross) -> Any:
    """Return the query of as many of the parts as must match; a part alone must, whatever is wanted.

    With AND none is optional, as in Lucene: when some optional ones are wanted all the same, nothing matches.
    """
    if len(parts) == 1:
        return parts[0]
    optional = 0 if node.operator is Operator.AND else len(parts)
    needed = required_matches(node.minimum_should_match, optional, min(optional, 1))
    if needed > optional:
        return tantivy.Query.empty_query()
    needed = needed if optional else len(parts)
    occur = tantivy.Occur.Must if needed == len(parts) else tantivy.Occur.Should
    return tantivy.Query.boolean_query([(occur, part) for part in parts], max(1, needed) if needed < len(parts) else 0)


def zero_terms(everything: bool) -> Any:
    """Return what a text without terms matches."""
    return constant(tantivy.Query.all_query(), 1.0) if everything else tantivy.Query.empty_query()


def _bool(table: Table, node: Bool) -> Any | None:
    if not (node.must or node.filter or node.should) or len(node.should) > MAX_CLAUSES:
        return None
    clauses: list[tuple[Any, Any]] = []
    groups = (
        (tantivy.Occur.Must, node.must, False),
        (tantivy.Occur.Must, node.filter, True),
        (tantivy.Occur.Should, node.should, False),
        (tantivy.Occur.MustNot, node.must_not, True),
    )
    for occur, queries, silent in groups:
        for query in queries:
            part = text_query(table, query)
            if part is None:
                return None
            clauses.append((occur, constant(part, 0.0) if silent else part))
    default = 0 if node.must or node.filter else 1
    needed = required_matches(node.minimum_should_match, len(node.should), default)
    if needed > len(node.should):
        return tantivy.Query.empty_query()
    return boosted(tantivy.Query.boolean_query(clauses, needed), node.boost)


def _is_text(table: Table, field: str) -> bool:
    known: Field | None = table.mapping.fields.get(field)
    return known is not None and known.family is Family.TEXT and known.nested == table.path


def _check_clauses(count: int) -> None:
    if count > MAX_CLAUSES:
        raise TooManyClauses(f"maxClauseCount is set to {MAX_CLAUSES}")

"""Queries on one view: every node becomes a mask and scores over the rows of one table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import assert_never

import numpy as np

from antiphon.domain.field import FieldType
from antiphon.engine.columns import FeatureColumn, KeywordColumn
from antiphon.engine.evaluate_functions import first_numbers, function_score, script_values
from antiphon.engine.evaluate_vectors import knn_matches
from antiphon.engine.match_columns import (
    Wanted,
    addresses_between,
    exists_mask,
    keyword_mask,
    number_range_mask,
    number_terms_mask,
    terms_between,
    these_terms,
    value_count,
)
from antiphon.engine.match_pattern import fuzzy_terms, matching_terms
from antiphon.engine.matches import Floats, Mask, Matches, Rows, ancestor_rows, nothing, table_of
from antiphon.engine.table import Table
from antiphon.engine.text_match import text_query
from antiphon.engine.view import View
from antiphon.errors import QueryShardError
from antiphon.query import (
    Bool,
    Boosting,
    ConstantScore,
    DisMax,
    DocValue,
    Exists,
    FunctionScore,
    Ids,
    KeywordRange,
    KeywordTerms,
    Knn,
    MatchAll,
    MatchNone,
    Named,
    Nested,
    NumberRange,
    NumberTerms,
    Pattern,
    PatternKind,
    Query,
    ScoreMode,
    ScriptFilter,
    ScriptScore,
    Sparse,
    TermsSet,
    TextCross,
    TextMatch,
    TextPhrase,
    TextTerms,
    required_matches,
)

_K1, _B = 1.2, 0.75


class Evaluation:
    """Evaluates query nodes on one view with the vectors of one search; fulfils ``matches.Evaluator``."""

    def __init__(self, view: View, vectors: Sequence[Floats]) -> None:
        self.view = view
        self.vectors = vectors

    def mask(self, table: Table, query: Query) -> Mask:
        """Return what matches, bool ``[size]``; kept per snapshot where no query vector has a say."""
        key = (table.path, query)
        kept = not _holds_slot(query)
        if kept and (found := self.view.cache.get(key)) is not None:
            return found
        mask = self.matches(table, query).mask
        if kept:
            self.view.cache.put(key, mask)
        return mask

    def matches(self, table: Table, query: Query) -> Matches:  # noqa: C901  one case per node
        """Return what matches, with scores."""
        whole = text_query(table, query)
        if whole is not None:
            return self._text(table, whole)
        match query:
            case MatchAll():
                return Matches(table.alive, query.boost)
            case MatchNone():
                return nothing(table)
            case Named():
                return self.matches(table, query.query)
            case ConstantScore():
                return Matches(self.mask(table, query.filter), query.boost)
            case Bool():
                return self._bool(table, query)
            case DisMax():
                return self._dis_max(table, query)
            case Boosting():
                return self._boosting(table, query)
            case FunctionScore():
                return function_score(self, table, query)
            case ScriptScore():
                return self._script_score(table, query)
            case ScriptFilter():
                values = script_values(table, query.script, table.alive, None)
                return Matches(table.alive & (values != 0), query.boost)
            case TermsSet():
                return self._terms_set(table, query)
            case Nested():
                return self._nested(table, query)
            case Knn():
                return knn_matches(self, table, query)
            case _:
                return self._leaf(table, query)

    def _lifted(self, table: Table, home: str, query: Query) -> Matches:
        """A question about what encloses the objects of ``table``, answered there: each object as its owner."""
        outer = self.view.tables[home]
        found = self.matches(outer, query)
        owners = ancestor_rows(self.view, table, home)
        return Matches(found.mask[owners] & table.alive, found.at(owners))

    def _leaf(self, table: Table, query: Query) -> Matches:  # noqa: C901  one case per leaf
        home = _home(table, query)
        if home != table.path and f"{table.path}.".startswith(f"{home}." if home else ""):
            return self._lifted(table, home, query)
        match query:
            case KeywordTerms():
                mask = keyword_mask(table, query.field, these_terms(query.values))
                return Matches(mask, self._term_score(table, query, mask))
            case KeywordRange():
                return Matches(keyword_mask(table, query.field, _between(table, query)), query.boost)
            case NumberTerms():
                mask = number_terms_mask(table, query.field, query.values)
                return Matches(mask, self._term_score(table, query, mask))
            case NumberRange():
                return Matches(number_range_mask(table, query), query.boost)
            case Exists():
                return Matches(exists_mask(table, query.fields), query.boost)
            case Ids():
                return self._ids(table, query)
            case Pattern():
                return self._keyword_pattern(table, query)
            case Sparse():
                return _sparse(table, query)
            case TextMatch() | TextCross() | TextPhrase() | TextTerms():
                return nothing(table)  # a text field of another nested level: nothing here has it
            case _:
                raise AssertionError(f"not a leaf: {query}")

    def _text(self, table: Table, query: object) -> Matches:
        if table.lexicon is None:
            return nothing(table)
        keys, scores = table.lexicon.all(query)
        rows = table.rows_of(keys)
        mask = np.zeros(table.size, np.bool_)
        dense = np.zeros(table.size, np.float32)
        mask[rows] = True
        dense[rows] = scores
        return Matches(mask & table.alive, dense)

    def _term_score(self, table: Table, query: KeywordTerms | NumberTerms, mask: Mask) -> float:
        return query.boost * (self._bm25(table, query.field, mask) if query.scored else 1.0)

    def _bm25(self, table: Table, field: str, mask: Mask) -> float:
        """BM25 of a keyword or boolean: frequency and length 1; N are the documents that have the field.

        Its average length is that of their values: a field with several of them scores higher (Lucene's
        ``BM25Similarity`` without norms).
        """
        having = int(np.count_nonzero(exists_mask(table, (field,))))
        found = int(np.count_nonzero(mask))
        if not having:
            return 0.0
        average = value_count(table, field) / having
        frequency = 1 / (1 + _K1 * (1 - _B + _B / average))
        return math.log(1 + (having - found + 0.5) / (found + 0.5)) * frequency

    def _keyword_pattern(self, table: Table, query: Pattern) -> Matches:
        if query.kind is not PatternKind.FUZZY:
            mask = keyword_mask(table, query.field, lambda terms: matching_terms(query, terms.all()))
            return Matches(mask, query.boost)
        words = sorted({
            term
            for part in table.parts
            if isinstance(column := part.columns.get(query.field), KeywordColumn)
            for term in column.terms.all()
        })  # fmt: skip
        if not words:
            return nothing(table)
        near = [
            (keyword_mask(table, query.field, these_terms((words[at],))), factor)
            for at, factor in fuzzy_terms(query, words)
        ]
        if not near:
            return nothing(table)
        # all score as if they were as frequent as the most frequent of them (Lucene's BlendedTermQuery)
        most = max((mask for mask, _ in near), key=np.count_nonzero)
        score = self._bm25(table, query.field, most) * query.boost
        scores = np.zeros(table.size, np.float32)
        for mask, factor in near:
            scores[mask] += np.float32(factor * score)
        field = table.mapping.field(query.field)
        constant = field is not None and not field.indexed  # found by its doc values, as there
        return Matches(np.logical_or.reduce([mask for mask, _ in near]), query.boost if constant else scores)

    def _ids(self, table: Table, query: Ids) -> Matches:
        mask = np.zeros(self.view.tables[""].size, np.bool_)
        mask[self.view.rows_of_ids(query.values)] = True
        if table.path:
            mask = mask[ancestor_rows(self.view, table, "")]
        return Matches(mask & table.alive, query.boost)

    def _bool(self, table: Table, query: Bool) -> Matches:
        if not (query.must or query.filter or query.should or query.must_not):
            return Matches(table.alive, query.boost)
        mask = table.alive
        for clause in query.filter:
            mask = mask & self.mask(table, clause)
        for clause in query.must_not:
            mask = mask & ~self.mask(table, clause)
        scored = [self.matches(table, clause) for clause in query.must]
        for found in scored:
            mask = mask & found.mask
        optional = [self.matches(table, clause) for clause in query.should]
        alone = not (query.must or query.filter)
        needed = required_matches(query.minimum_should_match, len(optional), int(alone))
        if alone:  # one of them at least; the minimum of a bool that only excludes does not count
            needed = max(1, needed) if optional else 0
        if needed:
            counts = np.zeros(table.size, np.int32)
            for found in optional:
                counts += found.mask
            mask = mask & (counts >= needed)
        scores: Floats | float = 0.0
        for found in scored:
            scores = scores + found.scores
        for found in optional:
            scores = scores + found.dense()
        return Matches(mask, _float32(scores)).boosted(query.boost)

    def _dis_max(self, table: Table, query: DisMax) -> Matches:
        if not query.queries:
            return nothing(table)
        found = [self.matches(table, part) for part in query.queries]
        mask = np.logical_or.reduce([one.mask for one in found])
        dense = np.stack([one.dense() for one in found])
        best = dense.max(axis=0)
        scores = best + np.float32(query.tie_breaker) * (dense.sum(axis=0) - best)
        return Matches(mask, scores.astype(np.float32)).boosted(query.boost)

    def _boosting(self, table: Table, query: Boosting) -> Matches:
        positive = self.matches(table, query.positive)
        factor = np.where(self.mask(table, query.negative), np.float32(query.negative_boost), np.float32(1))
        return Matches(positive.mask, positive.dense() * factor).boosted(query.boost)

    def _script_score(self, table: Table, query: ScriptScore) -> Matches:
        inner = self.matches(table, query.query)
        values = script_values(table, query.script, inner.mask, inner).astype(np.float32)
        if bool((~(values[inner.mask] >= 0)).any()):
            raise QueryShardError("script_score script returned an invalid score: scores must not be negative")
        found = Matches(inner.mask, values).boosted(query.boost)
        if query.min_score is None:
            return found
        return Matches(found.mask & (found.dense() >= np.float32(query.min_score)), found.scores)

    def _terms_set(self, table: Table, query: TermsSet) -> Matches:
        found = [self.matches(table, term) for term in query.terms]
        if not found:
            return nothing(table)
        counts = np.sum([one.mask for one in found], axis=0)
        any_mask = counts > 0
        if isinstance(query.minimum, DocValue):  # a document without the number never matches
            numbers, present = first_numbers(table, query.minimum.field)
            needed = np.where(present, np.maximum(1, numbers), np.inf)
        else:
            needed = np.maximum(1, script_values(table, query.minimum, any_mask, None))
        scores = np.sum([one.dense() for one in found], axis=0).astype(np.float32)
        return Matches(any_mask & (counts >= needed), scores).boosted(query.boost)

    def _nested(self, table: Table, query: Nested) -> Matches:
        if table.path and f"{table.path}.".startswith(f"{query.path}."):
            return self._lifted(table, "", query)
        inner = table_of(self.view, query.path)
        if inner is None:
            return nothing(table)
        found = self.matches(inner, query.query)
        rows = np.flatnonzero(found.mask)
        owners = ancestor_rows(self.view, inner, table.path)[rows]
        mask = np.zeros(table.size, np.bool_)
        mask[owners] = True
        if query.score_mode is ScoreMode.NONE:
            return Matches(mask & table.alive, 0.0)
        scores = _joined(owners, found.at(rows), table.size, query.score_mode)
        return Matches(mask & table.alive, scores).boosted(query.boost)


def _between(table: Table, query: KeywordRange) -> Wanted:
    field = table.mapping.field(query.field)
    return addresses_between(query) if field is not None and field.type is FieldType.IP else terms_between(query)


def _home(table: Table, query: Query) -> str:
    """The nested path of the field that a leaf asks about; of one without a field, the table's own."""
    path = query.fields[0] if isinstance(query, Exists) else getattr(query, "field", None)
    field = None if path is None or not table.path else table.mapping.field(path)
    return table.path if field is None else field.nested


def _joined(owners: Rows, scores: Floats, size: int, mode: ScoreMode) -> Floats:
    """Return one score per owner of several: float32 ``[size]``."""
    match mode:
        case ScoreMode.SUM | ScoreMode.AVG:
            total = np.asarray(np.bincount(owners, scores, size), np.float64)
            if mode is ScoreMode.AVG:
                total = total / np.maximum(1, np.bincount(owners, minlength=size))
            return total.astype(np.float32)
        case ScoreMode.MAX:
            joined = np.full(size, -np.inf, np.float32)
            np.maximum.at(joined, owners, scores)
        case ScoreMode.MIN:
            joined = np.full(size, np.inf, np.float32)
            np.minimum.at(joined, owners, scores)
        case ScoreMode.MULTIPLY | ScoreMode.FIRST | ScoreMode.NONE:
            raise AssertionError(f"not a mode of nested queries: {mode}")
        case _:
            assert_never(mode)
    joined[~np.isfinite(joined)] = 0
    return joined


def _sparse(table: Table, query: Sparse) -> Matches:
    mask = np.zeros(table.size, np.bool_)
    scores = np.zeros(table.size, np.float32)
    for base, part in zip(table.bases, table.parts, strict=True):
        column = part.columns.get(query.field)
        if not isinstance(column, FeatureColumn):
            continue
        weights = np.zeros(len(column.tokens), np.float32)
        for token, weight in query.tokens:
            code = column.tokens.find(token)
            if code >= 0:
                weights[code] += np.float32(weight)
        products = weights[column.codes] * column.weights
        owners = np.repeat(np.arange(part.rows), np.diff(column.starts))
        scores[base : base + part.rows] = np.bincount(owners, products, part.rows)
        mask[base : base + part.rows] = np.bincount(owners, weights[column.codes] != 0, part.rows) > 0
    return Matches(mask & table.alive, scores).boosted(query.boost)


def _holds_slot(query: Query) -> bool:
    """True when a query vector decides what matches, so that the answer is not the node's alone."""
    match query:
        case Knn():
            return True
        case Bool():
            parts = (*query.must, *query.filter, *query.should, *query.must_not)
            return any(_holds_slot(part) for part in parts)
        case DisMax():
            return any(_holds_slot(part) for part in query.queries)
        case TermsSet():
            return any(_holds_slot(part) for part in query.terms)
        case ConstantScore():
            return _holds_slot(query.filter)
        case Boosting():
            return _holds_slot(query.positive)
        case FunctionScore() | ScriptScore() | Nested() | Named():
            return _holds_slot(query.query)
        case _:
            return False


def _float32(scores: Floats | float) -> Floats | float:
    return scores.astype(np.float32) if isinstance(scores, np.ndarray) else scores

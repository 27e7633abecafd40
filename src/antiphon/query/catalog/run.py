"""A parsed search over documents -> one page of hits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from antiphon.query.catalog.aggregate import aggregate
from antiphon.query.catalog.clauses import Scalar
from antiphon.query.catalog.match import Corpus
from antiphon.query.catalog.schema import Document, Schema, values_of
from antiphon.query.catalog.search import DOC, SCORE, CatalogSearch, Found, Hit, Missing, Sort, Total

_SortValues = tuple[Scalar | None, ...]


@dataclass(frozen=True, slots=True)
class _Match:
    document: Document
    score: float
    values: _SortValues


def run_search(search: CatalogSearch, documents: Sequence[Document], schema: Schema | None = None) -> Found:
    """Return what ``search`` finds in ``documents``; equal sort keys keep the documents' order. Never fails."""
    fields = schema or Schema()
    sort = search.sort or (Sort(SCORE, descending=True),)
    matches = _matches(search, sort, documents, fields)
    ordered = sorted(matches, key=lambda match: _sort_key(match.values, sort))
    if search.search_after is not None:
        after = _sort_key(search.search_after, sort)
        ordered = [match for match in ordered if after < _sort_key(match.values, sort)]
    page = ordered[search.from_ : search.from_ + search.size]
    scored = search.track_scores or any(key.field == SCORE for key in sort)
    return Found(
        hits=tuple(
            Hit(
                document=match.document,
                score=match.score if scored else None,
                source=search.source.shown(match.document.source),
                sort=match.values if search.sort else None,
            )
            for match in page
        ),
        total=_total(len(matches), search.track_total_hits),
        max_score=max((match.score for match in matches), default=None) if scored and search.size else None,
        aggregations=aggregate(search.aggregations, [match.document for match in matches], fields),
    )


def _matches(
    search: CatalogSearch, sort: tuple[Sort, ...], documents: Sequence[Document], schema: Schema
) -> list[_Match]:
    corpus = Corpus(documents, schema)
    found: list[_Match] = []
    for number, document in enumerate(documents):
        score = corpus.score(search.query, number)
        if score is None or (search.min_score is not None and score < search.min_score):
            continue
        values = tuple(_sort_value(key, document, number, score, schema) for key in sort)
        found.append(_Match(document, score, values))
    return found


def _total(count: int, track: bool | int) -> Total | None:
    if track is False:
        return None
    return Total(count) if track is True or count <= track else Total(track, "gte")


def _sort_value(key: Sort, document: Document, number: int, score: float, schema: Schema) -> Scalar | None:
    if key.field == SCORE:
        return score
    if key.field == DOC:
        return number
    values = [int(value) if isinstance(value, bool) else value for value in values_of(document, key.field, schema)]
    if not values:
        return None
    return (max if key.largest else min)(values, key=_comparable)


def _comparable(value: Scalar) -> tuple[bool, Any]:
    return isinstance(value, str), value


@dataclass(frozen=True, slots=True)
class _Descending:
    value: tuple[bool, Any]

    def __lt__(self, other: _Descending) -> bool:
        return other.value < self.value


def _sort_key(values: _SortValues, sort: tuple[Sort, ...]) -> tuple[Any, ...]:
    key: list[Any] = []
    for value, by in zip(values, sort, strict=True):
        if value is None:
            key.append((1 if by.missing is Missing.LAST else -1,))
        else:
            key.append((0, _Descending(_comparable(value)) if by.descending else _comparable(value)))
    return tuple(key)

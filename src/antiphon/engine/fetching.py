"""Hits as they are shown: source, fields, highlights, inner hits, explanations, the names of queries that matched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import orjson

from antiphon.domain.dates import write_date
from antiphon.domain.document import TypedRow
from antiphon.domain.field import IGNORED, Family, Field, FieldType
from antiphon.domain.store import StoredDocument
from antiphon.engine.columns import KeywordColumn
from antiphon.engine.explaining import explain_row
from antiphon.engine.highlighting import highlight
from antiphon.engine.matches import Evaluator, Floats, Matches, Rows, ancestor_rows, table_of, within
from antiphon.engine.ordering import collapse_values, in_order, ordinals
from antiphon.engine.table import Table
from antiphon.query import (
    Bool,
    Boosting,
    ConstantScore,
    DisMax,
    Fetch,
    FieldRequest,
    FunctionScore,
    InnerHits,
    InnerResult,
    KeywordTerms,
    Named,
    Nested,
    NumberTerms,
    Query,
    ScriptScore,
    Search,
    SearchHit,
    TermsSet,
    shown_sort,
)


def fetch_rows(
    evaluator: Evaluator,
    asked: Search,
    rows: Sequence[int],
    scores: Sequence[float | None],
    fetch: Fetch,
    path: str = "",
) -> list[SearchHit]:
    """Return the hits of rows of the table at ``path``, in order: documents, or objects with their ``nested`` place."""
    view = evaluator.view
    table = view.tables[path]
    named = [node for leg in asked.legs for node in walk(leg) if isinstance(node, Named)]
    matched = _matched(evaluator, table, named, rows)
    nested = [_Inside.of(evaluator, asked, table, node) for leg in asked.legs for node in _showing(leg)]
    shows_source = fetch.source.enabled and not fetch.no_stored
    reads_source = bool(shows_source or fetch.fields or fetch.docvalue_fields or fetch.highlight)
    owners = ancestor_rows(view, table, "")[np.asarray(rows, np.int64)].tolist() if path else rows
    hits = []
    for place, (row, score, stored) in enumerate(
        zip(rows, scores, view.stored(owners, sources=reads_source), strict=True)
    ):
        source: dict[str, Any] = orjson.loads(stored.source) if reads_source else {}
        chain = _chain(evaluator, table, row)
        if chain:
            source = _alone(source, chain)
        inner = {one.wanted.name: one.hits(row) for one in nested}
        if asked.collapse is not None:
            inner |= _group_hits(evaluator, asked, row)
        shown = fetch.source.shown(source) if shows_source else None
        hits.append(
            SearchHit(
                id=stored.id,
                score=score,
                source=shown if shown is None or not path else _inside(shown, path),
                routing=stored.routing,
                version=stored.version if fetch.version else None,
                seq_no=stored.seq_no if fetch.seq_no_primary_term and not path else None,
                fields=_fields(table, fetch, stored, source),
                highlight=highlight(evaluator, asked, fetch.highlight, source),
                inner_hits=inner,
                matched_queries=matched[place],
                explanation=explain_row(evaluator, table, asked.query, row) if fetch.explain else None,
                nested=_nested(chain),
                ignored=() if path or fetch.no_stored else _ignored(table, row),
            )
        )
    return hits


def best_hits(
    evaluator: Evaluator, asked: Search, wanted: InnerHits, rows: Rows, scores: Floats, path: str = ""
) -> tuple[InnerResult, list[tuple[Any, ...]]]:
    """Return the best of ``rows`` of the table at ``path`` as hits, and what orders each: sort values, or its score."""
    keys = [ordinals(evaluator, key, rows, scores, path) for key in wanted.sort]
    order = in_order(keys, len(rows)) if keys else np.lexsort((rows, -scores))
    shown = order[wanted.from_ : wanted.from_ + wanted.size]
    scored = not keys or wanted.track_scores
    listed: list[float | None] = [float(scores[at]) if scored else None for at in shown.tolist()]
    plain = Search(legs=asked.legs, slots=asked.slots)
    hits = fetch_rows(evaluator, plain, rows[shown].tolist(), listed, wanted.fetch or Fetch(), path)
    best = float(scores.max()) if scored and len(scores) else None
    if not keys:
        return InnerResult(len(rows), best, tuple(hits)), [(score,) for score in listed]
    values = list(zip(*(key.values(shown) for key in keys), strict=True))
    fields = [evaluator.view.tables[""].mapping.field(key.field) for key in wanted.sort]
    sorts = [tuple(map(shown_sort, wanted.sort, own, fields)) for own in values]
    return InnerResult(len(rows), best, tuple(map(lambda hit, sort: replace(hit, sort=sort), hits, sorts))), values


@dataclass(frozen=True, slots=True)
class _Inside:
    """The inner hits of one nested query: what it matches, and the row of the outer table each object lies in."""

    evaluator: Evaluator
    asked: Search
    wanted: InnerHits
    path: str
    found: Matches | None
    owners: Rows

    @classmethod
    def of(cls, evaluator: Evaluator, asked: Search, table: Table, node: Nested) -> _Inside:
        assert node.inner_hits is not None
        inner = table_of(evaluator.view, node.path)
        own = Search(legs=(node.query,), slots=asked.slots)
        if inner is None or inner is table or not within(inner, table):
            return cls(evaluator, own, node.inner_hits, node.path, None, np.zeros(0, np.int64))
        owners = ancestor_rows(evaluator.view, inner, table.path)
        return cls(evaluator, own, node.inner_hits, node.path, evaluator.matches(inner, node.query), owners)

    def hits(self, row: int) -> InnerResult:
        """The objects in one row that made the query match."""
        if self.found is None:
            return InnerResult(0, None, ())
        low, high = np.searchsorted(self.owners, [row, row + 1])
        rows = np.arange(low, high)[self.found.mask[low:high]]
        return best_hits(self.evaluator, self.asked, self.wanted, rows, self.found.at(rows), self.path)[0]


def _showing(query: Query) -> Iterator[Nested]:
    """The nested queries whose inner hits a hit shows: not those within another nested query."""
    if isinstance(query, Nested):
        if query.inner_hits is not None:
            yield query
        return
    for one in _parts(query):
        yield from _showing(one)


def walk(query: Query) -> Iterator[Query]:
    """Yield a query and every query inside it."""
    yield query
    for one in _parts(query):
        yield from walk(one)


def _parts(query: Query) -> tuple[Query, ...]:
    match query:
        case Bool():
            return (*query.must, *query.filter, *query.should, *query.must_not)
        case DisMax():
            return query.queries
        case ConstantScore():
            return (query.filter,)
        case Boosting():
            return (query.positive, query.negative)
        case FunctionScore() | ScriptScore() | Nested() | Named():
            return (query.query,)
        case TermsSet():
            return query.terms
        case _:
            return ()


def _matched(evaluator: Evaluator, table: Table, named: Sequence[Named], rows: Sequence[int]) -> list[tuple[str, ...]]:
    masks = [(node.name, evaluator.mask(table, node.query)) for node in named]
    return [tuple(dict.fromkeys(name for name, mask in masks if mask[row])) for row in rows]


def _fields(table: Table, fetch: Fetch, stored: StoredDocument, source: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The values of ``fields``, those of objects inside too, and of ``docvalue_fields``, the row's own."""
    if not fetch.fields and not fetch.docvalue_fields:
        return {}
    rows = table.mapping.typed(stored.id, source)[0].rows
    own = [_in_order(row) for row in rows if row.nested == table.path][:1]
    shown: dict[str, list[Any]] = {}
    for requests, among in ((fetch.fields, rows), (fetch.docvalue_fields, own)):
        for request in requests:
            for name, field in table.mapping.named(request.pattern):
                values = [value for row in among for value in _shown(field, row, request, source)]
                if values:
                    shown[name] = values
    return shown


def _ignored(table: Table, row: int) -> tuple[str, ...]:
    """The fields of a document that hold what the mapping kept out of it."""
    number = int(np.searchsorted(table.bases, row, "right")) - 1
    column = table.parts[number].columns.get(IGNORED.path)
    if not isinstance(column, KeywordColumn):
        return ()
    at = row - int(table.bases[number])
    codes = column.codes[slice(at, at + 1) if column.starts is None else slice(*column.starts[at : at + 2])]
    return tuple(column.terms.term(code) for code in codes.tolist())


def _in_order(row: TypedRow) -> TypedRow:
    """Return a row as columns keep it: numbers and keywords in order, no keyword twice."""
    return replace(
        row,
        keywords={path: sorted(set(values)) for path, values in row.keywords.items()},
        wholes={path: sorted(values) for path, values in row.wholes.items()},
        reals={path: sorted(values) for path, values in row.reals.items()},
    )


def _shown(field: Field, row: TypedRow, request: FieldRequest, source: Mapping[str, Any]) -> list[Any]:
    match field.family:
        case Family.TEXT:
            return list(row.texts.get(field.path, ()))
        case Family.KEYWORD:
            return list(row.keywords.get(field.path, ()))
        case Family.REAL:
            return list(row.reals.get(field.path, ()))
        case Family.WHOLE:
            return [_whole(field, value, request.format) for value in row.wholes.get(field.path, ())]
        case Family.VECTOR:
            # as source values are spelled: a vector's numbers one by one, the vectors of objects each by itself
            vector = [float(str(number)) for number in row.vectors.get(field.path, ())]
            return [vector] if vector and field.nested else vector
        case Family.FEATURES:
            return [row.features[field.path]] if field.path in row.features else []
        case Family.NONE if row.nested:
            return []
        case Family.NONE:
            value = source.get(field.path)
            return [] if value is None or field.type in (FieldType.OBJECT, FieldType.NESTED) else [value]


def _whole(field: Field, value: int, format_: str | None) -> Any:
    if field.type is FieldType.BOOLEAN:
        return bool(value)
    if field.type is FieldType.DATE:
        named = format_ or field.options.get("format")
        return write_date(value, str(named).split("||")[0]) if named else write_date(value)
    return value


def _chain(evaluator: Evaluator, table: Table, row: int) -> list[tuple[str, int]]:
    """The way from the document to an object: each nested path with the position in its array."""
    chain: list[tuple[str, int]] = []
    while table.path:
        number = int(np.searchsorted(table.bases, row, side="right")) - 1
        chain.insert(0, (table.path, int(table.parts[number].offsets[row - int(table.bases[number])])))
        row, table = int(table.parents[row]), evaluator.view.tables[table.enclosing]
    return chain


def _alone(source: Mapping[str, Any], chain: Sequence[tuple[str, int]]) -> dict[str, Any]:
    """The source as if the object at the end of the chain were all there is."""
    inner: Any = source
    before = ""
    for path, offset in chain:
        inner = _object_at(inner, path.removeprefix(before), offset)
        before = f"{path}."
    for name in reversed(chain[-1][0].split(".")):
        inner = {name: inner}
    alone: dict[str, Any] = inner
    return alone


def _inside(source: Any, path: str) -> Mapping[str, Any]:
    """The object at a path of a source that holds nothing else; empty when it was filtered out."""
    for name in path.split("."):
        source = source.get(name, {}) if isinstance(source, Mapping) else {}
    return source if isinstance(source, Mapping) else {}


def _nested(chain: Sequence[tuple[str, int]]) -> dict[str, Any] | None:
    nested: dict[str, Any] | None = None
    for number in range(len(chain) - 1, -1, -1):
        before = f"{chain[number - 1][0]}." if number else ""
        place = {"field": chain[number][0].removeprefix(before), "offset": chain[number][1]}
        nested = place if nested is None else place | {"_nested": nested}
    return nested


def _object_at(value: Any, path: str, offset: int) -> Any:
    """The object at a dotted path and position within a source."""
    found = value
    for name in path.split("."):
        if isinstance(found, list):
            found = next((item for item in found if isinstance(item, Mapping) and name in item), {})
        found = found.get(name, {}) if isinstance(found, Mapping) else {}
    if isinstance(found, list):
        objects = [item for item in found if isinstance(item, Mapping)]
        return objects[offset] if offset < len(objects) else {}
    return found


def _group_hits(evaluator: Evaluator, asked: Search, row: int) -> dict[str, InnerResult]:
    """The documents of the group that a collapsed hit stands for, by the names of its inner hits."""
    assert asked.collapse is not None
    if not asked.collapse.inner_hits:
        return {}
    table = evaluator.view.tables[""]
    value = collapse_values(evaluator, asked.collapse.field, np.array([row]))[0]
    found = evaluator.matches(table, asked.query)
    known = table.mapping.field(asked.collapse.field)
    assert known is not None
    same: Query = (
        KeywordTerms(known.path, (value,)) if known.family is Family.KEYWORD else NumberTerms(known.path, (value,))
    )
    rows = np.array([row]) if value is None else np.flatnonzero(found.mask & evaluator.mask(table, same))
    scores = found.at(rows)
    return {wanted.name: best_hits(evaluator, asked, wanted, rows, scores)[0] for wanted in asked.collapse.inner_hits}

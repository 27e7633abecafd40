"""Hits as they are shown: source, fields, highlights, inner hits, explanations, the names of queries that matched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from antiphon.domain.dates import write_date
from antiphon.domain.document import TypedRow
from antiphon.domain.field import Family, Field, FieldType
from antiphon.domain.store import StoredDocument
from antiphon.engine.explaining import explain_row
from antiphon.engine.highlighting import highlight
from antiphon.engine.matches import Evaluator, Floats, Rows, ancestor_rows, table_of
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
)


def fetch_rows(
    evaluator: Evaluator, asked: Search, rows: Sequence[int], scores: Sequence[float | None], fetch: Fetch
) -> list[SearchHit]:
    """Return the hits of documents by row, in order."""
    view = evaluator.view
    table = view.tables[""]
    named = [node for leg in asked.legs for node in walk(leg) if isinstance(node, Named)]
    matched = _matched(evaluator, named, rows)
    nested = [node for leg in asked.legs for node in walk(leg) if isinstance(node, Nested) and node.inner_hits]
    shows_source = fetch.source.enabled and not fetch.no_stored
    reads_source = bool(shows_source or nested or fetch.fields or fetch.docvalue_fields or fetch.highlight)
    stored_rows = view.stored(rows, sources=reads_source)
    hits = []
    for place, (row, score, stored) in enumerate(zip(rows, scores, stored_rows, strict=True)):
        source: dict[str, Any] = orjson.loads(stored.source) if reads_source else {}
        inner = {
            node.inner_hits.name: _inner_hits(evaluator, table, node, row, stored, source)
            for node in nested
            if node.inner_hits is not None
        }
        if asked.collapse is not None:
            inner |= _group_hits(evaluator, asked, row)
        explained = fetch.explain and len(asked.legs) == 1
        hits.append(
            SearchHit(
                id=stored.id,
                score=score,
                source=fetch.source.shown(source) if shows_source else None,
                routing=stored.routing,
                version=stored.version if fetch.version else None,
                seq_no=stored.seq_no if fetch.seq_no_primary_term else None,
                fields=_fields(table, fetch, stored, source),
                highlight=highlight(evaluator, asked, fetch.highlight, source),
                inner_hits=inner,
                matched_queries=matched[place],
                explanation=explain_row(evaluator, table, asked.legs[0], row) if explained else None,
            )
        )
    return hits


def walk(query: Query) -> Iterator[Query]:
    """Yield a query and every query inside it."""
    yield query
    inner: tuple[Query, ...] = ()
    match query:
        case Bool():
            inner = (*query.must, *query.filter, *query.should, *query.must_not)
        case DisMax():
            inner = query.queries
        case ConstantScore():
            inner = (query.filter,)
        case Boosting():
            inner = (query.positive, query.negative)
        case FunctionScore() | ScriptScore() | Nested() | Named():
            inner = (query.query,)
        case TermsSet():
            inner = query.terms
        case _:
            pass
    for one in inner:
        yield from walk(one)


def _matched(evaluator: Evaluator, named: Sequence[Named], rows: Sequence[int]) -> list[tuple[str, ...]]:
    table = evaluator.view.tables[""]
    masks = [(node.name, evaluator.mask(table, node.query)) for node in named]
    return [tuple(name for name, mask in masks if mask[row]) for row in rows]


def _fields(table: Table, fetch: Fetch, stored: StoredDocument, source: Mapping[str, Any]) -> dict[str, list[Any]]:
    requests = (*fetch.fields, *fetch.docvalue_fields)
    if not requests:
        return {}
    typed, _ = table.mapping.typed(stored.id, source)
    shown: dict[str, list[Any]] = {}
    for request in requests:
        for field in _asked_fields(table, request):
            values = _shown(field, typed.rows[0], request, source)
            if values:
                shown[field.path] = values
    return shown


def _asked_fields(table: Table, request: FieldRequest) -> list[Field]:
    if "*" in request.pattern:
        return [field for field in table.mapping.matching(request.pattern) if not field.nested]
    field = table.mapping.field(request.pattern)
    return [] if field is None else [field]


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
            return [] if field.path not in row.vectors else [row.vectors[field.path].tolist()]
        case Family.FEATURES:
            return [row.features[field.path]] if field.path in row.features else []
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


def _inner_hits(
    evaluator: Evaluator, table: Table, node: Nested, row: int, stored: StoredDocument, source: Mapping[str, Any]
) -> InnerResult:
    """The objects of one document that made a nested query match."""
    wanted = node.inner_hits
    assert wanted is not None
    inner = table_of(evaluator.view, node.path)
    if inner is None:
        return InnerResult(0, None, ())
    found = evaluator.matches(inner, node.query)
    owners = ancestor_rows(evaluator.view, inner, "")
    low, high = np.searchsorted(owners, [row, row + 1])
    rows = np.arange(low, high)[found.mask[low:high]]
    scores = found.at(rows)
    order = np.lexsort((rows, -scores))
    shown = order[wanted.from_ : wanted.from_ + wanted.size]
    hits = tuple(
        _object_hit(evaluator, inner, int(rows[at]), float(scores[at]), stored, source, wanted) for at in shown.tolist()
    )
    del table
    return InnerResult(len(rows), float(scores.max()) if len(scores) else None, hits)


def _object_hit(
    evaluator: Evaluator,
    table: Table,
    row: int,
    score: float,
    stored: StoredDocument,
    source: Mapping[str, Any],
    wanted: InnerHits,
) -> SearchHit:
    chain: list[tuple[str, int]] = []
    while table.path:
        number = int(np.searchsorted(table.bases, row, side="right")) - 1
        chain.insert(0, (table.path, int(table.parts[number].offsets[row - int(table.bases[number])])))
        row, table = int(table.parents[row]), evaluator.view.tables[table.enclosing]
    inner: Any = source
    nested: dict[str, Any] = {}
    before = ""
    for path, offset in chain:
        relative = path.removeprefix(f"{before}.") if before else path
        inner = _object_at(inner, relative, offset)
        place = {"field": relative, "offset": offset}
        _deepest(nested).update({"_nested": place} if nested else place)
        before = path
    fetch = wanted.fetch or Fetch()
    kept = fetch.source.shown(inner) if isinstance(inner, Mapping) else None
    return SearchHit(id=stored.id, score=score, source=kept, routing=stored.routing, nested=nested)


def _deepest(nested: dict[str, Any]) -> dict[str, Any]:
    while "_nested" in nested:
        nested = nested["_nested"]
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
    found = evaluator.matches(table, asked.legs[0])
    known = table.mapping.field(asked.collapse.field)
    assert known is not None
    same: Query = (
        KeywordTerms(known.path, (value,), scored=False)
        if known.family is Family.KEYWORD
        else NumberTerms(known.path, (value,))
    )
    rows = np.array([row]) if value is None else np.flatnonzero(found.mask & evaluator.mask(table, same))
    scores = found.at(rows)
    return {wanted.name: _group(evaluator, asked, wanted, rows, scores) for wanted in asked.collapse.inner_hits}


def _group(evaluator: Evaluator, asked: Search, wanted: InnerHits, rows: Rows, scores: Floats) -> InnerResult:
    keys = [ordinals(evaluator, key, rows, scores) for key in wanted.sort]
    order = in_order(keys, len(rows)) if keys else np.lexsort((rows, -scores))
    shown = order[wanted.from_ : wanted.from_ + wanted.size]
    listed: list[float | None] = [None if keys else float(scores[at]) for at in shown.tolist()]
    plain = Search(legs=asked.legs, slots=asked.slots)
    hits = fetch_rows(evaluator, plain, rows[shown].tolist(), listed, wanted.fetch or Fetch())
    return InnerResult(len(rows), None if keys else float(scores.max()), tuple(hits))

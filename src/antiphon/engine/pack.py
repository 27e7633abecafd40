"""Typed documents become one immutable segment in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.domain.document import TypedDocument, TypedRow
from antiphon.domain.field import Family
from antiphon.domain.mapping import IndexMapping
from antiphon.engine.analysis import Analyzers
from antiphon.engine.columns import FeatureColumn, KeywordColumn, NumberColumn, Starts, TermList, TextColumn
from antiphon.engine.segment import OBJECTS_PER_DOCUMENT, Column, Segment, SegmentTable
from antiphon.engine.vectors import VectorColumn
from antiphon.precedence import giving_way

TextRow = tuple[int, str, int, Mapping[str, list[str]]]
"""Sequence number of the document, nested path, key, and the texts by field: what a lexicon indexes as one."""


@dataclass(slots=True)
class _Rows:
    keys: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    rows: list[TypedRow] = field(default_factory=list)


def pack(documents: Sequence[tuple[int, TypedDocument]], mapping: IndexMapping, analyzers: Analyzers) -> Segment:
    """Return the segment of (sequence number, document) pairs in ascending order."""
    tables: dict[str, _Rows] = {"": _Rows()}
    enclosing: dict[str, str] = {}
    for seq, document in giving_way(documents):
        places: list[int] = []
        for number, row in enumerate(document.rows):
            table = tables.setdefault(row.nested, _Rows())
            places.append(len(table.keys))
            table.keys.append(object_key(seq, number) if row.nested else seq)
            table.rows.append(row)
            if row.nested:
                enclosing[row.nested] = document.rows[row.parent].nested
                table.parents.append(places[row.parent])
                table.offsets.append(row.offset)
    return Segment({path: _table(rows, mapping, analyzers) for path, rows in tables.items()}, enclosing)


def text_rows(documents: Sequence[tuple[int, TypedDocument]]) -> list[TextRow]:
    """Return the rows that have texts, in order."""
    return [
        (seq, row.nested, object_key(seq, number) if row.nested else seq, row.texts)
        for seq, document in documents
        for number, row in enumerate(document.rows)
        if row.texts
    ]


def object_key(seq: int, number: int) -> int:
    """Return the key of a nested object: ``number`` is its position in ``TypedDocument.rows``."""
    return seq * OBJECTS_PER_DOCUMENT + number


def _table(table: _Rows, mapping: IndexMapping, analyzers: Analyzers) -> SegmentTable:
    columns: dict[str, Column] = {}
    rows = table.rows
    for name in giving_way(_fields(row.texts for row in rows)):
        columns[name] = TextColumn(np.fromiter((name in row.texts for row in rows), np.bool_, len(rows)))
    for name in giving_way(_fields(row.keywords for row in rows)):
        columns[name] = _keywords([row.keywords.get(name, ()) for row in rows], _normalizer(name, mapping), analyzers)
    for name in giving_way(_fields(row.wholes for row in rows)):
        columns[name] = _numbers([row.wholes.get(name, ()) for row in rows], np.int64)
    for name in giving_way(_fields(row.reals for row in rows)):
        columns[name] = _numbers([row.reals.get(name, ()) for row in rows], np.float64)
    for name in giving_way(_fields(row.features for row in rows)):
        columns[name] = _features([row.features.get(name, {}) for row in rows])
    vectors = {name: _vectors(name, rows, mapping) for name in giving_way(_fields(row.vectors for row in rows))}
    return SegmentTable(
        np.array(table.keys, np.int64), np.array(table.parents, np.int64), np.array(table.offsets, np.int32),
        columns, vectors,
    )  # fmt: skip


def _fields(rows: Any) -> list[str]:
    names: dict[str, None] = {}
    for row in rows:
        names.update(dict.fromkeys(row))
    return list(names)


def _starts(values: Sequence[Sequence[Any]]) -> Starts | None:
    counts = np.fromiter(map(len, values), np.int64, len(values))
    if (counts == 1).all():
        return None
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(counts)))


def _normalizer(name: str, mapping: IndexMapping) -> str | None:
    found = mapping.fields.get(name)
    value = found.options.get("normalizer") if found is not None and found.family is Family.KEYWORD else None
    return None if value is None else str(value)


def _keywords(values: list[Sequence[str]], normalizer: str | None, analyzers: Analyzers) -> KeywordColumn:
    if normalizer is not None:
        values = [[analyzers.normalize(normalizer, value) for value in row] for row in values]
    terms = sorted({value for row in values for value in row})
    codes = {term: code for code, term in enumerate(terms)}
    coded = [sorted({codes[value] for value in row}) for row in values]
    flat = np.array([code for row in coded for code in row], np.int32)
    return KeywordColumn(flat, _starts(coded), term_list(terms))


def term_list(terms: Sequence[str]) -> TermList:
    """Return the list of strings that are already in code-point order."""
    encoded = [term.encode("utf-8", "surrogatepass") for term in terms]
    ends = np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)))
    return TermList(np.frombuffer(b"".join(encoded), np.uint8), np.asarray(ends, np.int64))


def _numbers(values: list[Sequence[Any]], kind: Any) -> NumberColumn:
    ordered = [sorted(row) if len(row) > 1 else row for row in values]
    return NumberColumn(np.array([value for row in ordered for value in row], kind), _starts(ordered))


def _features(values: list[Mapping[str, float]]) -> FeatureColumn:
    tokens = sorted({token for row in values for token in row})
    codes = {token: code for code, token in enumerate(tokens)}
    flat = [(codes[token], weight) for row in values for token, weight in row.items()]
    starts = np.concatenate((np.zeros(1, np.int64), np.cumsum([len(row) for row in values], dtype=np.int64)))
    return FeatureColumn(
        np.array([code for code, _ in flat], np.int32),
        np.array([weight for _, weight in flat], np.float32),
        starts,
        term_list(tokens),
    )


def _vectors(name: str, rows: Sequence[TypedRow], mapping: IndexMapping) -> VectorColumn:
    spec = mapping.fields[name].vector
    if spec is None:
        raise ValueError(f"field [{name}] has a vector but no vector mapping")
    found = [(number, row.vectors[name]) for number, row in enumerate(rows) if name in row.vectors]
    matrix: NDArray[np.float32] = np.stack([vector for _, vector in found]).astype(np.float32, copy=False)
    return VectorColumn(spec, matrix, np.array([number for number, _ in found], np.int64))

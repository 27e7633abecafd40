"""Neighbouring segments become one, without their dead rows: arrays are joined, no document is read again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from antiphon.engine.columns import FeatureColumn, KeywordColumn, NumberColumn, Starts, TermList, TextColumn
from antiphon.engine.segment import Column, Segment, SegmentTable
from antiphon.engine.vectors import Floats, VectorColumn

Mask = NDArray[np.bool_]
Array = NDArray[Any]
Room = Callable[[tuple[int, int]], Floats]

TIERS = (100, 1_000, 10_000, 100_000)
"""Ten neighbours below one of these sizes become one segment."""
_TOGETHER = 10
_DEAD_SHARE = 5
_COPIED = 2_048
"""Vectors copied at once: other threads run in between."""


def due(
    sizes: Sequence[int], dead: Sequence[int], largest: int = TIERS[-1], *, idle_from: int | None = None
) -> tuple[int, int] | None:
    """Return the range of segments that should become one; None when all is well.

    ``sizes`` and ``dead`` count living and dead documents by segment. Ten neighbours of a like size (each below one
    of the tiers up to ``largest``) merge; a segment of which a fifth is dead is rewritten alone. When there is time,
    neighbours that have ``idle_from`` documents together merge as soon as none of them is more than half of them all:
    so a document is rewritten at most about once per doubling.
    """
    for number, gone in enumerate(dead):
        if gone > max(100, (sizes[number] + gone) // _DEAD_SHARE):
            return number, number + 1
    for limit in TIERS:
        if limit > largest:
            break
        for start, end in _runs_below(sizes, limit):
            if end - start >= _TOGETHER:
                return start, end
    return None if idle_from is None else _balanced(sizes, idle_from, largest)


def _runs_below(sizes: Sequence[int], limit: int) -> list[tuple[int, int]]:
    runs, start = [], 0
    for end in range(len(sizes) + 1):
        if end == len(sizes) or sizes[end] >= limit:
            runs.append((start, end))
            start = end + 1
    return runs


def _balanced(sizes: Sequence[int], least: int, largest: int) -> tuple[int, int] | None:
    for first, end in _runs_below(sizes, largest):
        for start in range(first, end - 1):
            some = sizes[start:end]
            if sum(some) >= least and 2 * max(some) <= sum(some):
                return start, end
    return None


def in_memory(shape: tuple[int, int]) -> Floats:
    """Return room for vectors, float32 of ``shape``."""
    return np.empty(shape, np.float32)


def merged(segments: Sequence[Segment], alive: Sequence[Mask], room: Room = in_memory) -> Segment | None:
    """Return one segment of the living documents; ``alive[s]`` bool tells which. None when there are none.

    Vectors, which may be more than memory holds, are put where ``room`` says.
    """
    enclosing = {path: outer for segment in segments for path, outer in segment.enclosing.items()}
    kept: dict[str, list[Mask]] = {"": list(alive)}
    tables: dict[str, SegmentTable] = {}
    for path in ["", *sorted(enclosing, key=lambda nested: nested.count("."))]:
        parts = [segment.tables.get(path, _NO_ROWS) for segment in segments]
        outer: list[Mask] = []
        if path:
            outer = kept[enclosing[path]]
            kept[path] = [mask[part.parents] for part, mask in zip(parts, outer, strict=True)]
        if any(mask.any() for mask in kept[path]):
            tables[path] = _table(parts, kept[path], outer, room)
    if "" not in tables:
        return None
    return Segment(tables, {path: outer for path, outer in enclosing.items() if path in tables})


_NO_ROWS = SegmentTable(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int32))


def _table(parts: Sequence[SegmentTable], kept: Sequence[Mask], outer: Sequence[Mask], room: Room) -> SegmentTable:
    parents = np.zeros(0, np.int64)
    offsets = np.zeros(0, np.int32)
    if outer:
        new = _renumbered(outer)
        parents = np.concatenate([n[p.parents[k]] for n, p, k in zip(new, parts, kept, strict=True)])
        offsets = np.concatenate([p.offsets[k] for p, k in zip(parts, kept, strict=True)])
    columns: dict[str, Column] = {}
    for name in dict.fromkeys(name for part in parts for name in part.columns):
        column = _column([part.columns.get(name) for part in parts], kept)
        if not _is_empty(column):
            columns[name] = column
    vectors: dict[str, VectorColumn] = {}
    for name in dict.fromkeys(name for part in parts for name in part.vectors):
        vector = _vectors([part.vectors.get(name) for part in parts], kept, room)
        if len(vector.rows):
            vectors[name] = vector
    keys = np.concatenate([part.keys[mask] for part, mask in zip(parts, kept, strict=True)])
    return SegmentTable(keys, parents, offsets, columns, vectors)


def _renumbered(kept: Sequence[Mask]) -> list[NDArray[np.int64]]:
    """By segment and old row: the row after the merge (meaningless for what is dropped)."""
    ends = np.cumsum([0, *(int(np.count_nonzero(mask)) for mask in kept)])
    return [np.cumsum(mask, dtype=np.int64) - 1 + int(base) for mask, base in zip(kept, ends[:-1], strict=True)]


def _column(columns: Sequence[Column | None], kept: Sequence[Mask]) -> Column:
    first = next(column for column in columns if column is not None)
    match first:
        case TextColumn():
            return TextColumn(
                np.concatenate(
                    [
                        np.zeros(np.count_nonzero(mask), np.bool_) if column is None else column.present[mask]
                        for column, mask in zip(cast(Sequence[TextColumn | None], columns), kept, strict=True)
                    ]
                )
            )
        case NumberColumn():
            numbers = [
                None if c is None else (c.starts, c.values) for c in cast(Sequence[NumberColumn | None], columns)
            ]
            values, starts = _ragged(numbers, kept, first.values.dtype)
            return NumberColumn(values, _unless_single(starts))
        case KeywordColumn():
            words = cast(Sequence[KeywordColumn | None], columns)
            codes, starts, terms = _coded(
                [None if c is None else (c.starts, c.codes) for c in words],
                [None if c is None else c.terms for c in words],
                kept,
            )
            return KeywordColumn(codes, _unless_single(starts), terms)
        case FeatureColumn():
            features = cast(Sequence[FeatureColumn | None], columns)
            codes, starts, tokens = _coded(
                [None if c is None else (c.starts, c.codes) for c in features],
                [None if c is None else c.tokens for c in features],
                kept,
            )
            pairs = [None if c is None else (c.starts, c.weights) for c in features]
            weights, _ = _ragged(pairs, kept, np.dtype(np.float32))
            return FeatureColumn(codes, weights, starts, tokens)


def _is_empty(column: Column) -> bool:
    match column:
        case TextColumn(present):
            return not present.any()
        case NumberColumn(values, _):
            return not len(values)
        case KeywordColumn(codes, _, _) | FeatureColumn(codes, _, _, _):
            return not len(codes)


Ragged = tuple[Starts | None, Array]


def _counts(column: Ragged | None, rows: int) -> NDArray[np.int64]:
    if column is None:
        return np.zeros(rows, np.int64)
    return np.ones(rows, np.int64) if column[0] is None else np.diff(column[0])


def _ragged(columns: Sequence[Ragged | None], kept: Sequence[Mask], kind: np.dtype[Any]) -> tuple[Array, Starts]:
    """The values of the rows that stay, and where each row's begin."""
    values: list[Array] = [np.zeros(0, kind)]
    counts: list[NDArray[np.int64]] = []
    for column, mask in zip(columns, kept, strict=True):
        count = _counts(column, len(mask))
        counts.append(count[mask])
        if column is not None:
            values.append(column[1][np.repeat(mask, count)])
    starts = np.concatenate((np.zeros(1, np.int64), np.cumsum(np.concatenate(counts))))
    return np.concatenate(values), starts


def _unless_single(starts: Starts) -> Starts | None:
    return None if (np.diff(starts) == 1).all() else starts


def _coded(
    columns: Sequence[Ragged | None], lists: Sequence[TermList | None], kept: Sequence[Mask]
) -> tuple[NDArray[np.int32], Starts, TermList]:
    """The codes of the rows that stay, into the terms that any of them has."""
    used: list[tuple[Array, list[bytes]]] = []
    for column, terms, mask in zip(columns, lists, kept, strict=True):
        if column is None or terms is None:
            used.append((np.zeros(0, np.int32), []))
            continue
        codes = np.unique(column[1][np.repeat(mask, _counts(column, len(mask)))])
        used.append((codes, _encoded(terms, codes)))
    joined = sorted({term for _, some in used for term in some})  # UTF-8 sorts as code points do
    numbers = {term: number for number, term in enumerate(joined)}
    renamed: list[Ragged | None] = []
    for column, terms, (codes, some) in zip(columns, lists, used, strict=True):
        if column is None or terms is None:
            renamed.append(None)
            continue
        new = np.zeros(len(terms), np.int32)
        new[codes] = np.fromiter((numbers[term] for term in some), np.int32, len(some))
        renamed.append((column[0], new[column[1]]))
    values, starts = _ragged(renamed, kept, np.dtype(np.int32))
    ends = np.cumsum(np.fromiter(map(len, joined), np.int64, len(joined)))
    return values, starts, TermList(np.frombuffer(b"".join(joined), np.uint8), np.asarray(ends, np.int64))


def _encoded(terms: TermList, codes: Array) -> list[bytes]:
    blob = terms.blob.tobytes()
    starts = np.concatenate((np.zeros(1, np.int64), terms.ends[:-1]))
    return [blob[start:end] for start, end in zip(starts[codes].tolist(), terms.ends[codes].tolist(), strict=True)]


def _vectors(columns: Sequence[VectorColumn | None], kept: Sequence[Mask], room: Room) -> VectorColumn:
    new = _renumbered(kept)
    there = [(column, mask, rows) for column, mask, rows in zip(columns, kept, new, strict=True) if column is not None]
    chosen = [np.flatnonzero(mask[column.rows]) for column, mask, _ in there]
    vectors = room((sum(map(len, chosen)), there[0][0].vectors.shape[1]))
    at = 0
    for (column, _, _), pick in zip(there, chosen, strict=True):
        for start in range(0, len(pick), _COPIED):
            some = pick[start : start + _COPIED]
            vectors[at : at + len(some)] = column.vectors[some]
            at += len(some)
    rows = [rows[column.rows[pick]] for (column, _, rows), pick in zip(there, chosen, strict=True)]
    squares = [column.lengths_squared()[pick] for (column, _, _), pick in zip(there, chosen, strict=True)]
    return VectorColumn(there[0][0].spec, vectors, np.concatenate(rows), np.concatenate(squares))

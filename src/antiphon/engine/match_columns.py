"""Filters answered by columns: keywords by dictionary codes, numbers by comparison, existence by what is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from antiphon.domain.address import packed
from antiphon.engine.columns import FeatureColumn, KeywordColumn, NumberColumn, Starts, TermList, TextColumn
from antiphon.engine.matches import Mask
from antiphon.engine.segment import Column, SegmentTable
from antiphon.engine.table import Table
from antiphon.query import KeywordRange, NumberRange

Wanted = Callable[[TermList], NDArray[np.bool_]]
"""Which terms of a dictionary are wanted, bool ``[terms]``."""


def over_parts(table: Table, answer: Callable[[SegmentTable], Mask | None]) -> Mask:
    """Return the answers of all segments end to end, alive rows only; None stands for no row."""
    mask = np.zeros(table.size, np.bool_)
    for base, part in zip(table.bases, table.parts, strict=False):
        found = answer(part)
        if found is not None:
            mask[base : base + part.rows] = found
    return mask & table.alive


def keyword_mask(table: Table, field: str, wanted: Wanted) -> Mask:
    """Return the rows with a value that ``wanted`` picks from the dictionary."""

    def answer(part: SegmentTable) -> Mask | None:
        column = part.columns.get(field)
        if not isinstance(column, KeywordColumn):
            return None
        picked = wanted(column.terms)
        return any_value(picked[column.codes], column.starts) if picked.any() else None

    return over_parts(table, answer)


def value_count(table: Table, field: str) -> int:
    """Return how many values the living documents have in a field of keywords or numbers."""
    count = 0
    for base, part in zip(table.bases.tolist(), table.parts, strict=True):
        column = part.columns.get(field)
        if isinstance(column, KeywordColumn | NumberColumn):
            alive = table.alive[base : base + part.rows]
            count += int(np.count_nonzero(alive) if column.starts is None else np.diff(column.starts)[alive].sum())
    return count


def these_terms(values: Sequence[str]) -> Wanted:
    """Return what picks exactly these strings."""

    def wanted(terms: TermList) -> NDArray[np.bool_]:
        picked = np.zeros(len(terms), np.bool_)
        for value in values:
            code = terms.find(value)
            if code >= 0:
                picked[code] = True
        return picked

    return wanted


def terms_between(node: KeywordRange) -> Wanted:
    """Return what picks the strings between the bounds of a range."""

    def wanted(terms: TermList) -> NDArray[np.bool_]:
        low = 0 if node.low is None else terms.insertion(node.low, after=not node.include_low)
        high = len(terms) if node.high is None else terms.insertion(node.high, after=node.include_high)
        picked = np.zeros(len(terms), np.bool_)
        picked[low:high] = True
        return picked

    return wanted


def addresses_between(node: KeywordRange) -> Wanted:
    """Return what picks the addresses between the bounds of a range."""
    low, high = (None if end is None else packed(end) for end in (node.low, node.high))

    def inside(address: bytes) -> bool:
        above = low is None or address > low or (address == low and node.include_low)
        return above and (high is None or address < high or (address == high and node.include_high))

    return lambda terms: np.fromiter((inside(packed(term)) for term in terms.all()), np.bool_, len(terms))


def number_terms_mask(table: Table, field: str, values: tuple[int | float, ...]) -> Mask:
    """Return the rows with any of these numbers."""

    def answer(part: SegmentTable) -> Mask | None:
        column = part.columns.get(field)
        if not isinstance(column, NumberColumn):
            return None
        if len(values) == 1:
            return any_value(column.values == values[0], column.starts)
        return any_value(np.isin(column.values, np.asarray(values, column.values.dtype)), column.starts)

    return over_parts(table, answer)


def number_range_mask(table: Table, node: NumberRange) -> Mask:
    """Return the rows with a number between the bounds."""

    def answer(part: SegmentTable) -> Mask | None:
        column = part.columns.get(node.field)
        if not isinstance(column, NumberColumn):
            return None
        inside = np.ones(len(column.values), np.bool_)
        if node.low is not None:
            inside &= column.values >= node.low if node.include_low else column.values > node.low
        if node.high is not None:
            inside &= column.values <= node.high if node.include_high else column.values < node.high
        return any_value(inside, column.starts)

    return over_parts(table, answer)


def exists_mask(table: Table, fields: Sequence[str]) -> Mask:
    """Return the rows with a value in any of the fields."""

    def answer(part: SegmentTable) -> Mask | None:
        found = np.zeros(part.rows, np.bool_)
        for field in fields:
            if (column := part.columns.get(field)) is not None:
                found |= _present(column, part.rows)
            if (vectors := part.vectors.get(field)) is not None:
                found[vectors.rows] = True
        return found

    return over_parts(table, answer)


def any_value(hits: NDArray[np.bool_], starts: Starts | None) -> Mask:
    """Return the rows of which any value is a hit: bool per value -> bool per row."""
    if starts is None:
        return hits
    before = np.concatenate((np.zeros(1, np.int64), np.cumsum(hits)))
    return np.asarray(before[starts[1:]] != before[starts[:-1]])


def _present(column: Column, rows: int) -> Mask:
    match column:
        case TextColumn():
            return column.present
        case KeywordColumn() | NumberColumn() | FeatureColumn():
            return np.ones(rows, np.bool_) if column.starts is None else np.diff(column.starts) > 0

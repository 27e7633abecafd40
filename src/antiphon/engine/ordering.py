"""The order of hits: sort keys as numbers that ascend, what lies after a given hit, one hit per collapse value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.domain.field import Family
from antiphon.engine.columns import KeywordColumn, NumberColumn
from antiphon.engine.matches import Evaluator, Floats, Rows, ancestor_rows, table_of
from antiphon.engine.table import Table
from antiphon.errors import IllegalArgument, QueryShardError
from antiphon.query import SortKey

_TEXT = (
    "Text fields are not optimised for operations that require per-document field data like aggregations and sorting, "
    "so these operations are disabled by default. Please use a keyword field instead. Alternatively, set "
    "fielddata=true on [{0}] in order to load field data by uninverting the inverted index. Note that this can use "
    "significant memory."
)


@dataclass(frozen=True, slots=True)
class Ordinals:
    """One sort key over some rows: float64 ``ranks`` ``[n]`` that ascend in the wanted order, and the typed values.

    ``place`` turns a value of a search_after into a rank.
    """

    ranks: NDArray[np.float64]
    values: Callable[[NDArray[np.int64]], list[Any]]
    place: Callable[[Any], float]


def text_field(path: str) -> str:
    """Return why a text field is neither sorted nor aggregated."""
    return _TEXT.format(path)


def ordinals(evaluator: Evaluator, key: SortKey, rows: Rows, scores: Floats) -> Ordinals:
    """Return a sort key over ``rows`` of the documents' table, whose scores are ``scores``."""
    table = evaluator.view.tables[""]
    sign = -1.0 if key.descending else 1.0
    match key.field:
        case "_score":
            ranks = scores.astype(np.float64)
            return Ordinals(
                ranks * sign, lambda at: scores[at].astype(np.float64).tolist(), lambda v: sign * float(np.float32(v))
            )
        case "_doc":
            return Ordinals(rows.astype(np.float64) * sign, lambda at: rows[at].tolist(), lambda v: sign * float(v))
        case "_seq_no":
            keys = table.keys[rows]
            return Ordinals(keys.astype(np.float64) * sign, lambda at: keys[at].tolist(), lambda v: sign * float(v))
        case "_id":
            return _texts(evaluator.view.ids(rows), key)
        case "_index":
            return Ordinals(np.zeros(len(rows)), lambda at: [None] * len(at), lambda _: 0.0)
        case _:
            return _field(evaluator, key, rows)


def in_order(keys: Sequence[Ordinals], count: int) -> NDArray[np.int64]:
    """Return the positions of ``count`` rows in the order of the keys, ties by position."""
    if not keys:
        return np.arange(count)
    return np.lexsort([key.ranks for key in reversed(keys)])


def after(keys: Sequence[Ordinals], values: Sequence[Any]) -> NDArray[np.bool_]:
    """Return which rows come after a hit with these sort values."""
    later = np.zeros(len(keys[0].ranks), np.bool_)
    same = np.ones(len(keys[0].ranks), np.bool_)
    for key, value in zip(keys, values, strict=True):
        rank = key.place(value)
        later |= same & (key.ranks > rank)
        same &= key.ranks == rank
    return later


def collapse_values(evaluator: Evaluator, field: str, rows: Rows) -> list[Any]:
    """Return the value of a keyword or number field per row, None without one; IllegalArgument for several."""
    table = evaluator.view.tables[""]
    known = table.mapping.field(field)
    if known is None:
        raise QueryShardError(f"no mapping found for `{field}` in order to collapse on")
    if known.family not in (Family.KEYWORD, Family.WHOLE, Family.REAL):
        reason = f"unknown type for collapse field `{field}`, only keywords and numbers are accepted"
        raise QueryShardError(reason, cause=IllegalArgument(reason))
    key = SortKey(field)
    return _field(evaluator, key, rows).values(np.arange(len(rows)))


def values_per_row(table: Table, field: str, rows: Rows) -> tuple[list[Any], NDArray[np.int64]]:
    """Return all values of a field over ``rows``, typed, and for each the position of its row."""
    values: list[Any] = []
    owners: list[NDArray[np.int64]] = []
    segments = np.searchsorted(table.bases, rows, side="right") - 1
    for number in np.unique(segments).tolist():
        at = np.flatnonzero(segments == number)
        column = table.parts[number].columns.get(field)
        if not isinstance(column, (NumberColumn, KeywordColumn)):
            continue
        local = rows[at] - table.bases[number]
        raw = column.values if isinstance(column, NumberColumn) else column.codes
        if column.starts is None:
            found, owner = raw[local], at
        else:
            counts = column.starts[local + 1] - column.starts[local]
            owner = np.repeat(at, counts)
            ends = np.cumsum(counts)
            offsets = np.arange(int(counts.sum())) - np.repeat(ends - counts, counts)
            found = raw[np.repeat(column.starts[local], counts) + offsets]
        if isinstance(column, KeywordColumn):
            distinct, inverse = np.unique(found, return_inverse=True)
            words = [column.terms.term(code) for code in distinct.tolist()]
            values.extend(words[code] for code in inverse.tolist())
        else:
            values.extend(found.tolist())
        owners.append(owner)
    return values, np.concatenate(owners) if owners else np.zeros(0, np.int64)


def _field(evaluator: Evaluator, key: SortKey, rows: Rows) -> Ordinals:
    document_table = evaluator.view.tables[""]
    known = document_table.mapping.field(key.field)
    if known is None or not key.mapped:
        return Ordinals(np.zeros(len(rows)), lambda at: [None] * len(at), lambda _: 0.0)
    if known.family is Family.TEXT:
        raise IllegalArgument(text_field(key.field))
    table, asked, owner_of = document_table, rows, None
    if known.nested:
        inner = table_of(evaluator.view, known.nested)
        if inner is None:
            return Ordinals(np.zeros(len(rows)), lambda at: [None] * len(at), lambda _: 0.0)
        owners = ancestor_rows(evaluator.view, inner, "")
        mask = inner.alive if key.nested_filter is None else evaluator.mask(inner, key.nested_filter)
        asked = np.flatnonzero(mask & np.isin(owners, rows))
        position = np.full(document_table.size, -1, np.int64)
        position[rows] = np.arange(len(rows))
        table, owner_of = inner, position[owners[asked]]
    values, owners_found = values_per_row(table, known.path, asked)
    if owner_of is not None:
        owners_found = owner_of[owners_found]
    if known.family is Family.KEYWORD:
        return _keyword(values, owners_found, key, len(rows))
    return _number(values, owners_found, key, len(rows), whole=known.family is Family.WHOLE)


def _number(values: list[Any], owners: NDArray[np.int64], key: SortKey, count: int, *, whole: bool) -> Ordinals:
    chosen: list[Any] = [None] * count
    numbers = np.asarray(values, np.float64)
    order = np.lexsort((numbers, owners))
    mode = key.mode or ("max" if key.descending else "min")
    bounds = np.flatnonzero(np.diff(owners[order], prepend=-1, append=-1))
    for start, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True) if len(order) else ():
        group = [values[at] for at in order[start:end].tolist()]
        chosen[int(owners[order[start]])] = _picked(group, mode)
    missing = key.missing
    sign = -1.0 if key.descending else 1.0
    absent = np.inf if missing == "_last" else -np.inf if missing == "_first" else sign * float(missing)
    ranks = np.array([absent if value is None else sign * float(value) for value in chosen])
    del whole
    return Ordinals(
        ranks, lambda at: [chosen[i] for i in at.tolist()], lambda v: absent if v is None else sign * float(v)
    )


def _picked(group: list[Any], mode: str) -> Any:
    """The value that stands for several, ascending; an average of whole numbers is rounded as Lucene does."""
    match mode:
        case "min":
            return group[0]
        case "max":
            return group[-1]
        case "sum":
            return sum(group)
        case "avg":
            mean = sum(group) / len(group)
            return round(mean) if isinstance(group[0], int) else mean
        case _:
            middle = len(group) // 2
            if len(group) % 2:
                return group[middle]
            mean = (group[middle - 1] + group[middle]) / 2
            return round(mean) if isinstance(group[0], int) else mean


def _keyword(values: list[str], owners: NDArray[np.int64], key: SortKey, count: int) -> Ordinals:
    chosen: list[str | None] = [None] * count
    mode = key.mode or ("max" if key.descending else "min")
    for value, owner in zip(values, owners.tolist(), strict=True):
        held = chosen[owner]
        if held is None or (value < held if mode == "min" else value > held):
            chosen[owner] = value
    return _texts(chosen, key)


def _texts(chosen: Sequence[str | None], key: SortKey) -> Ordinals:
    words = sorted({value for value in chosen if value is not None})
    rank = {word: float(number) for number, word in enumerate(words)}
    sign = -1.0 if key.descending else 1.0

    def place(value: Any) -> float:
        if value is None:
            return absent
        text = str(value)
        if text in rank:
            return sign * rank[text]
        return sign * (sum(word < text for word in words) - 0.5)

    absent = np.inf if key.missing == "_last" else -np.inf
    if key.missing not in ("_last", "_first"):
        absent = place(str(key.missing))
    ranks = np.array([absent if value is None else sign * rank[value] for value in chosen])
    return Ordinals(ranks, lambda at: [chosen[i] for i in at.tolist()], place)

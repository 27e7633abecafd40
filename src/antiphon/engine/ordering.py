"""The order of hits: sort keys as numbers that ascend, what lies after a given hit, one hit per collapse value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.domain.address import Address, ip_text
from antiphon.domain.field import Family, FieldType
from antiphon.engine.columns import KeywordColumn, NumberColumn
from antiphon.engine.matches import Evaluator, Floats, Rows, ancestor_rows, table_of, within
from antiphon.engine.table import Table
from antiphon.errors import IllegalArgument, QueryShardError
from antiphon.query import SortKey, missing_value

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


def ordinals(evaluator: Evaluator, key: SortKey, rows: Rows, scores: Floats, path: str = "") -> Ordinals:
    """Return a sort key over ``rows``, whose scores are ``scores``, of the table at ``path``: documents or objects.

    An object has no value of a field that lies outside of it.
    """
    table = evaluator.view.tables[path]
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
            return _texts(evaluator.view.ids(ancestor_rows(evaluator.view, table, "")[rows]), key)
        case "_index":
            return Ordinals(np.zeros(len(rows)), lambda at: [None] * len(at), lambda _: 0.0)
        case _:
            return _field(evaluator, key, rows, table)


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
    """Return the value of a keyword or number field per row, None without one; QueryShardError for several."""
    table = evaluator.view.tables[""]
    known = table.mapping.field(field)
    if known is None:
        raise QueryShardError(f"no mapping found for `{field}` in order to collapse on")
    if known.family not in (Family.KEYWORD, Family.WHOLE, Family.REAL) or known.type is FieldType.IP:
        reason = f"unknown type for collapse field `{field}`, only keywords and numbers are accepted"
        raise QueryShardError(reason, cause=IllegalArgument(reason))
    for column, _, owners in _gathered(table, field, rows):
        if column.starts is not None and len(np.unique(owners)) < len(owners):
            reason = f"failed to collapse, the collapse field [{field}] must be single valued"
            raise QueryShardError(reason, cause=IllegalArgument(reason))
    key = SortKey(field)
    return _field(evaluator, key, rows, table).values(np.arange(len(rows)))


def values_per_row(table: Table, field: str, rows: Rows) -> tuple[list[Any], NDArray[np.int64]]:
    """Return all values of a field over ``rows``, typed, and for each the position of its row."""
    known = table.mapping.field(field)
    kind = Address if known is not None and known.type is FieldType.IP else str
    values: list[Any] = []
    owners: list[NDArray[np.int64]] = []
    for column, found, owner in _gathered(table, field, rows):
        if isinstance(column, KeywordColumn):
            distinct, inverse = np.unique(found, return_inverse=True)
            words = [kind(column.terms.term(code)) for code in distinct.tolist()]
            values.extend(words[code] for code in inverse.tolist())
        else:
            values.extend(found.tolist())
        owners.append(owner)
    return values, np.concatenate(owners) if owners else np.zeros(0, np.int64)


def numbers_per_row(table: Table, field: str, rows: Rows, kind: Any) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return all numbers of a field over ``rows`` as ``kind``, and for each the position of its row."""
    parts = [
        (found, owner) for column, found, owner in _gathered(table, field, rows) if isinstance(column, NumberColumn)
    ]
    if not parts:
        return np.zeros(0, kind), np.zeros(0, np.int64)
    return np.concatenate([found for found, _ in parts]).astype(kind), np.concatenate([owner for _, owner in parts])


def _gathered(
    table: Table, field: str, rows: Rows
) -> Iterator[tuple[NumberColumn | KeywordColumn, NDArray[Any], NDArray[np.int64]]]:
    """Yield, per segment, its column, the values of those of ``rows`` in it, and the position of the row of each."""
    segments = np.searchsorted(table.bases, rows, side="right") - 1
    for number in np.unique(segments).tolist():
        at = np.flatnonzero(segments == number)
        column = table.parts[number].columns.get(field)
        if not isinstance(column, (NumberColumn, KeywordColumn)):
            continue
        local = rows[at] - table.bases[number]
        raw = column.values if isinstance(column, NumberColumn) else column.codes
        if column.starts is None:
            yield column, raw[local], at
            continue
        counts = column.starts[local + 1] - column.starts[local]
        ends = np.cumsum(counts)
        offsets = np.arange(int(counts.sum())) - np.repeat(ends - counts, counts)
        yield column, raw[np.repeat(column.starts[local], counts) + offsets], np.repeat(at, counts)


def _field(evaluator: Evaluator, key: SortKey, rows: Rows, table: Table) -> Ordinals:
    known = table.mapping.field(key.field)
    if known is not None and known.family is Family.TEXT:
        raise IllegalArgument(text_field(key.field))
    inner = None if known is None or not key.mapped else table_of(evaluator.view, known.nested)
    if known is None or inner is None or not within(inner, table):
        return Ordinals(np.zeros(len(rows)), lambda at: [_stand_in(key)] * len(at), lambda _: 0.0)
    asked, owner_of = rows, None
    if inner is not table:
        owners = ancestor_rows(evaluator.view, inner, table.path)
        mask = inner.alive if key.nested_filter is None else evaluator.mask(inner, key.nested_filter)
        asked = np.flatnonzero(mask & np.isin(owners, rows))
        position = np.full(table.size, -1, np.int64)
        position[rows] = np.arange(len(rows))
        table, owner_of = inner, position[owners[asked]]
    if known.family is Family.KEYWORD:
        words, found = values_per_row(table, known.path, asked)
        return _keyword(words, found if owner_of is None else owner_of[found], key, len(rows))
    kind = np.int64 if known.family is Family.WHOLE else np.float64
    numbers, found = numbers_per_row(table, known.path, asked, kind)
    return _number(numbers, found if owner_of is None else owner_of[found], key, len(rows), missing_value(key, known))


def _number(
    numbers: NDArray[Any], owners: NDArray[np.int64], key: SortKey, count: int, extreme: float | None
) -> Ordinals:
    """``extreme`` is shown for a missing number, and ties with it."""
    picked, present = one_per_row(numbers, owners, key.mode or ("max" if key.descending else "min"), count)
    distinct, places = np.unique(picked[present], return_inverse=True)
    sign = -1.0 if key.descending else 1.0
    absent = np.inf if key.missing == "_last" else -np.inf

    def rank(value: Any) -> float:
        before = int(np.searchsorted(distinct, value))
        held = before < len(distinct) and distinct[before] == value
        return sign * (before if held else before - 0.5)

    def place(value: Any) -> float:
        number = None if value is None else _as_number(value, key)
        return absent if number is None or number == extreme else rank(number)

    if key.missing not in ("_last", "_first"):
        absent = rank(key.missing)
    elif extreme is not None and extreme in distinct:
        absent = rank(extreme)
    ranks = np.full(count, absent)
    ranks[present] = sign * places
    return Ordinals(ranks, lambda at: [picked[i].item() if present[i] else _stand_in(key) for i in at.tolist()], place)


def _as_number(value: Any, key: SortKey) -> int | float:
    if isinstance(value, (int, float)):
        return value
    try:
        return float(value) if value in ("Infinity", "-Infinity") else int(value)
    except (TypeError, ValueError):
        raise IllegalArgument(f"Failed to parse search_after value for field [{key.field}].") from None


def one_per_row(
    numbers: NDArray[Any], owners: NDArray[np.int64], mode: str, count: int
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return (the number that stands for several, which rows have one); whole means are rounded half up, as in Java."""
    picked = np.zeros(count, numbers.dtype)
    present = np.zeros(count, np.bool_)
    if not len(numbers):
        return picked, present
    order = np.lexsort((numbers, owners))
    numbers, owners = numbers[order], owners[order]
    first = np.flatnonzero(np.diff(owners, prepend=-1))
    sizes = np.diff(first, append=len(owners))
    last = first + sizes - 1
    match mode:
        case "min":
            chosen = numbers[first]
        case "max":
            chosen = numbers[last]
        case "sum":
            chosen = np.add.reduceat(numbers, first)
        case "avg":
            chosen = _as_kept(np.add.reduceat(numbers, first) / sizes, numbers.dtype)
        case _:
            low, high = numbers[first + (sizes - 1) // 2], numbers[first + sizes // 2]
            chosen = np.where(low == high, low, _as_kept(low / 2 + high / 2, numbers.dtype))
    picked[owners[first]] = chosen
    present[owners[first]] = True
    return picked, present


def _as_kept(means: NDArray[np.float64], kind: np.dtype[Any]) -> NDArray[Any]:
    return np.floor(means + 0.5).astype(kind) if kind == np.int64 else means


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
        text = ip_text(str(value)) if words and isinstance(words[0], Address) else str(value)
        if text in rank:
            return sign * rank[text]
        return sign * (sum(word < text for word in words) - 0.5)

    absent = np.inf if key.missing == "_last" else -np.inf
    if key.missing not in ("_last", "_first"):
        absent = place(str(key.missing))
    ranks = np.array([absent if value is None else sign * rank[value] for value in chosen])
    return Ordinals(ranks, lambda at: [_stand_in(key) if chosen[i] is None else chosen[i] for i in at.tolist()], place)


def _stand_in(key: SortKey) -> Any:
    """What a document without a value has in its place: the ``missing`` of the sort, if it is a value."""
    return None if key.missing in ("_last", "_first") else key.missing

"""How values compare that may be missing: sort values of hits, keys and metrics of buckets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cmp_to_key
from typing import Any

from antiphon.errors import ClassCast, ReduceError
from antiphon.query.nodes import SortKey


def compare_values(first: Any, second: Any, *, descending: bool, missing_first: bool = False) -> int:
    """Return -1, 0 or 1; None is last, or first with ``missing_first``, in either direction.

    ReduceError for a number and a text: the field has different types in different indices.
    """
    if first is None or second is None:
        if first is second:
            return 0
        return (-1 if first is None else 1) * (1 if missing_first else -1)
    if first == second:
        return 0
    try:
        return -1 if (first > second) == descending else 1
    except TypeError:
        shown = f"[{first}] and [{second}] cannot be ordered: the field has one type in one index, another in another"
        raise ReduceError(ClassCast(shown)) from None


def compare_sort(keys: Sequence[SortKey], first: Sequence[Any], second: Sequence[Any]) -> int:
    """Return -1, 0 or 1 for two tuples of sort values; without keys they are scores, best first."""
    if not keys:
        return compare_values(first[0], second[0], descending=True) if first and second else 0
    for key, left, right in zip(keys, first, second, strict=False):
        found = compare_values(left, right, descending=key.descending, missing_first=key.missing == "_first")
        if found:
            return found
    return 0


def hit_order(keys: Sequence[SortKey]) -> Callable[[tuple[Sequence[Any], str, Any]], Any]:
    """Return the sort key of (sort values, index, hit) entries; equal ones keep their order."""

    def compare(first: tuple[Sequence[Any], str, Any], second: tuple[Sequence[Any], str, Any]) -> int:
        return compare_sort(keys, first[0], second[0])

    return cmp_to_key(compare)

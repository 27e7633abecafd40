"""Sort values as they are shown; for a missing one stands the largest or smallest number of the field's type."""

from __future__ import annotations

from typing import Any

from antiphon.domain.dates import write_date
from antiphon.domain.field import Field, FieldType
from antiphon.query.nodes import SortKey

_HALF = 2**31
_WHOLE = 2**63
_BOUNDS: dict[FieldType, tuple[float, float]] = {
    **dict.fromkeys((FieldType.BYTE, FieldType.SHORT, FieldType.INTEGER, FieldType.BOOLEAN), (-_HALF, _HALF - 1)),
    **dict.fromkeys((FieldType.LONG, FieldType.DATE), (-_WHOLE, _WHOLE - 1)),
    FieldType.UNSIGNED_LONG: (0, 2**64 - 1),
    **dict.fromkeys(
        (FieldType.FLOAT, FieldType.DOUBLE, FieldType.HALF_FLOAT, FieldType.SCALED_FLOAT), (-float("inf"), float("inf"))
    ),
}


def missing_value(key: SortKey, field: Field | None) -> float | None:
    """Return what is shown for a document without a value, and comes back in ``search_after``; None for other fields.

    As in Lucene: a missing number sorts as the largest where it comes last in ascending or first in descending order.
    """
    if field is None or key.missing not in ("_last", "_first") or field.type not in _BOUNDS:
        return None
    smallest, largest = _BOUNDS[field.type]
    return largest if (key.missing == "_last") is not key.descending else smallest


def shown_sort(key: SortKey, value: Any, field: Field | None) -> Any:
    """Return a sort value as JSON shows it; ``_index`` is not known here."""
    if value is None:
        value = missing_value(key, field)
        return value if value not in (float("inf"), -float("inf")) else "Infinity" if value > 0 else "-Infinity"
    return write_date(value, key.format) if key.format else value

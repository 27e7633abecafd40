"""Filters as typed in a shell: ``year>=2020``, ``lang=de,fr``, ``draft!=true``, or a JSON query."""

from __future__ import annotations

import json
import re
from typing import Any

from antiphon.errors import IllegalArgument

_SHAPE = re.compile(r"(?P<field>[^=<>!]+?)\s*(?P<operator>!=|>=|<=|=|>|<)\s*(?P<value>.+)", re.DOTALL)
_BOUNDS = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}


def parse_filter(text: str) -> dict[str, Any]:
    """Return the query that a filter means; IllegalArgument when it means none."""
    if text.lstrip().startswith("{"):
        try:
            query = json.loads(text)
        except ValueError as error:
            raise IllegalArgument(f"--filter [{text}] is not JSON: {error}") from None
        return dict(query)
    shape = _SHAPE.fullmatch(text.strip())
    if shape is None:
        raise IllegalArgument(f"--filter [{text}] must be field=value, with =, !=, >, >=, <, <=, or a JSON query")
    field, operator, value = shape["field"], shape["operator"], shape["value"]
    if operator in _BOUNDS:
        return {"range": {field: {_BOUNDS[operator]: _scalar(value)}}}
    same = _same(field, [_scalar(part) for part in value.split(",")])
    return {"bool": {"must_not": [same]}} if operator == "!=" else same


def _same(field: str, values: list[Any]) -> dict[str, Any]:
    """Exactly one of the values; a text that was mapped dynamically is compared by its ``.keyword``."""
    if not all(isinstance(value, str) for value in values):
        return {"terms": {field: values}}
    if field == "_id" or field.endswith(".keyword"):
        return {"terms": {field: values}}
    return {"bool": {"should": [{"terms": {field: values}}, {"terms": {f"{field}.keyword": values}}]}}


def _scalar(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text.strip()
    return value if isinstance(value, (int, float, str, bool)) else text

"""Filters as typed in a shell: ``year>=2020``, ``lang=de,fr``, ``draft!=true``, or a JSON query."""

from __future__ import annotations

import csv
import json
import re
from typing import Any

from antiphon.errors import IllegalArgument
from antiphon.wire.mapping_fields import keyword_of, known

_SHAPE = re.compile(r"(?P<field>[^=<>!]+?)\s*(?P<operator>!=|>=|<=|=|>|<)\s*(?P<value>.+)", re.DOTALL)
_BOUNDS = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}
_WHOLE = {"long", "integer", "short", "byte", "unsigned_long"}
_NUMBERS = _WHOLE | {"double", "float", "half_float", "scaled_float"}
_NO_FILTER = {"knn_vector", "geo_point", "geo_shape", "binary"}
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")


def parse_filter(text: str, fields: dict[str, str]) -> dict[str, Any]:
    """Return the query that a filter means in an index with these ``fields``, dotted name to type.

    ``=`` compares whole values, as they are written; a text without a keyword field, its words in their order.
    IllegalArgument when it means none, or would quietly match nothing.
    """
    if text.lstrip().startswith("{"):
        try:
            return dict(json.loads(text))
        except ValueError as error:
            raise IllegalArgument(f"--filter [{text}] is not JSON: {error}") from None
    shape = _SHAPE.fullmatch(text.strip())
    if shape is None:
        raise IllegalArgument(f"--filter [{text}] must be field=value, with =, !=, >, >=, <, <=, or a JSON query")
    field, operator, value = shape["field"], shape["operator"], shape["value"]
    try:
        if operator in _BOUNDS:
            return _range(field, _BOUNDS[operator], value.strip(), fields)
        same = _same(field, _values(value), fields)
    except IllegalArgument as error:
        raise IllegalArgument(f"--filter [{text}]: {error.reason}") from None
    return {"bool": {"must_not": [same]}} if operator == "!=" else same


def _same(field: str, values: list[str], fields: dict[str, str]) -> dict[str, Any]:
    if field == "_id":
        return {"ids": {"values": values}}
    kind = _kind(field, fields)
    if kind not in ("text", "semantic"):
        return {"terms": {field: [_typed(field, value, kind) for value in values]}}
    keyword = keyword_of(fields, field)
    if keyword is not None:
        return {"terms": {keyword: values}}
    phrases = [{"match_phrase": {field: value}} for value in values]
    return phrases[0] if len(phrases) == 1 else {"bool": {"should": phrases}}


def _range(field: str, bound: str, value: str, fields: dict[str, str]) -> dict[str, Any]:
    kind = _kind(field, fields)
    if kind in ("text", "semantic", "keyword", "boolean"):
        if kind == "boolean" or _NUMBER.fullmatch(value) or (kind != "keyword" and keyword_of(fields, field) is None):
            raise IllegalArgument(
                f"[{field}] is of type {kind}, which does not compare so; map it as a number or date "
                f"(`antiphon index create --field {field}=integer`) and ingest again"
            )
        return {"range": {field if kind == "keyword" else keyword_of(fields, field): {bound: value}}}
    return {"range": {field: {bound: _typed(field, value, kind)}}}


def _kind(field: str, fields: dict[str, str]) -> str:
    if field not in fields:
        raise IllegalArgument(f"there is no field [{field}] to filter by; there are: {known(fields, field)}")
    kind = fields[field]
    if kind in _NO_FILTER:
        raise IllegalArgument(f"[{field}] is a {kind}: filter by it with a JSON query")
    return kind


def _typed(field: str, value: str, kind: str) -> Any:
    """The value as its field's type spells it in JSON; a date stays a text, so that 2020 is the year."""
    if kind in _NUMBERS:
        if _NUMBER.fullmatch(value) is None:
            raise IllegalArgument(f"[{field}] holds numbers, and [{value}] is none")
        return int(value) if re.fullmatch(r"[+-]?\d+", value) else float(value)
    if kind == "boolean":
        if value not in ("true", "false"):
            raise IllegalArgument(f"[{field}] is true or false, not [{value}]")
        return value == "true"
    return value


def _values(text: str) -> list[str]:
    """The values between commas; one in double quotes may hold commas."""
    row = next(csv.reader([text.replace("\n", " ").strip()], skipinitialspace=True))
    return [value.strip() for value in row]

"""A field and a value become the leaf query that fits the field's family."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from typing import Any

from antiphon.domain.address import network
from antiphon.domain.field import IGNORED, Family, Field, FieldType
from antiphon.domain.mapping_parameters import flag
from antiphon.domain.numbers import MAX_INT64
from antiphon.domain.values import date_bound, term_value
from antiphon.errors import AntiphonError, NumberFormat
from antiphon.query.leaves import (
    Ids,
    KeywordRange,
    KeywordTerms,
    MatchAll,
    MatchNone,
    NumberRange,
    NumberTerms,
    TextTerms,
)
from antiphon.query.nodes import Bool, ConstantScore, Query
from antiphon.query.parse.reasons import ShardParse, refused, unbound
from antiphon.query.scope import Scope

METADATA = frozenset({"_id", "_index"})
OTHER_METADATA = frozenset({"_routing", "_seq_no", "_source", "_field_names", "_version", "_nested_path"})
"""Names that are no fields of a mapping, and cannot be searched."""


def searchable(name: str, scope: Scope) -> Field | None:
    """Return the field, None when no document can have it; an error when its kind cannot be searched by value."""
    if name in OTHER_METADATA:
        raise refused(f"queries on {name}", "search [_id], [_index] or a field of the mapping")
    field = IGNORED if name == IGNORED.path and not scope.level else scope.field(name)
    if field is None:
        return None
    match field.family:
        case Family.VECTOR:
            raise unbound(f"KNN vector do not support exact searching, use KNN queries instead: [{field.path}]")
        case Family.FEATURES:
            raise unbound("Queries on [rank_features] fields are not supported")
        case Family.NONE if field.type is FieldType.BINARY:
            raise unbound("Binary fields do not support searching")
        case Family.NONE:
            return None
        case _ if not field.indexed and not field.doc_values:
            raise unbound(f"Cannot search on field [{field.path}] since it is not indexed.")
        case _:
            return field


def value_of(field: Field, value: Any, scope: Scope) -> str | int | float:
    """Return the typed value; a value that the field cannot read, or its column keep, is a failed query."""
    typed = bound_of(field, value, scope)
    if is_beyond(field, typed):
        raise unbound(f"[unsigned_long] above {MAX_INT64} is not supported by Antiphon here: [{value}]")
    return typed


def is_beyond(field: Field, typed: object) -> bool:
    """True for an unsigned_long that is larger than any a column keeps."""
    return field.family is Family.WHOLE and isinstance(typed, int) and typed > MAX_INT64


def bound_of(field: Field, value: Any, scope: Scope) -> str | int | float:
    """Return the typed value, which may be ``is_beyond``."""
    try:
        return term_value(field, value, scope.now_ms)
    except AntiphonError as error:
        if isinstance(error, NumberFormat) or field.family in (Family.WHOLE, Family.REAL, Family.KEYWORD):
            raise unbound(error.reason, error) from error
        raise


def one_term(name: str, value: Any, scope: Scope, boost: float) -> Query:
    """Return the query for one exact value."""
    if name in METADATA:
        return _metadata_terms(name, [value], scope, boost)
    field = searchable(name, scope)
    return MatchNone() if field is None else field_term(field, value, scope, boost)


def field_term(field: Field, value: Any, scope: Scope, boost: float) -> Query:
    """Return the query for one exact value of a field: texts, booleans and keywords of ``use_similarity`` have BM25."""
    if field.type is FieldType.DATE:
        low, high = _date_span(field, value, scope)
        if low == high:
            return _numbers(field, (low,), boost)
        return NumberRange(field.path, low, high, boost=boost)
    if field.type is FieldType.IP and "/" in str(value):
        return ConstantScore(_network(field, str(value)), boost)
    typed = bound_of(field, value, scope)
    if is_beyond(field, typed):
        return MatchNone()
    if field.family is Family.TEXT:
        return TextTerms(field.path, (str(typed),), boost=boost)
    if field.family is Family.KEYWORD:
        scored = field.indexed and flag(field.path, field.options, "use_similarity", default=False)
        return KeywordTerms(field.path, (str(typed),), scored, listed=False, boost=boost)
    if field.family is Family.WHOLE and isinstance(typed, float):
        return MatchNone()
    return _numbers(field, (_number(typed),), boost)


def any_term(name: str, values: Sequence[Any], scope: Scope, boost: float) -> Query:
    """Return the query for any of several exact values, constant score."""
    if name in METADATA:
        return _metadata_terms(name, values, scope, boost)
    field = searchable(name, scope)
    if field is None or not values:
        return MatchNone()
    if field.type is FieldType.DATE:
        return _dates(field, values, scope, boost)
    if field.type is FieldType.IP and any("/" in str(value) for value in values):
        return ConstantScore(Bool(should=tuple(field_term(field, value, scope, 1.0) for value in values)), boost)
    typed = list(dict.fromkeys(bound_of(field, value, scope) for value in values))
    if field.family is Family.TEXT:
        return TextTerms(field.path, tuple(map(str, typed)), scored=False, boost=boost)
    if field.family is Family.KEYWORD:
        return KeywordTerms(field.path, tuple(map(str, typed)), boost=boost)
    kinds = (int, float) if field.family is Family.REAL else int
    numbers = [_number(value) for value in typed if isinstance(value, kinds) and not is_beyond(field, value)]
    return _numbers(field, tuple(numbers), boost) if numbers else MatchNone()


def index_matches(pattern: str, scope: Scope) -> bool:
    """True when the index's name fits a pattern with ``*`` and ``?``."""
    return fnmatch.fnmatchcase(scope.index, pattern)


def _metadata_terms(name: str, values: Sequence[Any], scope: Scope, boost: float) -> Query:
    texts = tuple(dict.fromkeys(str(value) for value in values))
    if name == "_id":
        return Ids(texts, boost) if texts else MatchNone()
    return MatchAll(boost) if any(index_matches(text, scope) for text in texts) else MatchNone()


def _network(field: Field, text: str) -> KeywordRange:
    try:
        first, last = network(text)
    except AntiphonError as error:
        raise unbound(error.reason, error) from error
    return KeywordRange(field.path, first, last)


def worded(field: Field) -> bool:
    """True for a field whose values are texts, which patterns and fuzzy terms can be like."""
    return field.family in (Family.TEXT, Family.KEYWORD) and field.type is not FieldType.IP


def _date_span(field: Field, value: Any, scope: Scope) -> tuple[int, int]:
    try:
        low, high = (date_of(field, value, scope, format_=None, time_zone=None, round_up=up) for up in (False, True))
    except ShardParse as error:
        raise unbound(error.reason, error) from error
    return low, high


def date_of(
    field: Field, value: Any, scope: Scope, *, format_: str | None, time_zone: str | None, round_up: bool
) -> int:
    """Return the epoch milliseconds of a date of the query; ShardParse for an unreadable one."""
    try:
        return date_bound(field, value, format=format_, time_zone=time_zone, now_ms=scope.now_ms, round_up=round_up)
    except AntiphonError as error:
        raise ShardParse(error.reason, cause=error.cause) from error


def _dates(field: Field, values: Sequence[Any], scope: Scope, boost: float) -> Query:
    spans = list(dict.fromkeys(_date_span(field, value, scope) for value in values))
    if all(low == high for low, high in spans):
        return _numbers(field, tuple(low for low, _ in spans), boost)
    return ConstantScore(Bool(should=tuple(NumberRange(field.path, low, high) for low, high in spans)), boost)


def _numbers(field: Field, values: tuple[int | float, ...], boost: float) -> NumberTerms:
    scored = field.type is FieldType.BOOLEAN and field.indexed and len(values) == 1
    return NumberTerms(field.path, values, scored, boost)


def _number(value: str | int | float) -> int | float:
    assert not isinstance(value, str)
    return value

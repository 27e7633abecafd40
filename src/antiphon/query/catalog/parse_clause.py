"""JSON of one query clause -> its frozen type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from antiphon.errors import IllegalArgument, ParsingError
from antiphon.query import reading
from antiphon.query.catalog.clauses import Bool, Query, Range, Scalar, Term, Terms
from antiphon.query.catalog.schema import FieldType, Schema
from antiphon.query.leaves import (
    Exists,
    Ids,
    MatchAll,
    MatchNone,
    Operator,
    Pattern,
    PatternKind,
    TextMatch,
    TextPhrase,
)

_MAX_DEPTH = 60
_MAX_TERMS = 65_536
_SIDES = ("gt", "gte", "lt", "lte")
_ELSEWHERE = reading.words(
    "boosting combined_fields constant_score dis_max distance_feature function_score fuzzy geo_bounding_box "
    "geo_distance geo_polygon geo_shape has_child has_parent hybrid intervals knn match_bool_prefix "
    "match_phrase_prefix more_like_this multi_match nested neural neural_sparse parent_id percolate query_string "
    "rank_feature regexp script script_score semantic simple_query_string span_near span_term terms_set wrapper"
)
"""Queries of OpenSearch that the documents of a catalog cannot be asked."""


def parse_query(body: object, schema: Schema, depth: int = 0) -> Query:
    """Return the clause that ``{"<name>": {...}}`` spells.

    ParsingError for an unknown query or option, IllegalArgument for a query that is not supported or a value that
    does not fit; both name it.
    """
    if depth > _MAX_DEPTH:
        raise IllegalArgument(f"The nested depth of the query exceeds the maximum nested depth of [{_MAX_DEPTH}]")
    clause = reading.an_object("query", body)
    if not clause:
        raise IllegalArgument("query malformed, empty clause found")
    name, *more = clause
    if more:
        raise ParsingError(f"[{name}] malformed query, expected [END_OBJECT] but found [FIELD_NAME]")
    if name in _ELSEWHERE:
        raise IllegalArgument(f"[{name}] queries are not supported in this search, use one of [{', '.join(_PARSERS)}]")
    if name not in _PARSERS:
        raise ParsingError(f"unknown query [{name}]{reading.did_you_mean(name, _PARSERS)}")
    options = clause[name]
    if not isinstance(options, dict):
        raise ParsingError(f"[{name}] query malformed, no start_object after query name")
    return _PARSERS[name](name, options, schema, depth)


def _match_all(name: str, body: dict[str, Any], _schema: Schema, _depth: int) -> Query:
    _options_only(name, body, "boost")
    return MatchAll(reading.boost(name, body))


def _match_none(name: str, body: dict[str, Any], _schema: Schema, _depth: int) -> Query:
    _options_only(name, body, "boost")
    return MatchNone()


def _match(name: str, body: dict[str, Any], schema: Schema, _depth: int) -> Query:
    field, options = _one_field(name, body, "query")
    _options_only(name, options, "query operator minimum_should_match zero_terms_query lenient boost")
    spelled = reading.text(name, options.get("operator", "or")).lower()
    if spelled not in set(Operator):
        raise IllegalArgument(f"[match] query [operator] must be [or] or [and], but was [{spelled}]")
    query, boost = reading.scalar(name, options.get("query")), reading.boost(name, options)
    minimum, zero = reading.minimum(name, options.get("minimum_should_match")), _zero_terms_all(name, options)
    if schema.type_of(field) is not FieldType.TEXT:
        return Term(field, query, boost=boost)
    text = reading.as_text(query)
    return TextMatch(field, text, Operator(spelled), minimum, zero_terms_all=zero, boost=boost)


def _match_phrase(name: str, body: dict[str, Any], schema: Schema, _depth: int) -> Query:
    field, options = _one_field(name, body, "query")
    _options_only(name, options, "query slop zero_terms_query boost")
    if reading.integer("slop", options.get("slop", 0)) != 0:
        raise IllegalArgument("[match_phrase] queries with a [slop] other than 0 are not supported in this search")
    query, boost = reading.scalar(name, options.get("query")), reading.boost(name, options)
    zero = _zero_terms_all(name, options)
    if schema.type_of(field) is not FieldType.TEXT:
        return Term(field, query, boost=boost)
    return TextPhrase(field, reading.as_text(query), zero_terms_all=zero, boost=boost)


def _term(name: str, body: dict[str, Any], schema: Schema, _depth: int) -> Query:
    field, options = _one_field(name, body, "value")
    _options_only(name, options, "value case_insensitive boost")
    value = _value(name, field, options.get("value"), schema)
    return Term(field, value, _case_insensitive(options), reading.boost(name, options))


def _terms(name: str, body: dict[str, Any], schema: Schema, _depth: int) -> Query:
    fields = [key for key in body if key != "boost"]
    if len(fields) != 1:
        raise ParsingError(f"[terms] query requires exactly one field, found [{', '.join(fields)}]")
    values = body[fields[0]]
    if isinstance(values, dict):
        raise IllegalArgument("[terms] queries with a terms lookup are not supported in this search, list the values")
    if not isinstance(values, list):
        raise ParsingError(f"[terms] query does not support [{fields[0]}] of {reading.token(values)}, list the values")
    if len(values) > _MAX_TERMS:
        raise IllegalArgument(f"The number of terms [{len(values)}] used in the Terms Query is over [{_MAX_TERMS}]")
    return Terms(
        fields[0], tuple(_value(name, fields[0], value, schema) for value in values), reading.boost(name, body)
    )


def _ids(name: str, body: dict[str, Any], _schema: Schema, _depth: int) -> Query:
    _options_only(name, body, "values boost")
    return Ids(reading.texts(name, body.get("values")), reading.boost(name, body))


def _exists(name: str, body: dict[str, Any], _schema: Schema, _depth: int) -> Query:
    _options_only(name, body, "field boost")
    if not body.get("field"):
        raise IllegalArgument("[exists] must be provided with a [field]")
    return Exists((reading.text("field", body["field"]),), reading.boost(name, body))


def _pattern(name: str, body: dict[str, Any], _schema: Schema, _depth: int) -> Query:
    field, options = _one_field(name, body, "value")
    _options_only(name, options, f"value {'wildcard ' * (name == 'wildcard')}case_insensitive rewrite boost")
    value = reading.text(name, options.get("value", options.get(name)))
    boost = reading.boost(name, options)
    return Pattern(field, PatternKind(name), value, _case_insensitive(options), boost=boost)


def _range(name: str, body: dict[str, Any], schema: Schema, _depth: int) -> Query:
    field, options = _one_field(name, body, "")
    _options_only(name, options, "gt gte lt lte from to include_lower include_upper boost")
    lower = "gte" if reading.boolean("include_lower", options.get("include_lower", True)) else "gt"
    upper = "lte" if reading.boolean("include_upper", options.get("include_upper", True)) else "lt"
    spelled = {lower: options.get("from"), upper: options.get("to")} | {
        side: options[side] for side in _SIDES if side in options
    }
    gt, gte, lt, lte = (
        None if (bound := spelled.get(side)) is None else _value(name, field, bound, schema) for side in _SIDES
    )
    return Range(field, gt, gte, lt, lte, reading.boost(name, options))


def _bool(name: str, body: dict[str, Any], schema: Schema, depth: int) -> Query:
    occurs: dict[str, tuple[Query, ...]] = {}
    for key, value in body.items():
        occur = "must_not" if key == "mustNot" else key
        if occur in ("must", "filter", "should", "must_not"):
            clauses = value if isinstance(value, list) else [value]
            occurs[occur] = tuple(parse_query(clause, schema, depth + 1) for clause in clauses)
        elif key not in ("minimum_should_match", "boost", "adjust_pure_negative"):
            raise ParsingError(f"[bool] unknown field [{key}]")
    minimum = reading.minimum(name, body.get("minimum_should_match"))
    must, filters = occurs.get("must", ()), occurs.get("filter", ())
    should, must_not = occurs.get("should", ()), occurs.get("must_not", ())
    return Bool(must, filters, should, must_not, minimum, reading.boost(name, body))


_PARSERS: Mapping[str, Callable[[str, dict[str, Any], Schema, int], Query]] = {
    "match_all": _match_all,
    "match_none": _match_none,
    "match": _match,
    "match_phrase": _match_phrase,
    "term": _term,
    "terms": _terms,
    "ids": _ids,
    "exists": _exists,
    "prefix": _pattern,
    "wildcard": _pattern,
    "range": _range,
    "bool": _bool,
}


def _options_only(name: str, options: dict[str, Any], allowed: str) -> None:
    reading.only(f"[{name}] query", options, allowed.split())


def _one_field(name: str, body: dict[str, Any], shorthand: str) -> tuple[str, dict[str, Any]]:
    """Return field and options of ``{"f": {...}}``, or of ``{"f": value}`` where the clause has a shorthand key."""
    if len(body) != 1:
        found = " and ".join(f"[{key}]" for key in list(body)[:2]) or "none"
        raise ParsingError(f"[{name}] query takes exactly one field, found {found}")
    ((field, options),) = body.items()
    if isinstance(options, dict):
        return field, options
    if not shorthand:
        raise ParsingError(f"[{name}] query does not support [{field}]")
    return field, {shorthand: options}


def _case_insensitive(options: dict[str, Any]) -> bool:
    return reading.boolean("case_insensitive", options.get("case_insensitive", False))


def _zero_terms_all(name: str, options: dict[str, Any]) -> bool:
    spelled = reading.text(name, options.get("zero_terms_query", "none")).lower()
    if spelled not in ("none", "all"):
        raise IllegalArgument(f"Unsupported zero_terms_query value [{spelled}]")
    return spelled == "all"


def _value(name: str, field: str, value: object, schema: Schema) -> Scalar:
    """Return a value to compare with; on a date field, its epoch milliseconds."""
    found = reading.scalar(name, value)
    if schema.type_of(field) is not FieldType.DATE:
        return found
    milliseconds = reading.as_number(found)
    if milliseconds is not None:
        return milliseconds
    try:
        moment = datetime.fromisoformat(str(found))
    except ValueError:
        raise IllegalArgument(
            f"failed to parse date field [{found}] of [{field}]: use epoch milliseconds or an ISO 8601 date; "
            "date math is not supported in this search"
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)

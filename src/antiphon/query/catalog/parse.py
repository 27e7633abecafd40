"""JSON of a search body -> ``CatalogSearch``; every mistake surfaces here, before anything is searched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from antiphon.errors import IllegalArgument, ParsingError, ValidationError
from antiphon.query import reading
from antiphon.query.catalog.clauses import Scalar
from antiphon.query.catalog.parse_clause import parse_query
from antiphon.query.catalog.schema import FieldType, Schema
from antiphon.query.catalog.search import (
    DOC,
    MAX_RESULT_WINDOW,
    SCORE,
    Aggregation,
    CatalogSearch,
    Metric,
    MetricAggregation,
    Missing,
    Sort,
    TermsAggregation,
)
from antiphon.query.leaves import MatchAll
from antiphon.query.parse.fetch import parse_source

_KEYS = reading.words(
    "query from size sort search_after _source aggs aggregations track_total_hits track_scores min_score version "
    "seq_no_primary_term timeout"
)
_ELSEWHERE = reading.words(
    "collapse derived docvalue_fields explain ext fields highlight indices_boost pit post_filter profile rescore "
    "script_fields search_pipeline slice stats stored_fields suggest terminate_after verbose_pipeline"
)
_METRICS = {metric.value for metric in Metric}
_TEXT_FIELD = (
    "Text fields are not optimised for operations that require per-document field data like aggregations and sorting, "
    "so these operations are disabled by default. Please use a keyword field instead. Alternatively, set "
    "fielddata=true on [{0}] in order to load field data by uninverting the inverted index. Note that this can use "
    "significant memory."
)


def parse_search(body: object, schema: Schema | None = None) -> CatalogSearch:
    """Return the search that a body asks for; None or ``{}`` asks for everything.

    ``timeout`` is ignored on purpose: a catalog search is over at once. ParsingError for an unknown key,
    IllegalArgument or ValidationError for a feature that is not supported or a value out of range.
    """
    fields = schema or Schema()
    given = reading.an_object("search body", {} if body is None else body)
    _check_keys(given)
    from_, size = _window(given)
    sort = _sort(given.get("sort"), fields)
    track = given.get("track_total_hits")
    return CatalogSearch(
        query=MatchAll() if given.get("query") is None else parse_query(given["query"], fields),
        from_=from_,
        size=size,
        sort=sort,
        search_after=_search_after(given, sort),
        source=parse_source(given.get("_source", True)),
        aggregations=_aggregations(given.get("aggs", given.get("aggregations")), fields),
        track_total_hits=MAX_RESULT_WINDOW if track is None else reading.total_hits(track),
        track_scores=_flag(given, "track_scores"),
        min_score=None if given.get("min_score") is None else reading.number("min_score", given["min_score"]),
        version=_flag(given, "version"),
        seq_no_primary_term=_flag(given, "seq_no_primary_term"),
    )


def _check_keys(body: dict[str, Any]) -> None:
    for key, value in body.items():
        if key in _ELSEWHERE:
            raise IllegalArgument(f"[{key}] is not supported in this search, remove it")
        if key not in _KEYS:
            hint = reading.did_you_mean(key, _KEYS)
            raise ParsingError(f"Unknown key for a {reading.token(value)} in [{key}].{hint}")
    if "aggs" in body and "aggregations" in body:
        raise ParsingError("[aggs] and [aggregations] are the same key, send one of them")


def _flag(body: dict[str, Any], key: str) -> bool:
    return reading.boolean(key, body.get(key, False))


def _window(body: dict[str, Any]) -> tuple[int, int]:
    from_, size = reading.integer("from", body.get("from", 0)), reading.integer("size", body.get("size", 10))
    for key, value in (("from", from_), ("size", size)):
        if value < 0 and not (key == "from" and value == -1):
            raise IllegalArgument(f"[{key}] parameter cannot be negative, found [{value}]")
    from_ = max(0, from_)
    if from_ + size > MAX_RESULT_WINDOW:
        raise IllegalArgument(
            f"Result window is too large, from + size must be less than or equal to: [{MAX_RESULT_WINDOW}] but was "
            f"[{from_ + size}]. See the scroll api for a more efficient way to request large data sets. This limit "
            "can be set by changing the [index.max_result_window] index level setting."
        )
    return from_, size


def _sort(value: object, schema: Schema) -> tuple[Sort, ...]:
    if value is None:
        return ()
    keys: list[Sort] = []
    for entry in value if isinstance(value, list) else [value]:
        if isinstance(entry, dict):
            keys += [_sort_key(field, options, schema) for field, options in entry.items()]
        else:
            keys.append(_sort_key(reading.text("sort", entry), None, schema))
    return tuple(keys)


def _sort_key(field: str, options: object, schema: Schema) -> Sort:
    given = options if isinstance(options, dict) else {} if options is None else {"order": options}
    reading.only(f"[sort] on [{field}]", given, {"order", "missing", "mode", "unmapped_type"})
    if schema.type_of(field) is FieldType.TEXT:
        raise IllegalArgument(_TEXT_FIELD.format(field))
    order = reading.text("order", given.get("order", "desc" if field == SCORE else "asc")).lower()
    mode = reading.text("mode", given.get("mode", "max" if order == "desc" else "min")).lower()
    missing = reading.text("missing", given.get("missing", Missing.LAST))
    for key, word, legal in (
        ("order", order, ("asc", "desc")),
        ("mode", mode, ("min", "max")),
        ("missing", missing, tuple(Missing)),
    ):
        if word not in legal:
            raise IllegalArgument(f"[sort] on [{field}]: [{key}] must be one of [{', '.join(legal)}], but was [{word}]")
    return Sort(field, order == "desc", Missing(missing), mode == "max")


def _search_after(body: dict[str, Any], sort: tuple[Sort, ...]) -> tuple[Scalar | None, ...] | None:
    values = body.get("search_after")
    if values is None:
        return None
    if not isinstance(values, list) or not values:
        raise IllegalArgument("[search_after] must be an array with one value per sort key")
    if reading.integer("from", body.get("from", 0)) > 0:
        raise ValidationError("`from` parameter must be set to 0 when `search_after` is used")
    if not sort:
        raise IllegalArgument("Sort must contain at least one field.")
    if len(values) != len(sort):
        raise IllegalArgument(f"search_after has {len(values)} value(s) but sort has {len(sort)}.")
    if any(key.field == DOC for key in sort):
        raise IllegalArgument("[search_after] with a sort on [_doc] is not supported in this search, sort on [_id]")
    return tuple(None if value is None else reading.scalar("search_after", value) for value in values)


def _aggregations(value: object, schema: Schema) -> Mapping[str, Aggregation]:
    named = reading.an_object("aggregations", {} if value is None else value)
    return {name: _aggregation(name, body, schema) for name, body in named.items()}


def _aggregation(name: str, value: object, schema: Schema) -> Aggregation:
    body = dict(reading.an_object(name, value))
    nested = body.pop("aggs", body.pop("aggregations", None))
    if len(body) != 1:
        raise ParsingError(f"Expected exactly one aggregation type in [{name}], found [{', '.join(body)}]")
    ((kind, options),) = body.items()
    given = reading.an_object(kind, options)
    if kind in _METRICS and nested is None:
        reading.only(f"[{kind}] aggregation", given, {"field"})
        return MetricAggregation(Metric(kind), _aggregated_field(name, given, schema))
    if kind in _METRICS:
        raise ParsingError(f"Aggregator [{name}] of type [{kind}] cannot accept sub-aggregations")
    if kind != "terms":
        known = ", ".join(["terms", *sorted(_METRICS)])
        raise ParsingError(f"Unknown aggregation type [{kind}], this search knows [{known}]")
    return _terms_aggregation(name, given, nested, schema)


def _terms_aggregation(name: str, given: dict[str, Any], nested: object, schema: Schema) -> TermsAggregation:
    reading.only("[terms] aggregation", given, {"field", "size", "min_doc_count", "order"})
    size = reading.integer("size", given.get("size", 10))
    if size <= 0:
        raise IllegalArgument(f"[size] must be greater than 0. Found [{size}] in [{name}]")
    order = reading.an_object("order", given.get("order", {"_count": "desc"}))
    ((by, direction), *rest) = order.items() if order else (("", ""),)
    if rest or by not in ("_count", "_key") or direction not in ("asc", "desc"):
        raise IllegalArgument(f"[order] of [{name}] must be [_count] or [_key] with [asc] or [desc], but was {order}")
    minimum = reading.integer("min_doc_count", given.get("min_doc_count", 1))
    field = _aggregated_field(name, given, schema)
    return TermsAggregation(field, size, minimum, by, direction == "desc", _aggregations(nested, schema))


def _aggregated_field(name: str, given: dict[str, Any], schema: Schema) -> str:
    if not given.get("field"):
        raise IllegalArgument(f"Required one of fields [field, script], but none were specified in [{name}]")
    field = reading.text("field", given["field"])
    if schema.type_of(field) is FieldType.TEXT:
        raise IllegalArgument(_TEXT_FIELD.format(field))
    return field

"""Aggregations become bound types."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from antiphon.domain.dates import DEFAULT_FORMAT
from antiphon.domain.field import Family, Field, FieldType
from antiphon.errors import IllegalArgument, ParsingError
from antiphon.query import reading
from antiphon.query.aggregations import (
    Aggregation,
    Composite,
    CompositeSource,
    DateHistogram,
    FiltersAggregation,
    GlobalAggregation,
    Histogram,
    Metric,
    MetricKind,
    MissingAggregation,
    NestedAggregation,
    RangeAggregation,
    RangeBucket,
    TermsAggregation,
    TopHits,
)
from antiphon.query.parse.fetch import parse_fetch
from antiphon.query.parse.fields import date_of, value_of
from antiphon.query.parse.options import Body, Parse, flag, nested_field
from antiphon.query.parse.reasons import ShardArgument, refused
from antiphon.query.parse.sort import parse_sort, text_fields_are_not_sorted
from antiphon.query.scope import Scope

Below = Mapping[str, Aggregation]

_NAME = re.compile(r"[^\[\]>]+")
_CALENDAR = {
    "minute": "minute", "1m": "minute", "hour": "hour", "1h": "hour", "day": "day", "1d": "day", "week": "week",
    "1w": "week", "month": "month", "1M": "month", "quarter": "quarter", "1q": "quarter", "year": "year", "1y": "year",
}  # fmt: skip
_UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_INSTEAD = "use terms, composite, histogram, date_histogram, range, date_range, filter(s) or a metric"
_REFUSED = reading.words(
    "significant_terms significant_text rare_terms multi_terms sampler diversified_sampler adjacency_matrix "
    "auto_date_histogram variable_width_histogram geo_distance geohash_grid geotile_grid geohex_grid geo_bounds "
    "geo_centroid ip_range children parent percentiles percentile_ranks extended_stats matrix_stats "
    "median_absolute_deviation scripted_metric weighted_avg avg_bucket sum_bucket min_bucket max_bucket stats_bucket "
    "extended_stats_bucket percentiles_bucket derivative cumulative_sum moving_avg moving_fn serial_diff bucket_script "
    "bucket_selector bucket_sort"
)


def parse_aggregations(value: Any, scope: Scope, parse: Parse) -> dict[str, Aggregation]:
    """Return the aggregations by name, in order."""
    body = reading.an_object("aggregations", value)
    return {name: _one(name, spec, scope, parse) for name, spec in body.items()}


def _one(name: str, value: Any, scope: Scope, parse: Parse) -> Aggregation:
    if not _NAME.fullmatch(name):
        raise ParsingError(
            f"Invalid aggregation name [{name}]. Aggregation names can contain any character except '[', ']', and '>'"
        )
    body = reading.an_object(name, value)
    kinds = [key for key in body if key not in ("aggs", "aggregations", "meta")]
    if body.get("meta") is not None:
        raise refused("meta of an aggregation", "keep it in the client, under the aggregation's name")
    if len(kinds) != 1:
        raise ParsingError(
            f"Missing definition for aggregation [{name}]"
            if not kinds
            else f"Found two aggregation type definitions in [{name}]: [{kinds[0]}] and [{kinds[1]}]"
        )
    kind = kinds[0]
    if kind in _REFUSED:
        raise refused(f"{kind} aggregation", _INSTEAD)
    if kind not in _PARSERS:
        raise ParsingError(f"Unknown aggregation type [{kind}]{reading.did_you_mean(kind, _PARSERS)}")
    return _PARSERS[kind](kind, body[kind], body.get("aggs", body.get("aggregations")), scope, parse)


def _below(value: Any, scope: Scope, parse: Parse) -> Below:
    return {} if value is None else parse_aggregations(value, scope, parse)


def _field(kind: str, body: Body, scope: Scope, *families: Family) -> Field | None:
    """Return the field to aggregate on, None when it is not mapped."""
    for script in ("script",):
        if body.get(script) is not None:
            raise refused(f"script of the [{kind}] aggregation", "aggregate on a field")
    if body.get("field") is None:
        raise IllegalArgument(f"Required one of fields [field, script], but none were specified. [{kind}]")
    name = reading.text("field", body["field"])
    if name == "_index" or name == "_id":
        raise refused(f"aggregation on {name}", "aggregate on a field of the mapping")
    field = scope.field(name)
    if field is None:
        return None
    if field.family is Family.TEXT:
        raise text_fields_are_not_sorted(name)
    if field.family not in families:
        raise ShardArgument(f"Field [{name}] of type [{field.type.value}] is not supported for aggregation [{kind}]")
    return field


_NUMERIC = (Family.WHOLE, Family.REAL)
_VALUES = (Family.WHOLE, Family.REAL, Family.KEYWORD)


def _missing(body: Body, field: Field | None, scope: Scope) -> str | int | float | None:
    value = body.get("missing")
    if value is None:
        return None
    if field is None:
        return value if isinstance(value, (int, float)) else str(value)
    if field.type is FieldType.DATE:
        return date_of(field, value, scope, format_=None, time_zone=None, round_up=False)
    return value_of(field, value, scope)


def _metric(kind: str, spec: Any, below: Any, scope: Scope, _parse: Parse) -> Aggregation:
    body = reading.an_object(kind, spec)
    reading.only(f"[{kind}]", body, ("field", "missing", "script", "precision_threshold", "format", "value_type"))
    _no_children(kind, below)
    counting = kind in (MetricKind.VALUE_COUNT, MetricKind.CARDINALITY)
    field = _field(kind, body, scope, *(_VALUES if counting else _NUMERIC))
    return Metric(MetricKind(kind), None if field is None else field.path, _missing(body, field, scope))


def _no_children(kind: str, below: Any) -> None:
    if below:
        raise ParsingError(f"Aggregator of type [{kind}] cannot accept sub-aggregations")


def _terms(kind: str, spec: Any, below: Any, scope: Scope, parse: Parse) -> Aggregation:
    body = reading.an_object(kind, spec)
    reading.only(
        "[terms]",
        body,
        reading.words(
            "field size min_doc_count order missing include exclude shard_size shard_min_doc_count script format "
            "show_term_doc_count_error execution_hint collect_mode value_type"
        ),
    )
    field = _field(kind, body, scope, *_VALUES)
    inside = _below(below, scope, parse)
    size = reading.integer("size", body.get("size", 10))
    if size <= 0:
        raise IllegalArgument(f"[size] must be greater than 0. Found [{size}] in [terms]")
    return TermsAggregation(
        None if field is None else field.path,
        size,
        reading.integer("min_doc_count", body.get("min_doc_count", 1)),
        _order(body.get("order"), inside),
        _missing(body, field, scope),
        _patterns(body.get("include")),
        _patterns(body.get("exclude")),
        inside,
    )


def _patterns(value: Any) -> tuple[str, ...] | str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, dict):
        raise refused("include with partitions", "use a [composite] aggregation to page through all values")
    return reading.texts("include", value)


def _order(value: Any, below: Below) -> tuple[tuple[str, bool], ...]:
    default = TermsAggregation(None).order
    if value is None:
        return default
    found: list[tuple[str, bool]] = []
    for item in value if isinstance(value, list) else [value]:
        for key, direction in reading.an_object("order", item).items():
            if str(direction).lower() not in ("asc", "desc"):
                raise ParsingError(f"Unknown order direction [{direction}]")
            name = {"_term": "_key"}.get(key, key)
            if not name.startswith("_") and re.split(r"[.>]", name)[0] not in below:
                raise ShardArgument(
                    f"Invalid aggregator order path [{key}]. The provided aggregation "
                    f"[{re.split('[.>]', name)[0]}] either does not exist, or is a pipeline aggregation"
                )
            found.append((name, str(direction).lower() == "desc"))
    return tuple(found) if any(name == "_key" for name, _ in found) else (*found, ("_key", False))


def _histogram(kind: str, spec: Any, below: Any, scope: Scope, parse: Parse) -> Aggregation:
    body = reading.an_object(kind, spec)
    reading.only(
        "[histogram]",
        body,
        reading.words(
            "field interval offset min_doc_count extended_bounds keyed missing order hard_bounds script format"
        ),
    )
    _refuse(kind, body, "hard_bounds", "order", "format")
    field = _field(kind, body, scope, *_NUMERIC)
    interval = reading.number("interval", body.get("interval"))
    if interval <= 0:
        raise IllegalArgument(f"[interval] must be >0 for histogram aggregation [{kind}]")
    missing = _missing(body, field, scope)
    return Histogram(
        None if field is None else field.path,
        interval,
        reading.number("offset", body.get("offset", 0.0)),
        reading.integer("min_doc_count", body.get("min_doc_count", 0)),
        _bounds(body),
        flag(body, "keyed", False),
        None if missing is None else float(missing),
        _below(below, scope, parse),
    )


def _refuse(kind: str, body: Body, *options: str) -> None:
    for option in options:
        if body.get(option) is not None:
            raise refused(f"{option} of the [{kind}] aggregation", "leave it out and order or cut in the client")


def _bounds(body: Body) -> tuple[float, float] | None:
    if body.get("extended_bounds") is None:
        return None
    bounds = reading.an_object("extended_bounds", body["extended_bounds"])
    low, high = reading.number("min", bounds.get("min")), reading.number("max", bounds.get("max"))
    if low > high:
        raise IllegalArgument(f"[extended_bounds.min][{low}] cannot be greater than [extended_bounds.max][{high}]")
    return low, high


def _date_histogram(kind: str, spec: Any, below: Any, scope: Scope, parse: Parse) -> Aggregation:
    body = reading.an_object(kind, spec)
    reading.only(
        "[date_histogram]",
        body,
        reading.words(
            "field calendar_interval fixed_interval interval offset time_zone format min_doc_count extended_bounds keyed "
            "missing order hard_bounds script"
        ),
    )
    _refuse(kind, body, "hard_bounds", "order")
    field = _field(kind, body, scope, Family.WHOLE)
    calendar, fixed = interval_of(body)
    missing = _missing(body, field, scope)
    format_ = body.get("format")
    if format_ is None and field is not None and field.type is FieldType.DATE:
        format_ = field.options.get("format", DEFAULT_FORMAT)
    return DateHistogram(
        None if field is None else field.path,
        calendar,
        fixed,
        _span(body.get("offset", 0)),
        str(body.get("time_zone", "UTC")),
        None if format_ is None else str(format_),
        reading.integer("min_doc_count", body.get("min_doc_count", 0)),
        _date_bounds(body, field, scope),
        flag(body, "keyed", False),
        None if missing is None else int(missing),
        _below(below, scope, parse),
    )


def interval_of(body: Body) -> tuple[str | None, int | None]:
    """Return the calendar unit or the fixed milliseconds of a date_histogram."""
    given = [key for key in ("calendar_interval", "fixed_interval", "interval") if body.get(key) is not None]
    if len(given) != 1:
        raise IllegalArgument(
            "Invalid interval specified, must be non-null and non-empty"
            if not given
            else f"Cannot use [{given[1]}] with [{given[0]}] configuration option."
        )
    text = str(body[given[0]])
    if given[0] != "fixed_interval" and text in _CALENDAR:
        return _CALENDAR[text], None
    if given[0] == "calendar_interval":
        raise IllegalArgument(f"The supplied interval [{text}] could not be parsed as a calendar interval.")
    fixed = _span(text)
    if fixed <= 0:
        raise IllegalArgument("Zero or negative time interval not supported")
    return None, fixed


def _span(value: Any) -> int:
    """Return milliseconds of a number or a text such as ``-6h``."""
    if isinstance(value, (int, float)):
        return int(value)
    found = re.fullmatch(r"([+-]?\d+)\s*(ms|s|m|h|d)", str(value).strip())
    if found is None:
        raise IllegalArgument(
            f"failed to parse setting [interval] with value [{value}] as a time value: unit is missing or unrecognized"
        )
    return int(found[1]) * _UNIT_MS[found[2]]


def _date_bounds(body: Body, field: Field | None, scope: Scope) -> tuple[int, int] | None:
    if body.get("extended_bounds") is None:
        return None
    bounds = reading.an_object("extended_bounds", body["extended_bounds"])
    if field is None or field.type is not FieldType.DATE:
        return reading.integer("min", bounds.get("min")), reading.integer("max", bounds.get("max"))
    format_ = None if body.get("format") is None else str(body["format"])
    low, high = (
        date_of(field, bounds.get(key), scope, format_=format_, time_zone=None, round_up=False)
        for key in ("min", "max")
    )
    return low, high


def _range(kind: str, spec: Any, below: Any, scope: Scope, parse: Parse) -> Aggregation:
    body = reading.an_object(kind, spec)
    reading.only(f"[{kind}]", body, ("field", "ranges", "keyed", "format", "time_zone", "missing", "script"))
    _refuse(kind, body, "missing")
    field = _field(kind, body, scope, *_NUMERIC)
    listed = body.get("ranges")
    if not isinstance(listed, list) or not listed:
        raise IllegalArgument(f"No [ranges] specified for the [{kind}] aggregation")
    dates = kind == "date_range"
    format_ = body.get("format")
    if dates and format_ is None and field is not None:
        format_ = field.options.get("format", DEFAULT_FORMAT)
    zone = None if body.get("time_zone") is None else str(body["time_zone"])

    def end(entry: Body, key: str) -> float | None:
        value = entry.get(key)
        if value is None:
            return None
        if dates and field is not None and field.type is FieldType.DATE:
            given = None if body.get("format") is None else str(format_)
            return float(date_of(field, value, scope, format_=given, time_zone=zone, round_up=False))
        return reading.number(key, value)

    buckets = []
    for item in listed:
        entry = reading.an_object("ranges", item)
        reading.only("[ranges]", entry, ("from", "to", "key"))
        buckets.append(RangeBucket(str(entry.get("key") or ""), end(entry, "from"), end(entry, "to")))
    return RangeAggregation(
        None if field is None else field.path,
        tuple(buckets),
        flag(body, "keyed", False),
        str(format_ or DEFAULT_FORMAT) if dates else None,
        _below(below, scope, parse),
    )


def _filter(_kind: str, spec: Any, below: Any, scope: Scope, parse: Parse) -> Aggregation:
    return FiltersAggregation((("filter", parse(spec, scope)),), single=True, below=_below(below, scope, parse))


def _filters(kind: str, spec: Any, below: Any, scope: Scope, parse: Parse) -> Aggregation:
    body = reading.an_object(kind, spec)
    reading.only("[filters]", body, ("filters", "other_bucket", "other_bucket_key", "keyed"))
    given = body.get("filters")
    if isinstance(given, dict) and given:
        named, keyed = [(name, parse(query, scope)) for name, query in given.items()], True
    elif isinstance(given, list) and given:
        named, keyed = [(str(place), parse(query, scope)) for place, query in enumerate(given)], False
    else:
        raise IllegalArgument("[filters] cannot be empty")
    other = body.get("other_bucket_key")
    if other is None and flag(body, "other_bucket", False):
        other = "_other_"
    return FiltersAggregation(
        tuple(named), keyed=keyed, other=None if other is None else str(other), below=_below(below, scope, parse)
    )


def _missing_documents(kind: str, spec: Any, below: Any, scope: Scope, parse: Parse) -> Aggregation:
    body = reading.an_object(kind, spec)
    reading.only("[missing]", body, ("field", "missing"))
    field = _field(kind, body, scope, *_VALUES)
    return MissingAggregation(None if field is None else field.path, _below(below, scope, parse))


def _global(kind: str, spec: Any, below: Any, scope: Scope, parse: Parse) -> Aggregation:
    reading.only("[global]", reading.an_object(kind, spec), ())
    return GlobalAggregation(_below(below, scope, parse))


def _nested(kind: str, spec: Any, below: Any, scope: Scope, parse: Parse) -> Aggregation:
    body = reading.an_object(kind, spec)
    reading.only("[nested]", body, ("path",))
    path = reading.text("path", body.get("path"))
    nested_field(path, scope)
    return NestedAggregation(path, below=_below(below, scope.at(path), parse))


def _reverse_nested(kind: str, spec: Any, below: Any, scope: Scope, parse: Parse) -> Aggregation:
    body = reading.an_object(kind, spec)
    reading.only("[reverse_nested]", body, ("path",))
    if body.get("path") is not None:
        raise refused("path of the [reverse_nested] aggregation", "leave it out: it goes back to the documents")
    if not scope.level:
        raise IllegalArgument(
            "Reverse nested aggregation [reverse_nested] can only be used inside a [nested] aggregation"
        )
    return NestedAggregation("", reverse=True, below=_below(below, scope.at(""), parse))


def _top_hits(kind: str, spec: Any, below: Any, scope: Scope, parse: Parse) -> Aggregation:
    body = reading.an_object(kind, spec)
    _no_children(kind, below)
    reading.only(
        "[top_hits]",
        body,
        reading.words(
            "size from sort _source stored_fields docvalue_fields fields highlight explain version seq_no_primary_term "
            "track_scores script_fields"
        ),
    )
    size, from_ = reading.integer("size", body.get("size", 3)), reading.integer("from", body.get("from", 0))
    if size < 0 or from_ < 0 or size + from_ > 100:
        raise ShardArgument(
            "Top hits result window is too large, the top hits aggregator [top_hits]'s from + size must be less than or "
            f"equal to: [100] but was [{size + from_}]. This limit can be set by changing the "
            "[index.max_inner_result_window] index level setting."
        )
    return TopHits(size, from_, parse_sort(body.get("sort"), scope, parse), parse_fetch(body, scope, parse))


def _composite(kind: str, spec: Any, below: Any, scope: Scope, parse: Parse) -> Aggregation:
    body = reading.an_object(kind, spec)
    reading.only("[composite]", body, ("sources", "size", "after"))
    listed = body.get("sources")
    if not isinstance(listed, list) or not listed:
        raise IllegalArgument("Composite [sources] cannot be null or empty")
    sources = tuple(
        _source(name, entry, scope) for item in listed for name, entry in reading.an_object("sources", item).items()
    )
    names = [source.name for source in sources]
    if len(set(names)) < len(names):
        raise IllegalArgument(
            "Composite source names must be unique, found duplicates: "
            f"[{', '.join(sorted({name for name in names if names.count(name) > 1}))}]"
        )
    size = reading.integer("size", body.get("size", 10))
    if size <= 0:
        raise IllegalArgument(f"[size] must be greater than 0. Found [{size}] in [composite]")
    return Composite(sources, size, _after(body.get("after"), sources, scope), _below(below, scope, parse))


def _source(name: str, value: Any, scope: Scope) -> CompositeSource:
    body = reading.an_object(name, value)
    if len(body) != 1:
        raise ParsingError(f"A source of a composite aggregation takes one type, found [{', '.join(body)}]")
    ((kind, options),) = body.items()
    spec = reading.an_object(kind, options)
    own = {key: spec[key] for key in spec if key not in ("order", "missing_bucket", "missing_order")}
    if spec.get("missing_order", "default") not in ("default", "first" if spec.get("order") != "desc" else "last"):
        raise refused("missing_order of a composite source", "leave it out")
    descending = str(spec.get("order", "asc")).lower() == "desc"
    bucket = flag(spec, "missing_bucket", False)
    if kind == "terms":
        reading.only("[terms]", own, ("field", "script", "value_type"))
        field = _field(kind, own, scope, *_VALUES)
        return CompositeSource(name, None if field is None else field.path, descending, bucket)
    if kind == "histogram":
        reading.only("[histogram]", own, ("field", "interval", "script"))
        field = _field(kind, own, scope, *_NUMERIC)
        interval = reading.number("interval", own.get("interval"))
        return CompositeSource(name, None if field is None else field.path, descending, bucket, interval)
    if kind == "date_histogram":
        found = _date_histogram(kind, own, None, scope, _no_query)
        assert isinstance(found, DateHistogram)
        shown = None if own.get("format") is None else str(own["format"])
        return CompositeSource(name, found.field, descending, bucket, None, found, shown)
    raise ParsingError(f"invalid source type: {kind}")


def _no_query(_body: object, _scope: Scope) -> Any:
    raise IllegalArgument("a composite source takes no query")


def _after(value: Any, sources: tuple[CompositeSource, ...], scope: Scope) -> tuple[Any, ...] | None:
    if value is None:
        return None
    given = reading.an_object("after", value)
    if set(given) != {source.name for source in sources}:
        raise IllegalArgument(f"[after] has {len(given)} value(s) but [sources] has {len(sources)}")
    return tuple(_after_value(given[source.name], source, scope) for source in sources)


def _after_value(value: Any, source: CompositeSource, scope: Scope) -> Any:
    field = None if source.field is None else scope.mapping.field(source.field)
    if value is None or field is None:
        return value
    if source.interval is not None:
        return reading.number("after", value)
    if source.date is not None or field.type is FieldType.DATE:
        return date_of(
            field,
            value,
            scope,
            format_=source.format if isinstance(value, str) else "epoch_millis",
            time_zone=None,
            round_up=False,
        )
    return value_of(field, value, scope)


_Reader = Callable[[str, Any, Any, Scope, Parse], Aggregation]
_PARSERS: dict[str, _Reader] = {
    **{kind.value: _metric for kind in MetricKind},
    "terms": _terms,
    "histogram": _histogram,
    "date_histogram": _date_histogram,
    "range": _range,
    "date_range": _range,
    "filter": _filter,
    "filters": _filters,
    "missing": _missing_documents,
    "global": _global,
    "nested": _nested,
    "reverse_nested": _reverse_nested,
    "top_hits": _top_hits,
    "composite": _composite,
}

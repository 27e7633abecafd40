"""Aggregations become bound types."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from antiphon.domain.dates import DEFAULT_FORMAT
from antiphon.domain.field import FieldType
from antiphon.errors import IllegalArgument, ParsingError
from antiphon.query import reading
from antiphon.query.aggregations import (
    Aggregation,
    FiltersAggregation,
    GlobalAggregation,
    Metric,
    MetricKind,
    MissingAggregation,
    NestedAggregation,
    RangeAggregation,
    RangeBucket,
    TermsAggregation,
    TopHits,
)
from antiphon.query.nodes import InnerHits
from antiphon.query.parse.aggregation_composite import parse_composite
from antiphon.query.parse.aggregation_fields import (
    NUMERIC,
    VALUES,
    Below,
    field_of,
    missing_of,
    order_of,
    path_of,
    refuse_options,
)
from antiphon.query.parse.aggregation_histogram import parse_date_histogram, parse_histogram
from antiphon.query.parse.fetch import parse_fetch
from antiphon.query.parse.fields import date_of
from antiphon.query.parse.options import Body, Parse, flag, nested_field
from antiphon.query.parse.reasons import ShardArgument, not_found, refused
from antiphon.query.parse.sort import parse_sort
from antiphon.query.scope import Scope

_NAME = re.compile(r"[^\[\]>]+")
_SPECIAL = re.compile(r"[.*+?|(){}\[\]\\#@&<>~\"]")
_MAX_DEPTH = 40
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
        reason = f"Unknown aggregation type [{kind}]{reading.did_you_mean(kind, _PARSERS)}"
        raise ParsingError(reason, cause=not_found(kind))
    return _PARSERS[kind](kind, body[kind], body.get("aggs", body.get("aggregations")), scope, parse)


def _below(value: Any, scope: Scope, parse: Parse) -> Below:
    if value is None:
        return {}
    if scope.depth > _MAX_DEPTH:
        raise IllegalArgument(f"aggregations nest deeper than [{_MAX_DEPTH}]")
    return parse_aggregations(value, scope.deeper(), parse)


def _metric(kind: str, spec: Any, below: Any, scope: Scope, _parse: Parse) -> Aggregation:
    body = reading.an_object(kind, spec)
    reading.only(f"[{kind}]", body, ("field", "missing", "script", "precision_threshold", "format", "value_type"))
    _no_children(kind, below)
    counting = kind in (MetricKind.VALUE_COUNT, MetricKind.CARDINALITY)
    field = field_of(kind, body, scope, *(VALUES if counting else NUMERIC))
    date = field is not None and field.type is FieldType.DATE
    if not date:
        refuse_options(kind, body, "format")
    format_ = field.options.get("format", DEFAULT_FORMAT) if date and field is not None else None
    return Metric(MetricKind(kind), path_of(field), missing_of(body, field, scope), body.get("format", format_))


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
    refuse_options(kind, body, "format")
    least = reading.integer("shard_min_doc_count", body.get("shard_min_doc_count", 0))
    if least < 0:
        raise IllegalArgument(f"[shardMinDocCount] must be greater than or equal to 0. Found [{least}] in [terms]")
    by_index = body.get("field") == "_index" and body.get("script") is None
    field = None if by_index else field_of(kind, body, scope, *VALUES)
    if field is not None and field.type is FieldType.IP and {str} & {type(body.get(key)) for key in _CHOSEN}:
        raise ShardArgument(
            f"Aggregation on [{field.path}] cannot support regular expression style include/exclude settings as they "
            "can only be applied to string fields. Use an array of values for include/exclude clauses"
        )
    inside = _below(below, scope, parse)
    size = reading.integer("size", body.get("size", 10))
    if size <= 0:
        raise IllegalArgument(f"[size] must be greater than 0. Found [{size}] in [terms]")
    return TermsAggregation(
        path_of(field),
        size,
        reading.integer("min_doc_count", body.get("min_doc_count", 1)),
        order_of(body, inside, TermsAggregation(None).order),
        scope.index if by_index else missing_of(body, field, scope),  # the name stands in for a field that none has
        _patterns(body.get("include")),
        _patterns(body.get("exclude")),
        inside,
        reading.boolean("show_term_doc_count_error", body.get("show_term_doc_count_error", False)),
    )


_CHOSEN = ("include", "exclude")


def _patterns(value: Any) -> tuple[str, ...] | str | None:
    if value is None:
        return None
    if isinstance(value, str):
        if _SPECIAL.search(value.replace(".*", "")):
            raise refused(f"regular expression [{value}] in a terms aggregation", "list the values, or write [.*] only")
        return value
    if isinstance(value, dict):
        raise refused("include with partitions", "use a [composite] aggregation to page through all values")
    return reading.texts("include", value)


def _range(kind: str, spec: Any, below: Any, scope: Scope, parse: Parse) -> Aggregation:
    body = reading.an_object(kind, spec)
    reading.only(f"[{kind}]", body, ("field", "ranges", "keyed", "format", "time_zone", "missing", "script"))
    refuse_options(kind, body, "missing")
    field = field_of(kind, body, scope, *NUMERIC)
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

    buckets: list[RangeBucket] = []
    for item in listed:
        entry = reading.an_object("ranges", item)
        reading.only("[ranges]", entry, ("from", "to", "key"))
        buckets.append(RangeBucket(str(entry.get("key") or ""), end(entry, "from"), end(entry, "to")))
    return RangeAggregation(
        path_of(field),
        tuple(sorted(buckets, key=_by_ends)),
        flag(body, "keyed", False),
        str(format_ or DEFAULT_FORMAT) if dates else None,
        _below(below, scope, parse),
    )


def _by_ends(bucket: RangeBucket) -> tuple[float, float]:
    low, high = bucket.low, bucket.high
    return (-math.inf if low is None else low, math.inf if high is None else high)


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
    field = field_of(kind, body, scope, *VALUES)
    return MissingAggregation(path_of(field), _below(below, scope, parse))


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
            "Top hits result window is too large, the top hits aggregator [top_hits]'s from + size must be less than "
            f"or equal to: [100] but was [{size + from_}]. This limit can be set by changing the "
            "[index.max_inner_result_window] index level setting."
        )
    if size == 0:
        raise ShardArgument(
            "numHits must be > 0; please use TotalHitCountCollectorManager if you just need the total hit count"
        )
    sort, fetch = parse_sort(body.get("sort"), scope, parse), parse_fetch(body, scope, parse)
    scored = reading.boolean("track_scores", body.get("track_scores", False))
    return TopHits(InnerHits("top_hits", size, from_, sort, fetch, scored))


def _histogram(_kind: str, spec: Any, below: Any, scope: Scope, parse: Parse) -> Aggregation:
    return parse_histogram(spec, _below(below, scope, parse), scope)


def _date_histogram(_kind: str, spec: Any, below: Any, scope: Scope, parse: Parse) -> Aggregation:
    return parse_date_histogram(spec, _below(below, scope, parse), scope)


def _composite(_kind: str, spec: Any, below: Any, scope: Scope, parse: Parse) -> Aggregation:
    return parse_composite(spec, _below(below, scope, parse), scope)


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

"""What a hit shows, sorts and inner hits, back as JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from antiphon.domain.dates import DEFAULT_FORMAT, write_date
from antiphon.domain.field import Field, FieldType
from antiphon.domain.mapping import IndexMapping
from antiphon.domain.source import SourceFilter
from antiphon.query.nodes import (
    Fetch,
    FieldRequest,
    HighlightField,
    InnerHits,
    Query,
    SortKey,
)

Json = dict[str, Any]
Render = Callable[[Query], Json]


def field_value(field: Field | None, value: Any) -> Any:
    """Return a typed value as JSON that the field reads back: booleans and dates in their own spelling."""
    if field is not None and field.type is FieldType.BOOLEAN:
        return bool(value)
    if field is not None and field.type is FieldType.DATE:
        format_ = str(field.options.get("format", DEFAULT_FORMAT))
        return value if "epoch_millis" in format_ else write_date(int(value), format_)
    return value


def render_inner_hits(inner: InnerHits, mapping: IndexMapping, render: Render) -> Json:
    """Return the JSON of inner hits."""
    shown: Json = {"name": inner.name, "size": inner.size, "from": inner.from_}
    if inner.sort:
        shown["sort"] = render_sort(inner.sort, mapping, render)
    if inner.track_scores:
        shown["track_scores"] = True
    return shown if inner.fetch is None else shown | render_fetch(inner.fetch, render)


def render_sort(keys: tuple[SortKey, ...], mapping: IndexMapping, render: Render) -> list[Json]:
    """Return the JSON of sort keys."""
    return [{key.field: _sort_options(key, mapping, render)} for key in keys]


def _sort_options(key: SortKey, mapping: IndexMapping, render: Render) -> Json:
    shown: Json = {"order": "desc" if key.descending else "asc"}
    if key.missing != "_last":
        special = key.missing == "_first"
        shown["missing"] = key.missing if special else field_value(mapping.field(key.field), key.missing)
    if not key.mapped:
        shown["unmapped_type"] = "keyword"
    for name, value in (("mode", key.mode), ("format", key.format)):
        if value is not None:
            shown[name] = value
    if key.nested:
        shown["nested"] = {"path": key.nested}
        if key.nested_filter is not None:
            shown["nested"]["filter"] = render(key.nested_filter)
    return shown


def render_fetch(fetch: Fetch, render: Render) -> Json:
    """Return the keys of a search, or of inner hits, that say what a hit shows."""
    shown: Json = {}
    if fetch.no_stored:
        shown["stored_fields"] = "_none_"
    else:
        shown["_source"] = _source(fetch.source)
    for name, requests in (("fields", fetch.fields), ("docvalue_fields", fetch.docvalue_fields)):
        if requests:
            shown[name] = [_request(request) for request in requests]
    if fetch.highlight:
        shown["highlight"] = {"fields": [{field.pattern: _highlight(field, render)} for field in fetch.highlight]}
        if fetch.highlight[0].html:
            shown["highlight"]["encoder"] = "html"
    for name in ("explain", "version", "seq_no_primary_term"):
        if getattr(fetch, name):
            shown[name] = True
    return shown


def _source(wanted: SourceFilter) -> Any:
    if not wanted.enabled:
        return False
    if not wanted.includes and not wanted.excludes:
        return True
    return {"includes": list(wanted.includes), "excludes": list(wanted.excludes)}


def _request(request: FieldRequest) -> Json:
    return {"field": request.pattern} | ({} if request.format is None else {"format": request.format})


def _highlight(field: HighlightField, render: Render) -> Json:
    shown: Json = {
        "pre_tags": [field.pre_tag],
        "post_tags": [field.post_tag],
        "fragment_size": field.fragment_size,
        "number_of_fragments": field.fragments,
        "no_match_size": field.no_match_size,
        "require_field_match": field.require_field_match,
    }
    return shown if field.query is None else shown | {"highlight_query": render(field.query)}

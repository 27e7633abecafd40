"""What a hit shows: _source, fields, docvalue_fields, highlight."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from antiphon.domain.field import Family
from antiphon.domain.source import SourceFilter
from antiphon.errors import IllegalArgument, ParsingError
from antiphon.query import reading
from antiphon.query.nodes import (
    Fetch,
    FieldRequest,
    HighlightField,
)
from antiphon.query.parse.options import Body, Parse
from antiphon.query.parse.reasons import ShardArgument, refused
from antiphon.query.parse.sort import text_fields_are_not_sorted
from antiphon.query.scope import Scope

KEYS = reading.words(
    "_source fields docvalue_fields stored_fields highlight explain version seq_no_primary_term script_fields"
)
_HIGHLIGHT = reading.words(
    "pre_tags post_tags fragment_size number_of_fragments no_match_size require_field_match highlight_query "
    "type order boundary_scanner boundary_chars boundary_max_scan boundary_scanner_locale fragmenter "
    "force_source phrase_limit max_analyzer_offset fragment_offset matched_fields options"
)
_STYLED = '<em class="hlt1">'


def parse_fetch(body: Body, scope: Scope, parse: Parse) -> Fetch:
    """Return what the hits of a search, or inner hits, carry."""
    if body.get("script_fields"):
        raise refused("script_fields", "compute the value from [_source] in the client")
    stored = reading.texts("stored_fields", body.get("stored_fields", ["_source"]))
    none = "_none_" in stored
    source = parse_source(body["_source"]) if "_source" in body else SourceFilter(enabled="_source" in stored)
    return Fetch(
        source=SourceFilter(enabled=False) if none else source,
        fields=_requests("fields", body.get("fields")),
        docvalue_fields=_columns(body.get("docvalue_fields"), scope),
        no_stored=none,
        highlight=() if body.get("highlight") is None else _highlight(body["highlight"], scope, parse),
        explain=_flag(body, "explain"),
        version=_flag(body, "version"),
        seq_no_primary_term=_flag(body, "seq_no_primary_term"),
    )


def parse_source(value: Any) -> SourceFilter:
    """Return which part of ``_source`` is wanted: ``true``, a pattern, a list, or includes and excludes."""
    if isinstance(value, bool) or value in ("true", "false"):
        return SourceFilter(enabled=value in (True, "true"))
    if isinstance(value, (str, list)):
        return SourceFilter(includes=reading.texts("_source", value))
    if not isinstance(value, dict):
        raise ParsingError(
            f"Expected one of [VALUE_BOOLEAN, VALUE_STRING, START_ARRAY, START_OBJECT] but found "
            f"[{reading.token(value)}]"
        )
    for key in value:
        if key not in ("include", "includes", "exclude", "excludes"):
            raise ParsingError(f"Unknown key for a {reading.token(value[key])} in [{key}].")
    return SourceFilter(
        includes=_patterns(value, "includes", "include"), excludes=_patterns(value, "excludes", "exclude")
    )


def _patterns(value: Body, *keys: str) -> tuple[str, ...]:
    return tuple(text for key in keys if value.get(key) is not None for text in reading.texts(key, value[key]))


def _flag(body: Body, key: str) -> bool:
    return reading.boolean(key, body[key]) if body.get(key) is not None else False


def _requests(key: str, value: Any) -> tuple[FieldRequest, ...]:
    if value is None:
        return ()
    found = []
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict):
            reading.only(f"[{key}]", item, ("field", "format", "include_unmapped"))
            if "field" not in item:
                raise IllegalArgument(f"Required [field] in [{key}]")
            format_ = item.get("format")
            found.append(FieldRequest(reading.text(key, item["field"]), None if format_ is None else str(format_)))
        else:
            found.append(FieldRequest(reading.text(key, item)))
    return tuple(found)


def _columns(value: Any, scope: Scope) -> tuple[FieldRequest, ...]:
    """Return what ``docvalue_fields`` asks for; ShardArgument for a text field, which has none."""
    found = _requests("docvalue_fields", value)
    for request in found:
        field = scope.mapping.field(request.pattern)
        if field is not None and field.family is Family.TEXT:
            raise text_fields_are_not_sorted(request.pattern)
    return found


def _highlight(value: Any, scope: Scope, parse: Parse) -> tuple[HighlightField, ...]:
    body = reading.an_object("highlight", value)
    reading.only("[highlight]", body, _HIGHLIGHT | {"fields", "encoder", "tags_schema"})
    if (schema := body.get("tags_schema", "default")) not in ("default", "styled"):
        raise IllegalArgument(f"Unknown tag schema [{schema}]")
    fields = body.get("fields", {})
    entries: list[tuple[str, Any]] = []
    for part in fields if isinstance(fields, list) else [fields]:
        entries.extend(reading.an_object("fields", part).items())
    shared = {key: value for key, value in body.items() if key in _HIGHLIGHT}
    if schema == "styled":
        shared = {"pre_tags": _STYLED, "post_tags": "</em>"} | shared
    found = [_highlight_field(name, shared, options, scope, parse) for name, options in entries]
    return tuple(replace(field, html=True) for field in found) if body.get("encoder") == "html" else tuple(found)


def _highlight_field(name: str, shared: Body, own: Any, scope: Scope, parse: Parse) -> HighlightField:
    """One entry of ``fields``; a number of -1 counts as not given."""
    reading.only("[highlight_field]", reading.an_object(name, own), _HIGHLIGHT)
    options = {key: value for part in (shared, own) for key, value in part.items() if value != -1}
    kind = str(options.get("type", "unified"))
    if kind == "semantic":
        raise refused("semantic highlighter", "use [unified], which marks the terms of lexical queries")
    if kind not in ("unified", "plain", "fvh"):
        raise ShardArgument(f"unknown highlighter type [{kind}] for the field [{name}]")
    scanner = str(options.get("boundary_scanner", "sentence")).lower()
    if scanner not in ("sentence", "word"):
        raise ShardArgument(f"Invalid boundary scanner type: {scanner}")
    fragments = reading.integer("number_of_fragments", options.get("number_of_fragments", 5))
    if fragments < 0:
        raise ShardArgument(f"[number_of_fragments] of the field [{name}] must not be negative, but is [{fragments}]")
    size = reading.integer("fragment_size", options.get("fragment_size", 100))
    query = options.get("highlight_query")
    return HighlightField(
        name,
        _first(options, "pre_tags", "<em>"),
        _first(options, "post_tags", "</em>"),
        size if size >= 0 else 100,
        fragments,
        reading.integer("no_match_size", options.get("no_match_size", 0)),
        reading.boolean("require_field_match", options.get("require_field_match", True)),
        None if query is None else parse(query, scope),
        scanner == "word",
        str(options.get("order", "none")).lower() == "score",
    )


def _first(options: Body, key: str, default: str) -> str:
    if options.get(key) is None:
        return default
    found = reading.texts(key, options[key])
    return found[0] if found else default

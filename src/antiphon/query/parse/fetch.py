"""What a hit shows: _source, fields, docvalue_fields, highlight."""

from __future__ import annotations

from typing import Any

from antiphon.domain.source import SourceFilter
from antiphon.errors import IllegalArgument, ParsingError
from antiphon.query import reading
from antiphon.query.nodes import (
    Fetch,
    FieldRequest,
    HighlightField,
)
from antiphon.query.parse.options import Body, Parse
from antiphon.query.parse.reasons import refused
from antiphon.query.scope import Scope

KEYS = reading.words(
    "_source fields docvalue_fields stored_fields highlight explain version seq_no_primary_term script_fields"
)
_HIGHLIGHT = reading.words(
    "fields pre_tags post_tags fragment_size number_of_fragments no_match_size require_field_match highlight_query "
    "type order encoder boundary_scanner boundary_chars boundary_max_scan boundary_scanner_locale fragmenter "
    "tags_schema force_source phrase_limit max_analyzer_offset fragment_offset matched_fields options"
)
_STYLED = '<em class="hlt1">'


def parse_fetch(body: Body, scope: Scope, parse: Parse) -> Fetch:
    """Return what the hits of a search, or inner hits, carry."""
    if body.get("script_fields"):
        raise refused("script_fields", "compute the value from [_source] in the client")
    stored = [] if body.get("stored_fields") is None else reading.texts("stored_fields", body["stored_fields"])
    none = "_none_" in stored
    source = parse_source(body["_source"]) if "_source" in body else SourceFilter(enabled=not stored)
    return Fetch(
        source=SourceFilter(enabled=False) if none else source,
        fields=_requests("fields", body.get("fields")),
        docvalue_fields=_requests("docvalue_fields", body.get("docvalue_fields")),
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


def _highlight(value: Any, scope: Scope, parse: Parse) -> tuple[HighlightField, ...]:
    body = reading.an_object("highlight", value)
    reading.only("[highlight]", body, _HIGHLIGHT)
    fields = body.get("fields", {})
    entries: list[tuple[str, Any]] = []
    for part in fields if isinstance(fields, list) else [fields]:
        entries.extend(reading.an_object("fields", part).items())
    shared = {key: value for key, value in body.items() if key != "fields"}
    return tuple(
        _highlight_field(name, shared | reading.an_object(name, options), scope, parse) for name, options in entries
    )


def _highlight_field(name: str, options: Body, scope: Scope, parse: Parse) -> HighlightField:
    reading.only("[highlight]", options, _HIGHLIGHT - {"fields"})
    if str(options.get("type", "unified")) == "semantic":
        raise refused("semantic highlighter", "use [unified], which marks the terms of lexical queries")
    styled = options.get("tags_schema") == "styled"
    query = options.get("highlight_query")
    return HighlightField(
        name,
        _first(options, "pre_tags", _STYLED if styled else "<em>"),
        _first(options, "post_tags", "</em>"),
        reading.integer("fragment_size", options.get("fragment_size", 100)),
        reading.integer("number_of_fragments", options.get("number_of_fragments", 5)),
        reading.integer("no_match_size", options.get("no_match_size", 0)),
        reading.boolean("require_field_match", options.get("require_field_match", True)),
        None if query is None else parse(query, scope),
        str(options.get("boundary_scanner", "sentence")).lower() == "word",
        str(options.get("order", "none")).lower() == "score",
    )


def _first(options: Body, key: str, default: str) -> str:
    if options.get(key) is None:
        return default
    found = reading.texts(key, options[key])
    return found[0] if found else default

"""URL parameters of a search, merged into its body; they win over it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from antiphon.errors import IllegalArgument, NumberFormat, ParsingError
from antiphon.query import reading
from antiphon.query.parse.reasons import refused

_PLAIN = (
    "size", "from", "track_total_hits", "track_scores", "version", "explain", "seq_no_primary_term", "terminate_after",
    "search_pipeline", "timeout", "include_named_queries_score",
)  # fmt: skip
_NUMBERS = ("size", "from", "track_total_hits", "terminate_after")
_LISTS = ("stored_fields", "docvalue_fields")
_QUERY = ("df", "default_operator", "analyzer", "lenient", "analyze_wildcard")
_ACCEPTED = reading.words(
    "scroll routing preference search_type request_cache batched_reduce_size max_concurrent_shard_requests "
    "pre_filter_shard_size ccs_minimize_roundtrips typed_keys rest_total_hits_as_int ignore_unavailable "
    "allow_no_indices expand_wildcards ignore_throttled allow_partial_search_results stats phase_took "
    "verbose_pipeline pretty human error_trace filter_path format source "
    "source_content_type max_concurrent_searches _source_include _source_exclude"
)
_REFUSED = {
    "suggest_field": "use a [match] query with [fuzziness]",
    "suggest_text": "use a [match] query with [fuzziness]",
    "suggest_mode": "use a [match] query with [fuzziness]",
    "suggest_size": "use a [match] query with [fuzziness]",
}
_PARAMETERS = frozenset((
    *_PLAIN, *_LISTS, *_QUERY, *_ACCEPTED, *_REFUSED, "q", "sort", "_source", "_source_includes", "_source_excludes",
))  # fmt: skip


def url_parameters() -> frozenset[str]:
    """Return every parameter a search takes: those read here, and those others read or accept without effect."""
    return _PARAMETERS


def merge_url(body: Mapping[str, Any], parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return the body with the parameters in it: ``q`` as a query_string, ``sort=a:desc,b``, ``_source_includes`` ...

    Parameters that a body cannot carry (``scroll``, ``routing`` ...) are left to the caller.
    """
    merged = dict(body)
    for name in _REFUSED:
        if name in parameters:
            raise refused(name, _REFUSED[name])
    if "q" in parameters:
        merged["query"] = url_query(parameters)
    for name in _PLAIN:
        if name in parameters:
            merged[name] = _whole(name, parameters[name]) if name in _NUMBERS else _typed(parameters[name])
    for name in _LISTS:
        if name in parameters:
            merged[name] = _words(parameters[name])
    if "sort" in parameters:
        merged["sort"] = [_sort(word) for word in _words(parameters["sort"])]
    source = _source(parameters, merged.get("_source"))
    return merged if source is None else merged | {"_source": source}


def url_query(parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return the query_string clause of ``q`` and the parameters that go with it."""
    options: dict[str, Any] = {"query": parameters["q"]}
    for name in _QUERY:
        if name in parameters:
            options["default_field" if name == "df" else name] = parameters[name]
    return {"query_string": options}


def _whole(name: str, text: str) -> int | bool:
    """Return a whole number, or whether to count at all; IllegalArgument for anything else."""
    if name == "track_total_hits" and text in ("true", "false"):
        return text == "true"
    if not re.fullmatch(r"[+-]?[0-9]{1,10}", text):
        cause = NumberFormat(f'For input string: "{text}"')
        raise IllegalArgument(f"Failed to parse int parameter [{name}] with value [{text}]", cause=cause)
    return int(text)


def _typed(text: str) -> Any:
    """Return a boolean for ``true``, ``false`` and a bare parameter; else the text, which the parser reads."""
    if text in ("true", ""):
        return True
    return False if text == "false" else text


def _words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def _sort(word: str) -> Any:
    field, colon, order = word.rpartition(":")
    if not colon:
        return word
    if order not in ("asc", "desc"):
        raise ParsingError(f"[sort] order of [{field}] must be [asc] or [desc], but was [{order}]")
    return {field: {"order": order}}


def _source(parameters: Mapping[str, str], given: Any) -> Any:
    includes = parameters.get("_source_includes", parameters.get("_source_include"))
    excludes = parameters.get("_source_excludes", parameters.get("_source_exclude"))
    whole = parameters.get("_source")
    if whole in ("true", "false"):
        given = whole == "true"
    elif whole:
        given = _words(whole)
    elif includes is None and excludes is None:
        return None
    if includes is None and excludes is None:
        return given
    if given is False:
        return False
    kept = {"includes": given} if isinstance(given, (str, list)) else dict(given) if isinstance(given, dict) else {}
    if includes is not None:
        kept["includes"] = _words(includes)
    return kept if excludes is None else kept | {"excludes": _words(excludes)}

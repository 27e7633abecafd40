"""The header line of one search in an ``_msearch``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from antiphon.errors import IllegalArgument, ParsingError

_SEARCH_TYPES = ("query_then_fetch", "dfs_query_then_fetch")
_OPTIONS = ("ignore_unavailable", "allow_no_indices", "expand_wildcards")
_ACCEPTED = frozenset({
    "index", "indices", "search_type", "preference", "routing", "allow_partial_search_results", "request_cache",
    "ccs_minimize_roundtrips", "ignore_throttled", "cancel_after_time_interval", *_OPTIONS,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class SearchHeader:
    """``options`` as ``Indices.resolve`` takes them."""

    expression: str
    options: Mapping[str, Any]
    search_type: str | None


def read_search_header(body: object, default_index: str) -> SearchHeader:
    """Return the header; IllegalArgument for a key that none has."""
    if not isinstance(body, dict):
        raise ParsingError("the header of a search must be a JSON object")
    for key in body:
        if key not in _ACCEPTED:
            raise IllegalArgument(f"key [{key}] is not supported in the metadata section")
    index = body.get("index", body.get("indices"))
    options: dict[str, Any] = {name: _flag(name, body[name]) for name in _OPTIONS[:2] if name in body}
    if "expand_wildcards" in body:
        options["expand_wildcards"] = _words(body["expand_wildcards"])
    kind = body.get("search_type")
    return SearchHeader(
        default_index if index is None else _words(index),
        options,
        None if kind is None else str(kind),
    )


def check_search_type(kind: str | None, body: Mapping[str, Any]) -> None:
    """IllegalArgument for an unknown type, and for one that a hybrid query does not have."""
    if kind is None:
        return
    if kind not in _SEARCH_TYPES:
        raise IllegalArgument(f"No search type for [{kind}]")
    query = body.get("query")
    if kind != "query_then_fetch" and isinstance(query, dict) and "hybrid" in query:
        raise IllegalArgument(f"hybrid query does not support search_type [{kind}]")


def _words(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _flag(name: str, value: Any) -> bool:
    if value in (True, False, "true", "false"):
        return value in (True, "true")
    raise IllegalArgument(f"Failed to parse value [{value}] of [{name}] as only [true] or [false] are allowed.")

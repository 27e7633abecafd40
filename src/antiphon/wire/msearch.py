"""The lines of an ``_msearch``: a header and a body for each search."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from antiphon.domain.expression import expand_states
from antiphon.errors import IllegalArgument, ParsingError, ValidationError

_SEARCH_TYPES = ("query_then_fetch", "dfs_query_then_fetch")
_OPTIONS = ("ignore_unavailable", "allow_no_indices", "expand_wildcards")
_FLAGS = (
    *_OPTIONS[:2], "ignore_throttled", "request_cache", "allow_partial_search_results", "ccs_minimize_roundtrips",
)  # fmt: skip
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


def search_lines(body: bytes) -> list[bytes]:
    """Return header, body, header, body ...; IllegalArgument for a missing last newline or body, ValidationError for no
    search. An empty header is ``{}``, but an empty first line is none.
    """
    if not body.endswith(b"\n"):
        raise IllegalArgument("The msearch request must be terminated by a newline [\n]")
    text = body.removeprefix(b"\n").rstrip()
    if not text:
        raise ValidationError("no requests added")
    lines = text.split(b"\n")
    if len(lines) % 2:
        raise IllegalArgument(
            "every search of an _msearch takes two lines: a header, which may be {}, and a body; the last of "
            f"{len(lines)} lines has no body"
        )
    return lines


def read_search_header(body: object, default_index: str) -> SearchHeader:
    """Return the header; IllegalArgument for a key that none has, and for a value that its key does not take."""
    if not isinstance(body, dict):
        raise ParsingError("the header of a search must be a JSON object")
    for key in body:
        if key not in _ACCEPTED:
            raise IllegalArgument(f"key [{key}] is not supported in the metadata section")
    index = body.get("index", body.get("indices"))
    flags = {name: _flag(name, body[name]) for name in _FLAGS if body.get(name) is not None}
    options: dict[str, Any] = {name: flags[name] for name in _OPTIONS[:2] if name in flags}
    if body.get("expand_wildcards") is not None:
        options["expand_wildcards"] = _words("expand_wildcards", body["expand_wildcards"])
        expand_states(options["expand_wildcards"])
    kind = body.get("search_type")
    if kind is not None and kind not in _SEARCH_TYPES:
        raise IllegalArgument(f"No search type for [{kind}]")
    return SearchHeader(
        default_index if index is None else _words("index", index),
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


def _words(name: str, value: Any) -> str:
    words = value if isinstance(value, list) else [value]
    if not all(isinstance(word, (str, int)) for word in words):
        raise IllegalArgument(f"[{name}] must be a text or a list of texts, but is {json.dumps(value)[:100]}")
    return ",".join(map(str, words))


def _flag(name: str, value: Any) -> bool:
    if isinstance(value, bool) or value in ("true", "false"):
        return value in (True, "true")
    cause = IllegalArgument(f"Failed to parse value [{value}] as only [true] or [false] are allowed.")
    raise IllegalArgument(f"Could not convert [{name}] to boolean", cause=cause)

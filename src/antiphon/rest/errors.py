"""Our errors as OpenSearch's envelope: the only place that makes JSON of them."""

from __future__ import annotations

from typing import Any

from antiphon.errors import (
    AntiphonError,
    CircuitBreaking,
    NotAcceptable,
    QueryShardError,
    ReduceError,
    SearchPhaseError,
)
from antiphon.query import ShardParse
from antiphon.rest.call import Reply

_JAVA = frozenset({
    "illegal_argument_exception", "number_format_exception", "null_pointer_exception", "i_o_exception",
    "date_time_parse_exception", "json_parse_exception", "named_object_not_found_exception",
    "illegal_state_exception", "fail_processor_exception", "arithmetic_exception", "validation_exception",
})  # fmt: skip
"""Types that are no exceptions of OpenSearch's own: never looked into, and never the root below one that is."""


def render_error(error: AntiphonError) -> Reply:
    """Return the envelope: ``error`` with ``root_cause``, ``type``, ``reason``, ``caused_by``; and ``status``."""
    if isinstance(error, NotAcceptable):
        return Reply({"error": error.reason, "status": error.status}, error.status)
    if isinstance(error, SearchPhaseError):
        body = _search_phase(error)
    else:
        causes = {} if error.cause is None else {"caused_by": _chain(error.cause)}
        roots = [] if isinstance(error, ReduceError) else [_describe(_root(error))]
        body = {"root_cause": roots, **_describe(error), **causes}
    return Reply({"error": body, "status": error.status}, error.status)


def describe_item(error: AntiphonError) -> dict[str, Any]:
    """Return the error of one item of a bulk: without ``root_cause``."""
    return _chain(error)


def no_handler(uri: str, method: str) -> Reply:
    """Return OpenSearch's answer for a path nobody serves."""
    return Reply({"error": f"no handler found for uri [{uri}] and method [{method}]"}, 400)


def wrong_method(uri: str, method: str, allowed: str) -> Reply:
    """Return OpenSearch's answer for a path that is served with other methods."""
    text = f"Incorrect HTTP method for uri [{uri}] and method [{method}], allowed: [{allowed}]"
    return Reply({"error": text, "status": 405}, 405, headers={"allow": allowed})


def _describe(error: AntiphonError) -> dict[str, Any]:
    described: dict[str, Any] = {"type": error.type, "reason": error.reason, **error.metadata}
    if isinstance(error, CircuitBreaking):
        described |= {"bytes_wanted": 0, "bytes_limit": 0, "durability": "TRANSIENT"}
    return described


def _search_phase(error: SearchPhaseError) -> dict[str, Any]:
    failure = error.failure
    root = _root(failure)
    wrapped = root.type in _JAVA and error.node_id is not None
    shard = {"shard": 0, "index": error.index, "node": error.node_id, "reason": _chain(failure)}
    return {
        "root_cause": [] if error.node_id is None else [_describe(root)],
        **_describe(error),
        "phase": "query",
        "grouped": True,
        "failed_shards": [] if error.node_id is None else [shard],
        # one of Java's own is wrapped into another of the same words on its way from the shard
        "caused_by": _describe(root) | {"caused_by": _chain(root)} if wrapped else _chain(root),
    }


def _root(error: AntiphonError) -> AntiphonError:
    """The innermost of OpenSearch's own exceptions."""
    while (
        error.cause is not None
        and (not isinstance(error, QueryShardError) or isinstance(error.cause, ShardParse))
        and not ({error.type, error.cause.type} & _JAVA)
    ):
        error = error.cause
    return error


def _chain(error: AntiphonError) -> dict[str, Any]:
    return _describe(error) | ({} if error.cause is None else {"caused_by": _chain(error.cause)})

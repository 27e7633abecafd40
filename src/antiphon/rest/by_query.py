"""Handlers of the operations on every document that matches a query; they wait, or answer a task's id."""

from __future__ import annotations

from typing import Any

from antiphon.domain.by_query import ByQuery
from antiphon.errors import IllegalArgument
from antiphon.rest.call import Call, Reply, Route
from antiphon.wire.by_query import (
    read_delete_by_query,
    read_reindex,
    read_update_by_query,
    render_counts,
    worst_status,
)

_COMMON = frozenset({
    "conflicts", "refresh", "wait_for_completion", "max_docs", "scroll_size", "slices", "requests_per_second",
    "timeout", "wait_for_active_shards", "scroll", "search_timeout",
})  # fmt: skip
_BY_QUERY = _COMMON | {
    "q", "routing", "ignore_unavailable", "allow_no_indices", "expand_wildcards", "ignore_throttled", "preference",
    "search_type", "request_cache", "terminate_after", "analyze_wildcard", "analyzer", "default_operator", "df",
    "lenient", "size",
}  # fmt: skip


def delete_by_query(call: Call) -> Reply:
    """Delete every document that matches."""
    return _run(call, read_delete_by_query(call.params["index"], _with_q(call, call.json_or({})), _options(call)))


def update_by_query(call: Call) -> Reply:
    """Change, or send through a pipeline again, every document that matches."""
    body = _with_q(call, call.json_or({}))
    return _run(call, read_update_by_query(call.params["index"], body, call.query.get("pipeline"), _options(call)))


def reindex(call: Call) -> Reply:
    """Copy every document that matches into another index."""
    return _run(call, read_reindex(call.json(), _options(call)))


def _run(call: Call, asked: ByQuery) -> Reply:
    node = call.node
    node.by_query.check(asked)
    if not call.flag("wait_for_completion", default=True):
        return Reply({"task": node.background.start(asked)})
    task = node.background.run(asked)
    return Reply(render_counts(task, node.ports.clock()), worst_status(task.counts), task.counts.truncation.notices())


def _with_q(call: Call, body: Any) -> Any:
    if "q" not in call.query or not isinstance(body, dict):
        return body
    options = {name: call.query[name] for name in ("analyzer", "default_operator", "lenient") if name in call.query}
    if "df" in call.query:
        options["default_field"] = call.query["df"]
    return body | {"query": {"query_string": {"query": call.query["q"], **options}}}


def _options(call: Call) -> dict[str, Any]:
    if call.query.get("requests_per_second", "-1") not in ("-1", "-1.0"):
        raise IllegalArgument("[requests_per_second] is not supported by Antiphon: leave it out, or send -1")
    options: dict[str, Any] = {"refresh": call.flag("refresh")}
    if "scroll_size" in call.query:
        options["batch"] = max(1, call.number("scroll_size", 1000))
    if "ignore_unavailable" in call.query:
        options["ignore_unavailable"] = call.flag("ignore_unavailable")
    if "terminate_after" in call.query:
        options["terminate_after"] = call.number("terminate_after", 0)
    options |= {name: call.query[name] for name in ("conflicts", "max_docs") if name in call.query}
    if "size" in call.query:
        options.setdefault("max_docs", call.query["size"])
    return options


BY_QUERY_ROUTES: tuple[Route, ...] = (
    Route("POST", "/{index}/_delete_by_query", delete_by_query, _BY_QUERY, heavy=True),
    Route("POST", "/{index}/_update_by_query", update_by_query, _BY_QUERY | {"pipeline"}, heavy=True),
    Route("POST", "/_reindex", reindex, _COMMON, heavy=True),
)

"""Handlers of ``/_search/pipeline``."""

from __future__ import annotations

from antiphon.errors import ParseError
from antiphon.rest.call import Call, Reply, Route

_PATH = "/_search/pipeline"
_TIMEOUTS = frozenset({"timeout", "master_timeout", "cluster_manager_timeout"})


def put(call: Call) -> Reply:
    """Create or replace."""
    body = call.json()
    if not isinstance(body, dict):
        raise ParseError("a search pipeline must be a JSON object")
    call.node.searcher.pipelines.put(call.params["id"], body)
    return Reply({"acknowledged": True})


def get(call: Call) -> Reply:
    """Return the definitions; a name that is not there is 404, a list of none is empty."""
    wanted = call.words("id")
    found = call.node.searcher.pipelines.get(wanted)
    return Reply(found, 200 if found or not wanted else 404)


def delete(call: Call) -> Reply:
    """Delete one, or all that match a pattern."""
    call.node.searcher.pipelines.delete(call.params["id"])
    return Reply({"acknowledged": True})


SEARCH_PIPELINE_ROUTES: tuple[Route, ...] = (
    Route("GET", _PATH, get, _TIMEOUTS),
    Route("GET", f"{_PATH}/{{id}}", get, _TIMEOUTS),
    Route("PUT", f"{_PATH}/{{id}}", put, _TIMEOUTS),
    Route("DELETE", f"{_PATH}/{{id}}", delete, _TIMEOUTS),
)

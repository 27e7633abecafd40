"""Handlers of requests with a query, on their way to a cluster: texts become vectors here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from antiphon.errors import AntiphonError, IllegalArgument
from antiphon.flows import ClusterSearch
from antiphon.rest.call import Call, Reply, Route
from antiphon.rest.errors import render_error
from antiphon.rest.json_body import loads
from antiphon.rest.relay_call import asking, engine_of, forward, reply_of, sent_on, without_form, without_source
from antiphon.wire.msearch import search_lines

_JSON, _NDJSON = "application/json", "application/x-ndjson"


def search(call: Call) -> Reply:
    """Bind the query of the body, and send it on."""
    if not _may_ask(call):
        return forward(call)
    body = call.json()
    index = call.params.get("index", call.query.get("index", ""))
    bound = _bound(call, ClusterSearch(body, index, call.query.get("search_pipeline")))
    if bound is body:
        return forward(call)
    return sent_on(call, without_source(call.target), orjson.dumps(bound), _JSON)


def update_by_query(call: Call) -> Reply:
    """Bind the query; refuse what would write documents that nobody embeds."""
    index = call.params["index"]
    if engine_of(call).writes.any_embeds(index, call.query.get("pipeline"), asking(call)):
        raise IllegalArgument(
            f"[_update_by_query] of [{index}] embeds text, and the cluster, which runs it, has not the "
            "models: search the documents and send them through [_bulk]"
        )
    return search(call)


def reindex(call: Call) -> Reply:
    """Bind the query of the source; refuse a destination that embeds."""
    body = call.json()
    dest, source = (body.get(key) if isinstance(body, dict) else None for key in ("dest", "source"))
    if not isinstance(dest, dict) or not isinstance(source, dict):
        return forward(call)
    index, pipeline = str(dest.get("index", "")), dest.get("pipeline")
    if engine_of(call).writes.embeds(index, None if pipeline is None else str(pipeline), asking(call)):
        raise IllegalArgument(
            f"[_reindex] into [{index}] embeds text, and the cluster, which runs it, has not the models: read the "
            "documents with a scroll and send them through [_bulk]"
        )
    names = source.get("index", "")
    expression = ",".join(map(str, names)) if isinstance(names, list) else str(names)
    bound = _bound(call, ClusterSearch(source, expression, "_none"))
    return (
        forward(call) if bound is source else sent_on(call, call.target, orjson.dumps(body | {"source": bound}), _JSON)
    )


def msearch(call: Call) -> Reply:
    """Bind every search; one that cannot be bound has its error in its place."""
    try:
        lines = search_lines(call.body) if _may_ask(call) else []
    except AntiphonError:
        lines = []
    if not lines:
        return forward(call)
    heads, bodies = [line.strip() or b"{}" for line in lines[::2]], [_parsed(line) for line in lines[1::2]]
    searches = [_one_of_many(call, _parsed(head), body) for head, body in zip(heads, bodies, strict=True)]
    bound = engine_of(call).searches.bind(searches, asking(call))
    if all(new is body for new, body in zip(bound, bodies, strict=True)):
        return forward(call)
    good = [
        line
        for head, new in zip(heads, bound, strict=True)
        if not isinstance(new, AntiphonError)
        for line in (head, orjson.dumps(new))
    ]
    content = b"\n".join([*good, b""])
    if len(good) == len(lines):
        return sent_on(call, call.target, content, _NDJSON)
    return _merged(call, bound, content)


def _merged(call: Call, bound: Sequence[Any], content: bytes) -> Reply:
    took, found = 0, []
    if content:
        headers = {**asking(call), "content-type": _NDJSON}
        answer = engine_of(call).forward(call.method, without_form(call.target), content, headers)
        if answer.status >= 300:
            return reply_of(answer)
        body = orjson.loads(answer.body)
        took, found = body["took"], body["responses"]
    answers = iter(found)
    shown = [render_error(one).body if isinstance(one, AntiphonError) else next(answers) for one in bound]
    return Reply({"took": took, "responses": shown})


def _one_of_many(call: Call, head: Any, body: Any) -> ClusterSearch:
    options = head if isinstance(head, dict) else {}
    names = options.get("index", options.get("indices", call.params.get("index", "")))
    expression = ",".join(map(str, names)) if isinstance(names, list) else str(names or "")
    return ClusterSearch(body, expression, None)


def _bound(call: Call, wanted: ClusterSearch) -> Any:
    bound = engine_of(call).searches.bind([wanted], asking(call))[0]
    if isinstance(bound, AntiphonError):
        raise bound
    return bound


def _may_ask(call: Call) -> bool:
    """False when there is surely no ``neural`` clause: the body is not even parsed then."""
    text = call.body or call.query.get("source", "").encode()
    return b"neural" in text or b"\\u" in text


def _parsed(line: bytes) -> Any:
    """Return the JSON of a line; None when it is none, which the cluster will say."""
    try:
        return loads(line)
    except AntiphonError:
        return None


_EVERYWHERE = tuple(
    Route("GET POST", f"{prefix}/{name}", handler, any_query=True, far=True)
    for prefix in ("", "/{index}")
    for name, handler in (("_search", search), ("_count", search), ("_validate/query", search), ("_msearch", msearch))
)
RELAY_SEARCH_ROUTES: tuple[Route, ...] = (
    *_EVERYWHERE,
    Route("GET POST", "/{index}/_explain/{id}", search, any_query=True, far=True),
    Route("POST", "/{index}/_delete_by_query", search, any_query=True, far=True),
    Route("POST", "/{index}/_update_by_query", update_by_query, any_query=True, far=True),
    Route("POST", "/_reindex", reindex, any_query=True, far=True),
    Route("POST", "/_plugins/_asynchronous_search", search, any_query=True, far=True),
)

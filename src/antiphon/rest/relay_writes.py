"""Handlers of document writes, on their way to a cluster: what is to be embedded is embedded here."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from antiphon.domain.bulk import Answered, Failed, Operation, RawAction
from antiphon.errors import IllegalArgument
from antiphon.flows import ClusterBulk, ClusterReport
from antiphon.rest.call import Call, Reply, Route
from antiphon.rest.errors import describe_item
from antiphon.rest.relay_call import asking, engine_of, forward, reply_of, without_form
from antiphon.wire.bulk import read_lines
from antiphon.wire.document import render_done

_OF_REQUEST = frozenset({"refresh", "timeout", "wait_for_active_shards"})
_METADATA = frozenset({
    "routing", "version", "version_type", "if_seq_no", "if_primary_term", "require_alias", "pipeline",
    "retry_on_conflict",
})  # fmt: skip
_SOURCE = frozenset({"_source", "_source_includes", "_source_excludes", "_source_include", "_source_exclude"})
_NUMBERS = frozenset({"version", "if_seq_no", "if_primary_term", "retry_on_conflict"})
_PLAIN = frozenset({"pretty", "human", "error_trace", "filter_path", "format"})


def bulk(call: Call) -> Reply:
    """Do many actions; a bulk in which nothing is embedded goes on as it came."""
    start = time.perf_counter()
    actions = read_lines(call.body)
    defaults = {"_source": _fetch(call.query), "routing": call.query.get("routing")}
    defaults = {key: value for key, value in defaults.items() if value is not None}
    if defaults:
        actions = [replace(action, metadata={**defaults, **action.metadata}) for action in actions]
    wanted = ClusterBulk(actions, without_form(call.target), call.params.get("index", ""), call.query.get("pipeline"))
    report = engine_of(call).writes.bulk(wanted, asking(call))
    if report is None:
        return forward(call)
    if report.refusal is not None:
        return reply_of(report.refusal)
    items = [{action.operation.value: _item(outcome)} for action, outcome in zip(actions, report.outcomes, strict=True)]
    body = {
        "took": int((time.perf_counter() - start) * 1000),
        "ingest_took": report.ingest_ms,
        "errors": any("error" in one for item in items for one in item.values()),
        "items": items,
    }
    return Reply(body, notices=report.truncation.notices())


def index(call: Call) -> Reply:
    """Index a document; ``op_type=create`` only when there is none of its id."""
    word = call.query.get("op_type", "index")
    return _one(call, Operation(word)) if word in ("index", "create") else forward(call)


def create(call: Call) -> Reply:
    """Index a document unless there is one of its id."""
    return _one(call, Operation.CREATE)


def update(call: Call) -> Reply:
    """Change a document by a partial one or a script."""
    return _one(call, Operation.UPDATE)


def stream(_: Call) -> Reply:
    """Refuse."""
    raise IllegalArgument("[_bulk/stream] is not supported by Antiphon in front of a cluster: use [_bulk]")


def _one(call: Call, operation: Operation) -> Reply:
    """Do a single action as a bulk of one; as it came when nothing is embedded, or a parameter says what none has."""
    query = dict(parse_qsl(call.target.partition("?")[2], keep_blank_values=True))
    known = _OF_REQUEST | _METADATA | _PLAIN | (_SOURCE if operation is Operation.UPDATE else {"op_type"})
    unknown = sorted(query.keys() - known)
    if unknown:
        if engine_of(call).writes.embeds(call.params["index"], query.get("pipeline"), asking(call)):
            raise IllegalArgument(f"request [{call.path}] contains unrecognized parameter: [{unknown[0]}]")
        return forward(call)
    report = engine_of(call).writes.bulk(_bulk_of_one(call, operation, query), asking(call))
    if report is None:
        return forward(call)
    return _single(report)


def _bulk_of_one(call: Call, operation: Operation, query: dict[str, str]) -> ClusterBulk:
    metadata: dict[str, Any] = {
        name: int(value) if name in _NUMBERS and value.isdecimal() else value
        for name, value in query.items()
        if name in _METADATA
    }
    fetch = _fetch(query)
    if fetch is not None:
        metadata["_source"] = fetch
    metadata |= {"_index": call.params["index"]} | ({"_id": call.params["id"]} if "id" in call.params else {})
    kept = urlencode({name: value for name, value in query.items() if name in _OF_REQUEST})
    action = RawAction(operation, metadata, b"", call.body)
    return ClusterBulk([action], "/_bulk" + (f"?{kept}" if kept else ""))


def _fetch(query: Mapping[str, str]) -> Any:
    """Return what the address says of the source that updates answer with, as a bulk line would; None for nothing."""
    lists = {
        long: query[name].split(",")
        for long in ("includes", "excludes")
        for name in (f"_source_{long}", f"_source_{long[:-1]}")
        if name in query
    }
    if lists:
        return lists
    word = query.get("_source")
    return {"": True, "true": True, "false": False}.get(word, word.split(",")) if word is not None else None


def _single(report: ClusterReport) -> Reply:
    if report.refusal is not None:
        return reply_of(report.refusal)
    outcome = report.outcomes[0]
    if isinstance(outcome, Failed):
        raise outcome.error
    shown = dict(outcome.shown) if isinstance(outcome, Answered) else render_done(outcome)
    status = int(shown.pop("status", 200))
    if "error" in shown:
        error = shown["error"]
        root = {key: value for key, value in error.items() if key != "caused_by"}
        return Reply({"error": {"root_cause": [root], **error}, "status": status}, status)
    headers = {}
    if status == 201:
        headers["location"] = f"/{quote(shown['_index'], safe='')}/_doc/{quote(shown['_id'], safe='')}"
    return Reply(shown, status, report.truncation.notices(), headers=headers)


def _item(outcome: Any) -> dict[str, Any]:
    if isinstance(outcome, Answered):
        return dict(outcome.shown)
    if isinstance(outcome, Failed):
        return {
            "_index": outcome.index,
            "_id": outcome.id,
            "status": outcome.error.status,
            "error": describe_item(outcome.error),
        }
    return render_done(outcome) | {"status": outcome.status}


RELAY_WRITE_ROUTES: tuple[Route, ...] = (
    *(Route("POST PUT", f"{prefix}/_bulk", bulk, any_query=True, far=True) for prefix in ("", "/{index}")),
    *(
        Route("POST PUT", f"{prefix}/_bulk/stream", stream, any_query=True, any_media=True)
        for prefix in ("", "/{index}")
    ),
    Route("PUT POST", "/{index}/_doc/{id}", index, any_query=True, far=True),
    Route("POST", "/{index}/_doc", index, any_query=True, far=True),
    Route("PUT POST", "/{index}/_create/{id}", create, any_query=True, far=True),
    Route("POST", "/{index}/_update/{id}", update, any_query=True, far=True),
)

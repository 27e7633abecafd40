"""``_delete_by_query``, ``_update_by_query``, ``_reindex`` and ``_tasks``: bodies and answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from antiphon.domain.by_query import BackgroundTask, ByQuery, ByQueryKind, Counts, Destination, TaskEnd
from antiphon.errors import ContentParse, IllegalArgument, ParsingError, ValidationError
from antiphon.query import parse_source
from antiphon.wire.search import check_nulls

_UPDATE_KEYS = frozenset({"query", "script", "max_docs", "size", "conflicts", "slice", "sort", "terminate_after"})
_DELETE_KEYS = _UPDATE_KEYS - {"script"} | {"_source"}
_REINDEX_KEYS = frozenset({"source", "dest", "script", "conflicts", "max_docs", "size"})
_SOURCE_KEYS = frozenset({"index", "query", "_source", "size", "sort", "slice", "remote"})
_DEST_KEYS = frozenset({"index", "pipeline", "op_type", "version_type", "routing"})
_MAY_BE_NULL = frozenset({"script", "max_docs", "conflicts"})
_REFUSED = {
    "slice": "leave [slice] out: one task works through the whole index",
    "sort": "leave [sort] out: documents are taken in the order they were written",
    "remote": "read the other cluster with a client, and send the documents with _bulk",
}


def read_delete_by_query(indices: str, body: Any, options: Mapping[str, Any]) -> ByQuery:
    """Return the request; ValidationError without a query. ``options`` come from the query string."""
    whole = _object(body, "_delete_by_query", _DELETE_KEYS)
    check_nulls(whole, _MAY_BE_NULL)
    if "query" not in whole:
        raise ValidationError("query is missing")
    return ByQuery(ByQueryKind.DELETE, indices, whole["query"], **_searching(whole, options))


def read_update_by_query(indices: str, body: Any, pipeline: str | None, options: Mapping[str, Any]) -> ByQuery:
    """Return the request; no body means every document."""
    whole = _object(body, "_update_by_query", _UPDATE_KEYS)
    check_nulls(whole, _MAY_BE_NULL)
    return ByQuery(
        ByQueryKind.UPDATE,
        indices,
        whole.get("query"),
        whole.get("script"),
        pipeline=pipeline,
        **_searching(whole, options),
    )


def read_reindex(body: Any, options: Mapping[str, Any]) -> ByQuery:
    """Return the request; ValidationError when an index is missing, IllegalArgument for what is not here,
    ContentParse or ParsingError for a null.
    """
    whole = _object(body, "reindex", _REINDEX_KEYS)
    _check_nulls("reindex", whole)
    source = _object(whole.get("source") or {}, "source", _SOURCE_KEYS)
    dest = _object(whole.get("dest") or {}, "dest", _DEST_KEYS)
    _check_parts(source, dest)
    names = source.get("index")
    listed = names if isinstance(names, list) else [names] if names else []
    problems = []
    if not listed or not all(isinstance(name, str) and name for name in listed):
        problems.append("use _all if you really want to copy from all existing indexes")
    problems += [] if isinstance(dest.get("index"), str) and dest["index"] else ["index is missing"]
    if problems:
        raise ValidationError(*problems)
    choice = parse_source(source["_source"]) if source.get("_source") is not None else None
    size = {} if source.get("size") is None else {"batch": _number("size", source["size"])}
    return ByQuery(
        ByQueryKind.REINDEX,
        ",".join(listed),
        source.get("query"),
        whole.get("script"),
        destination=_destination(dest),
        includes=() if choice is None else choice.includes,
        excludes=() if choice is None else choice.excludes,
        **(_common(whole, options) | size),
    )


def render_counts(task: BackgroundTask, now_ms: int) -> dict[str, Any]:
    """Return the answer of a finished operation, with the counts of its kind."""
    status = _status(task)
    if task.asked.kind is ByQueryKind.DELETE:
        del status["updated"]
    if task.asked.kind is not ByQueryKind.REINDEX:
        del status["created"]
    return _answer(task, now_ms, status)


def _answer(task: BackgroundTask, now_ms: int, status: Mapping[str, Any]) -> dict[str, Any]:
    took = (task.ended_ms or now_ms) - task.started_ms
    return {"took": took, "timed_out": False, **status, "failures": task.counts.failures}


def _status(task: BackgroundTask, *, words: bool = False) -> dict[str, Any]:
    """Return how far a task is, in every kind of count; with ``words`` the durations as text too."""
    counts = task.counts
    status: dict[str, Any] = {
        "total": counts.total,
        "updated": counts.updated,
        "created": counts.created,
        "deleted": counts.deleted,
        "batches": counts.batches,
        "version_conflicts": counts.version_conflicts,
        "noops": counts.noops,
        "retries": {"bulk": 0, "search": 0},
        **({"throttled": "0s"} if words else {}),
        "throttled_millis": 0,
        "requests_per_second": -1.0,
        **({"throttled_until": "0s"} if words else {}),
        "throttled_until_millis": 0,
    }
    return status | ({"canceled": "by user request"} if task.cancelled else {})


def worst_status(counts: Counts) -> int:
    """Return the status of the answer: that of the worst failure, 200 without one."""
    return max((failure["status"] for failure in counts.failures), default=200)


def render_task(task: BackgroundTask, node_id: str, now_ms: int, *, detailed: bool) -> dict[str, Any]:
    """Return one task as ``_tasks`` lists it; ``detailed`` says how far it is, and what it was asked."""
    details = {"status": _status(task), "description": task.asked.describe()} if detailed else {}
    return {
        "node": node_id,
        "id": task.number,
        "type": "transport",
        "action": task.asked.kind.action,
        **details,
        "start_time_in_millis": task.started_ms,
        "running_time_in_nanos": ((task.ended_ms or now_ms) - task.started_ms) * 1_000_000,
        "cancellable": True,
        "cancelled": task.cancelled,
        "headers": {},
    }


def render_task_get(task: BackgroundTask, node_id: str, now_ms: int) -> dict[str, Any]:
    """Return the answer of ``GET /_tasks/{id}``: the task, and once it has ended its response or error."""
    body: dict[str, Any] = {
        "completed": task.state is not TaskEnd.RUNNING,
        "task": render_task(task, node_id, now_ms, detailed=True),
    }
    if task.error is not None:
        body["error"] = task.error
    elif task.state is not TaskEnd.RUNNING:
        body["response"] = _answer(task, now_ms, _status(task, words=True))
        if told := task.counts.truncation.notices():
            body["response"]["warnings"] = told
    return body


def _searching(whole: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """What a body that is a search says: its ``size`` is that of a batch, unlike the one of ``_reindex``."""
    batch = {} if whole.get("size") is None else {"batch": max(1, _number("size", whole["size"]))}
    return batch | _common({key: value for key, value in whole.items() if key != "size"}, options)


def _common(whole: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """What all three have; the body's words win over the query string's."""
    found = dict(options)
    named = found.pop("conflicts", "abort")
    conflicts = named if whole.get("conflicts") is None else whole["conflicts"]
    if conflicts not in ("abort", "proceed"):
        raise IllegalArgument(f'conflicts may only be "proceed" or "abort" but was [{conflicts}]')
    found["proceed"] = conflicts == "proceed"
    limit, named = whole.get("max_docs", whole.get("size")), found.pop("max_docs", None)
    if limit is not None and named is not None and str(limit) != str(named):
        raise IllegalArgument(f"[max_docs] set to two different values [{limit}] and [{named}]")
    limit = named if limit is None else limit
    if limit is not None and limit != -1:
        found["max_docs"] = _number("max_docs", limit)
    after = found.setdefault("terminate_after", whole.get("terminate_after", 0))
    if not isinstance(after, int) or after < 0:
        raise IllegalArgument("terminateAfter must be > 0")
    return found


def _destination(dest: Mapping[str, Any]) -> Destination:
    kind, version = dest.get("op_type", "index"), dest.get("version_type", "internal")
    if kind not in ("index", "create"):
        raise IllegalArgument(f"opType must be 'create' or 'index', found: [{kind}]")
    if version not in ("internal", "external", "external_gt", "external_gte"):
        raise IllegalArgument(f"No version type match [{version}]")
    routing = dest.get("routing") or "keep"
    if routing not in ("keep", "discard") and not str(routing).startswith("="):
        raise IllegalArgument(f"Unsupported value [{routing}] for [routing]: use keep, discard or =value")
    return Destination(dest["index"], dest.get("pipeline"), kind == "create", version != "internal", routing)


def _object(body: Any, name: str, known: frozenset[str]) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise ParsingError(f"[{name}] must be a JSON object")
    for key in body:
        if key not in known:
            raise ParsingError(f"[{name}] unknown field [{key}]")
        if key in _REFUSED and body[key] is not None:
            raise IllegalArgument(f"[{key}] is not supported by Antiphon: {_REFUSED[key]}")
    return body


def _check_parts(source: Mapping[str, Any], dest: Mapping[str, Any]) -> None:
    try:
        check_nulls(source)
    except ParsingError as error:
        raise ContentParse("[reindex] failed to parse field [source]", cause=error) from None
    try:
        _check_nulls("dest", dest)
    except ContentParse as error:
        raise ContentParse("[reindex] failed to parse field [dest]", cause=error) from None


def _check_nulls(name: str, body: Mapping[str, Any]) -> None:
    for key, value in body.items():
        if value is None:
            raise ContentParse(f"[{name}] {key} doesn't support values of type: VALUE_NULL")


def _number(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, str)) or not str(value).lstrip("-").isdecimal():
        raise IllegalArgument(f"[{name}] must be an integer, but was [{value}]")
    if int(value) < 1:
        raise IllegalArgument(f"[{name}] parameter must be greater than 0, but was [{value}]")
    return int(value)

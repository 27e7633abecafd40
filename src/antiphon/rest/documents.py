"""Handlers of single documents: index, create, get, delete, update, multi-get; and the embedding report."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import orjson

from antiphon.domain.bulk import Action, Done, Operation
from antiphon.domain.source import SourceFilter
from antiphon.domain.store import VersionType
from antiphon.errors import AntiphonError, IllegalArgument, MissingResource
from antiphon.flows import Refresh
from antiphon.rest.bulk import BULK_ROUTES
from antiphon.rest.call import Call, Reply, Route
from antiphon.rest.errors import render_error
from antiphon.wire.bulk import read_version_type
from antiphon.wire.document import check_version, read_mget, read_update, render_done, render_get, shown_source
from antiphon.wire.embedding_report import render_embedding_report
from antiphon.wire.source import read_source_parameters

WRITES = frozenset({
    "refresh", "routing", "timeout", "wait_for_active_shards", "if_seq_no", "if_primary_term", "version",
    "version_type",
})  # fmt: skip
_INDEX = WRITES | {"pipeline", "op_type", "require_alias"}
_SOURCE = frozenset({"_source", "_source_includes", "_source_excludes", "_source_include", "_source_exclude"})
_UPDATE = WRITES | _SOURCE | {"require_alias", "retry_on_conflict", "lang"}
_GET = _SOURCE | {
    "realtime",
    "refresh",
    "routing",
    "stored_fields",
    "preference",
}


def index(call: Call) -> Reply:
    """Index a document; ``op_type=create`` only when there is none of its id, as without an id."""
    word = call.query.get("op_type", "index")
    if word not in ("index", "create"):
        raise IllegalArgument(f"opType must be 'create' or 'index', found: [{word}]")
    return _write(call, Operation(word))


def create(call: Call) -> Reply:
    """Index a document unless there is one of its id."""
    return _write(call, Operation.CREATE)


def delete(call: Call) -> Reply:
    """Delete a document; 404 when there was none."""
    done, notices = call.node.documents.one(_action(call, Operation.DELETE), _refresh(call))
    return Reply(render_done(done), done.status, list(notices))


def update(call: Call) -> Reply:
    """Change a document by a partial one or a script."""
    body = read_update(_body(call))
    fetch = body.fetch or read_source_parameters(call.query)
    retries = call.number("retry_on_conflict", 0)
    action = _action(call, Operation.UPDATE, update=body, fetch=fetch, retry_on_conflict=retries)
    return _written(call, *call.node.documents.one(action, _refresh(call)))


def get(call: Call) -> Reply:
    """One document as last written, refreshed or not; VersionConflict when it is not the ``version`` asked for."""
    name, doc_id = call.params["index"], call.params["id"]
    wanted = _read_parameters(call)
    found_in, found = call.node.documents.get(
        name, doc_id, refresh=call.flag("refresh"), routing=call.query.get("routing")
    )
    check_version(found_in.name, doc_id, found, wanted)
    body = render_get(found_in.name, doc_id, found, read_source_parameters(call.query))
    return Reply(_plain(call, body), 404 if found is None else 200)


def source(call: Call) -> Reply:
    """The bare source of a document."""
    _read_parameters(call)
    name, doc_id = call.params["index"], call.params["id"]
    found_in, found = call.node.documents.get(
        name, doc_id, refresh=call.flag("refresh"), routing=call.query.get("routing")
    )
    if found is None:
        raise MissingResource(f"Document not found [{found_in.name}]/[{doc_id}]")
    return Reply(_plain(call, shown_source(found.source, read_source_parameters(call.query) or SourceFilter())))


def mget(call: Call) -> Reply:
    """Many documents, in order; one that cannot be read has its error in its place."""
    _read_parameters(call)
    items = read_mget(call.json(), call.params.get("index"))
    if call.flag("refresh"):
        for name in {item.index for item in items}:
            if call.node.indices.exists(name):
                call.node.indices.store(call.node.indices.get(name)).refresh()
    default = read_source_parameters(call.query)
    shown: list[Any] = []
    for item, found in zip(items, call.node.documents.get_many([(i.index, i.id) for i in items]), strict=True):
        try:
            if isinstance(found, AntiphonError):
                raise found
            check_version(found[0], item.id, found[1], item.version)
            shown.append(render_get(found[0], item.id, found[1], item.fetch or default))
        except AntiphonError as error:
            shown.append({"_index": item.index, "_id": item.id, "error": render_error(error).body["error"]})
    return Reply(_plain(call, {"docs": shown}))


def embedding_report(call: Call) -> Reply:
    """What each index knows of its embeddings: fingerprints, missing vectors, truncation."""
    targets = call.node.indices.resolve(call.params["index"])
    report = call.node.embedding_reports.report
    return Reply({target.index.name: render_embedding_report(*report(target.index)) for target in targets})


def _write(call: Call, operation: Operation) -> Reply:
    action = _action(call, operation, source=_body(call), pipeline=call.query.get("pipeline"))
    return _written(call, *call.node.documents.one(action, _refresh(call)))


def _action(call: Call, operation: Operation, **more: Any) -> Action:
    return Action(
        operation,
        call.params["index"],
        call.params.get("id"),
        routing=call.query.get("routing"),
        version=call.number("version", 0) if "version" in call.query else None,
        version_type=read_version_type(call.query.get("version_type", VersionType.INTERNAL.value)),
        if_seq_no=call.number("if_seq_no", 0) if "if_seq_no" in call.query else None,
        if_primary_term=call.number("if_primary_term", 0) if "if_primary_term" in call.query else None,
        require_alias=call.flag("require_alias"),
        **more,
    )


def _read_parameters(call: Call) -> int | None:
    """Return the version that is asked for; IllegalArgument for ways of reading that are not here."""
    if "stored_fields" in call.query:
        raise IllegalArgument("[stored_fields] is not supported by Antiphon: use [_source]")
    if not call.flag("realtime", default=True):
        raise IllegalArgument(
            "[realtime=false] is not supported by Antiphon: a document is read as last written; to see what is "
            "refreshed, search for its [ids]"
        )
    read_version_type(call.query.get("version_type", VersionType.INTERNAL.value))
    return call.number("version", 0) if "version" in call.query else None


def _body(call: Call) -> bytes:
    """The body as sent, or the ``source`` parameter; an empty one is refused where it is parsed."""
    return call.body if call.body.strip() else call.query.get("source", "").encode()


def _refresh(call: Call) -> Refresh:
    return Refresh.parse(call.query.get("refresh"))


def _written(call: Call, done: Done, notices: list[str]) -> Reply:
    headers = {}
    if done.status == 201:
        routing = call.query.get("routing")
        asked = f"?routing={quote(routing, safe='')}" if routing else ""
        headers["location"] = f"/{quote(done.index, safe='')}/_doc/{quote(done.id, safe='')}{asked}"
    return Reply(render_done(done), done.status, notices, headers=headers)


def _plain(call: Call, body: Any) -> Any:
    """The body with its sources parsed when ``filter_path`` has to look into it or ``pretty`` to indent it."""
    if "filter_path" in call.query or "pretty" in call.query:
        return orjson.loads(orjson.dumps(body))
    return body


DOCUMENT_ROUTES: tuple[Route, ...] = (
    Route("PUT POST", "/{index}/_doc/{id}", index, _INDEX, heavy=True),
    Route("POST", "/{index}/_doc", index, _INDEX, heavy=True),
    Route("PUT POST", "/{index}/_create/{id}", create, _INDEX, heavy=True),
    Route("POST", "/{index}/_update/{id}", update, _UPDATE, heavy=True),
    Route("DELETE", "/{index}/_doc/{id}", delete, WRITES, heavy=True),
    Route("GET HEAD", "/{index}/_doc/{id}", get, _GET | {"version", "version_type"}),
    Route("GET HEAD", "/{index}/_source/{id}", source, _GET),
    Route("GET POST", "/_mget", mget, _GET),
    Route("GET POST", "/{index}/_mget", mget, _GET),
    Route("GET", "/{index}/_antiphon/embedding", embedding_report, heavy=True),
    *BULK_ROUTES,
)

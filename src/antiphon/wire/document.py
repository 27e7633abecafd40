"""Documents on the wire: update bodies, write results, gets, and the list of a multi-get."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from antiphon.domain.bulk import Done
from antiphon.domain.source import SourceFilter, parse_document, token
from antiphon.domain.store import StoredDocument
from antiphon.domain.update import Update
from antiphon.domain.update_script import script_of
from antiphon.errors import ContentParse, IllegalArgument, ParseError, ValidationError, VersionConflict
from antiphon.query import parse_source

_UPDATE_KEYS = frozenset({
    "doc", "upsert", "doc_as_upsert", "detect_noop", "script", "scripted_upsert", "_source", "lang", "params",
    "if_seq_no", "if_primary_term",
})  # fmt: skip


def read_update(source: memoryview | bytes) -> Update:
    """Return the update; ContentParse names an unknown key, ValidationError what is missing."""
    body = parse_document(source)
    for key in body:
        if key not in _UPDATE_KEYS:
            raise ContentParse(f"[1:2] [UpdateRequest] unknown field [{key}]")
    doc, upsert = _object(body, "doc"), _object(body, "upsert")
    script = None if body.get("script") is None else script_of(body["script"])
    flags = {name: _flag(body, name) for name in ("doc_as_upsert", "scripted_upsert")}
    problems = []
    if doc is None and script is None:
        problems.append("script or doc is missing")
    if doc is not None and script is not None:
        problems.append("can't provide both script and doc")
    if doc is None and flags["doc_as_upsert"]:
        problems.append("doc must be specified if doc_as_upsert is enabled")
    if problems:
        raise ValidationError(*problems)
    return Update(
        doc=doc,
        upsert=upsert,
        detect_noop=_flag(body, "detect_noop", default=True),
        script=script,
        fetch=parse_source(body["_source"]) if body.get("_source") is not None else None,
        **flags,
    )


@dataclass(frozen=True, slots=True)
class GetItem:
    """One document of a multi-get."""

    index: str
    id: str
    fetch: SourceFilter | None = None
    version: int | None = None


def read_mget(body: Any, index: str | None) -> list[GetItem]:
    """Return the documents asked for; ValidationError when there are none or an index is missing."""
    if not isinstance(body, dict):
        raise ParseError("the body of _mget must be a JSON object with [docs] or [ids]")
    for key in body:
        if key not in ("docs", "ids"):
            raise ParseError(f"unknown key [{key}] for a {token(body[key])}, expected [docs] or [ids]")
    items = [_item(one, index) for one in body.get("docs") or []]
    items += [GetItem(index or "", _id(one)) for one in body.get("ids") or []]
    problems = [] if items else ["no documents to get"]
    problems += [f"index is missing for doc {number}" for number, item in enumerate(items) if not item.index]
    problems += [f"id is missing for doc {number}" for number, item in enumerate(items) if not item.id]
    if problems:
        raise ValidationError(*problems)
    return items


def render_done(done: Done) -> dict[str, Any]:
    """Return the result of one write."""
    noop = done.result == "noop"
    shards = {"total": 0, "successful": 0, "failed": 0}
    body: dict[str, Any] = {
        "_index": done.index,
        "_id": done.id,
        "_version": done.version,
        "result": done.result,
        "_shards": shards if noop else {"total": done.copies, "successful": 1, "failed": 0},
        "_seq_no": done.seq_no,
        "_primary_term": done.primary_term,
    }
    if done.forced_refresh and not noop:
        body["forced_refresh"] = True
    if done.got is not None:
        body["get"] = {"_seq_no": done.seq_no, "_primary_term": 1, "found": True, "_source": done.got}
    return body


def check_version(index: str, doc_id: str, found: StoredDocument | None, wanted: int | None) -> None:
    """VersionConflict when the document is there, but not in the version that is wanted."""
    if found is not None and wanted is not None and found.version != wanted:
        reason = f"current version [{found.version}] is different than the one provided [{wanted}]"
        where = {"index": index, "shard": "0"}
        raise VersionConflict(f"[{doc_id}]: version conflict, {reason}", metadata=where)


def render_get(index: str, doc_id: str, found: StoredDocument | None, fetch: SourceFilter | None) -> dict[str, Any]:
    """Return a get's answer; the whole source is passed on as it is stored."""
    body: dict[str, Any] = {"_index": index, "_id": doc_id}
    if found is None:
        return body | {"found": False}
    body |= {"_version": found.version, "_seq_no": found.seq_no, "_primary_term": 1}
    if found.routing is not None:
        body["_routing"] = found.routing
    body["found"] = True
    choice = fetch or SourceFilter()
    if choice.enabled:
        body["_source"] = shown_source(found.source, choice)
    return body


def shown_source(source: bytes, choice: SourceFilter) -> Any:
    """Return the wanted part of a stored source, ready for orjson."""
    return orjson.Fragment(source) if choice.everything else choice.of(orjson.loads(source))


def _item(one: Any, index: str | None) -> GetItem:
    if not isinstance(one, dict):
        raise ParseError(f"docs array element should include an object, but found [{token(one)}]")
    known = {"_index", "_id", "_source", "routing", "_routing", "stored_fields", "version", "version_type"}
    for key in one:
        if key not in known:
            raise ParseError(f"unknown parameter [{key}] in a document of _mget")
    if one.get("stored_fields") is not None:
        raise IllegalArgument("[stored_fields] is not supported by Antiphon: use [_source]")
    fetch = parse_source(one["_source"]) if one.get("_source") is not None else None
    version = one.get("version")
    if version is not None and (isinstance(version, bool) or not isinstance(version, int)):
        raise ParseError(f"[version] of a document of _mget must be an integer, but was [{version}]")
    return GetItem(one.get("_index") or index or "", _id(one.get("_id")), fetch, version)


def _id(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        raise ParseError(f"[_id] must be a string or a number, but found [{token(value)}]")
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _object(body: Mapping[str, Any], key: str) -> dict[str, Any] | None:
    value = body.get(key)
    if value is not None and not isinstance(value, dict):
        raise ContentParse(f"[UpdateRequest] {key} doesn't support values of type: {token(value)}")
    return value


def _flag(body: Mapping[str, Any], key: str, *, default: bool = False) -> bool:
    value = body.get(key, default)
    if value not in (True, False, "true", "false"):
        raise ContentParse(f"[UpdateRequest] failed to parse field [{key}]: it must be [true] or [false]")
    return value in (True, "true")

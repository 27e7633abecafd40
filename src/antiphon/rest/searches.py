"""Handlers of ``_search``, ``_count``, ``_explain``, ``_validate/query``, scrolls, points in time and ``_msearch``."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from antiphon.errors import AntiphonError, IllegalArgument, JsonError, ParseError, ParsingError, ValidationError
from antiphon.flows import SearchRequest, keep_alive_ms
from antiphon.query import Page, PageHit, SearchHit, merge_url, url_parameters, url_query
from antiphon.rest.call import Call, Reply, Route
from antiphon.rest.errors import describe_item, render_error
from antiphon.rest.index_options import index_options
from antiphon.rest.json_body import loads
from antiphon.wire.explanation import render_explain, render_unreadable, render_validation
from antiphon.wire.msearch import SearchHeader, check_search_type, read_search_header, search_lines
from antiphon.wire.search import (
    an_object,
    check_count_body,
    check_nulls,
    read_pit_ids,
    read_scroll,
    render_count,
    render_page,
    render_shards,
)
from antiphon.wire.search_hits import render_hit

_IGNORED = frozenset({
    "routing", "preference", "search_type", "request_cache", "batched_reduce_size", "max_concurrent_shard_requests",
    "pre_filter_shard_size", "ccs_minimize_roundtrips", "typed_keys", "allow_partial_search_results", "timeout",
    "cancel_after_time_interval", "phase_took", "verbose_pipeline",
})  # fmt: skip
_INDICES = frozenset({"ignore_unavailable", "allow_no_indices", "expand_wildcards", "ignore_throttled"})
_QUERY = frozenset({"q", "df", "default_operator", "analyzer", "lenient", "analyze_wildcard"})
_SEARCH = url_parameters() | _IGNORED | _INDICES | {"search_pipeline", "scroll", "rest_total_hits_as_int"}
_EXPLAINED = frozenset({"_source", "_source_includes", "_source_excludes", "stored_fields"})
_POINT = _INDICES | _IGNORED | {"keep_alive", "allow_partial_pit_creation"}
_SCROLL = frozenset({"scroll", "scroll_id", "rest_total_hits_as_int"})
_MOST_SEARCHES = 1000


def search(call: Call) -> Reply:
    """Search, open a scroll, or search a point in time."""
    body = search_body(call.json_or({}))
    page = _searched(call, _request(call, body), call.query.get("scroll"), call.query.get("search_type"))
    return Reply(_rendered(call, page, body))


def count(call: Call) -> Reply:
    """Count what a query matches."""
    body = _query_body(call)
    check_count_body(body)
    if "q" in call.query:
        body = {"query": url_query(call.query)}
    body = body | {name: call.query[name] for name in ("min_score", "terminate_after") if name in call.query}
    page = call.node.searcher.count(SearchRequest(_index(call), body, options=index_options(call)))
    return Reply(render_count(page))


def explain(call: Call) -> Reply:
    """Say why a document matches, or that it does not."""
    if refused := sorted(_EXPLAINED & set(call.query)):
        raise IllegalArgument(f"[{refused[0]}] of _explain is not supported by Antiphon: read the document with GET")
    body = _query_body(call)
    if "q" in call.query:
        body = {"query": url_query(call.query)}
    if not body.get("query"):
        raise ValidationError("query is missing")
    request = SearchRequest(_index(call), {"query": body["query"]}, options=index_options(call))
    index, exists, explanation = call.node.searcher.explain(request, call.params["id"])
    shown = render_explain(index, call.params["id"], explanation, matched=explanation is not None, exists=exists)
    return Reply(shown, 200 if exists else 404)


def validate(call: Call) -> Reply:
    """Say whether a query could run; with ``explain`` or ``rewrite``, what it means or why it could not."""
    told = call.flag("explain") or call.flag("rewrite")
    try:
        query = {"query": url_query(call.query)} if "q" in call.query else _query_alone(call)
    except (JsonError, ParsingError) as error:
        return Reply(render_unreadable(error, explain=told))
    checked = call.node.searcher.check(SearchRequest(_index(call), query, options=index_options(call)))
    return Reply(render_validation(checked, explain=told))


def _query_alone(call: Call) -> dict[str, Any]:
    """The body, which holds a query and nothing else; everything when there is no body."""
    body = call.json_or(None)
    if body is None:
        return {"query": {"match_all": {}}}
    found = an_object(body)
    check_count_body(found)
    if found.get("query") is None:
        raise ValidationError("query cannot be null")
    return found


def scroll(call: Call) -> Reply:
    """Return the next page of a scroll."""
    ids, keep = ([call.params["scroll_id"]], None) if "scroll_id" in call.params else ([], None)
    if call.body.strip():
        ids, keep = read_scroll(call.json())
    ids = ids or [call.query[name] for name in ("scroll_id",) if name in call.query]
    keep = keep or call.query.get("scroll")
    if len(ids) != 1:
        raise ValidationError("scrollId is missing")
    kept = None if keep is None else keep_alive_ms("scroll", keep)
    page = call.node.searcher.next_page(ids[0], kept, rendering(call))
    return Reply(_rendered(call, page, {}))


def clear_scroll(call: Call) -> Reply:
    """Let scrolls go."""
    if "scroll_id" in call.params:
        ids = call.params["scroll_id"].split(",")
    elif call.body.strip():
        ids, _ = read_scroll(call.json())
    else:
        ids = [call.query[name] for name in ("scroll_id",) if name in call.query]
    scrolls = call.node.searcher.scrolls
    if ids == ["_all"]:
        freed = scrolls.free_all()
        return Reply({"succeeded": True, "num_freed": len(freed)})
    if not ids:
        raise ValidationError("no scroll ids specified")
    freed = scrolls.free(ids)
    return Reply({"succeeded": True, "num_freed": len(freed)}, 200 if freed else 404)


def open_point(call: Call) -> Reply:
    """Hold on to a moment of one or many indices."""
    if "keep_alive" not in call.query:
        raise ValidationError("keep alive not specified")
    kept = keep_alive_ms("keep_alive", call.query["keep_alive"])
    context = call.node.searcher.open_point(_index(call), kept, index_options(call))
    shown = {"pit_id": context.id, "_shards": render_shards(len(context.content)), "creation_time": context.created_ms}
    return Reply(shown)


def delete_points(call: Call) -> Reply:
    """Let points in time go: those of the body, or all."""
    points = call.node.searcher.points
    if call.path.rstrip("/").endswith("/_all"):
        freed = points.free_all()
        return Reply({"pits": [{"successful": True, "pit_id": pit_id} for pit_id in freed]})
    asked = read_pit_ids(call.json())
    if not asked:
        raise ValidationError("no pit ids specified")
    gone = set(points.free(asked))
    shown = [{"successful": pit_id in gone, "pit_id": pit_id} for pit_id in asked]
    return Reply({"pits": shown}, 200 if gone else 404)


def list_points(call: Call) -> Reply:
    """Return the points in time that are open."""
    points = call.node.searcher.points.all()
    shown = [{"pit_id": one.id, "creation_time": one.created_ms, "keep_alive": one.keep_alive_ms} for one in points]
    return Reply({"pits": shown})


def msearch(call: Call) -> Reply:
    """Run many searches; each has its own answer or error, but a bad header refuses them all."""
    start = time.monotonic()
    if not call.body:
        raise ParseError("request body or source parameter is required")
    lines = [line.strip() for line in search_lines(call.body)]
    if len(lines) // 2 > _MOST_SEARCHES:
        raise IllegalArgument(f"an _msearch takes at most {_MOST_SEARCHES} searches, but has {len(lines) // 2}")
    heads = [_header(call, number, line or b"{}") for number, line in enumerate(lines[::2], 1)]
    searches = zip(heads, lines[1::2], strict=True)
    responses = [_one_of_many(call, number, head, body) for number, (head, body) in enumerate(searches, 1)]
    return Reply({"took": int((time.monotonic() - start) * 1000), "responses": responses})


def _one_of_many(call: Call, number: int, head: SearchHeader, body: bytes) -> dict[str, Any]:
    try:
        asked = search_body(_line(number, body))
        request = SearchRequest(head.expression, asked, options=head.options)
        page = _searched(call, request, None, head.search_type)
        return _rendered(call, page, asked) | {"status": 200}
    except AntiphonError as error:
        reply = render_error(error)
        shown: dict[str, Any] = reply.body
        return shown


def _header(call: Call, number: int, line: bytes) -> SearchHeader:
    try:
        return read_search_header(loads(line), _index(call))
    except JsonError as error:
        raise JsonError(f"header {number} of the _msearch: {error.reason}") from None


def _line(number: int, text: bytes) -> Any:
    try:
        return loads(text)
    except JsonError as error:
        raise ParsingError(f"search {number} of the _msearch: {error.reason}") from None


def _searched(call: Call, request: SearchRequest, scroll_for: str | None, search_type: str | None) -> Page:
    searcher = call.node.searcher
    check_search_type(search_type, request.body)
    request = replace(request, typed_keys=call.flag("typed_keys"))
    pit = request.body.get("pit")
    if pit is not None:
        if not isinstance(pit, dict) or not isinstance(pit.get("id"), str):
            raise ParsingError("[pit] must be an object with the [id] of a point in time")
        if request.expression:
            raise ValidationError("[indices] cannot be used with point in time. Do not specify any index with point in "
                                  "time.")  # fmt: skip
        kept = None if pit.get("keep_alive") is None else keep_alive_ms("keep_alive", str(pit["keep_alive"]))
        return searcher.search_point(pit["id"], kept, request, rendering(call))
    if scroll_for is not None:
        return searcher.open_scroll(request, keep_alive_ms("scroll", scroll_for), rendering(call))
    return searcher.search(request, rendering(call))


def _request(call: Call, body: dict[str, Any]) -> SearchRequest:
    own = {name: value for name, value in call.query.items() if name in url_parameters()}
    merged = merge_url(body, own) if own else body
    if call.flag("verbose_pipeline"):
        merged = merged | {"verbose_pipeline": True}
    partial = call.flag("allow_partial_search_results", default=True)
    return SearchRequest(_index(call), merged, call.query.get("search_pipeline"), index_options(call), partial)


def _index(call: Call) -> str:
    return call.params.get("index", "")


def search_body(body: Any) -> dict[str, Any]:
    """Return the body of a search; ParsingError when it is no object, or a key of it is null."""
    found = an_object(body)
    check_nulls(found)
    return found


def _query_body(call: Call) -> dict[str, Any]:
    """Return the body of a request for one query; ParsingError when it is no object, or the query is null."""
    body = an_object(call.json_or({}))
    if body.get("query", {}) is None:
        raise ParsingError("[_na] query malformed, must start with start_object")
    return body


def _rendered(call: Call, page: Page, body: dict[str, Any]) -> dict[str, Any]:
    bare = body.get("stored_fields") == "_none_" or call.query.get("stored_fields") == "_none_"
    as_int = call.flag("rest_total_hits_as_int")
    return render_page(page, describe_item, node_id=call.node.catalog.node_id(), total_as_int=as_int, bare=bare)


def rendering(call: Call) -> Callable[[str, SearchHit], dict[str, Any]]:
    """Return what makes JSON of a hit of an aggregation."""
    node_id = call.node.catalog.node_id()
    return lambda index, hit: render_hit(PageHit(index, hit), node_id)


SEARCH_ROUTES: tuple[Route, ...] = (
    *(
        Route("GET POST", f"{prefix}/{name}", handler, parameters, heavy=True, first=True)
        for prefix in ("", "/{index}")
        for name, handler, parameters in (
            ("_search", search, _SEARCH),
            ("_count", count, _QUERY | _INDICES | _IGNORED | {"min_score", "terminate_after"}),
            ("_validate/query", validate, _QUERY | _INDICES | {"explain", "rewrite", "all_shards"}),
            ("_msearch", msearch, _IGNORED | {"rest_total_hits_as_int", "max_concurrent_searches"}),
        )
    ),
    Route("GET POST", "/{index}/_explain/{id}", explain, _QUERY | _IGNORED | _EXPLAINED, heavy=True),
    Route("GET POST", "/_search/scroll", scroll, _SCROLL, heavy=True, first=True),
    Route("GET POST", "/_search/scroll/{scroll_id}", scroll, _SCROLL, heavy=True, first=True),
    Route("DELETE", "/_search/scroll", clear_scroll, frozenset({"scroll_id"})),
    Route("DELETE", "/_search/scroll/{scroll_id}", clear_scroll),
    Route("POST", "/{index}/_search/point_in_time", open_point, _POINT),
    Route("DELETE", "/_search/point_in_time", delete_points),
    Route("GET", "/_search/point_in_time/_all", list_points),
    Route("DELETE", "/_search/point_in_time/_all", delete_points),
)

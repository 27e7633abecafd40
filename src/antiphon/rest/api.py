"""The ASGI application: matches a request to its row, runs the handler on a thread, writes the reply."""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import orjson

from antiphon.errors import AntiphonError, DiskFull, IllegalArgument, NotAcceptable, Unavailable, is_disk_full
from antiphon.flows import ClusterEngine, Node
from antiphon.precedence import SEARCHES
from antiphon.rest.call import Call, Identity, Reply, Route
from antiphon.rest.errors import no_handler, render_error, wrong_method
from antiphon.rest.exchange import AsgiApp, Receive, Request, Response, Scope, Send, live, too_large
from antiphon.rest.filter_path import filter_body
from antiphon.rest.parameters import check_parameters
from antiphon.rest.relay import RELAY_ROUTES
from antiphon.rest.router import Router
from antiphon.rest.routes import ROUTES

_MEDIA_TYPES = frozenset({"application/json", "application/x-ndjson", "application/vnd.opensearch+json"})
_HEAVY_THREADS = 256
_LIGHT_THREADS = 16

_log = logging.getLogger("antiphon.rest")


def create_api(node: Node, identity: Identity, *, max_body_bytes: int, cluster: ClusterEngine | None = None) -> AsgiApp:
    """Return the whole REST API over ``node``. Handlers run on threads: predict and uploads on a pool of their own.

    With a ``cluster`` documents and searches go there, and only the models are the node's.
    """
    return _Api(node, identity, max_body_bytes, cluster).serve


class _Api:
    def __init__(
        self, node: Node, identity: Identity, max_body_bytes: int, cluster: ClusterEngine | None = None
    ) -> None:
        self._node = node
        self._cluster = cluster
        self._identity = identity
        self._max_body_bytes = max_body_bytes
        self._heavy = ThreadPoolExecutor(_HEAVY_THREADS, thread_name_prefix="antiphon-predict")
        self._far = ThreadPoolExecutor(_HEAVY_THREADS, thread_name_prefix="antiphon-cluster")
        self._light = ThreadPoolExecutor(_LIGHT_THREADS, thread_name_prefix="antiphon-rest")
        self._router = Router(ROUTES if cluster is None else RELAY_ROUTES)

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection's event, as ASGI says."""
        if scope["type"] != "http":
            await live(receive, send, self._end)
            return
        response = await self._routed(Request(scope, receive))
        await response.send(scope, receive, send)

    def _end(self) -> None:
        for pool in (self._heavy, self._far, self._light):
            pool.shutdown(wait=False, cancel_futures=True)

    async def _routed(self, request: Request) -> Response:
        found = self._router.find(request.raw_path)
        if found is None:
            return self._respond(request, no_handler(request.path, request.method))
        row = found.rows.get(request.method) or found.rows.get("GET" if request.method == "HEAD" else "")
        if row is None:
            return self._respond(request, wrong_method(request.uri, request.method, ", ".join(sorted(found.rows))))
        try:
            return await self._served(request, row, found.params(row))
        except AntiphonError as error:
            return self._respond(request, render_error(error))
        except asyncio.CancelledError:  # the grace period of a shutdown is over
            return self._respond(request, render_error(Unavailable("the server is shutting down")))

    async def _served(self, request: Request, row: Route, params: dict[str, str]) -> Response:
        _check_parameters(request, row)
        body = self._decoded(request, await request.body(self._max_body_bytes))
        _check_media_type(request, row, body)
        call = Call(
            self._node,
            self._identity,
            request.method,
            request.path,
            params,
            _query(request, row),
            body,
            request.headers.get("host", ""),
            request.target,
            request.headers,
            self._cluster,
        )
        pool = self._far if row.far else self._heavy if row.heavy else self._light
        return await _on_thread(pool, lambda: self._answer(request, row, call))

    def _answer(self, request: Request, row: Route, call: Call) -> Response:
        try:
            with SEARCHES if row.first else nullcontext():
                return self._respond(request, row.handler(call))
        except AntiphonError as error:
            return self._respond(request, render_error(error))
        except Exception as error:  # noqa: BLE001  a bug: the client gets the envelope, the log the traceback
            if is_disk_full(error):
                full = DiskFull("the disk of the data folder is full: make room, then send the request again")
                return self._respond(request, render_error(full))
            _log.exception("%s %s", call.method, call.path)
            return self._respond(request, render_error(AntiphonError(f"{type(error).__name__}: {error}")))

    def _decoded(self, request: Request, body: bytes) -> bytes:
        """Unpack a gzip body, as clients with ``http_compress`` send it, to no more than the limit."""
        encoding = request.headers.get("content-encoding", "identity").strip().lower()
        if encoding == "identity":
            return body
        if encoding not in ("gzip", "x-gzip"):
            raise IllegalArgument(f"[Content-Encoding] {encoding} is not supported: send gzip, or no encoding")
        stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            unpacked = stream.decompress(body, self._max_body_bytes + 1)
        except zlib.error as error:
            raise IllegalArgument(f"the request body is not gzip, as its [Content-Encoding] says: {error}") from None
        if len(unpacked) > self._max_body_bytes:
            raise too_large(len(unpacked), self._max_body_bytes)
        if not stream.eof:
            raise IllegalArgument("the gzip request body is cut off")
        return unpacked

    def _respond(self, request: Request, reply: Reply) -> Response:
        content, media_type = b"", reply.media_type
        if reply.file is not None:
            pass
        elif isinstance(reply.body, bytes):
            content = reply.body
        elif media_type == "application/json":
            content = _dump(request, reply)
            media_type = "application/json; charset=UTF-8"
        else:
            content = reply.body.encode()
            if media_type.startswith("text/") and "charset=" not in media_type:
                media_type += "; charset=utf-8"
        headers = {"x-opensearch-version": f"OpenSearch/{self._identity.api_version} (opensearch)"}
        if media_type:
            headers["content-type"] = media_type
        if "x-opaque-id" in request.headers:
            headers["x-opaque-id"] = request.headers["x-opaque-id"]
        headers |= {name.lower(): value for name, value in reply.headers.items()}
        told = (*reply.warnings, *map(self._warning, reply.notices))
        lines = [*headers.items(), *(("warning", text) for text in told)]
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in lines]
        return Response(reply.status, content, encoded, reply.file)

    def _warning(self, notice: str) -> str:
        """A ``Warning`` header as OpenSearch writes it (RFC 7234, section 5.5), in ASCII that a header may hold."""
        text = notice.replace("\\", "\\\\").replace('"', '\\"').encode("ascii", "backslashreplace").decode("ascii")
        text = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
        return f'299 Antiphon-{self._identity.version} "{text}"'


async def _on_thread(pool: ThreadPoolExecutor, work: Callable[[], Response]) -> Response:
    """Return what ``work``, which raises nothing, returns on a thread of the pool: one wake-up of the loop each."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Response] = loop.create_future()

    def settle(response: Response) -> None:
        if not done.done():  # a shutdown may have cancelled it
            done.set_result(response)

    pool.submit(lambda: loop.call_soon_threadsafe(settle, work()))
    return await done


def _check_parameters(request: Request, row: Route) -> None:
    if row.any_query or not request.query_string:
        return
    check_parameters(request.path, request.query, row.query)
    wanted = request.query.get("format", "json")
    if wanted != "json" and not row.text:
        raise IllegalArgument(f"[format] {wanted} is not supported by Antiphon: answers are JSON")


def _query(request: Request, row: Route) -> dict[str, str]:
    """Return the query parameters; a table whose JSON is wanted by the ``Accept`` header gets ``format=json``."""
    query = dict(request.query)
    if row.text and request.headers.get("accept", "").split(";")[0].strip().lower() == "application/json":
        query.setdefault("format", "json")
    return query


def _check_media_type(request: Request, row: Route, body: bytes) -> None:
    if not body or row.any_media:
        return
    header = request.headers.get("content-type", "")
    if not header:
        raise NotAcceptable("Content-Type header is missing")
    if header.split(";")[0].strip().lower() not in _MEDIA_TYPES:
        raise NotAcceptable(f"Content-Type header [{header}] is not supported")


def _dump(request: Request, reply: Reply) -> bytes:
    options = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
    parameters = request.query
    if parameters.get("pretty", "false") != "false":
        options |= orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    body = reply.body
    if "filter_path" in parameters and reply.status < 400:
        body = filter_body(body, parameters["filter_path"])
    return orjson.dumps(body, option=options)

"""The ASGI application: matches a request to its row, runs the handler on a thread, writes the reply."""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from urllib.parse import quote

import orjson
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from antiphon.errors import AntiphonError, IllegalArgument, NotAcceptable, RequestTimeout, TooLarge, Unavailable
from antiphon.flows import ClusterEngine, Node
from antiphon.precedence import SEARCHES
from antiphon.rest.call import Call, Identity, Reply, Route
from antiphon.rest.errors import no_handler, render_error, wrong_method
from antiphon.rest.filter_path import filter_body
from antiphon.rest.parameters import check_parameters
from antiphon.rest.relay import RELAY_ROUTES
from antiphon.rest.router import Router
from antiphon.rest.routes import ROUTES

_MEDIA_TYPES = frozenset({"application/json", "application/x-ndjson", "application/vnd.opensearch+json"})
_HEAVY_THREADS = 256
_LIGHT_THREADS = 16
_SILENCE_S = 30
"""How long a client may pause within a body."""

_log = logging.getLogger("antiphon.rest")


def create_api(node: Node, identity: Identity, *, max_body_bytes: int, cluster: ClusterEngine | None = None) -> ASGIApp:
    """Return the whole REST API over ``node``. Handlers run on threads: predict and uploads on a pool of their own.

    With a ``cluster`` documents and searches go there, and only the models are the node's.
    """
    return _Api(node, identity, max_body_bytes, cluster).application


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
        self._life = Starlette(lifespan=self._lifespan)
        self.application: ASGIApp = self._serve

    def _lifespan(self, app: Starlette) -> AbstractAsyncContextManager[None]:  # noqa: ARG002  starlette's signature
        @asynccontextmanager
        async def span() -> AsyncIterator[None]:
            yield
            self._heavy.shutdown(wait=False, cancel_futures=True)
            self._far.shutdown(wait=False, cancel_futures=True)
            self._light.shutdown(wait=False, cancel_futures=True)

        return span()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._life(scope, receive, send)
            return
        request = Request(scope, receive)
        response = await self._routed(request)
        await response(scope, receive, send)

    async def _routed(self, request: Request) -> Response:
        found = self._router.find(_raw_path(request))
        if found is None:
            return self._respond(request, no_handler(request.url.path, request.method))
        row = found.rows.get(request.method) or found.rows.get("GET" if request.method == "HEAD" else "")
        if row is None:
            return self._respond(request, wrong_method(_uri(request), request.method, ", ".join(sorted(found.rows))))
        try:
            return await self._served(request, row, found.params(row))
        except AntiphonError as error:
            return self._respond(request, render_error(error))
        except asyncio.CancelledError:  # the grace period of a shutdown is over
            return self._respond(request, render_error(Unavailable("the server is shutting down")))

    async def _served(self, request: Request, row: Route, params: dict[str, str]) -> Response:
        _check_parameters(request, row)
        body = await self._body(request)
        _check_media_type(request, row, body)
        call = Call(
            self._node,
            self._identity,
            request.method,
            request.url.path,
            params,
            _query(request, row),
            body,
            request.headers.get("host", ""),
            _target(request),
            request.headers,
            self._cluster,
        )
        pool = self._far if row.far else self._heavy if row.heavy else self._light
        return await asyncio.get_running_loop().run_in_executor(pool, self._answer, request, row, call)

    def _answer(self, request: Request, row: Route, call: Call) -> Response:
        try:
            with SEARCHES if row.first else nullcontext():
                return self._respond(request, row.handler(call))
        except AntiphonError as error:
            return self._respond(request, render_error(error))
        except Exception as error:  # noqa: BLE001  a bug: the client gets the envelope, the log the traceback
            _log.exception("%s %s", call.method, call.path)
            return self._respond(request, render_error(AntiphonError(f"{type(error).__name__}: {error}")))

    async def _body(self, request: Request) -> bytes:
        announced = request.headers.get("content-length", "0")
        if announced.isdigit() and int(announced) > self._max_body_bytes:
            raise self._too_large(int(announced))
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(_SILENCE_S) as silence:
                async for part in request.stream():
                    size += len(part)
                    if size > self._max_body_bytes:
                        raise self._too_large(size)
                    parts.append(part)
                    silence.reschedule(asyncio.get_running_loop().time() + _SILENCE_S)
        except TimeoutError:
            raise RequestTimeout(
                f"the request body stopped after {size} bytes: nothing came for {_SILENCE_S} s"
            ) from None
        except ClientDisconnect:
            raise IllegalArgument("the client closed the connection before its body was complete") from None
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        encoding = request.headers.get("content-encoding", "identity").strip().lower()
        return body if encoding == "identity" else self._decoded(body, encoding)

    def _decoded(self, body: bytes, encoding: str) -> bytes:
        """Unpack a gzip body, as clients with ``http_compress`` send it, to no more than the limit."""
        if encoding not in ("gzip", "x-gzip"):
            raise IllegalArgument(f"[Content-Encoding] {encoding} is not supported: send gzip, or no encoding")
        stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            unpacked = stream.decompress(body, self._max_body_bytes + 1)
        except zlib.error as error:
            raise IllegalArgument(f"the request body is not gzip, as its [Content-Encoding] says: {error}") from None
        if len(unpacked) > self._max_body_bytes:
            raise self._too_large(len(unpacked))
        if not stream.eof:
            raise IllegalArgument("the gzip request body is cut off")
        return unpacked

    def _too_large(self, size: int) -> TooLarge:
        return TooLarge(
            f"the request body of at least {size} bytes is over the limit of {self._max_body_bytes} bytes: send less "
            "at once, or start the server with a larger max_body_bytes"
        )

    def _respond(self, request: Request, reply: Reply) -> Response:
        if reply.file is not None:
            return FileResponse(reply.file, reply.status, media_type=reply.media_type)
        if isinstance(reply.body, bytes):
            content, media_type = reply.body, reply.media_type
        elif reply.media_type == "application/json":
            content = _dump(request, reply)
            media_type = "application/json; charset=UTF-8"
        else:
            content, media_type = reply.body.encode(), reply.media_type
        response = Response(content, reply.status, media_type=media_type or None)
        for name, value in reply.headers.items():
            response.headers[name] = value
        for warning in reply.warnings:
            response.headers.append("warning", warning)
        for notice in reply.notices:
            response.headers.append("warning", self._warning(notice))
        return response

    def _warning(self, notice: str) -> str:
        """A ``Warning`` header as OpenSearch writes it (RFC 7234, section 5.5), in ASCII that a header may hold."""
        text = notice.replace("\\", "\\\\").replace('"', '\\"').encode("ascii", "backslashreplace").decode("ascii")
        text = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
        return f'299 Antiphon-{self._identity.version} "{text}"'


def _check_parameters(request: Request, row: Route) -> None:
    if row.any_query:
        return
    check_parameters(request.url.path, request.query_params, frozenset(row.query))
    wanted = request.query_params.get("format", "json")
    if wanted != "json" and not row.text:
        raise IllegalArgument(f"[format] {wanted} is not supported by Antiphon: answers are JSON")


def _query(request: Request, row: Route) -> dict[str, str]:
    """Return the query parameters; a table whose JSON is wanted by the ``Accept`` header gets ``format=json``."""
    query = dict(request.query_params)
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


def _raw_path(request: Request) -> str:
    """The path as it was sent, without the query; some test clients leave it out."""
    raw = request.scope.get("raw_path") or quote(request.scope["path"]).encode()
    return str(raw.split(b"?")[0], "latin-1")


def _target(request: Request) -> str:
    """Path and query as they were sent, with one slash in front and without a fragment."""
    query = request.url.query.replace("#", "%23")
    return "/" + _raw_path(request).lstrip("/").replace("#", "%23") + (f"?{query}" if query else "")


def _uri(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def _dump(request: Request, reply: Reply) -> bytes:
    options = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
    parameters = request.query_params
    if parameters.get("pretty", "false") != "false":
        options |= orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    body = reply.body
    if "filter_path" in parameters and reply.status < 400:
        body = filter_body(body, parameters["filter_path"])
    return orjson.dumps(body, option=options)

"""One HTTP request and its answer over ASGI (https://asgi.readthedocs.io, HTTP message format 2.x): what a route needs.

Most requests take a millisecond, so that the layers above the server's are felt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote

from antiphon.errors import IllegalArgument, RequestTimeout, TooLarge

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

SILENCE_S = 30
"""How long a client may pause within a body."""
_BODILESS = frozenset({204, 304})


class Request:
    """The head of a request, and its body when it is asked for."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        raw = scope.get("raw_path") or quote(self.path).encode()  # some test clients leave it out
        self.raw_path = str(raw, "latin-1").partition("?")[0]
        """The path as it was sent, without the query."""
        self.query_string = str(scope["query_string"], "latin-1")
        self.headers: dict[str, str] = {}
        """By lower-case name; of several with one name the first."""
        for name, value in scope["headers"]:
            self.headers.setdefault(str(name, "latin-1"), str(value, "latin-1"))

    @cached_property
    def query(self) -> dict[str, str]:
        """The parameters of the query string; of several with one name the last."""
        return dict(parse_qsl(self.query_string, keep_blank_values=True)) if self.query_string else {}

    @property
    def uri(self) -> str:
        """Path and query, the path decoded."""
        return self.path + (f"?{self.query_string}" if self.query_string else "")

    @property
    def target(self) -> str:
        """Path and query as they were sent, with one slash in front and without a fragment."""
        query = f"?{self.query_string}" if self.query_string else ""
        return ("/" + self.raw_path.lstrip("/") + query).replace("#", "%23")

    async def body(self, most: int) -> bytes:
        """Return the whole body. TooLarge above ``most`` bytes, RequestTimeout after a silence, IllegalArgument when
        the client went away."""
        announced = self.headers.get("content-length", "0")
        if announced.isdigit() and int(announced) > most:
            raise too_large(int(announced), most)
        parts: list[bytes] = []
        size, more = 0, True
        try:
            async with asyncio.timeout(SILENCE_S) as silence:
                while more:
                    if parts:
                        silence.reschedule(asyncio.get_running_loop().time() + SILENCE_S)
                    message = await self._receive()
                    if message["type"] == "http.disconnect":
                        raise IllegalArgument("the client closed the connection before its body was complete")
                    parts.append(message.get("body", b""))
                    more = message.get("more_body", False)
                    size += len(parts[-1])
                    if size > most:
                        raise too_large(size, most)
        except TimeoutError:
            raise RequestTimeout(
                f"the request body stopped after {size} bytes: nothing came for {SILENCE_S} s"
            ) from None
        return parts[0] if len(parts) == 1 else b"".join(parts)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer: ``content``, or a ``file`` in its place. Header names are lower-case, all in ISO 8859-1."""

    status: int
    content: bytes
    headers: list[tuple[bytes, bytes]]
    file: Path | None = None

    async def send(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; of a file the ranges that were asked for."""
        if self.file is not None:
            from starlette.responses import FileResponse

            named = {name.decode("latin-1"): value.decode("latin-1") for name, value in self.headers}
            await FileResponse(self.file, self.status, named)(scope, receive, send)
            return
        headers = list(self.headers)
        if self.status not in _BODILESS:
            headers.append((b"content-length", b"%d" % len(self.content)))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.content})


def too_large(size: int, most: int) -> TooLarge:
    """Return the error of a body of ``size`` bytes or more."""
    return TooLarge(
        f"the request body of at least {size} bytes is over the limit of {most} bytes: send less "
        "at once, or start the server with a larger max_body_bytes"
    )


async def live(receive: Receive, send: Send, end: Callable[[], None]) -> None:
    """Follow the server's life (ASGI's lifespan protocol): ``end`` is called when it shuts down."""
    while (await receive())["type"] != "lifespan.shutdown":
        await send({"type": "lifespan.startup.complete"})
    end()
    await send({"type": "lifespan.shutdown.complete"})

"""Servers for tests: Antiphon in this process, Antiphon as a process of its own, and a server of model files."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import anyio.from_thread
import httpx

from antiphon.app import App, open_app
from antiphon.domain.model import ModelState
from antiphon.domain.package import BuiltPackage
from antiphon.rest import AsgiApp
from antiphon.settings import Settings

TIMEOUT_S = 30.0
_OVER_4_GIB = 4 * 1024**3 + 1


class Server(Protocol):
    """Something that speaks the API: ``client`` sends to it; ``real`` is true for a real OpenSearch node."""

    real: bool

    @property
    def client(self) -> httpx.Client:
        """What sends to it."""

    def restart(self, *, kill: bool = False) -> None:
        """End the server, by SIGKILL when ``kill``, and start it again over the same data."""


@contextmanager
def running_server(tmp_path: Path, *, process: bool = False, **settings: Any) -> Iterator[Server]:
    """Run a server over the data folder ``tmp_path / "data"``: in this process, or with ``process`` in its own."""
    server = ProcessServer(tmp_path, settings) if process else InProcessServer(tmp_path, settings)
    try:
        yield server
    finally:
        server.close()


def deploy(app: App, package: BuiltPackage, source: str) -> None:
    """Register and deploy a package as ``serve --model`` does; returns once it is deployed."""
    task = app.provide(package, source)
    ended = None if task is None else app.node.tasks.wait(task.task_id)
    model = app.settled(package)
    assert model is not None, ended
    assert model.model_state is ModelState.DEPLOYED, model


class RemoteServer:
    """A server that somebody else runs, at ``url``."""

    def __init__(self, url: str, *, real: bool) -> None:
        self.client = httpx.Client(base_url=url, timeout=TIMEOUT_S)
        self.real = real

    def restart(self, *, kill: bool = False) -> None:
        """Not ours to restart."""
        raise NotImplementedError("this server belongs to somebody else")

    def close(self) -> None:
        """Close the connections."""
        self.client.close()


class InProcessServer:
    """The ASGI application of this process, without a socket."""

    real = False

    def __init__(self, tmp_path: Path, settings: dict[str, Any]) -> None:
        self._settings = Settings.load(env={}, flags=_flags(tmp_path, settings))
        self._start()

    def restart(self, *, kill: bool = False) -> None:
        """Close the application and build it again; there is nothing to kill here."""
        if kill:
            raise NotImplementedError("a process of its own can be killed, this one cannot")
        self.close()
        self._start()

    def close(self) -> None:
        """Finish what runs, as SIGTERM does."""
        self.client.close()
        self.app.close()

    def _start(self) -> None:
        self.app: App = open_app(self._settings)
        self.app.start()
        self.client = httpx.Client(base_url="http://antiphon", transport=AsgiTransport(self.app.asgi))


class ProcessServer:
    """``antiphon serve`` on a free port of the loopback interface."""

    real = False

    def __init__(self, tmp_path: Path, settings: dict[str, Any]) -> None:
        self._log = tmp_path / "serve.log"
        self._environment = {key: value for key, value in os.environ.items() if not key.startswith("ANTIPHON_")}
        for key, value in _flags(tmp_path, settings).items():
            self._environment[f"ANTIPHON_{key.upper()}"] = str(value)
        self._port = 0
        self.start()

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def restart(self, *, kill: bool = False) -> None:
        """End the process, by SIGKILL or SIGTERM, and start it again on the same port."""
        self.end(signal.SIGKILL if kill else signal.SIGTERM)
        self.start()

    def close(self) -> None:
        """Send SIGTERM and wait."""
        self.end(signal.SIGTERM)

    def start(self) -> None:
        """Start the process and wait until it listens."""
        with self._log.open("ab") as log:
            start = log.tell()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "antiphon", "serve", "--port", str(self._port)],
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        self._port = self._announced_port(start)
        self.__dict__.pop("client", None)

    @cached_property
    def client(self) -> httpx.Client:
        """A client of the process that runs now, made when it is wanted: that takes a while."""
        return httpx.Client(base_url=self.url, timeout=TIMEOUT_S)

    def end(self, sent: signal.Signals, *, within_s: float = TIMEOUT_S, code: int = 0) -> None:
        """Send a signal and wait; AssertionError when it takes longer, or ends with another code than ``code``."""
        if "client" in self.__dict__:
            self.client.close()
        if self._process.returncode is not None:
            return
        self._process.send_signal(sent)
        try:
            ended = self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise AssertionError(f"antiphon serve did not end within {within_s:g} s of {sent.name}") from None
        if ended != (code if sent is signal.SIGTERM else -signal.SIGKILL):
            raise AssertionError(f"antiphon serve ended with {ended}:\n{self._log.read_text(encoding='utf-8')}")

    def _announced_port(self, start: int) -> int:
        """Wait for the line that says where the server listens, in the log from ``start`` on."""
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            said = self._log.read_bytes()[start:].decode()
            ready = re.search(r"listens on http://\S+:(\d+),", said)
            if ready is not None:
                return int(ready[1])
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._process.kill()
                self._process.wait()
                raise AssertionError(f"antiphon serve did not start:\n{said}")
            time.sleep(0.01)


def _flags(tmp_path: Path, settings: dict[str, Any]) -> dict[str, Any]:
    return {"data": tmp_path / "data", "cache": tmp_path / "cache", "threads": 1, **settings}


class AsgiTransport(httpx.BaseTransport):
    """Lets a synchronous client talk to an ASGI application, whose lifespan it runs."""

    def __init__(self, app: AsgiApp) -> None:
        self._inner = httpx.ASGITransport(app)
        self._context = anyio.from_thread.start_blocking_portal()
        self._portal = self._context.__enter__()
        self._lifespan = self._portal.call(_Lifespan.begin, app)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request; safe to call from several threads."""
        return self._portal.call(self._ask, request)

    def close(self) -> None:
        """Tell the application that it ends."""
        self._portal.call(self._lifespan.end)
        self._context.__exit__(None, None, None)

    async def _ask(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        content = await response.aread()
        return httpx.Response(response.status_code, headers=response.headers, content=content)


class _Lifespan:
    """The lifespan half of the ASGI protocol, from the server's side."""

    def __init__(self, app: AsgiApp) -> None:
        self._to_app: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
        self._from_app: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.3"}, "state": {}}
        self._task = asyncio.ensure_future(app(scope, self._to_app.get, self._from_app.put))

    @classmethod
    async def begin(cls, app: AsgiApp) -> Self:
        """Start the application and wait until it says so."""
        lifespan = cls(app)
        await lifespan._say("lifespan.startup")
        return lifespan

    async def end(self) -> None:
        """Stop the application and wait until it is done."""
        await self._say("lifespan.shutdown")
        await self._task

    async def _say(self, what: str) -> None:
        await self._to_app.put({"type": what})
        answer = await self._from_app.get()
        assert answer["type"] == f"{what}.complete", answer


class FileServer:
    """Serves the files of a folder over HTTP on the loopback interface, and misbehaves on request.

    ``/NAME`` serves the file; ``/redirect/NAME`` sends there; ``/redirect-to-file/NAME`` sends to a ``file:`` URL;
    ``/loop`` to itself; ``/hang/NAME`` sends half and then nothing until ``release``; ``/short/NAME`` half and then
    closes; ``/endless`` announces more than 4 GiB.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.released = threading.Event()
        handler = type("Handler", (_Files,), {"owner": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def hold(self) -> None:
        """From now on let ``/hang`` hang."""
        self.released.clear()

    def release(self) -> None:
        """End every answer that hangs; later ones do not."""
        self.released.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Files(BaseHTTPRequestHandler):
    owner: FileServer

    def do_GET(self) -> None:
        kind, _, name = self.path.strip("/").rpartition("/")
        if self.path == "/endless":
            self._head(200, **{"Content-Length": str(_OVER_4_GIB)})
        elif self.path == "/loop":
            self._head(302, Location="/loop")
        elif not (self.owner.folder / name).is_file():
            self._head(404, **{"Content-Length": "0"})
        elif kind == "redirect":
            self._head(302, Location=f"/{name}", **{"Content-Length": "0"})
        elif kind == "redirect-to-file":
            self._head(302, Location=(self.owner.folder / name).as_uri(), **{"Content-Length": "0"})
        else:
            self._send(kind, (self.owner.folder / name).read_bytes())

    def _send(self, kind: str, content: bytes) -> None:
        self._head(200, **{"Content-Length": str(len(content))})
        self.wfile.write(content[: len(content) // 2] if kind in ("hang", "short") else content)
        if kind == "hang":
            self.wfile.flush()
            self.owner.released.wait(TIMEOUT_S)

    def _head(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Nothing: tests talk through their assertions."""

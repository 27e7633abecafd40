"""What the demo talks through: a server of its own, an HTTP client that shows its requests, a file server."""

from __future__ import annotations

import functools
import http.server
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Self

import typer

from antiphon.cli.terminal import Steps, steps, wrapped
from antiphon.errors import AntiphonError, Unavailable
from antiphon.remote import RestClient

_ML = "/_plugins/_ml"
_START_S = 30.0
_WAIT_S = 600.0
_LONG = 48


class Client(RestClient):
    """The client of the shell that also shows what it sends. ``pid`` is that of a server started here, else None."""

    def __init__(self, url: str, process: subprocess.Popen[bytes] | None = None) -> None:
        super().__init__(url)
        self._process = process

    @classmethod
    def start(cls, folder: Path) -> Client:
        """Start ``antiphon serve`` on a free port and return once it answers; Unavailable with its own words."""
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(  # noqa: S603  our own program
                [sys.executable, "-m", "antiphon", "serve", "--port", "0", "--data", str(folder / "data")],
                stdout=subprocess.DEVNULL,
                stderr=said,
                start_new_session=True,
            )
            deadline = time.monotonic() + _START_S
            while time.monotonic() < deadline:
                said.seek(0)
                words = said.read().decode(errors="replace")
                if "listens on " in words:
                    return cls(words.split("listens on ", 1)[1].split(",", 1)[0], process)
                if process.poll() is not None:
                    raise Unavailable(f"the server did not start: {words.strip()}")
                time.sleep(0.02)  # until the child has said where it listens; its stderr is a file
        process.terminate()
        raise Unavailable(f"the server did not start within {_START_S:g} s")

    @property
    def pid(self) -> int | None:
        """Process id of the server started here."""
        return None if self._process is None else self._process.pid

    def stop(self) -> None:
        """End the server started here, letting it finish what runs."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=_START_S)

    def show(self, method: str, path: str, body: Any = None) -> Any:
        """The same, printing request and answer compactly."""
        answer = self.ask(method, path, body)
        show(f"{method} {path}", body, answer)
        return answer

    def register_and_deploy(self, body: dict[str, Any], *, shown: bool = False) -> str:
        """Register by URL, follow the task, deploy, follow the model; return the model id."""
        call = self.show if shown else self.ask
        task_id = call("POST", f"{_ML}/models/_register", body)["task_id"]
        with steps() as progress:
            task = self._follow(f"{_ML}/tasks/{task_id}", "state", "CREATED", progress, "registering")
        if task["state"] != "COMPLETED":
            raise AntiphonError(f"registration failed: {task.get('error')}")
        if shown:
            show(f"GET {_ML}/tasks/{task_id}", None, task)
        model_id: str = task["model_id"]
        call("POST", f"{_ML}/models/{model_id}/_deploy")
        with steps() as progress:
            model = self._follow(f"{_ML}/models/{model_id}", "model_state", "DEPLOYING", progress, "deploying")
        if model["model_state"] != "DEPLOYED":
            raise AntiphonError(f"the model is {model['model_state']}, not DEPLOYED")
        if shown:
            known = {key: model[key] for key in ("name", "model_version", "model_state")}
            show(f"GET {_ML}/models/{model_id}", None, known)
        return model_id

    def _follow(self, path: str, key: str, while_: str, progress: Steps, doing: str) -> Any:
        """Poll ``path`` until ``key`` is no longer ``while_``; return the last answer."""
        start = time.monotonic()
        while time.monotonic() - start < _WAIT_S:
            answer = self.ask("GET", path)
            if answer[key] != while_:
                return answer
            progress(f"   {doing}", 0, 0)
            time.sleep(0.1)  # the API has no way to be told when a task ends
        raise AntiphonError(f"{path} was still {while_} after {_WAIT_S:g} s")


class Served:
    """Serves one file over HTTP on a free loopback port, as the tutorial does with ``python -m http.server``."""

    def __init__(self, path: Path) -> None:
        handler = functools.partial(_Quiet, directory=str(path.parent))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}/{path.name}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's signature
        """Say nothing."""


def show(request: str, body: Any, answer: Any) -> None:
    """Print a request and its answer, long values shortened, wrapped to the screen."""
    parts = [request] if body is None else [request, _compact(body)]
    typer.echo(wrapped("  ".join(parts), later="       "))
    typer.echo(wrapped(_compact(answer), first="     -> ", later="        "))


def _compact(value: Any) -> str:
    return json.dumps(_shorten(value), ensure_ascii=False).replace('"..."', "...")


def _shorten(value: Any) -> Any:
    """Return the value with long strings, long arrays and many digits cut."""
    if isinstance(value, dict):
        return {key: _shorten(item) for key, item in value.items()}
    if isinstance(value, list):
        shown = [_shorten(item) for item in (value if len(value) <= 4 else value[:2])]
        return shown if len(value) <= 4 else [*shown, "..."]
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, str) and len(value) > _LONG:
        return value[: _LONG - 3] + "..."
    return value

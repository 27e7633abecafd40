"""A small model hub on loopback: the part of the Hugging Face hub's HTTP API that a download needs."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

_API = re.compile(r"/api/models/(?P<id>[^/]+/[^/]+)/(?P<what>revision|tree)/(?P<revision>[^/]+)\Z")
_FILE = re.compile(r"/(?P<id>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)\Z")


@dataclass
class Hub:
    """What the hub holds and what it was asked. ``files``: hub id -> path -> content, the same at every revision.

    ``revisions``: branch, tag or commit -> commit. ``token``: what private ids (owner ``private``) want to see; ids
    of the owner ``gated`` are for nobody. ``silent``: whether requests are read but not answered until ``ended``.
    """

    url: str = ""
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    revisions: dict[str, str] = field(default_factory=dict)
    token: str | None = None
    downloads: list[str] = field(default_factory=list)
    silent: bool = False
    ended: threading.Event = field(default_factory=threading.Event)

    def add(self, hub_id: str, folder: Path, prefix: str = "") -> None:
        """Offer all files of ``folder``, the model file under ``prefix``."""
        for path in folder.rglob("*"):
            if path.is_file():
                name = path.relative_to(folder).as_posix()
                name = prefix + name if name.startswith("model.onnx") else name
                self.files.setdefault(hub_id, {})[name] = path.read_bytes()


@contextmanager
def serve_hub() -> Iterator[Hub]:
    """Run a hub with the one revision ``main`` until the block ends."""
    hub = Hub(revisions={"main": "a" * 40, "a" * 40: "a" * 40})
    handler = type("Handler", (_Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        hub.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield hub
        finally:
            hub.ended.set()
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._handle(body=False)

    def do_GET(self) -> None:
        self._handle(body=True)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        """Print nothing."""

    def _handle(self, *, body: bool) -> None:
        if self.hub.silent:
            self.hub.ended.wait()
            self.close_connection = True
            return None
        path = unquote(urlsplit(self.path).path)
        found = _API.match(path) or _FILE.match(path)
        if found is None:
            return self._answer(404, {"error": "Not Found"})
        hub, asked = self.hub, found.groupdict()
        if refusal := self._refusal(asked["id"], asked["revision"]):
            status, code = refusal
            return self._answer(status, {"error": code}, {"X-Error-Code": code, "X-Error-Message": code})
        files, commit = hub.files[asked["id"]], hub.revisions[asked["revision"]]
        if asked.get("what") == "revision":
            return self._answer(200, {"id": asked["id"], "sha": commit, "siblings": []})
        if asked.get("what") == "tree":
            return self._answer(200, [_entry(name, content) for name, content in files.items()])
        content = files[asked["path"]]
        if body:
            hub.downloads.append(asked["path"])
        headers = {"ETag": f'"{_oid(content)}"', "X-Repo-Commit": commit}
        return self._send(200, content, headers, body=body)

    def _refusal(self, hub_id: str, revision: str) -> tuple[int, str] | None:
        owner = hub_id.split("/")[0]
        if owner == "gated":
            return 403, "GatedRepo"
        if owner == "private" and self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            return 401, "RepoNotFound"
        if hub_id not in self.hub.files:
            return 404, "RepoNotFound"
        return None if revision in self.hub.revisions else (404, "RevisionNotFound")

    def _answer(self, status: int, document: object, headers: dict[str, str] | None = None) -> None:
        self._send(status, json.dumps(document).encode(), {"Content-Type": "application/json", **(headers or {})})

    def _send(self, status: int, content: bytes, headers: dict[str, str], *, body: bool = True) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content)


def _oid(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


def _entry(name: str, content: bytes) -> dict[str, object]:
    return {"type": "file", "path": name, "size": len(content), "oid": _oid(content)}

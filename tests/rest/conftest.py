"""A server in front of a cluster, which is another server of ours, and a cluster that says what a test wants."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from antiphon.app import build_package
from antiphon.domain.package import BuiltPackage, Overrides
from tests.contract.conftest import contract_url
from tests.support.server import TIMEOUT_S, InProcessServer, ProcessServer, deploy
from tests.support.tiny import tiny_folder

OWN = f"front-{os.getpid()}-"
"""What the names of all indices begin with."""
VECTOR: dict[str, Any] = {
    "type": "knn_vector", "dimension": 8, "method": {"name": "hnsw", "engine": "lucene", "space_type": "cosinesimil"},
}  # fmt: skip


@dataclass
class Front:
    """A server in front of a cluster: ``client`` asks it, ``there`` asks the cluster itself."""

    server: InProcessServer
    there: httpx.Client
    names: Iterator[int] = field(default_factory=lambda: iter(range(1000)))

    @property
    def client(self) -> httpx.Client:
        return self.server.client

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Return the JSON of a success."""
        answer = self.send(method, path, body, **headers)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.request(
            method, path, content=content, headers={"content-type": "application/json"} | headers
        )

    def bulk(self, *lines: Any, path: str = "/_bulk?refresh=true") -> Any:
        content = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        return self.ask("POST", path, content)

    def name(self) -> str:
        """Return a name that no other index has."""
        return f"{OWN}{next(self.names)}"

    def index(self, **settings: Any) -> str:
        """Create an index that embeds ``text`` into ``v``, with its pipelines; return its name."""
        name = self.name()
        embedding = {"text_embedding": {"model_id": "tiny", "field_map": {"text": "v"}}}
        self.ask("PUT", f"/_ingest/pipeline/{name}", {"processors": [embedding]})
        enricher = {"neural_query_enricher": {"default_model_id": "tiny"}}
        fusion: dict[str, Any] = {"normalization-processor": {}}
        body = {"request_processors": [enricher], "phase_results_processors": [fusion]}
        self.ask("PUT", f"/_search/pipeline/{name}", body)
        pipelines = {"index.default_pipeline": name, "index.search.default_pipeline": name}
        properties = {"text": {"type": "text"}, "n": {"type": "integer"}, "v": VECTOR}
        self.ask(
            "PUT",
            f"/{name}",
            {"settings": {"index.knn": True, **pipelines, **settings}, "mappings": {"properties": properties}},
        )
        return name

    def vector(self, text: str, role: str = "passage") -> list[float]:
        """Return what the model makes of a text."""
        body = {"parameters": {"content_type": role}, "text_docs": [text]}
        answer = self.ask("POST", "/_plugins/_ml/models/tiny/_predict", body)
        found: list[float] = answer["inference_results"][0]["output"][0]["data"]
        return found

    def source(self, index: str, doc_id: str) -> dict[str, Any]:
        """Return a document as the cluster holds it."""
        found: dict[str, Any] = self.there.get(f"/{index}/_doc/{doc_id}").json().get("_source", {})
        return found


def tiny(folder: Path, seed: int = 0) -> BuiltPackage:
    """Return the tiny model with two roles; another ``seed`` makes another model of the same name."""
    overrides = Overrides(name="tiny", query_prefix="query: ", passage_prefix="passage: ")
    return build_package(str(tiny_folder(folder / "tiny", seed=seed)), folder / "tiny.zip", overrides=overrides)


@contextmanager
def fronted(folder: Path, cluster: str, *, seed: int = 0, **settings: Any) -> Iterator[InProcessServer]:
    """Run a server with the tiny model in front of a cluster."""
    server = InProcessServer(folder, {"cluster": cluster, **settings})
    package = tiny(folder, seed)
    deploy(server.app, package, "tiny")
    try:
        yield server
    finally:
        server.close()


@dataclass(frozen=True)
class Cluster:
    """A cluster, and how to ask it."""

    url: str
    client: httpx.Client


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A server of ours without models, or the one that ``$ANTIPHON_CONTRACT_URL`` names, such as a real node."""
    named = contract_url(request.config)
    if named is not None:
        with httpx.Client(base_url=named, timeout=TIMEOUT_S) as client:
            yield Cluster(named, client)
            client.delete(f"/{OWN}*")
        return
    server = ProcessServer(tmp_path_factory.mktemp("cluster"), {})
    yield Cluster(server.url, server.client)
    server.close()


@pytest.fixture(scope="session")
def front(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """A server in front of it, shared by tests that use indexes of their own."""
    with fronted(tmp_path_factory.mktemp("front"), cluster.url) as server:
        yield Front(server, cluster.client)


Said = tuple[int, dict[str, str], bytes]


@dataclass
class Scripted:
    """A cluster that answers what ``answers`` (method, path with query, body) returns; ``asked`` has every request."""

    url: str
    asked: list[tuple[str, str, dict[str, str], bytes]]

    def users(self) -> set[str]:
        """Who has asked, as ``user:password``."""
        given = {headers.get("authorization", "") for _, _, headers, _ in self.asked}
        return {base64.b64decode(one.removeprefix("Basic ")).decode() if "Basic" in one else one for one in given}


@contextmanager
def scripted(answers: Callable[[str, str, bytes], Said | None]) -> Iterator[Scripted]:
    """Run one on a free port; what it answers None to is the banner of a cluster."""
    asked: list[tuple[str, str, dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65_537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            asked.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            banner = (200, {"content-type": "application/json"}, b'{"version": {"number": "3.6.0"}}')
            status, headers, content = answers(self.command, self.path, body) or banner
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(content)), "connection": "close"}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: Any) -> None:
            """Nothing: tests look at ``asked``."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield Scripted(f"http://127.0.0.1:{server.server_port}", asked)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

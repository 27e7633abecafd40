"""``antiphon serve`` in a process of its own, for benchmarks that ask it over HTTP."""

from __future__ import annotations

import copy
import http.client
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.texts import QUERIES
from tests.support.server import ProcessServer


class Connection:
    """One kept-alive connection, by the standard library: a fuller client adds a third of a millisecond per request."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.connect()

    def connect(self) -> None:
        """Open a connection."""
        self._connection = http.client.HTTPConnection(self.url.removeprefix("http://"))

    def send(self, method: str, path: str, content: bytes | None, kind: str = "application/json") -> tuple[int, bytes]:
        """Return status and body; ``content`` is of ``kind``, None for none."""
        self._connection.request(method, path, content, {"Content-Type": kind})
        response = self._connection.getresponse()
        return response.status, response.read()

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """Return status and body; ``body`` is sent as JSON, None not at all."""
        return self.send(method, path, None if body is None else json.dumps(body).encode())

    def close(self) -> None:
        """Close it."""
        self._connection.close()


class Server(Connection):
    """``antiphon serve`` in a process of its own, and one connection to it."""

    def __init__(self, folder: Path, model: Path | None, threads: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        settings: dict[str, Any] = {"threads": threads} | ({} if model is None else {"model": model})
        self.launched = time.perf_counter()
        self._process = ProcessServer(folder, settings)
        self.pid = self._process.pid
        super().__init__(self._process.url)

    def again(self) -> Server:
        """Return the same server with a connection of its own, for another thread."""
        other = copy.copy(self)
        other.connect()
        return other

    def models(self) -> list[str]:
        """Return the ids of all models."""
        status, answer = self.ask("POST", "/_plugins/_ml/models/_search", {"query": {"match_all": {}}})
        assert status == 200
        return [hit["_id"] for hit in json.loads(answer)["hits"]["hits"]]

    def predict(self, model_id: str, text: str) -> tuple[int, bytes]:
        """Embed one query."""
        body = {"parameters": {"content_type": "query"}, "text_docs": [text]}
        return self.ask("POST", f"/_plugins/_ml/models/{model_id}/_predict", body)

    def wait_for_vector(self) -> str:
        """Return the id of the model once it answers."""
        while True:
            for model_id in self.models():
                if self.predict(model_id, QUERIES[0])[0] == 200:
                    return model_id
            time.sleep(0.01)  # as a client polls: the API has no way to be told

    def stop(self) -> None:
        """End it."""
        self.close()
        self._process.close()


@contextmanager
def server(folder: Path, model: Path | None, threads: int) -> Iterator[Server]:
    """Run a server for as long; its data, its cache and its log are kept in the folder."""
    running = Server(folder, model, threads)
    try:
        yield running
    finally:
        running.stop()

"""``antiphon serve`` in a process of its own, for benchmarks that ask it over HTTP."""

from __future__ import annotations

import copy
import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.texts import QUERIES


class Server:
    """``antiphon serve`` in a process of its own, and one connection to it."""

    def __init__(self, data: Path, model: Path | None, threads: int) -> None:
        command = [sys.executable, "-m", "antiphon", "serve", "--port", "0", "--data", str(data)]
        command += ["--threads", str(threads)] + ([] if model is None else ["--model", str(model)])
        self.launched = time.perf_counter()
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if "listens on" in line:
                port = int(line.split("listens on ", 1)[1].split(",", 1)[0].rsplit(":", 1)[1])
                break
        self._drain = threading.Thread(target=self._process.stderr.read, daemon=True)
        self._drain.start()  # what it says must not fill the pipe
        self._port = port
        self.connect()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self._process.pid

    def again(self) -> Server:
        """Return the same server with a connection of its own, for another thread."""
        other = copy.copy(self)
        other.connect()
        return other

    def connect(self) -> None:
        """Open a connection."""
        self._connection = http.client.HTTPConnection("127.0.0.1", self._port)

    def send(self, method: str, path: str, content: bytes) -> tuple[int, bytes]:
        """Return status and body; ``content`` is JSON already."""
        self._connection.request(method, path, content, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        return response.status, response.read()

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """Return status and body."""
        content = None if body is None else json.dumps(body)
        self._connection.request(method, path, content, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        return response.status, response.read()

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
            time.sleep(0.01)

    def resident_mib(self) -> float:
        """Return the resident memory of the server."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def stop(self) -> None:
        """End it."""
        self._connection.close()
        self._process.terminate()
        self._process.wait()
        self._drain.join()
        assert self._process.stderr is not None
        self._process.stderr.close()


@contextmanager
def server(data: Path, model: Path | None, threads: int) -> Iterator[Server]:
    """Run a server for as long."""
    running = Server(data, model, threads)
    try:
        yield running
    finally:
        running.stop()

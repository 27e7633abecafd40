"""Work on many documents that a kill -9 interrupts goes on after the restart, and does every document once."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import orjson

from tests.support.server import ProcessServer

DOCUMENTS = 600
PATIENCE_S = 60.0


def fill(client: httpx.Client) -> None:
    lines = b"".join(b'{"index":{"_id":"%d"}}\n{"n":%d}\n' % (n, n) for n in range(DOCUMENTS))
    answer = client.post("/a/_bulk?refresh=true", content=lines, headers={"content-type": "application/x-ndjson"})
    assert answer.json()["errors"] is False


def updated(client: httpx.Client, task: str) -> int:
    shown = client.get(f"/_tasks/{task}").json()
    count: int = shown["task"]["status"]["updated"]
    return count


def test_an_update_by_query_survives_kill_9(tmp_path: Path) -> None:
    server = ProcessServer(tmp_path, {})
    try:
        fill(server.client)
        body = {"script": "ctx._source.n += 1000; ctx._source.times = 1"}
        started = server.client.post(
            "/a/_update_by_query?wait_for_completion=false&scroll_size=5&conflicts=proceed", json=body
        )
        task = started.json()["task"]
        while updated(server.client, task) < 20:
            time.sleep(0.002)
        before = updated(server.client, task)
        assert before < DOCUMENTS, "the task was done before it could be interrupted"
        server.restart(kill=True)
        end = time.monotonic() + PATIENCE_S
        while not (shown := server.client.get(f"/_tasks/{task}").json())["completed"]:
            assert time.monotonic() < end, shown
            time.sleep(0.02)
        server.client.post("/a/_refresh")
        hits = server.client.post("/a/_search", json={"size": DOCUMENTS, "sort": [{"n": "asc"}]}).json()["hits"]["hits"]
        assert [hit["_source"]["n"] for hit in hits] == [1000 + n for n in range(DOCUMENTS)]
        assert DOCUMENTS - 5 <= shown["response"]["updated"] <= DOCUMENTS  # a batch may be done but not yet noted
        assert shown["response"]["failures"] == []
        assert orjson.dumps(shown["response"]["version_conflicts"]) == b"0"
    finally:
        server.close()

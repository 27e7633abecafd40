"""What a server says when the data folder is not what it left: missing or broken documents, unfinished creations."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.support.server import ProcessServer, running_server

LOST = "no_shard_available_action_exception"


def fill(client: httpx.Client, *names: str) -> None:
    for name in names:
        client.put(f"/{name}", json={"settings": {"number_of_replicas": 0}})
        assert client.put(f"/{name}/_doc/1?refresh=true", json={"name": name}).status_code == httpx.codes.CREATED


def folder_of(client: httpx.Client, tmp_path: Path, name: str) -> Path:
    uuid = client.get(f"/{name}/_settings").json()[name]["settings"]["index"]["uuid"]
    (found,) = (tmp_path / "data" / "indexes").glob(uuid)
    return found


def remove(folder: Path) -> None:
    shutil.rmtree(folder)


def empty(folder: Path) -> None:
    for path in folder.glob("docs.db*"):
        path.unlink()


def scribble(folder: Path) -> None:
    empty(folder)
    (folder / "docs.db").write_bytes(b"this is not a database" * 1000)


@pytest.mark.parametrize("damage", [remove, empty, scribble])
def test_lost_documents_are_red_and_refused_until_they_are_back(damage: Callable[[Path], None], tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        fill(server.client, "lost", "kept")
        folder = folder_of(server.client, tmp_path, "lost")
        server.restart()
        shutil.copytree(folder, tmp_path / "copy")
        damage(folder)
        server.restart()
        client = server.client
        for path in ("/lost/_doc/1", "/lost/_count", "/lost/_search", "/lost/_stats"):
            answer = client.get(path)
            assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE, path
            assert answer.json()["error"]["type"] == LOST
        assert client.put("/lost/_doc/2", json={}).status_code == httpx.codes.SERVICE_UNAVAILABLE
        assert client.get("/kept/_count").json()["count"] == 1
        health = client.get("/_cluster/health").json()
        assert (health["status"], health["active_shards"], health["unassigned_shards"]) == ("red", 1, 1)
        assert client.get("/_cluster/health/lost?wait_for_status=yellow").status_code == httpx.codes.REQUEST_TIMEOUT
        rows = {row["index"]: row for row in client.get("/_cat/indices?format=json").json()}
        assert (rows["lost"]["health"], rows["lost"]["docs.count"]) == ("red", None)
        assert (rows["kept"]["health"], rows["kept"]["docs.count"]) == ("green", "1")
        for path in ("/_cat/shards", "/_cat/allocation", "/_cluster/stats", "/_plugins/_knn/stats", "/lost/_mapping"):
            assert client.get(path).status_code == httpx.codes.OK, path
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(tmp_path / "copy", folder)
        assert client.get("/lost/_doc/1").json()["_source"] == {"name": "lost"}
        assert client.get("/_cluster/health").json()["status"] == "green"


def test_lost_documents_can_be_given_up(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        fill(server.client, "lost")
        remove(folder_of(server.client, tmp_path, "lost"))
        server.restart()
        assert server.client.delete("/lost").json() == {"acknowledged": True}
        assert server.client.get("/_cluster/health").json()["status"] == "green"
        fill(server.client, "lost")
        assert server.client.get("/lost/_count").json()["count"] == 1


def test_data_without_a_definition_is_dropped_at_start(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        fill(server.client, "kept")
        kept = folder_of(server.client, tmp_path, "kept")
        shutil.copytree(kept, kept.with_name("unfinished"))
        server.restart()
        assert [path.name for path in kept.parent.iterdir()] == [kept.name]
        assert server.client.get("/kept/_count").json()["count"] == 1


def test_an_index_is_there_whole_or_not_at_all_after_kill_9(tmp_path: Path) -> None:
    server = ProcessServer(tmp_path, {})
    acknowledged: list[str] = []
    try:
        for turn in range(4):
            enough = threading.Event()
            making = threading.Thread(target=_make, args=(server.url, f"i{turn}", acknowledged, enough))
            making.start()
            assert enough.wait(20)
            server.restart(kill=True)
            making.join(20)
            shown = server.client.get("/_all").json()
            assert set(acknowledged) <= set(shown)
            for name, definition in shown.items():
                assert definition["mappings"]["properties"]["v"] == {"type": "knn_vector", "dimension": 2}
                assert server.client.get(f"/{name}/_count").status_code == httpx.codes.OK
            folders = {path.name for path in (tmp_path / "data" / "indexes").iterdir()}
            assert folders == {item["settings"]["index"]["uuid"] for item in shown.values()}
    finally:
        server.close()


def _make(url: str, prefix: str, acknowledged: list[str], enough: threading.Event) -> None:
    """Make indices, and delete every third, until the server dies."""
    body = {"mappings": {"properties": {"v": {"type": "knn_vector", "dimension": 2}}}}
    with httpx.Client(base_url=url, timeout=10) as client:
        for number in range(10_000):
            name = f"{prefix}-{number}"
            try:
                client.put(f"/{name}", json=body).raise_for_status()
                if number % 3 == 2:
                    client.delete(f"/{name}").raise_for_status()
                else:
                    acknowledged.append(name)
            except httpx.HTTPError:
                return
            if number == 7:
                enough.set()

"""A server in front of a cluster: what goes on as it came, who asks, and what is said when nothing answers."""

from __future__ import annotations

import gzip
import json
import logging
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from antiphon.app import open_app
from antiphon.errors import AntiphonError
from antiphon.settings import Settings
from tests.cli.conftest import build_tiny, wait_for_model
from tests.rest.conftest import OWN, Cluster, Front, Said, fronted, scripted
from tests.support.server import AsgiTransport, InProcessServer, ProcessServer

JSON = {"content-type": "application/json"}
OK: Said = (200, JSON, b"{}")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def serve(folder: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    """Run ``antiphon serve`` until it ends by itself; return code and what it said."""
    command = [sys.executable, "-m", "antiphon", "serve", "--port", "0", "--data", str(folder / "data"), *arguments]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=60, env=environment, check=False)
    return done.returncode, done.stderr


def test_everything_else_goes_on_byte_for_byte(tmp_path: Path) -> None:
    said = (
        418,
        {
            "content-type": "application/yaml",
            "warning": '299 X "w"',
            "location": "/x",
            "x-opaque-id": "7",
            "x-o": "1",
        },
        b"--- \xff\n",
    )
    with scripted(lambda *_: said) as cluster:
        app = open_app(Settings.load(env={}, flags={"data": tmp_path, "cluster": cluster.url}))
        with httpx.Client(base_url="http://front", transport=AsgiTransport(app.asgi)) as client:
            sent = {
                "content-type": "application/smile",
                "x-opaque-id": "7",
                "accept": "application/yaml",
                "cookie": "c",
            }
            answer = client.request("PATCH", "/a%2Fb/_%20x?q=a%26b&flag&x=%C3%A9", content=b":)\n\xff", headers=sent)
        app.close()
    method, path, headers, body = cluster.asked[-1]
    assert (method, path, body) == ("PATCH", "/a%2Fb/_%20x?q=a%26b&flag&x=%C3%A9", b":)\n\xff")
    assert {name: headers.get(name) for name in sent} == sent | {"cookie": None}
    assert (answer.status_code, answer.content) == (418, b"--- \xff\n")
    assert {name: answer.headers.get(name) for name in said[1]} == said[1] | {"x-o": None}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/_cat/indices?v"),
        ("PUT", "/_snapshot/mine"),
        ("DELETE", "/docs"),
        ("GET", "/docs/_doc/1"),
        ("HEAD", "/docs/_doc/1"),
        ("DELETE", "/docs/_doc/1"),
        ("HEAD", "/docs"),
        ("POST", "/docs/_refresh"),
        ("DELETE", "/_ingest/pipeline/x"),
        ("PUT", "/_plugins/_security/api/roles/x"),
        ("GET", "/_plugins/_knn/stats"),
        ("POST", "/docs/_search"),
        ("POST", "/docs/_update_by_query"),
        ("DELETE", "/_search/scroll"),
        ("GET", "/_nodes/stats"),
        ("POST", "/docs/_search/point_in_time?keep_alive=1m"),
    ],
)
def test_paths_of_the_cluster_reach_it(gate: Gate, method: str, path: str) -> None:
    gate.client.request(method, path, content=b'{"query":{"match_all":{}}}', headers=JSON)
    assert gate.cluster.asked[-1][:2] == (method, path)


@pytest.mark.parametrize("path", ["/_plugins/_ml/models/_search", "/_plugins/_ml/stats", "/_plugins/_ml/no/such/path"])
def test_paths_of_the_models_do_not(gate: Gate, path: str) -> None:
    before = len(gate.cluster.asked)
    assert gate.client.get(path).status_code in (200, 400)
    assert len(gate.cluster.asked) == before


class Gate:
    """A server in front of a scripted cluster."""

    def __init__(self, server: InProcessServer, cluster: Any) -> None:
        self.client = server.client
        self.cluster = cluster


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Any:
    def answers(method: str, path: str, _: bytes) -> Said | None:
        return None if path == "/" else OK

    with scripted(answers) as cluster:
        address = cluster.url.replace("://", "://own:s3cret@")
        with fronted(tmp_path_factory.mktemp("gate"), address) as server:
            yield Gate(server, cluster)


def test_the_configured_user_asks_unless_the_client_has_one(gate: Gate) -> None:
    gate.cluster.asked.clear()
    gate.client.get("/_cat/indices")
    assert gate.cluster.users() == {"own:s3cret"}
    gate.cluster.asked.clear()
    gate.client.get("/_cat/indices", auth=("client", "own"))
    gate.client.get("/_cat/indices", headers={"authorization": "Bearer token"})
    assert gate.cluster.users() == {"client:own", "Bearer token"}


def test_definitions_are_read_as_the_configured_user_and_documents_written_as_the_client(gate: Gate) -> None:
    gate.cluster.asked.clear()
    gate.client.put("/elsewhere/_doc/1", content=b"{}", headers=JSON, auth=("client", "own"))
    by_user = {(method, headers["authorization"][:12]) for method, _, headers, _ in gate.cluster.asked}
    writers = {headers["authorization"] for method, path, headers, _ in gate.cluster.asked if "/_doc/" in path}
    assert len(writers) == 1
    assert writers.isdisjoint({h["authorization"] for m, _, h, _ in gate.cluster.asked if m == "GET"})
    assert len(by_user) >= 2


def test_the_password_is_nowhere_to_be_seen(gate: Gate, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        shown = [gate.client.get(path).text for path in ("/", "/_cluster/settings", "/_plugins/_ml/stats", "/_nodes")]
    assert "s3cret" not in "".join(shown) + caplog.text


def test_the_banner_knows_both(gate: Gate) -> None:
    banner = gate.client.get("/").json()
    assert banner["version"]["number"] == "3.6.0"
    assert banner["antiphon"]["cluster"] == gate.cluster.url


def test_a_bound_search_carries_a_vector_and_drops_nothing(gate: Gate) -> None:
    body = {"query": {"neural": {"v": {"query_text": "tea", "model_id": "tiny"}}}, "size": 3, "ext": {"a": [1, None]}}
    gate.client.post("/docs/_search?preference=x", content=gzip.compress(json.dumps(body).encode()),
                     headers=JSON | {"content-encoding": "gzip"})  # fmt: skip
    method, path, headers, content = gate.cluster.asked[-1]
    assert (method, path, headers["content-type"]) == ("POST", "/docs/_search?preference=x", "application/json")
    assert "content-encoding" not in headers
    sent = json.loads(content)
    vector = sent["query"]["knn"]["v"].pop("vector")
    assert (len(vector), sent["query"]) == (8, {"knn": {"v": {"k": 10}}})
    assert {key: sent[key] for key in ("size", "ext")} == {"size": 3, "ext": {"a": [1, None]}}


def test_definitions_are_kept_for_a_moment(gate: Gate) -> None:
    gate.client.delete("/_ingest/pipeline/none")
    gate.cluster.asked.clear()
    for _ in range(5):
        gate.client.put("/elsewhere/_doc/1", content=b"{}", headers=JSON)
    assert sum(method == "GET" for method, *_ in gate.cluster.asked) < 5
    assert sum(method == "PUT" for method, *_ in gate.cluster.asked) == 5


def test_a_body_over_the_limit_does_not_reach_the_cluster(tmp_path: Path) -> None:
    with scripted(lambda *_: None) as cluster, fronted(tmp_path, cluster.url, max_body_bytes=1000) as server:
        cluster.asked.clear()
        assert server.client.post("/docs/_bulk", content=b"x" * 2000, headers=JSON).status_code == 413
        assert cluster.asked == []


def test_a_cluster_that_refuses_a_bulk_is_heard(tmp_path: Path) -> None:
    pipeline = {"p": {"processors": [{"text_embedding": {"model_id": "tiny", "field_map": {"text": "v"}}}]}}
    refusal = b'{"error": {"type": "rejected", "reason": "full"}, "status": 429}'

    def answers(method: str, path: str, _: bytes) -> Said | None:
        if path.startswith("/docs?"):
            return 200, JSON, json.dumps({"docs": {"settings": {"index": {"default_pipeline": "p"}}}}).encode()
        if path.startswith("/_ingest"):
            return 200, JSON, json.dumps(pipeline).encode()
        return (429, JSON | {"retry-after": "3"}, refusal) if method == "POST" else None

    with scripted(answers) as cluster, fronted(tmp_path, cluster.url) as server:
        content = b'{"index":{}}\n{"text":"tea"}\n'
        answer = server.client.post("/docs/_bulk?pretty&timeout=1m", content=content, headers=JSON)
        assert (answer.status_code, answer.content, answer.headers["retry-after"]) == (429, refusal, "3")
        assert cluster.asked[-1][1] == "/docs/_bulk?timeout=1m"
        head, source = map(json.loads, cluster.asked[-1][3].splitlines())
    assert head == {"index": {"_index": "docs", "pipeline": "_none"}}
    assert len(source["v"]) == 8


def test_an_index_that_a_starting_cluster_does_not_know_yet_is_embedded_for(tmp_path: Path) -> None:
    """A node that starts answers 404 for its indexes, and waits with its templates until it knows them all."""
    pipeline = {"p": {"processors": [{"text_embedding": {"model_id": "tiny", "field_map": {"text": "v"}}}]}}
    recovered: list[bool] = []

    def answers(method: str, path: str, _: bytes) -> Said | None:
        if path.startswith("/_index_template/_simulate_index"):
            recovered.append(True)
            return 200, JSON, b"{}"
        if method == "GET" and not recovered and path != "/":
            return 404, JSON, b'{"error": {"reason": "no such index [docs]"}, "status": 404}'
        if path.startswith("/docs?"):
            return 200, JSON, json.dumps({"docs": {"settings": {"index": {"default_pipeline": "p"}}}}).encode()
        return (200, JSON, json.dumps(pipeline).encode()) if path.startswith("/_ingest") else None

    with scripted(answers) as cluster, fronted(tmp_path, cluster.url) as server:
        server.client.put("/docs/_doc/1", content=b'{"text":"tea"}', headers=JSON)
        sent = [body for method, _, _, body in cluster.asked if method in ("PUT", "POST") and b"tea" in body]
    assert [len(json.loads(body.splitlines()[-1])["v"]) for body in sent] == [8]


def test_definitions_that_may_not_be_read_stop_the_write_and_say_so(tmp_path: Path) -> None:
    def answers(method: str, path: str, _: bytes) -> Said | None:
        return (403, JSON, b'{"error": {"reason": "no permissions"}}') if path != "/" else None

    with scripted(answers) as cluster, fronted(tmp_path, cluster.url) as server:
        answer = server.client.put("/docs/_doc/1", content=b"{}", headers=JSON)
        assert (answer.status_code, "no permissions" in answer.text) == (403, True)
        assert [path for method, path, *_ in cluster.asked if method == "PUT"] == []


def test_a_cluster_that_goes_away_is_503_and_named(tmp_path: Path) -> None:
    with ExitStack() as stack:
        with scripted(lambda *_: None) as cluster:
            server = stack.enter_context(fronted(tmp_path, cluster.url))
        _check_unavailable(server.client, cluster.url)


def _check_unavailable(client: httpx.Client, url: str) -> None:
    for method, path in (("GET", "/_cat/indices"), ("POST", "/docs/_search"), ("PUT", "/docs/_doc/1"), ("GET", "/")):
        answer = client.request(method, path, content=b'{"query":{"neural":{}}}', headers=JSON)
        assert answer.status_code == 503, answer.text
        assert answer.json()["status"] == 503
        assert url in answer.json()["error"]["reason"]
    assert client.get("/_plugins/_ml/stats").status_code == 200


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((401, JSON, b'{"error": "Unauthorized"}'), "answered 401"),
        ((200, {"content-type": "text/html"}, b"<html>"), "no JSON"),
        ((200, JSON, b"{}"), "does not say which OpenSearch it is"),
        ((503, JSON, b'{"error": {"reason": "not ready"}}'), "not ready"),
    ],
)
def test_serve_ends_with_one_line_when_the_cluster_is_not_to_be_had(tmp_path: Path, answer: Said, says: str) -> None:
    with scripted(lambda *_: answer) as cluster:
        address = cluster.url.replace("://", "://own@")
        code, said = serve(tmp_path, "--cluster", address, ANTIPHON_CLUSTER_PASSWORD="s3cret")
    assert cluster.users() == {"own:s3cret"}
    assert (code, said.count("\n"), says in said, "s3cret" in said) == (1, 1, True, False), said
    assert cluster.url in said or says == "no JSON"


def test_serve_ends_with_one_line_when_nothing_answers(tmp_path: Path) -> None:
    code, said = serve(tmp_path, "--cluster", f"http://own:s3cret@127.0.0.1:{free_port()}")
    assert (code, said.count("\n"), "nothing answers at" in said, "s3cret" in said) == (1, 1, True, False), said
    code, said = serve(tmp_path, "--cluster", "ftp://own:s3cret@host")
    assert (code, said.count("\n"), "s3cret" in said) == (1, 1, False), said


def test_settings_of_models_are_here_and_others_there(front: Front) -> None:
    own = {"persistent": {"plugins.ml_commons.monitoring_request_count": 7}}
    there = {"persistent": {"action.auto_create_index": "true"}}
    assert front.ask("PUT", "/_cluster/settings", own)["acknowledged"] is True
    assert front.ask("PUT", "/_cluster/settings", there)["acknowledged"] is True
    assert front.there.get("/_cluster/settings").json()["persistent"]["action"] == {"auto_create_index": "true"}
    shown = front.ask("GET", "/_cluster/settings?flat_settings")["persistent"]
    assert shown["plugins.ml_commons.monitoring_request_count"] == "7"
    assert shown["action.auto_create_index"] == "true"
    defaults = front.ask("GET", "/_cluster/settings?include_defaults=true&flat_settings=true")["defaults"]
    assert "plugins.ml_commons.monitoring_request_count" not in defaults
    assert "plugins.ml_commons.max_model_on_node" in defaults
    assert front.ask("GET", "/_cluster/settings")["persistent"]["plugins"]["ml_commons"]
    mixed = front.send("PUT", "/_cluster/settings", {"persistent": own["persistent"] | there["persistent"]})
    assert (mixed.status_code, "two requests" in mixed.text) == (400, True)


def test_two_servers_in_front_of_one_cluster_answer_alike(front: Front, cluster: Cluster, tmp_path: Path) -> None:
    name = front.index()
    with fronted(tmp_path, cluster.url) as server:
        other = Front(server, cluster.client)
        for number in range(6):
            writer = (front, other)[number % 2]
            writer.ask("PUT", f"/{name}/_doc/{number}?refresh=true", {"text": f"text number {number}"})
        body = {"query": {"neural": {"v": {"query_text": "number 3", "k": 6}}}}
        answers = [one.ask("POST", f"/{name}/_search", body)["hits"]["hits"] for one in (front, other)]
        assert len(answers[0]) == 6
        assert answers[0] == answers[1]
        other.ask("PUT", f"/_ingest/pipeline/{name}", {"processors": [{"set": {"field": "n", "value": 1}}]})
        other.ask("PUT", f"/{name}/_doc/x", {"text": "tea"})
        assert front.source(name, "x") == {"text": "tea", "n": 1}


def test_a_server_with_another_model_of_the_same_id_mixes_no_vectors(
    front: Front, cluster: Cluster, tmp_path: Path
) -> None:
    name = front.index()
    front.ask("PUT", f"/{name}/_doc/1?refresh=true", {"text": "tea"})
    body = {"query": {"neural": {"v": {"query_text": "tea"}}}}
    with fronted(tmp_path, cluster.url, seed=1) as server:
        other = Front(server, cluster.client)
        answer = other.bulk(
            {"index": {"_index": name, "_id": "2"}}, {"text": "x"}, {"index": {"_index": name}}, {"n": 1}
        )
        assert [item["index"]["status"] for item in answer["items"]] == [400, 201]
        assert "cannot be compared" in answer["items"][0]["index"]["error"]["reason"]
        asked = other.send("POST", f"/{name}/_search", body)
        assert (asked.status_code, "cannot be compared" in asked.text) == (400, True)
    assert front.source(name, "2") == {}
    assert len(front.ask("POST", f"/{name}/_search", body)["hits"]["hits"]) == 1


def test_a_server_that_is_killed_loses_nothing(cluster: Cluster, tmp_path: Path) -> None:
    server = ProcessServer(tmp_path, {"model": build_tiny(tmp_path), "cluster": cluster.url})
    wait_for_model(server)
    name = f"{OWN}killed"
    embedding = {"text_embedding": {"model_id": "tiny", "field_map": {"text": "v"}}}
    server.client.put(f"/_ingest/pipeline/{name}", json={"processors": [embedding]}).raise_for_status()
    for first in (0, 10):
        lines = [
            json.dumps(line)
            for number in range(first, first + 10)
            for line in ({"index": {"_index": name, "_id": str(number), "pipeline": name}}, {"text": f"n{number}"})
        ]
        content = "\n".join([*lines, ""])
        assert server.client.post("/_bulk", content=content, headers=JSON).json()["errors"] is False
        server.restart(kill=True)
        wait_for_model(server)
    cluster.client.post(f"/{name}/_refresh")
    found = cluster.client.post(f"/{name}/_search", json={"size": 50}).json()["hits"]["hits"]
    assert sorted(int(hit["_id"]) for hit in found) == list(range(20))
    assert {len(hit["_source"]["v"]) for hit in found} == {8}
    server.close()


def test_an_address_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AntiphonError, match="is no address of a server"):
        InProcessServer(tmp_path, {"cluster": "http://h:99999"})

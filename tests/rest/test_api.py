"""The HTTP shell: bodies, encodings, limits, parameters, methods, tables."""

from __future__ import annotations

import gzip
import json
import socket
import zlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.server import running_server

SETTING = {"persistent": {"plugins.ml_commons.native_memory_threshold": "99"}}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with running_server(tmp_path_factory.mktemp("rest"), max_body_bytes=20_000) as server:
        yield server.client


def put(client: httpx.Client, content: bytes, **headers: str) -> httpx.Response:
    return client.put("/_cluster/settings", content=content, headers={"content-type": "application/json"} | headers)


def reason(response: httpx.Response) -> str:
    body = response.json()
    assert body["status"] == response.status_code
    assert body["error"]["root_cause"][0]["reason"] == body["error"]["reason"]
    return str(body["error"]["reason"])


def test_a_gzip_body_is_read(client: httpx.Client) -> None:
    answer = put(client, gzip.compress(json.dumps(SETTING).encode()), **{"content-encoding": "gzip"})
    assert answer.json()["acknowledged"] is True


@pytest.mark.parametrize(
    ("content", "encoding", "says"),
    [
        (gzip.compress(b"{}" * 100)[:-9], "gzip", "cut off"),
        (b"plain", "gzip", "not gzip"),
        (zlib.compress(b"{}"), "deflate", "[Content-Encoding] deflate is not supported"),
    ],
)
def test_a_bad_encoding_is_named(client: httpx.Client, content: bytes, encoding: str, says: str) -> None:
    answer = put(client, content, **{"content-encoding": encoding})
    assert answer.status_code == 400
    assert says in reason(answer)


@pytest.mark.parametrize("packed", [False, True])
def test_a_body_over_the_limit_is_413_and_names_it(client: httpx.Client, packed: bool) -> None:
    content = b'{"persistent":{"a":"' + b"x" * 30_000 + b'"}}'
    headers = {"content-encoding": "gzip"} if packed else {}
    answer = put(client, gzip.compress(content) if packed else content, **headers)
    assert answer.status_code == 413
    assert "20000 bytes" in reason(answer)
    assert "max_body_bytes" in reason(answer)


def test_a_body_without_a_length_is_cut_at_the_limit(tmp_path: Path) -> None:
    with running_server(tmp_path, process=True, max_body_bytes=20_000) as server:
        answer = server.client.put("/_cluster/settings", content=(b"x" * 1000 for _ in range(50)))
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("HEAD", "/", 200),
        ("GET", "/_cluster/health/", 200),
        ("PATCH", "/_cluster/health", 405),
        ("GET", "/no/where/at/all", 400),
    ],
)
def test_methods_and_paths(client: httpx.Client, method: str, path: str, status: int) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    if status >= 400:
        assert f"[{path}] and method [{method}]" in answer.json()["error"]


def test_an_unknown_parameter_is_named(client: httpx.Client) -> None:
    answer = client.get("/_plugins/_ml/stats?verbose=true")
    assert answer.status_code == 400
    assert reason(answer) == "request [/_plugins/_ml/stats] contains unrecognized parameter: [verbose]"


def test_what_may_be_meant_is_said(client: httpx.Client) -> None:
    answer = client.get("/_cat/health?hel=1&foormat=1&x=2")
    assert reason(answer) == (
        "request [/_cat/health] contains unrecognized parameters: "
        "[foormat] -> did you mean [format]?, [hel] -> did you mean [help]?, [x]"
    )
    answer = client.get("/_cluster/health?waitforstatus=1")
    assert reason(answer).endswith(
        "[waitforstatus] -> did you mean any of [wait_for_status, wait_for_nodes, wait_for_events]?"
    )


def test_the_common_parameters_are_taken_everywhere(client: httpx.Client) -> None:
    answer = client.get("/?pretty&human&error_trace=true&filter_path=version.distribution")
    assert answer.text == '{\n  "version": {\n    "distribution": "opensearch"\n  }\n}\n'


def test_a_search_may_come_in_the_source_parameter(client: httpx.Client) -> None:
    source = {"source": '{"query":{"match_all":{}}}', "source_content_type": "application/json"}
    assert client.get("/_plugins/_ml/models/_search", params=source).json()["hits"]["total"]["value"] == 0


def test_tables_as_text_and_as_json(client: httpx.Client) -> None:
    text = client.get("/_cat/plugins?v&h=component,version&s=component:desc").text.splitlines()
    assert text[0].split() == ["component", "version"]
    assert [line.split()[0] for line in text[1:]] == ["opensearch-neural-search", "opensearch-ml", "opensearch-knn"]
    assert client.get("/_cat/health?format=json").json()[0]["status"] == "green"
    assert "[colour]" in reason(client.get("/_cat/health?h=colour"))


def test_a_body_that_is_not_json_says_where(client: httpx.Client) -> None:
    answer = put(client, b'{"persistent":\n{"a" 1}}')
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "json_parse_exception")
    assert "line 2" in reason(answer)


def test_settings_survive_a_restart_and_transient_ones_do_not(tmp_path: Path) -> None:
    key = "plugins.ml_commons.monitoring_request_count"
    with running_server(tmp_path) as server:
        server.client.put("/_cluster/settings", json={"persistent": {key: 7}, "transient": {key: 8}})
        shown = server.client.get("/_cluster/settings?flat_settings=true").json()
        assert shown == {"persistent": {key: "7"}, "transient": {key: "8"}}
        server.restart()
        shown = server.client.get("/_cluster/settings?flat_settings=true").json()
        assert shown == {"persistent": {key: "7"}, "transient": {}}


@pytest.mark.parametrize(
    "content", [b'{"persistent":{},"persistent":{}}', b'{"persistent":{"a":"1","a":"2"}}', b'[{"x":1,"x":1}]']
)
def test_a_key_sent_twice_is_refused(client: httpx.Client, content: bytes) -> None:
    answer = put(client, content)
    assert answer.status_code == 400
    assert "Duplicate field" in reason(answer)


def test_endless_headers_are_431(tmp_path: Path) -> None:
    with running_server(tmp_path, process=True) as server:
        url = httpx.URL(str(server.client.base_url))
        with socket.create_connection((url.host, url.port or 0), timeout=20) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
            answer = b""
            try:
                for number in range(200):
                    connection.sendall(b"X-%d: " % number + b"x" * 60_000 + b"\r\n")
                answer = connection.recv(1000)
            except (BrokenPipeError, ConnectionResetError):
                answer = answer or b"HTTP/1.1 431 "  # hung up on us before we had finished
        assert answer.startswith(b"HTTP/1.1 431 ")
        assert server.client.get("/", headers={"x-long": "y" * 8000}).status_code == 200

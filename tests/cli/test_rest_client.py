"""Talking to servers: addresses, passwords that no message shows, and servers that are busy, broken or none."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from antiphon.cli.files import Item
from antiphon.cli.writer import Writer, batches
from antiphon.errors import AntiphonError, IllegalArgument, Unavailable, reason_of
from antiphon.remote import Patience, RestClient
from tests.cli.conftest import Run

Answer = tuple[int, dict[str, Any] | bytes]
BANNER: Answer = (200, {"version": {"number": "2.19.1", "distribution": "opensearch"}})


class Scripted:
    """A server that answers as a function says, and remembers what it was asked."""

    def __init__(self, answer: Callable[[str, bytes], Answer], banner: Answer) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        scripted = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                asked = f"{self.command} {self.path}"
                status, content = answer(asked, body)
                if asked == "GET /" and not (isinstance(content, dict) and "version" in content):
                    status, content = banner
                else:
                    scripted.asked.append((asked, dict(self.headers)))
                raw = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def do_POST(self) -> None:
                self.do_GET()

            def do_PUT(self) -> None:
                self.do_GET()

            def log_message(self, *args: Any) -> None:
                """Nothing: tests talk through their assertions."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.http.server_port


@contextmanager
def scripted(answer: Callable[[str, bytes], Answer], banner: Answer = BANNER) -> Iterator[Scripted]:
    server = Scripted(answer, banner)
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        server.http.server_close()
        thread.join()


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("http://h:1", "http://h:1"),
        ("localhost:9200", "http://localhost:9200"),
        ("https://h/base/", "https://h/base"),
        ("http://user:secret@h:1", "http://h:1"),
        ("http://[::1]:9200", "http://[::1]:9200"),
    ],
)
def test_an_address_is_read_and_shown_without_password(given: str, address: str) -> None:
    with RestClient(given) as client:
        assert client.url == address


@pytest.mark.parametrize(
    "given",
    [
        "",
        "ftp://h",
        "http://",
        "http://h:99999",
        "http://h:port",
        "http://h?x=1",
        "ftp://u:secret@h",
        "http://u:sec/ret@h:1",
        "http://u:secret@h:1x",
        "http://u:secret#1@h",
    ],
)
def test_what_is_no_address_is_refused_and_hides_its_password(given: str) -> None:
    with pytest.raises(IllegalArgument, match="is no address of a server") as refused:
        RestClient(given)
    assert "sec" not in refused.value.reason


def test_a_password_is_sent_and_never_shown(run: Run) -> None:
    def answer(asked: str, _: bytes) -> Answer:
        return (200, b"[]") if "list" in asked or "_cat" in asked else (401, {"error": "Unauthorized"})

    with scripted(answer) as server:
        url = f"http://me:p%40ss%2Fword@127.0.0.1:{server.port}"
        assert run("index", "list", "--url", url)[0] == 0
        code, out, err = run("search", "notes", "x", "--url", url)
    sent = server.asked[0][1]["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(sent).decode() == "me:p@ss/word"
    assert (code, out) == (1, "")
    assert err == "antiphon: GET /notes/_mapping was answered with 401: Unauthorized\n"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((413, b"<html>"), "with 413: a proxy there takes no 7 bytes at once, raise its limit"),
        ((502, b"<html>"), "with 502: a proxy is there, and no server behind it"),
    ],
)
def test_a_proxy_that_answers_itself_is_told_apart(answer: Answer, said: str) -> None:
    with scripted(lambda *_: answer) as server, RestClient(f"http://127.0.0.1:{server.port}") as client:
        with pytest.raises(AntiphonError) as refused:
            client.ask("POST", "/notes/_bulk", [1, 22])
        assert refused.value.reason.endswith(said)


@pytest.mark.parametrize(
    ("banner", "said"),
    [
        ((200, b"[]"), "does not say which OpenSearch it is: []"),
        ((200, b"null"), "does not say which OpenSearch it is: None"),
        ((200, {"version": "x"}), "does not say which OpenSearch it is"),
        ((200, {"version": {"number": "abc", "distribution": "opensearch"}}), "does not say which OpenSearch it is"),
        ((200, {"version": {"number": "8.1.0", "build_flavor": "default"}}), "is Elasticsearch 8.1.0, not OpenSearch"),
        ((401, b"Unauthorized"), "answered GET / with 401, it does not let us in: check user and password"),
        ((302, b""), "GET / was answered with 302"),
    ],
)
@pytest.mark.parametrize("arguments", [["index", "list"], ["index", "create", "x", "--lexical"], ["search", "x", "y"]])
def test_what_is_no_opensearch_is_said_to_be_none(arguments: list[str], banner: Answer, said: str, run: Run) -> None:
    with scripted(lambda asked, _: (200, {}), banner) as server:
        code, out, err = run(*arguments, "--url", f"http://127.0.0.1:{server.port}")
    assert (code, out, server.asked) == (1, "", [])
    assert said in err
    assert err.count("\n") == 1


def test_an_argument_that_is_not_utf8_is_refused(run: Run) -> None:
    with scripted(lambda asked, _: (200, {})) as server:
        code, _, err = run("index", "delete", "a\udcff", "--url", f"http://127.0.0.1:{server.port}")
    assert (code, "not UTF-8" in err, err.count("\n")) == (1, True, 1)


@pytest.mark.parametrize(
    "arguments",
    [
        ["index", "list"],
        ["index", "create", "x"],
        ["index", "delete", "x"],
        ["index", "rebuild", "x"],
        ["ingest", "x", "-"],
        ["search", "x", "words"],
    ],
)
def test_nothing_listening_is_one_line(run: Run, arguments: list[str]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code, out, err = run(*arguments, "--url", f"http://me:secret@127.0.0.1:{port}")
    assert (code, out) == (1, "")
    assert err.startswith(f"antiphon: nothing answers at http://127.0.0.1:{port} (")
    assert err.endswith("start a server with `antiphon serve`, or name one with --url\n")
    assert err.count("\n") == 1


def test_another_kind_of_server_is_named(run: Run) -> None:
    with scripted(lambda *_: (200, b"<html>")) as server:
        code, _, err = run("index", "list", "--url", f"http://127.0.0.1:{server.port}")
        assert code == 1
        assert "answered GET /_cat/indices?format=json&s=index with 200 and no JSON" in err
        with RestClient(f"https://127.0.0.1:{server.port}") as client, pytest.raises(Unavailable, match="speak https"):
            client.ask("GET", "/")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"error": "no"}, "no"),
        ({"error": {"reason": "a"}}, "a"),
        ({"error": {"reason": "a", "caused_by": {"reason": "b", "caused_by": {"reason": "c"}}}}, "a: c"),
        ({"error": {"reason": "a: c", "caused_by": {"reason": "c"}}}, "a: c"),
        (None, "None"),
    ],
)
def test_a_reason_is_found_in_an_error(answer: Any, reason: str) -> None:
    assert reason_of(answer) == reason


class Busy:
    """A bulk endpoint that is too busy for the first requests: as a whole, or for one document."""

    def __init__(self, times: int, *, whole: bool) -> None:
        self.times, self.whole, self.bulks = times, whole, 0

    def __call__(self, asked: str, body: bytes) -> Answer:
        if "_mapping" in asked:
            return 200, {"x": {"mappings": {}}}
        if "_count" in asked:
            return 200, {"count": 0}
        if "_mget" in asked:
            return 200, {"docs": [{"_id": doc["_id"], "found": False} for doc in json.loads(body)["docs"]]}
        if "_bulk" not in asked:
            return 200, {}
        self.bulks += 1
        busy = self.bulks <= self.times
        error = {"type": "circuit_breaking_exception", "reason": "too busy"}
        if busy and self.whole:
            return 429, {"error": error, "status": 429}
        outcome = {"_id": "1", "status": 429, "error": error} if busy else {"_id": "1", "status": 201}
        return 200, {"errors": busy, "items": [{"index": outcome}]}


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("times", [1, 2])
def test_a_busy_server_is_asked_again(times: int, whole: bool) -> None:
    busy = Busy(times, whole=whole)
    with scripted(busy) as server, RestClient(f"127.0.0.1:{server.port}") as client:
        writer = Writer(client, "x", patience=Patience(time.sleep, (0.0, 0.0)))
        writer.write([Item("1", {"t": "x"}, "a.jsonl:1")])
    assert (writer.tally.written, writer.tally.failed) == (1, 0)
    assert busy.bulks == times + 1


def test_a_server_that_stays_busy_is_given_up() -> None:
    item = Item("1", {"t": "x"}, "a.jsonl:1")
    with scripted(Busy(3, whole=True)) as server, RestClient(f"127.0.0.1:{server.port}") as client:
        writer = Writer(client, "x", patience=Patience(time.sleep, (0.0, 0.0)))
        with pytest.raises(AntiphonError, match=r"^a\.jsonl:1: the bulk request was answered with 429: too busy"):
            writer.write([item])
    with scripted(Busy(3, whole=False)) as server, RestClient(f"127.0.0.1:{server.port}") as client:
        writer = Writer(client, "x", patience=Patience(time.sleep, (0.0, 0.0)))
        writer.write([item])
        assert writer.tally.failures == ["a.jsonl:1 (id 1): too busy"]


def test_a_batch_is_cut_by_number_and_by_size() -> None:
    def lengths(sizes: list[int], at_most: int) -> list[int]:
        items = (Item(str(number), {"t": "x" * size}, "f") for number, size in enumerate(sizes))
        return [len(batch) for batch in batches(items, at_most)]

    assert lengths([1] * 7, 3) == [3, 3, 1]
    assert lengths([], 3) == []
    assert lengths([5_000_000] * 3, 100) == [1, 1, 1]
    assert lengths([1, 20_000_000, 1, 1], 100) == [1, 1, 2]


def test_a_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.setattr("antiphon.remote.rest_client._FIRST_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        code, _, err = run("index", "list", "--url", url)
    assert code == 1
    assert f"{url} takes connections but answers nothing" in err

"""``antiphon index``, ``ingest`` and ``search`` against a server process: what a person types, and what comes of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import pytest

from tests.cli.conftest import Run, wait_for, wait_for_model
from tests.support.server import ProcessServer

RIVERS = [
    {"id": 1, "text": "The Elbe flows through Dresden", "country": "Germany", "km": 1094},
    {"id": 2, "text": "La Loire est le plus long fleuve de France", "country": "France", "km": 1006},
    {"id": 3, "text": "The Main meets the Rhine at Mainz", "country": "Germany", "km": 527},
]


@pytest.fixture(autouse=True)
def url(server: ProcessServer, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("ANTIPHON_URL", server.url)
    return server.url


@pytest.fixture
def index(request: pytest.FixtureRequest) -> str:
    """A name of the test's own."""
    return "".join(c if c.isalnum() else "-" for c in request.node.name.lower())[:100].strip("-")


def lines(path: Path, documents: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(document) + "\n" for document in documents), encoding="utf-8")
    return path


def ids(server: ProcessServer, index: str) -> list[str]:
    """The ids of all documents, after a refresh."""
    server.client.post(f"/{index}/_refresh").raise_for_status()
    answer = server.client.post(f"/{index}/_search", json={"size": 1000, "_source": False})
    return sorted(hit["_id"] for hit in answer.json()["hits"]["hits"])


def ok(result: tuple[int, str, str]) -> str:
    """Return stdout of a command that went well."""
    code, out, err = result
    assert code == 0, err
    return out


def test_the_journey(server: ProcessServer, run: Run, index: str, tmp_path: Path) -> None:
    rivers = lines(tmp_path / "rivers.jsonl", RIVERS)
    code, _, err = run("index", "create", index)
    assert code == 0, err
    assert f"next: antiphon ingest {index}" in err
    _, _, err = run("ingest", index, rivers)
    assert err.startswith("3 documents written in "), err
    assert err.rstrip().endswith(" 0 unchanged")
    _, _, err = run("ingest", index, rivers)
    assert err.startswith("0 documents written in "), err
    assert err.rstrip().endswith(" 3 unchanged")
    assert len(ids(server, index)) == 3

    found = ok(run("search", index, "The Elbe flows through Dresden"))
    assert found.splitlines()[0].split() == ["id", "text", "score"]
    assert len(found.splitlines()) == 4
    assert ok(run("search", index, "Loire", "--lexical")).split()[3:5] == ["1", "2"]
    both = ok(run("search", index, "Mainz", "--hybrid")).splitlines()
    assert any("The Main meets the Rhine at Mainz" in line for line in both[1:3])
    assert ok(run("index", "list")).splitlines()[0].split() == ["index", "health", "status", "docs.count", "store.size"]
    assert f"{index} " in ok(run("index", "list"))
    code, _, err = run("index", "rebuild", index)
    assert (code, err) == (0, f"rebuilt [{index}] from its 3 documents\n")
    assert ok(run("search", index, "Loire", "--lexical")).split()[3:5] == ["1", "2"]
    code, _, err = run("index", "delete", index, "--yes")
    assert (code, err) == (0, f"deleted [{index}] with 3 documents\n")
    for kind in ("_ingest", "_search"):
        assert server.client.get(f"/{kind}/pipeline/{index}-semantic").status_code == 404


def test_filters_are_exact(run: Run, index: str, tmp_path: Path) -> None:
    run("index", "create", index)
    run("ingest", index, lines(tmp_path / "rivers.jsonl", RIVERS))

    def found(*filters: str, way: str = "--size=10") -> set[int]:
        flags = [word for text in filters for word in ("--filter", text)]
        hits = ok(run("search", index, "the Elbe or the Main", "--json", way, *flags)).splitlines()
        return {json.loads(hit)["_source"]["id"] for hit in hits}

    for way in ("--size=10", "--hybrid"):
        assert found(way=way) == {1, 2, 3}
        assert found("country=Germany", way=way) == {1, 3}
        assert found("country=germany", way=way) == set()
        assert found("country!=Germany", "km>=1000", way=way) == {2}
        assert found("km<600", way=way) == {3}
        assert found('{"range": {"km": {"lt": 1100, "gt": 1006}}}', way=way) == {1}
        assert found("_id=2,3", way=way) == {2, 3}
    assert found("country=Germany", way="--lexical") == {1, 3}


def test_json_holds_no_vectors(run: Run, index: str, tmp_path: Path) -> None:
    run("index", "create", index)
    run("ingest", index, lines(tmp_path / "rivers.jsonl", RIVERS))
    (hit,) = map(json.loads, ok(run("search", index, "Elbe", "--json", "-n", 1, "--filter", "_id=1")).splitlines())
    assert (hit["_index"], hit["_id"]) == (index, "1")
    assert {key: value for key, value in hit["_source"].items() if key != "antiphon"} == RIVERS[0]


def test_a_semantic_field_is_searched_and_shown(server: ProcessServer, run: Run, index: str, tmp_path: Path) -> None:
    body = tmp_path / "body.json"
    mapping = {
        "settings": {"index.knn": True},
        "mappings": {"properties": {"b": {"type": "semantic", "model_id": "tiny"}}},
    }
    body.write_text(json.dumps(mapping))
    assert run("index", "create", index, "--body", body)[0] == 0
    code, _, err = run("ingest", index, lines(tmp_path / "a.jsonl", [{"id": 1, "a": "zzz", "b": "The Elbe"}]))
    assert code == 0, err
    for way in ("--size=3", "--hybrid", "--lexical"):
        assert "The Elbe" in ok(run("search", index, "Elbe", way)), way


def test_an_index_without_vectors(run: Run, index: str, tmp_path: Path) -> None:
    assert run("index", "create", index, "--lexical", "--field", "km=integer")[0] == 0
    run("ingest", index, lines(tmp_path / "rivers.jsonl", RIVERS))
    assert ok(run("search", index, "dresden", "--lexical", "--filter", "km>1000")).split()[3:5] == ["1", "1"]
    code, _, err = run("search", index, "dresden")
    assert code == 1
    assert "does not say which field is searched by meaning" in err
    assert "--lexical" in err


def test_csv_cells_become_what_the_mapping_says(run: Run, index: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,text,km\n1,Elbe,1094\n2,Main,527\n", encoding="utf-8")
    run("index", "create", index, "--field", "km=integer")
    assert run("ingest", index, tmp_path / "a.csv")[0] == 0
    assert ok(run("search", index, "x", "-f", "km<600")).split()[3:6] == ["1", "2", "Main"]


def test_pieces_of_an_earlier_run_do_not_stay(server: ProcessServer, run: Run, index: str, tmp_path: Path) -> None:
    run("index", "create", index)
    note, other = tmp_path / "notes" / "a.md", tmp_path / "notes" / "b.md"
    note.parent.mkdir()
    other.write_text("short")

    def ingest(words: int, *flags: object) -> list[str]:
        note.write_text("word " * words)
        code, _, err = run("ingest", index, note.parent, "--batch", 2, *flags)
        assert code == 0, err
        return ids(server, index)

    assert ingest(50) == ["a.md", "b.md"]
    assert ingest(50, "--chunk", 16) == ["a.md#0", "a.md#1", "a.md#2", "a.md#3", "b.md"]
    assert ingest(20, "--chunk", 16) == ["a.md#0", "a.md#1", "b.md"]
    assert ingest(16, "--chunk", 16) == ["a.md", "b.md"]
    assert ingest(60, "--chunk", 20) == ["a.md#0", "a.md#1", "a.md#2", "b.md"]
    assert ingest(60) == ["a.md", "b.md"]
    assert "0 documents written" in run("ingest", index, note.parent)[2]


def test_pieces_are_left_alone_that_ingest_did_not_write(
    server: ProcessServer, run: Run, index: str, tmp_path: Path
) -> None:
    run("index", "create", index)
    server.client.put(f"/{index}/_doc/a.md", json={"text": "mine"}).raise_for_status()
    (tmp_path / "a.md").write_text("word " * 40)
    assert run("ingest", index, tmp_path / "a.md", "--chunk", 20)[0] == 0
    assert ids(server, index) == ["a.md", "a.md#0", "a.md#1"]


def test_refused_documents_are_told_and_tried_again(run: Run, index: str, tmp_path: Path) -> None:
    run("index", "create", index, "--field", "km=integer")
    documents = [{"id": number, "text": "t", "km": "far" if number % 2 else number} for number in range(16)]
    rivers = lines(tmp_path / "rivers.jsonl", documents)
    for written, unchanged in ((8, 0), (0, 8)):
        code, out, err = run("ingest", index, rivers)
        said = err.splitlines()
        assert (code, out) == (1, "")
        assert said[0].startswith(f"{written} documents written in ")
        assert said[0].endswith(f" {unchanged} unchanged")
        assert said[1].startswith("refused: rivers.jsonl:2 (id 1): failed to parse field [km]")
        assert [line.split(" ", 3)[1] for line in said[1:6]] == [f"rivers.jsonl:{n}" for n in (2, 4, 6, 8, 10)]
        assert said[6] == "refused: 3 more"
        assert said[7] == "antiphon: 8 documents were refused; the same command tries them again"


def test_what_was_read_before_a_broken_line_is_written_and_told(run: Run, index: str, tmp_path: Path) -> None:
    run("index", "create", index)
    broken = tmp_path / "a.jsonl"
    broken.write_text('{"id": 1, "text": "a"}\n{"id": 2, "text": "b"}\n{"id": 3\n')
    code, _, err = run("ingest", index, broken, "--batch", 1)
    assert code == 1
    assert err.startswith("2 documents written in ")
    assert err.splitlines()[-1].startswith("antiphon: a.jsonl:3 is not a JSON object in one line")


def test_ids_that_come_twice_are_told(server: ProcessServer, run: Run, index: str, tmp_path: Path) -> None:
    run("index", "create", index)
    twice = lines(tmp_path / "a.jsonl", [{"id": 1, "text": "a"}, {"id": 2, "text": "b"}, {"id": 1, "text": "c"}])
    _, _, err = run("ingest", index, twice)
    assert "2 documents written" in err
    assert "1 documents have an id that came before, so that the last one stays; the first: a.jsonl:3 (id 1)" in err
    assert server.client.get(f"/{index}/_doc/1").json()["_source"]["text"] == "c"


def test_pieces_of_a_document_that_comes_again_in_the_same_run_do_not_stay(
    server: ProcessServer, run: Run, index: str, tmp_path: Path
) -> None:
    run("index", "create", index)
    long = {"id": "A", "text": "river water stone. " * 60}
    for documents, left in (
        ([long, {"id": "A", "text": "short"}], ["A"]),
        ([{"id": "A", "text": "short"}, long], None),
    ):
        _, _, err = run("ingest", index, lines(tmp_path / "a.jsonl", documents), "--chunk", "30", "--batch", "4")
        assert "1 documents have an id that came before" in err
        found = ids(server, index)
        assert found == left if left else all(one.startswith("A#") for one in found)


def test_documents_that_nothing_is_embedded_of_are_told(run: Run, index: str, tmp_path: Path) -> None:
    run("index", "create", index)
    some = lines(tmp_path / "a.jsonl", [{"id": 1, "body": "river"}, {"id": 2, "text": "Elbe"}, {"id": 3, "text": ""}])
    _, _, err = run("ingest", index, some)
    assert "note: 2 documents have no text in [text]: no search by meaning finds them" in err
    code, _, err = run("search", index, "river", "--field", "body")
    assert (code, f"[{index}] is not searched by meaning in [body], but in: embedding" in err) == (1, True)


def test_truncation_is_told(run: Run, index: str, tmp_path: Path) -> None:
    run("index", "create", index)
    (tmp_path / 'a\\x "Köln" 水.txt').write_text("word " * 400)
    _, _, err = run("ingest", index, tmp_path)
    assert 'the first in document [a\\x "Köln" 水.txt] field [embedding]' in err


def test_the_field_that_ingest_needs_is_never_overwritten(
    server: ProcessServer, run: Run, index: str, tmp_path: Path
) -> None:
    run("index", "create", index)
    code, _, err = run("ingest", index, lines(tmp_path / "a.jsonl", [{"id": 1, "antiphon": "mine"}]))
    assert code == 1
    assert "antiphon: a.jsonl:1 has a field [antiphon], where ingest keeps what it needs: rename it" in err
    server.client.put(f"/{index}-own", json={"mappings": {"properties": {"antiphon": {"type": "text"}}}})
    code, _, err = run("ingest", f"{index}-own", lines(tmp_path / "b.jsonl", [{"id": 1}]))
    assert (code, err) == (
        1, f"antiphon: [{index}-own] has a field [antiphon] of its own, where ingest keeps what it needs\n",
    )  # fmt: skip


def test_a_strict_mapping_takes_what_ingest_adds(server: ProcessServer, run: Run, index: str, tmp_path: Path) -> None:
    server.client.put(f"/{index}", json={"mappings": {"dynamic": "strict", "properties": {"t": {"type": "text"}}}})
    code, _, err = run("ingest", index, lines(tmp_path / "a.jsonl", [{"_id": "x", "t": "words"}]))
    assert code == 0, err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["index", "create", "a*"], "[a*] must be the name of one index"),
        (["index", "create", "Upper"], "Upper"),
        (["index", "create", "x", "--model", "none"], "there is no model [none]"),
        (["index", "create", "x", "--field", "year"], "--field [year] must be a name and a type"),
        (["index", "create", "x", "--field", "year=century"], "century"),
        (["index", "create", "x", "--lexical", "--model", "tiny"], "exclude each other"),
        (["index", "create", "x", "--body", "/none.json"], "/none.json"),
        (["index", "create", "x", "--body", "/none.json", "--lexical"], "--body says everything by itself"),
        (["index", "delete", "*", "--yes"], "[*] must be the name of one index"),
        (["index", "delete", "nowhere", "--yes"], "no such index [nowhere]"),
        (["index", "rebuild", "nowhere"], "no such index [nowhere]"),
        (["ingest", "nowhere", "-"], "`antiphon index create nowhere`"),
        (["ingest", "a,b", "-"], "[a,b] must be the name of one index"),
        (["ingest", "nowhere", "/none.md"], "there is no file [/none.md]"),
        (["search", "nowhere", "x"], "no such index [nowhere]"),
        (["search", "nowhere", " "], "the text to look for is empty"),
        (["search", "nowhere", "x", "--hybrid", "--lexical"], "exclude each other"),
        (["search", "nowhere", "x", "--lexical", "--model", "tiny"], "leave out --model"),
    ],
)
def test_what_cannot_be_done_is_one_line(arguments: list[str], says: str, server: ProcessServer, run: Run) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (1, "")
    assert err.startswith("antiphon: ")
    assert err.count("\n") == 1
    assert says in err
    assert server.client.get("/_ingest/pipeline").json() == server.client.get("/_ingest/pipeline/*-semantic").json()
    assert not {"x-semantic", "Upper-semantic", "a*-semantic"} & server.client.get("/_ingest/pipeline").json().keys()


def test_an_index_is_not_made_twice(run: Run, index: str) -> None:
    assert run("index", "create", index)[0] == 0
    assert run("index", "create", index) == (1, "", f"antiphon: index [{index}] already exists\n")


def test_deleting_asks_first_and_spares_pipelines_of_others(server: ProcessServer, run: Run, index: str) -> None:
    server.client.put(f"/{index}", json={})
    pipeline = {"processors": [{"set": {"field": "a", "value": 1}}]}
    server.client.put(f"/_ingest/pipeline/{index}-semantic", json=pipeline).raise_for_status()
    asked = shell(server, "index", "delete", index, stdin=subprocess.PIPE)
    _, err = asked.communicate(b"n\n")
    assert asked.returncode == 1
    assert f"delete [{index}] with 0 documents? [y/N]" in err.decode()
    assert server.client.head(f"/{index}").status_code == 200
    assert run("index", "delete", index, "-y")[0] == 0
    assert server.client.get(f"/_ingest/pipeline/{index}-semantic").status_code == 200


def test_a_text_cannot_steer_the_terminal(run: Run, index: str, tmp_path: Path) -> None:
    run("index", "create", index)
    code, _, err = run(
        "ingest", index, lines(tmp_path / "a.jsonl", [{"id": "\x1b[2J", "text": "red \x1b[31m and " + "水" * 200}])
    )
    assert code == 0, err
    assert "in document [\\x1b[2J]" in err  # truncated, which a header tells, where no control character may stand
    shown = ok(run("search", index, "x"))
    assert "\x1b" not in shown
    assert "red [31m and 水水" in shown
    assert shown.count("水") < 60


def shell(
    server: ProcessServer,
    *arguments: object,
    stdin: int | None = None,
    stdout: int = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
) -> subprocess.Popen[bytes]:
    """Start ``antiphon`` as a process of its own."""
    command = [sys.executable, "-m", "antiphon", *map(str, arguments)]
    env = os.environ | {"ANTIPHON_URL": server.url}
    return subprocess.Popen(command, env=env, stdin=stdin, stdout=stdout, stderr=stderr)


def feed(server: ProcessServer, index: str, process: subprocess.Popen[bytes], documents: list[dict[str, Any]]) -> None:
    """Type the documents into a running ``ingest -`` and wait until the last is written."""
    stdin: IO[bytes] | None = process.stdin
    assert stdin is not None
    for document in documents:
        stdin.write(json.dumps(document).encode() + b"\n")
    stdin.flush()
    wait_for(lambda: server.client.get(f"/{index}/_doc/{documents[-1]['id']}").status_code == 200)


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9), (signal.SIGTERM, -15)])
def test_a_stopped_run_is_gone_on_with(
    sent: signal.Signals, code: int, server: ProcessServer, run: Run, index: str, tmp_path: Path
) -> None:
    run("index", "create", index)
    process = shell(server, "ingest", index, "-", "--batch", 1, stdin=subprocess.PIPE)
    feed(server, index, process, RIVERS[:2])
    process.send_signal(sent)
    _, err = process.communicate(timeout=20)
    assert process.returncode == code
    assert b"Traceback" not in err
    if sent is signal.SIGINT:
        assert err.decode().splitlines()[-1] == "stopped: the same command goes on from here"
    _, _, said = run("ingest", index, lines(tmp_path / "rivers.jsonl", RIVERS))
    assert said.startswith("1 documents written in ")
    assert said.rstrip().endswith(" 2 unchanged")


def test_a_run_whose_server_was_killed_is_gone_on_with(
    server: ProcessServer, run: Run, index: str, tmp_path: Path
) -> None:
    run("index", "create", index)
    process = shell(server, "ingest", index, "-", "--batch", 1, stdin=subprocess.PIPE)
    feed(server, index, process, RIVERS[:2])
    server.end(signal.SIGKILL)
    _, err = process.communicate(json.dumps(RIVERS[2]).encode(), timeout=20)
    assert process.returncode == 1
    told = err.decode().splitlines()
    assert told[0].startswith(("1 documents written in ", "2 documents written in "))  # its last answer may be lost
    assert len(told) == 2
    assert told[1].startswith("antiphon: the connection to") or "nothing answers at" in told[1]
    server.start()
    wait_for_model(server)
    _, _, said = run("ingest", index, lines(tmp_path / "rivers.jsonl", RIVERS))
    assert said.startswith("1 documents written in "), said
    assert ids(server, index) == ["1", "2", "3"]


def test_a_reader_that_leaves_ends_the_search_quietly(
    server: ProcessServer, run: Run, index: str, tmp_path: Path
) -> None:
    run("index", "create", index, "--lexical")
    run("ingest", index, lines(tmp_path / "a.jsonl", [{"id": n, "text": "word " * 2000} for n in range(50)]))
    process = shell(server, "search", index, "word", "--lexical", "--json", "-n", 1000)
    assert process.stdout is not None
    assert process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(20) in (0, 1)


def test_a_terminal_gets_a_bar(server: ProcessServer, run: Run, index: str, tmp_path: Path) -> None:
    run("index", "create", index)
    ours, theirs = os.openpty()
    process = shell(
        server, "ingest", index, lines(tmp_path / "a.jsonl", RIVERS), stdout=subprocess.DEVNULL, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            shown += os.read(ours, 4096)
        except OSError:  # what Linux says when the last writer has closed the terminal
            break
    os.close(ours)
    assert process.wait(20) == 0
    assert b" documents " in shown
    assert b"3 documents written in " in shown

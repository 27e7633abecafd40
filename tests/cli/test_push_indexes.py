"""Indexes that cannot go as they are: refused or left behind by name, both ways, and nothing else is touched."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from antiphon.app import build_package
from antiphon.domain.package import Overrides
from antiphon.transfer import documents
from tests.cli.conftest import Run
from tests.cli.test_push import CERTIFICATE, allow_uploads, delete_models, here, index, other, pushed_model
from tests.cli.test_rest_client import Answer, scripted
from tests.support.server import ProcessServer
from tests.support.tiny import tiny_folder

__all__ = ["here", "index", "other"]
NAME = "peculiar"
MAPPING = {"properties": {"text": {"type": "text"}, "n": {"type": "integer"}}}
BLOCK = "index.blocks.write"


@pytest.fixture(autouse=True)
def rivers(here: ProcessServer, other: ProcessServer) -> Iterator[None]:
    """An index of two documents here, and nothing of that name there."""
    put(here, f"/{NAME}", {"mappings": MAPPING})
    for number, text in enumerate(("The Elbe", "La Loire")):
        put(here, f"/{NAME}/_doc/{number}?refresh=true", {"text": text, "n": number})
    yield
    for server in (here, other):
        server.client.put(f"/{NAME}/_settings", json={BLOCK: None})
        for path in (NAME, "bystander", f"_index_template/{NAME}", f"_ingest/pipeline/{NAME}"):
            server.client.delete(f"/{path}")


def put(server: ProcessServer, path: str, body: dict[str, Any]) -> None:
    server.client.put(path, json=body).raise_for_status()


def count(server: ProcessServer, index: str = NAME) -> int:
    return int(server.client.get(f"/{index}/_count").json()["count"])


def test_an_alias_of_that_name_is_not_written_through(other: ProcessServer, run: Run) -> None:
    put(other, "/bystander", {"aliases": {NAME: {}}})
    before = other.client.get("/bystander").json()
    for command in (["push", "--dry-run"], ["push"], ["diff"]):
        code, _, err = run(*command, NAME, "--to", other.url)
        assert code == 1
        assert f"[{NAME}] is an alias of [bystander] on Antiphon" in err
    assert other.client.get("/bystander").json() == before
    assert count(other, "bystander") == 0


def test_an_alias_that_means_something_else_there_stays_behind(
    here: ProcessServer, other: ProcessServer, run: Run
) -> None:
    put(other, "/bystander", {"aliases": {"current": {}}})
    for alias in ("current", "free"):
        put(here, f"/{NAME}/_alias/{alias}", {})
    for _ in range(2):
        code, _, err = run("push", NAME, "--to", other.url)
        assert code == 0, err
        assert "the alias [current] stays behind: there it means [bystander]" in err
        assert [*other.client.get(f"/{NAME}/_alias").json()[NAME]["aliases"]] == ["free"]
    assert err.endswith("nothing changed: both sides agree\n")
    code, _, err = run("diff", NAME, "--to", other.url)
    assert (code, f"FAILED: the alias [current] of [{NAME}] is another there" in err) == (1, True)


def test_an_alias_that_was_added_later_goes_too(here: ProcessServer, other: ProcessServer, run: Run) -> None:
    assert run("push", NAME, "--to", other.url)[0] == 0
    put(here, f"/{NAME}/_alias/odd", {"filter": {"term": {"n": 1}}, "routing": "a"})
    code, out, err = run("push", NAME, "--to", other.url, "--json")
    assert (code, json.loads(out)["changes"]) == (0, [f"set the alias [odd] of [{NAME}]"]), err
    ours, theirs = (server.client.get(f"/{NAME}/_alias").json()[NAME] for server in (here, other))
    assert ours == theirs


@pytest.mark.parametrize("closed_side", ["here", "there"])
def test_a_closed_index_is_named_before_anything_is_done(
    here: ProcessServer, other: ProcessServer, run: Run, closed_side: str
) -> None:
    if closed_side == "there":
        put(other, f"/{NAME}", {})
    server = here if closed_side == "here" else other
    server.client.post(f"/{NAME}/_close").raise_for_status()
    before = other.client.get(f"/{NAME}").json()
    code, _, err = run("push", NAME, "--to", other.url)
    assert code == 1
    assert f"[{NAME}] is closed on Antiphon" in err
    assert f"at {server.url}: POST /{NAME}/_open it first" in err
    assert other.client.get(f"/{NAME}").json() == before


def test_blocks_stay_behind_and_keep_out(here: ProcessServer, other: ProcessServer, run: Run) -> None:
    put(here, f"/{NAME}/_settings", {BLOCK: True})
    code, _, err = run("push", NAME, "--to", other.url)
    assert code == 0, err
    assert f"{BLOCK} stays behind: it would keep the documents out" in err
    assert count(other) == 2
    put(other, f"/{NAME}/_settings", {BLOCK: True})
    code, _, err = run("push", NAME, "--to", other.url)
    assert (code, f"takes no documents, {BLOCK} is true: PUT /{NAME}/_settings {BLOCK}: null" in err) == (1, True)


def test_a_mapping_that_conflicts_stops_before_documents(other: ProcessServer, run: Run) -> None:
    put(other, f"/{NAME}", {"mappings": {"properties": {"text": {"type": "keyword"}}}})
    code, _, err = run("push", NAME, "--to", other.url, "--dry-run")
    assert code == 1
    assert "cannot become this one: [text] is [keyword] there, and here [text]; delete that index" in err
    code, _, err = run("push", NAME, "--to", other.url)
    assert code == 1
    assert "cannot become this one, and no document was written: mapper [text] cannot be changed" in err
    assert count(other) == 0


def test_analysis_that_differs_fails(other: ProcessServer, here: ProcessServer, run: Run) -> None:
    """The mapping is the same to the letter: only the settings say what the name of an analyzer means."""
    for server, wanted in ((here, "stop"), (other, "simple")):
        server.client.delete(f"/{NAME}")
        analysis = {"analysis": {"analyzer": {"own": {"type": wanted}}}}
        put(
            server,
            f"/{NAME}",
            {"settings": analysis, "mappings": {"properties": {"t": {"type": "text", "analyzer": "own"}}}},
        )
    for command, verb in (("push --dry-run", "stays"), ("push", "stays"), ("diff", "is")):
        code, _, err = run(*command.split(), NAME, "--to", other.url)
        assert code == 1
        assert f"FAILED: the analysis (index.analysis.analyzer.own.type) of [{NAME}] {verb} another there" in err


def test_a_template_there_may_not_change_what_arrives(other: ProcessServer, run: Run) -> None:
    put(other, f"/_ingest/pipeline/{NAME}", {"processors": [{"set": {"field": "spoiled", "value": 1}}]})
    settings = {"index.final_pipeline": NAME, "index.analysis.analyzer.default.type": "simple"}
    body = {"settings": settings, "mappings": {"dynamic": "strict"}}
    put(other, f"/_index_template/{NAME}", {"index_patterns": [f"{NAME}*"], "template": body})
    code, out, err = run("push", NAME, "--to", other.url, "--json")
    assert code == 1
    assert json.loads(out)["documents"][NAME] == {"here": 2, "there": 2, "differing": 0}
    assert f"its final pipeline [{NAME}] is off while documents are copied" in err
    assert f"set index.final_pipeline of [{NAME}] to [_none]" in err
    assert f"[{NAME}] is dynamic: strict there" in err
    assert f"FAILED: the analysis (index.analysis.analyzer.default.type) of [{NAME}] stays another there" in err


def test_a_document_that_is_refused_keeps_no_other_back(
    here: ProcessServer, other: ProcessServer, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every page has another document, so that going on after the first refusal is seen."""
    monkeypatch.setattr(documents, "PAGE", 1)
    here.client.delete(f"/{NAME}")
    put(here, f"/{NAME}", {"mappings": {"dynamic": False}})
    put(other, f"/{NAME}", {"mappings": {"dynamic": False, "properties": {"day": {"type": "date"}}}})
    for number, day in enumerate(("2020-01-01", "never", "2021-01-01")):
        put(here, f"/{NAME}/_doc/{number}?refresh=true", {"day": day})
    code, _, err = run("push", NAME, "--to", other.url)
    assert code == 1
    assert f"write 2 of 3 documents to [{NAME}]" in err
    assert f"FAILED: 1 documents of [{NAME}] were refused there: [1] failed to parse field [day] of type [date]" in err
    assert count(other) == 2


def test_pages_are_bounded_by_bytes_and_by_the_index(
    here: ProcessServer, other: ProcessServer, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    pages = documents.pages

    def watched(side: Any, index: str, size: int) -> Iterator[list[dict[str, Any]]]:
        for page in pages(side, index, size):
            asked.append(len(page))
            yield page

    monkeypatch.setattr(documents, "pages", watched)
    for number in range(5):
        put(here, f"/{NAME}/_doc/large{number}?refresh=true", {"text": "water " * 500_000})
    assert run("push", NAME, "--to", other.url)[0] == 0
    assert asked == [2, 2, 2, 1]
    for number in range(5):
        here.client.delete(f"/{NAME}/_doc/large{number}?refresh=true").raise_for_status()
    put(here, f"/{NAME}/_settings", {"index.max_result_window": 1})
    asked.clear()
    assert run("pull", NAME, "--from", here.url, "--url", other.url)[0] == 1  # there are more
    assert asked == [1, 1]
    assert run("diff", NAME, "--to", other.url)[0] == 1


def test_a_pull_says_which_side_has_what(here: ProcessServer, other: ProcessServer, run: Run) -> None:
    assert run("push", NAME, "--to", other.url)[0] == 0
    put(here, f"/{NAME}/_doc/more?refresh=true", {"text": "The Main"})
    code, out, err = run("pull", NAME, "--from", other.url, "--json")
    assert code == 1
    assert json.loads(out)["documents"][NAME] == {"there": 2, "here": 3, "differing": 0}
    assert f"[{NAME}] has 2 documents there and 3 here; it has documents that are not there: delete them here" in err


def cluster(definition: dict[str, Any]) -> Any:
    """A cluster that has one index of that definition."""

    def answer(asked: str, _: bytes) -> Answer:
        if asked == "GET /":
            return 200, {"version": {"number": "2.19.1", "distribution": "opensearch"}}
        if asked.startswith(f"GET /{NAME}?"):
            return 200, {definition.pop("name", NAME): {"settings": {}, "mappings": {}, "aliases": {}} | definition}
        return 404, {"error": {"reason": "not scripted"}}

    return answer


@pytest.mark.parametrize(
    ("definition", "said"),
    [
        ({"mappings": {"_source": {"enabled": False}}}, f"[{NAME}] keeps no _source on OpenSearch 2.19.1"),
        ({"name": ".ds-x-1", "data_stream": "x"}, f"[{NAME}] belongs to the data stream [x] on OpenSearch 2.19.1"),
    ],
)
def test_what_cannot_be_pulled_is_refused_by_name(
    here: ProcessServer, run: Run, definition: dict[str, Any], said: str
) -> None:
    before = here.client.get(f"/{NAME}").json()
    with scripted(cluster(definition)) as server:
        code, _, err = run("pull", NAME, "--from", f"http://127.0.0.1:{server.port}")
    assert code == 1
    assert said in err
    assert here.client.get(f"/{NAME}").json() == before


@pytest.mark.parametrize(
    ("sent", "code", "said"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "told to end")]
)
def test_a_push_that_is_told_to_end_puts_things_in_order(
    here: ProcessServer, other: ProcessServer, tmp_path: Path, sent: signal.Signals, code: int, said: str
) -> None:
    """The final pipeline there is back, no scratch is left, and one line says that it can go on."""
    put(other, f"/_ingest/pipeline/{NAME}", {"processors": []})
    put(other, f"/{NAME}", {"settings": {"final_pipeline": NAME}})
    lines = [json.dumps(part) for n in range(4000) for part in ({"index": {"_id": str(n)}}, {"text": f"river {n}"})]
    headers = {"content-type": "application/x-ndjson"}
    here.client.post(f"/{NAME}/_bulk?refresh=true", content="\n".join([*lines, ""]), headers=headers).raise_for_status()
    command = [sys.executable, "-m", "antiphon", "push", NAME, "--to", other.url]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        while final_pipeline(other) != "_none" and process.poll() is None:
            time.sleep(0.002)  # until the other process is in the midst of it: only the server can tell
        process.send_signal(sent)
        _, err = process.communicate()
    assert (process.returncode, err.splitlines()[-1]) == (code, f"antiphon: {said}: run it again to go on")
    assert final_pipeline(other) == NAME
    assert [*tmp_path.iterdir()] == []


def final_pipeline(server: ProcessServer) -> str:
    answer = server.client.get(f"/{NAME}/_settings?flat_settings=true").json()
    return str(answer[NAME]["settings"]["index.final_pipeline"])


def test_http_to_a_port_of_https_is_told(run: Run) -> None:
    with scripted(lambda *_: (200, {})) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        server.http.socket = context.wrap_socket(server.http.socket, server_side=True)
        code, _, err = run("push", "x", "--to", f"http://localhost:{server.port}")
    assert (code, err.endswith("; if it speaks https, write that\n")) == (1, True), err


def test_an_index_that_is_refused_keeps_no_other_back(here: ProcessServer, other: ProcessServer, run: Run) -> None:
    put(here, "/bystander", {"mappings": MAPPING})
    put(other, f"/{NAME}", {})
    other.client.post(f"/{NAME}/_close").raise_for_status()
    code, out, err = run("push", NAME, "bystander", "--to", other.url, "--json")
    assert code == 1
    assert f"FAILED: [{NAME}] is closed on Antiphon" in err
    assert json.loads(out)["changes"] == ["create index [bystander]"]
    assert [*json.loads(out)["documents"]] == ["bystander"]
    assert run("pull", NAME, "bystander", "--from", other.url)[0] == 1
    assert err.endswith("antiphon: 1 failure, see above\n")


def test_pushes_of_one_model_wait_for_each_other(other: ProcessServer, run: Run) -> None:
    """Whoever comes second waits for the deploy of the first; none fails as a duplicate."""
    allow_uploads(other, "true")
    assert run("push", "tiny", "--to", other.url)[0] == 0
    for _ in range(3):
        other.client.post(f"/_plugins/_ml/models/{pushed_model(other)}/_undeploy").raise_for_status()
        command = [sys.executable, "-m", "antiphon", "push", "tiny", "--to", other.url]
        pushes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
        for push in pushes:
            _, err = push.communicate()
            assert push.returncode == 0, err
    delete_models(other)


def test_a_pull_without_a_model_keeps_the_pipelines_that_are_here(
    here: ProcessServer, other: ProcessServer, run: Run, index: str
) -> None:
    assert run("push", index, "--to", other.url)[0] == 0
    code, out, err = run("pull", index, "--from", other.url, "--json")
    assert (code, json.loads(out)["changes"]) == (0, []), err
    assert "its pipelines stay behind" in err
    settings = here.client.get(f"/{index}/_settings?flat_settings=true").json()[index]["settings"]
    assert settings["index.default_pipeline"] == f"{index}-semantic"
    delete_models(other)


def test_a_pull_with_a_model_that_is_not_that_one_is_told(
    here: ProcessServer, other: ProcessServer, run: Run, index: str, tmp_path: Path
) -> None:
    assert run("push", index, "--to", other.url)[0] == 0
    code, _, err = run("pull", index, "--from", other.url, "--model", "nothing-such")
    assert (code, "there is no model [nothing-such] on Antiphon" in err) == (1, True)
    assert "is another file" not in run("pull", index, "--from", other.url, "--model", "tiny")[2]
    overrides = Overrides(name="symmetric")
    package = build_package(str(tiny_folder(tmp_path / "other")), tmp_path / "symmetric.zip", overrides=overrides).path
    assert run("push", package, "--to", here.url, "--url", "http://127.0.0.1:1", "--apply-settings")[0] == 0
    query = {"query": {"term": {"name.keyword": "symmetric"}}}
    [hit] = here.client.post("/_plugins/_ml/models/_search", json=query).json()["hits"]["hits"]
    err = run("pull", index, "--from", other.url, "--model", hit["_id"], "--dry-run")[2]
    assert f"[{hit['_id']}] is another file than [{pushed_model(other)}] there" in err
    here.client.post(f"/_plugins/_ml/models/{hit['_id']}/_undeploy").raise_for_status()
    here.client.delete(f"/_plugins/_ml/models/{hit['_id']}").raise_for_status()
    delete_models(other)


def test_documents_alone_come_into_an_index_of_another_mapping(
    here: ProcessServer, other: ProcessServer, run: Run
) -> None:
    pull = ["pull", NAME, "--from", here.url, "--url", other.url, "--documents-only"]
    code, _, err = run(*pull)
    assert (code, f"there is no index [{NAME}] here: make it" in err) == (1, True)
    put(other, f"/{NAME}", {"mappings": {"properties": {"text": {"type": "keyword"}}}})
    before = other.client.get(f"/{NAME}").json()[NAME]
    code, _, err = run(*pull, "--dry-run")
    assert (code, count(other)) == (0, 0), err
    code, out, err = run(*pull, "--json")
    assert (code, len(json.loads(out)["changes"])) == (0, 1), err
    assert f"the mapping (properties.text.type, properties.n) of [{NAME}] stays another here" in err
    after = other.client.get(f"/{NAME}").json()[NAME]
    assert after["mappings"]["properties"]["text"] == before["mappings"]["properties"]["text"]
    assert (after["settings"], count(other)) == (before["settings"], 2)
    assert run(*pull)[2].endswith("nothing changed: both sides agree\n")

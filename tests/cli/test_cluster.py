"""The shell against a server in front of a cluster: the same commands, the cluster's documents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cli.conftest import Run, build_tiny, wait_for_model
from tests.rest.conftest import Said, scripted
from tests.support.server import ProcessServer


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ProcessServer, ProcessServer]]:
    """A cluster without models, and a server with one in front of it."""
    with ExitStack() as stack:
        cluster = ProcessServer(tmp_path_factory.mktemp("cluster"), {})
        stack.callback(cluster.close)
        folder = tmp_path_factory.mktemp("front")
        front = ProcessServer(folder, {"model": build_tiny(folder), "cluster": cluster.url})
        stack.callback(front.close)
        wait_for_model(front)
        yield cluster, front


def test_the_shells_journey(run: Run, pair: tuple[ProcessServer, ProcessServer], tmp_path: Path) -> None:
    cluster, front = pair
    notes = tmp_path / "notes.jsonl"
    lines = [{"id": str(number), "text": text} for number, text in enumerate(["green tea", "black coffee", "milk"])]
    notes.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    url = ("--url", front.url)
    code, _, err = run("index", "create", "notes", *url)
    assert (code, "8 dimensions" in err) == (0, True), err
    assert run("ingest", "notes", notes, *url)[0] == 0
    code, _, err = run("ingest", "notes", notes, *url)
    assert (code, "3 unchanged" in err) == (0, True), err
    for way in ([], ["--hybrid"], ["--lexical"]):
        code, out, err = run("search", "notes", "green tea", "--json", *way, *url)
        assert code == 0, err
        assert json.loads(out.splitlines()[0])["_id"] == "0"
    held = cluster.client.get("/notes/_doc/0").json()["_source"]
    assert len(held["embedding"]) == 8
    code, out, _ = run("index", "list", *url)
    assert (code, "notes" in out) == (0, True)
    assert run("index", "rebuild", "notes", *url)[0] == 0
    assert run("index", "delete", "notes", "--yes", *url)[0] == 0
    assert cluster.client.get("/notes").status_code == 404
    assert cluster.client.get("/_ingest/pipeline/notes-semantic").json() == {}


@pytest.mark.parametrize(("asked", "engine"), [([], "faiss"), (["--engine", "lucene"], "lucene")])
def test_the_engine_is_chosen_or_asked_for(
    run: Run, pair: tuple[ProcessServer, ProcessServer], asked: list[str], engine: str
) -> None:
    cluster, front = pair
    name = f"engine-{engine}"
    assert run("index", "create", name, *asked, "--url", front.url)[0] == 0
    mapping = cluster.client.get(f"/{name}/_mapping").json()[name]["mappings"]
    assert mapping["properties"]["embedding"]["method"]["engine"] == engine


def test_a_cluster_gets_the_engine_that_knows_every_space(run: Run) -> None:
    model = {"_id": "m", "_source": {"model_config": {"embedding_dimension": 8}, "model_state": "DEPLOYED"}}

    def answers(method: str, path: str, _: bytes) -> Said | None:
        found = {"hits": {"hits": [model]}} if path.endswith("/_search") else {}
        missing = method == "GET" and path == "/notes"
        return None if path == "/" else (404 if missing else 200, {}, json.dumps(found).encode())

    with scripted(answers) as cluster:
        assert run("index", "create", "notes", "--url", cluster.url)[0] == 0
        assert run("index", "rebuild", "notes", "--url", cluster.url)[0] == 1
    made = next(json.loads(body) for method, path, _, body in cluster.asked if (method, path) == ("PUT", "/notes"))
    assert made["mappings"]["properties"]["embedding"]["method"]["engine"] == "lucene"

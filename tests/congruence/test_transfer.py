"""``push``, ``diff``, ``pull`` and ``connect`` with multilingual-e5-small and a real node (or another server)."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from antiphon.remote import RestClient
from antiphon.transfer import Side
from tests.cli.conftest import Run, run, wait_for
from tests.contract.conftest import contract_url
from tests.support.e5 import e5_package
from tests.support.server import ProcessServer

__all__ = ["run"]
INDEX = "carried"
DOCUMENTS = 600
SENTENCES = [
    "Berlin is the capital of Germany, page {}.",
    "Brew green tea at eighty degrees for {} seconds.",
    "La Loire est un fleuve de {} kilomètres.",
    "Ein Krokodil frisst {} Fische am Tag.",
    "The train to Warsaw leaves platform {} at noon.",
    "水在 {} 摄氏度时沸腾。",
]


@pytest.fixture(scope="module")
def other(request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    url = contract_url(request.config)
    if url is None:
        pytest.skip("no other server is named: scripts/test-contract runs this against a real node")
    with httpx.Client(base_url=url, timeout=120) as client:
        before = model_ids(client)
        clean(client, before)
        yield client
        clean(client, before)


@pytest.fixture(scope="module")
def real(other: httpx.Client) -> bool:
    return "antiphon" not in other.get("/").json()["version"]


@pytest.fixture(scope="module")
def there(other: httpx.Client) -> Iterator[Side]:
    """What the other server's version can do."""
    with RestClient(address(other)) as client:
        yield Side.read(client, "there")


@pytest.fixture(scope="module")
def here(other: httpx.Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessServer]:
    """Our server with E5 and an index of documents that its pipeline has embedded."""
    folder = tmp_path_factory.mktemp("here")
    package = folder / "e5.zip"
    package.symlink_to(e5_package())
    server = ProcessServer(folder, {"model": package})
    wait_for(lambda: bool(deployed(server)))
    model_id = deployed(server)[0]
    processor = {"text_embedding": {"model_id": model_id, "field_map": {"text": "vector"}}}
    server.client.put(f"/_ingest/pipeline/{INDEX}", json={"processors": [processor]}).raise_for_status()
    method = {"name": "hnsw", "engine": "faiss", "space_type": "cosinesimil"}
    body = {
        "settings": {"index.knn": True, "default_pipeline": INDEX, "number_of_replicas": 0},
        "mappings": {
            "properties": {
                "text": {"type": "text"},
                "number": {"type": "integer"},
                "vector": {"type": "knn_vector", "dimension": 384, "method": method},
            }
        },
    }
    server.client.put(f"/{INDEX}", json=body).raise_for_status()
    lines: list[Any] = []
    for number in range(DOCUMENTS):
        text = SENTENCES[number % len(SENTENCES)].format(number)
        lines += [{"index": {"_id": str(number)}}, {"text": text, "number": number}]
    content = "".join(json.dumps(line) + "\n" for line in lines)
    headers = {"content-type": "application/x-ndjson"}
    answer = server.client.post(f"/{INDEX}/_bulk?refresh=true", content=content, headers=headers)
    assert answer.json()["errors"] is False
    yield server
    server.close()


@pytest.fixture(autouse=True)
def chosen(here: ProcessServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_URL", here.url)


def deployed(server: ProcessServer) -> list[str]:
    found = server.client.post("/_plugins/_ml/models/_search", json={"query": {"term": {"model_state": "DEPLOYED"}}})
    return [hit["_id"] for hit in found.json()["hits"]["hits"]]


def predicted(server: ProcessServer, text: str, role: str) -> list[float]:
    """Our vector of a text in a role."""
    body = {"parameters": {"content_type": role}, "text_docs": [text], "return_number": True}
    answer = server.client.post(f"/_plugins/_ml/models/{deployed(server)[0]}/_predict", json=body).json()
    vector: list[float] = answer["inference_results"][0]["output"][0]["data"]
    return vector


def model_ids(client: httpx.Client) -> set[str]:
    """The models of a server, their chunks left out."""
    found = client.post("/_plugins/_ml/models/_search", json={"size": 1000}).json()
    return {hit["_id"] for hit in found.get("hits", {}).get("hits", []) if "chunk_number" not in hit["_source"]}


def clean(client: httpx.Client, before: set[str]) -> None:
    """Remove what these tests leave on the other server: not the models that were there before."""
    client.delete(f"/{INDEX},connected,meant", params={"ignore_unavailable": "true"})
    for path in (f"_ingest/pipeline/{INDEX}", "_ingest/pipeline/connected"):
        client.delete(f"/{path}")
    for model_id in model_ids(client) - before:
        client.post(f"/_plugins/_ml/models/{model_id}/_undeploy")
        client.delete(f"/_plugins/_ml/models/{model_id}")


def address(other: httpx.Client) -> str:
    return str(other.base_url).rstrip("/")


def test_a_push_is_killed_again_and_again_and_ends_well(other: httpx.Client, run: Run) -> None:
    """Killed while the model is uploaded, then while documents are written; every run goes on where it was."""
    to = ["push", INDEX, "--to", address(other), "--engine", "lucene", "--apply-settings"]
    for moment in (uploading, writing):
        with subprocess.Popen([sys.executable, "-m", "antiphon", *to], stderr=subprocess.DEVNULL) as process:
            while process.poll() is None and not moment(other):
                time.sleep(0.01)  # until a part has arrived: only the server can tell
            process.send_signal(signal.SIGKILL)
    code, out, err = run(*to, "--json")
    assert code == 0, err
    facts = json.loads(out)
    assert facts["documents"] == {INDEX: {"here": DOCUMENTS, "there": DOCUMENTS, "differing": 0}}
    assert min(facts["cosine"].values()) > 0.9999
    assert min(facts["overlap"][INDEX].values()) > 0.95
    assert "query vectors are the same on both" in err

    code, out, err = run(*to, "--json")
    assert (code, json.loads(out)["changes"]) == (0, []), err


def uploading(other: httpx.Client) -> bool:
    """Whether a chunk of the model has arrived."""
    query = {"query": {"bool": {"filter": [{"exists": {"field": "model_content_hash_value"}}]}}, "size": 10}
    answer = other.post("/_plugins/_ml/models/_search", json=query).json()
    hits = answer.get("hits", {}).get("hits", [])
    return any("e5" in hit["_source"].get("name", "") for hit in hits)


def writing(other: httpx.Client) -> bool:
    """Whether a document has arrived."""
    other.post(f"/{INDEX}/_refresh")
    return bool(other.get(f"/{INDEX}/_count").json().get("count"))


def test_diff_sees_a_change_there(other: httpx.Client, run: Run) -> None:
    arguments = ["diff", INDEX, "--to", address(other), "--engine", "lucene"]
    code, _, err = run(*arguments)
    assert code == 0, err
    other.delete(f"/{INDEX}/_doc/7?refresh=true").raise_for_status()
    code, _, err = run(*arguments)
    assert code == 1
    assert f"[{INDEX}] has {DOCUMENTS} documents here and {DOCUMENTS - 1} there" in err
    assert run("push", *arguments[1:])[0] == 0
    assert run(*arguments)[0] == 0


def test_the_shell_searches_a_pushed_index_in_the_query_role(
    here: ProcessServer, other: httpx.Client, there: Side, run: Run, tmp_path: Path
) -> None:
    """Also where neural queries cannot say the role, by ``_predict`` and ``knn``; documents are added in the other."""
    words = ["search", INDEX, "how hot is the water?", "--field", "vector", "--json"]
    code, ours, err = run(*words, "-n", str(DOCUMENTS))
    assert code == 0, err
    code, theirs, err = run(*words, "-n", "5", "--url", address(other))
    assert code == 0, err
    here_hits, there_hits = ([json.loads(line) for line in out.splitlines()] for out in (ours, theirs))
    scores = {hit["_id"]: hit["_score"] for hit in here_hits}
    assert (len(scores), len(there_hits)) == (DOCUMENTS, 5)
    best = int(here_hits[0]["_id"]) % len(SENTENCES)
    for hit in there_hits:  # which of a sentence's hundred numbers a graph proposes is its own affair
        assert hit["_score"] == pytest.approx(scores[hit["_id"]], abs=1e-3)
        assert int(hit["_id"]) % len(SENTENCES) == best
    assert run(*words, "-n", "5", "--hybrid", "--url", address(other))[0] == 0
    more = tmp_path / "more.jsonl"
    more.write_text('{"id": "more", "text": "Steam is hot."}\n', encoding="utf-8")
    code, _, err = run("ingest", INDEX, more, "--url", address(other))
    if there.searches_by_roles:
        assert code == 0, err
        vector = other.get(f"/{INDEX}/_doc/more").json()["_source"]["vector"]
        assert vector == pytest.approx(predicted(here, "Steam is hot.", "passage"), abs=0.02)
        other.delete(f"/{INDEX}/_doc/more?refresh=true").raise_for_status()
    else:
        assert (code, "ingest through `antiphon serve --cluster`" in err) == (1, True)
    assert here.client.get(f"/{INDEX}/_count").json()["count"] == DOCUMENTS


def test_pull_brings_it_back(here: ProcessServer, other: httpx.Client, run: Run) -> None:
    query = {"size": 5, "query": {"neural": {"vector": {"query_text": "how hot is the water?", "k": 5}}}}
    query["query"]["neural"]["vector"]["model_id"] = deployed(here)[0]  # type: ignore[index]
    before = here.client.post(f"/{INDEX}/_search", json=query).json()["hits"]["hits"]
    here.client.delete(f"/{INDEX}").raise_for_status()
    code, _, err = run("pull", INDEX, "--from", address(other), "--model", deployed(here)[0])
    assert code == 0, err
    after = here.client.post(f"/{INDEX}/_search", json=query).json()["hits"]["hits"]
    assert [(hit["_id"], hit["_score"]) for hit in after] == [(hit["_id"], hit["_score"]) for hit in before]
    assert here.client.get(f"/{INDEX}/_count").json()["count"] == DOCUMENTS


def test_connect_lets_the_cluster_search_in_both_roles(
    here: ProcessServer, other: httpx.Client, real: bool, run: Run
) -> None:
    arguments = ["connect", deployed(here)[0], "--to", address(other), "--json"]
    if not real:
        code, _, err = run(*arguments)
        assert (code, "embeds by itself and knows no connectors" in err) == (1, True)
        return
    code, _, err = run(*arguments)
    assert (code, "may not call" in err, "let --apply-settings do it" in err) == (1, True, True)
    code, out, err = run(*arguments, "--apply-settings")
    assert code == 0, err
    models = json.loads(out)["models"]
    assert json.loads(run(*arguments)[1])["models"] == models
    processor = {"text_embedding": {"model_id": models["passage"], "field_map": {"text": "vector"}}}
    other.put("/_ingest/pipeline/connected", json={"processors": [processor]}).raise_for_status()
    method = {"name": "hnsw", "engine": "lucene", "space_type": "cosinesimil"}
    properties = {"text": {"type": "text"}, "vector": {"type": "knn_vector", "dimension": 384, "method": method}}
    settings = {"index.knn": True, "default_pipeline": "connected"}
    other.put("/connected", json={"settings": settings, "mappings": {"properties": properties}}).raise_for_status()
    for number, text in enumerate(SENTENCES):
        other.put(f"/connected/_doc/{number}?refresh=true", json={"text": text.format(number)}).raise_for_status()
    neural = {"neural": {"vector": {"query_text": "how hot is the water?", "model_id": models["query"], "k": 6}}}
    found = other.post("/connected/_search", json={"query": neural}).json()["hits"]["hits"]
    vector = predicted(here, "how hot is the water?", "query")
    exact = other.post("/connected/_search", json={"query": {"knn": {"vector": {"vector": vector, "k": 6}}}})
    assert [hit["_id"] for hit in found] == [hit["_id"] for hit in exact.json()["hits"]["hits"]]
    assert found[0]["_score"] == pytest.approx(exact.json()["hits"]["hits"][0]["_score"], abs=1e-5)
    passage = other.get("/connected/_doc/1").json()["_source"]["vector"]
    assert passage == pytest.approx(predicted(here, SENTENCES[1].format(1), "passage"), abs=1e-5)


def test_a_package_is_compared_without_a_server(other: httpx.Client, run: Run, tmp_path: Path) -> None:
    """The nightly check of a pipeline that has the package and the cluster only."""
    package = tmp_path / "e5.zip"
    package.symlink_to(e5_package())
    code, _, err = run("diff", package, "--to", address(other), "--url", "http://127.0.0.1:1")
    assert code == 0, err
    assert "passage vectors are the same on both" in err


def test_a_connected_cluster_writes_and_searches_by_itself(
    here: ProcessServer, other: httpx.Client, real: bool, run: Run
) -> None:
    """What was pushed with ``--connect`` embeds through this server, also before OpenSearch knew roles in pipelines."""
    if not real:
        pytest.skip("an Antiphon server embeds by itself")
    arguments = [INDEX, "--to", address(other), "--engine", "lucene", "--connect", "--json"]
    assert run("diff", *arguments)[0] == 1  # its pipeline still names the model that was pushed
    code, out, err = run("push", *arguments, "--apply-settings")
    assert code == 0, err
    assert json.loads(out)["overlap"][INDEX]["neural on vector"] > 0.95
    assert run("diff", *arguments)[0] == 0
    assert json.loads(run("push", *arguments)[1])["changes"] == []
    text = {"text": "Penguins live near the south pole."}
    for client in (here.client, other):
        client.put(f"/{INDEX}/_doc/new?refresh=true", json=text).raise_for_status()
    ours, theirs = (client.get(f"/{INDEX}/_doc/new").json()["_source"]["vector"] for client in (here.client, other))
    assert theirs == pytest.approx(ours, abs=1e-5)


PECULIAR: dict[str, Any] = {
    "settings": {
        "knn": True,
        "max_result_window": 2,
        "merge_on_flush.enabled": True,
        "number_of_shards": 3,
        "analysis": {"analyzer": {"own": {"tokenizer": "standard", "filter": ["lowercase", "stop"]}}},
    },
    "aliases": {"peculiar-hidden": {"is_hidden": True}, "peculiar-one": {"filter": {"term": {"n": 1}}, "routing": "a"}},
    "mappings": {
        "dynamic": "false",
        "_source": {"excludes": ["secret"]},
        "properties": {
            "text": {"type": "text", "analyzer": "own", "fields": {"raw": {"type": "keyword"}}},
            "n": {"type": "long"},
            "secret": {"type": "keyword"},
            "parts": {"type": "nested", "properties": {"day": {"type": "date", "format": "yyyy/MM/dd"}}},
            "bytes": {
                "type": "knn_vector",
                "dimension": 8,
                "data_type": "byte",
                "method": {"name": "hnsw", "engine": "lucene", "space_type": "l2"},
            },
        },
    },
}
IDS = ("a/b?c#d%2F+ e", "é水😀", "x" * 512, '"quoted\\', "*", "null")


def test_a_peculiar_index_of_a_node_comes_with_notes(
    here: ProcessServer, other: httpx.Client, real: bool, run: Run
) -> None:
    """What only a real node can have: each thing that does not come is named, and a second run changes nothing."""
    if not real:
        pytest.skip("only a real node has these")
    name = "peculiar"
    other.delete(f"/{name}")
    other.put(f"/{name}", json=PECULIAR).raise_for_status()
    lines: list[str] = []
    for number, doc_id in enumerate(IDS):
        parts = [{"day": "2020/01/02"}, {"day": "2021/01/02"}]
        text = SENTENCES[number].format(number)
        document = {"text": text, "n": number, "secret": "s", "parts": parts, "bytes": [number - 3] * 8}
        lines += [json.dumps({"index": {"_id": doc_id}}), json.dumps(document)]
    headers = {"content-type": "application/x-ndjson"}
    content = "\n".join([*lines, ""]).encode()
    assert other.post(f"/{name}/_bulk?refresh=true", content=content, headers=headers).json()["errors"] is False
    other.put(f"/{name}/_settings", json={"index.blocks.write": True}).raise_for_status()
    try:
        code, out, err = run("pull", name, "--from", address(other), "--json")
        assert code == 0, err
        assert json.loads(out)["documents"] == {name: {"there": len(IDS), "here": len(IDS), "differing": 0}}
        for said in (
            f"_source of [{name}] excludes secret: what it leaves out can be searched on OpenSearch",
            "index.merge_on_flush.enabled stays behind: Antiphon",
            "index.blocks.write stays behind: it would keep the documents out",
            "the alias [peculiar-hidden] will not be hidden here",
        ):
            assert said in err
        other.put(f"/{name}/_settings", json={"index.blocks.write": None}).raise_for_status()
        code, out, err = run("pull", name, "--from", address(other), "--json")
        assert (code, json.loads(out)["changes"]) == (0, []), err
        code, _, err = run("diff", name, "--to", address(other))
        assert code == 0, err
        code, out, err = run("push", name, "--to", address(other), "--json")
        assert (code, json.loads(out)["changes"]) == (0, []), err
    finally:
        other.delete(f"/{name}")
        here.client.delete(f"/{name}")


def test_a_number_that_is_infinite_is_refused_by_name(
    here: ProcessServer, other: httpx.Client, real: bool, run: Run
) -> None:
    """A node keeps it as it was written, where nobody maps it; JSON has no infinity that could be sent on."""
    if not real:
        pytest.skip("an Antiphon server takes no such document")
    name = "infinite"
    other.delete(f"/{name}")
    other.put(f"/{name}", json={"mappings": {"dynamic": "false"}}).raise_for_status()
    headers = {"content-type": "application/json"}
    for doc_id, number in (("large", str(10**30)), ("infinite", "1e400"), ("minus zero", "-0.0")):
        content = f'{{"x": {number}}}'
        other.put(f"/{name}/_doc/{doc_id}?refresh=true", content=content, headers=headers).raise_for_status()
    try:
        code, out, err = run("pull", name, "--from", address(other), "--json")
        assert code == 1
        assert f"1 documents of [{name}] were refused here: [infinite] holds a number beyond 1.8e308" in err
        assert json.loads(out)["documents"] == {name: {"there": 3, "here": 2, "differing": 1}}
    finally:
        other.delete(f"/{name}")
        here.client.delete(f"/{name}")


def test_semantic_fields_go_there_and_come_back(
    here: ProcessServer, other: httpx.Client, there: Side, run: Run
) -> None:
    space = {"model_config": {"model_type": "bert", "additional_config": {"space_type": "cosinesimil"}}}
    here.client.put(f"/_plugins/_ml/models/{deployed(here)[0]}", json=space).raise_for_status()
    field = {"type": "semantic", "model_id": deployed(here)[0]}
    made = here.client.put(
        "/meant", json={"settings": {"index.knn": True}, "mappings": {"properties": {"text": field}}}
    )
    assert made.status_code == httpx.codes.OK, made.text
    for number, text in enumerate(SENTENCES):
        here.client.put(f"/meant/_doc/{number}?refresh=true", json={"text": text.format(number)}).raise_for_status()
    query = {"query": {"neural": {"text": {"query_text": "how hot is the water?", "k": 5}}}}
    before = [hit["_id"] for hit in here.client.post("/meant/_search", json=query).json()["hits"]["hits"]]
    code, out, err = run("push", "meant", "--to", address(other), "--engine", "lucene", "--apply-settings", "--json")
    assert code == 0, err
    facts = json.loads(out)
    assert facts["documents"] == {"meant": {"here": 6, "there": 6, "differing": 0}}
    assert facts["overlap"]["meant"].get("neural on text") == (1.0 if there.knows_semantic else None)
    mappings = other.get("/meant/_mapping").json()["meant"]["mappings"]
    if there.knows_semantic:
        assert mappings["properties"]["text"]["type"] == "semantic"
        assert mappings["properties"]["text_semantic_info"]["properties"]["embedding"]["method"]["engine"] == "lucene"
        found = other.post("/meant/_search", json=query).json()["hits"]["hits"]
        assert [hit["_id"] for hit in found] == before
        code, out, err = run("search", "meant", "how hot is the water?", "-n", "5", "--json", "--url", address(other))
        assert code == 0, err
        assert [json.loads(line)["_id"] for line in out.splitlines()] == before
    else:
        assert mappings["properties"]["text"]["type"] == "text"
        assert mappings["_meta"]["antiphon"]["semantic"]["text"]["model_id"] in model_ids(other)
    assert json.loads(run("push", "meant", "--to", address(other), "--engine", "lucene", "--json")[1])["changes"] == []
    other_way = ["push", "meant", "--to", address(other), "--engine", "lucene", "--keep-model-ids"]
    here.client.delete("/meant").raise_for_status()
    code, _, err = run("pull", "meant", "--from", address(other), "--model", deployed(here)[0])
    assert code == 0, err
    assert here.client.get("/meant/_mapping").json()["meant"]["mappings"]["properties"]["text"]["type"] == "semantic"
    assert [hit["_id"] for hit in here.client.post("/meant/_search", json=query).json()["hits"]["hits"]] == before

    other.delete("/meant").raise_for_status()  # for `antiphon serve --cluster` it names a model that is not there
    code, _, err = run(*other_way)
    assert code == 0, err
    text = other.get("/meant/_mapping").json()["meant"]["mappings"]["properties"]["text"]
    assert text["type"] == ("semantic" if there.antiphon else "text")

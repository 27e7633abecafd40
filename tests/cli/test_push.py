"""``antiphon push``, ``diff`` and ``pull`` between two servers: what arrives, what a second run does, what differs."""

from __future__ import annotations

import base64
import hashlib
import json
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.cli.test_rest_client import Answer, scripted
from tests.support.server import ProcessServer

CERTIFICATE = Path(__file__).parents[1] / "support" / "localhost.pem"
RIVERS = [
    "The Elbe flows through Dresden",
    "La Loire est le plus long fleuve de France",
    "The Main meets the Rhine at Mainz",
    "Die Donau mündet in das Schwarze Meer",
]
CONFIG: dict[str, Any] = {
    "model_type": "bert",
    "embedding_dimension": 8,
    "framework_type": "sentence_transformers",
    "query_prefix": "query: ",
    "passage_prefix": "passage: ",
    "pooling_mode": "mean",
}
UPLOADS = "plugins.ml_commons.allow_registering_model_via_local_file"


@pytest.fixture(autouse=True)
def here(server: ProcessServer, monkeypatch: pytest.MonkeyPatch) -> ProcessServer:
    monkeypatch.setenv("ANTIPHON_URL", server.url)
    return server


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessServer]:
    """A second server, without any model."""
    server = ProcessServer(tmp_path_factory.mktemp("other"), {})
    allow_uploads(server, "true")
    yield server
    server.close()


@pytest.fixture
def index(
    request: pytest.FixtureRequest, here: ProcessServer, other: ProcessServer, run: Run, tmp_path: Path
) -> Iterator[str]:
    """An index of the test's own with four rivers, whose pipeline embeds."""
    name = "".join(c if c.isalnum() else "-" for c in request.node.name.lower())[:80].strip("-")
    source = tmp_path / "rivers.jsonl"
    rows = [{"id": number, "text": text, "km": 100 * number} for number, text in enumerate(RIVERS)]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert run("index", "create", name, "--field", "km=integer")[0] == 0
    assert run("ingest", name, source)[0] == 0
    here.client.post(f"/{name}/_alias/{name}-alias").raise_for_status()
    yield name
    for server in (here, other):
        for path in (name, f"_ingest/pipeline/{name}-semantic", f"_search/pipeline/{name}-semantic"):
            server.client.delete(f"/{path}")


def allow_uploads(server: ProcessServer, value: str | None) -> None:
    body = {"persistent": {UPLOADS: value}}
    server.client.put("/_cluster/settings", json=body).raise_for_status()


def hits(server: ProcessServer, index: str, body: dict[str, Any]) -> list[tuple[str, float]]:
    found = server.client.post(f"/{index}/_search", json=body).json()["hits"]["hits"]
    return [(hit["_id"], hit["_score"]) for hit in found]


def pushed_model(server: ProcessServer) -> str:
    """Return the id of the only model of the other server."""
    found = server.client.post("/_plugins/_ml/models/_search", json={"size": 10}).json()["hits"]["hits"]
    assert len(found) == 1
    return str(found[0]["_id"])


def test_an_index_arrives_whole_and_a_second_run_changes_nothing(
    here: ProcessServer, other: ProcessServer, run: Run, index: str
) -> None:
    code, _, err = run("push", index, "--to", other.url, "--dry-run")
    assert code == 0, err
    assert "would create index" in err
    assert other.client.get(f"/{index}").status_code == 404

    code, out, err = run("push", index, "--to", other.url, "--json")
    assert code == 0, err
    facts = json.loads(out)
    assert facts["failures"] == []
    assert facts["documents"] == {index: {"here": 4, "there": 4, "differing": 0}}
    assert min(facts["cosine"].values()) > 0.9999
    kinds = ("words", "vectors of embedding", "neural on embedding")
    assert facts["overlap"][index] == dict.fromkeys(kinds, 1.0)
    for query in (
        {"match": {"text": "fleuve Dresden"}},
        {"neural": {"embedding": {"query_text": "a river in Germany", "k": 4}}},
    ):
        assert hits(other, index, {"query": query}) == hits(here, index, {"query": query})
    one, two = (server.client.get(f"/{index}?flat_settings=true").json()[index] for server in (here, other))
    assert one["mappings"]["properties"] == two["mappings"]["properties"]
    assert one["aliases"] == two["aliases"]
    assert two["settings"]["index.default_pipeline"] == f"{index}-semantic"
    versions = other.client.get(f"/{index}/_doc/1").json()["_version"]

    code, out, err = run("push", index, "--to", other.url, "--json")
    assert (code, json.loads(out)["changes"]) == (0, []), err
    assert err.endswith("nothing changed: both sides agree\n")
    assert other.client.get(f"/{index}/_doc/1").json()["_version"] == versions
    assert run("diff", index, "--to", other.url)[0] == 0


def test_a_second_run_sends_what_changed(here: ProcessServer, other: ProcessServer, run: Run, index: str) -> None:
    assert run("push", index, "--to", other.url)[0] == 0
    here.client.put(f"/{index}/_doc/1?refresh=true", json={"text": "Le Rhône", "km": 812}).raise_for_status()
    here.client.put(f"/{index}/_mapping", json={"properties": {"note": {"type": "keyword"}}}).raise_for_status()
    code, out, err = run("push", index, "--to", other.url, "--json")
    assert code == 0, err
    changes = json.loads(out)["changes"]
    assert [change.split(",")[0] for change in changes] == [
        f"add to the mapping of [{index}]: properties.note",
        f"write 1 of 4 documents to [{index}]",
    ]
    assert other.client.get(f"/{index}/_doc/1").json()["_source"]["km"] == 812


def test_diff_names_what_differs(here: ProcessServer, other: ProcessServer, run: Run, index: str) -> None:
    assert run("push", index, "--to", other.url)[0] == 0
    other.client.put(f"/{index}/_doc/2?refresh=true&pipeline=_none", json={"text": "changed"}).raise_for_status()
    code, _, err = run("diff", index, "--to", other.url)
    assert code == 1
    assert f"FAILED: 1 of 4 documents of [{index}] differ there, such as 2" in err
    other.client.put(f"/{index}/_doc/extra?refresh=true&pipeline=_none", json={"text": "more"}).raise_for_status()
    other.client.put(f"/_ingest/pipeline/{index}-semantic", json={"processors": [{"lowercase": {"field": "text"}}]})
    code, _, err = run("diff", index, "--to", other.url)
    assert code == 1
    assert f"[{index}] has 4 documents here and 5 there; it has documents that are not here" in err
    assert f"FAILED: _ingest/pipeline/{index}-semantic differs there" in err
    assert here.client.get(f"/{index}/_count").json()["count"] == 4


def test_rankings_that_differ_fail(other: ProcessServer, run: Run, index: str, tmp_path: Path) -> None:
    assert run("push", index, "--to", other.url)[0] == 0
    for number in range(4):  # the same words, all in another document
        text = RIVERS[3 - number]
        other.client.post(f"/{index}/_update/{number}?refresh=true", json={"doc": {"text": text}}).raise_for_status()
    queries = tmp_path / "queries.txt"
    queries.write_text("Dresden\n\nfleuve\n", encoding="utf-8")
    code, out, err = run("diff", index, "--to", other.url, "--queries", queries, "-k", "1", "--json")
    assert code == 1
    assert json.loads(out)["overlap"][index]["words"] == 0.0
    assert "2 queries, overlap of the first 1 is 0.000 on average" in err
    assert "0.9 is wanted (--min-overlap)" in err


def test_an_upload_that_broke_off_is_gone_on_with(
    other: ProcessServer, run: Run, here: ProcessServer, tiny_zip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete_models(other)
    monkeypatch.setattr("antiphon.transfer.models.CHUNK_BYTES", 4000)
    content = tiny_zip.read_bytes()
    model = here.client.get("/_plugins/_ml/models/tiny").json()
    meta = {key: model[key] for key in ("name", "model_format", "model_config", "model_content_hash_value")}
    meta |= {"total_chunks": -(-len(content) // 4000), "model_content_size_in_bytes": len(content)}
    begun = other.client.post("/_plugins/_ml/models/_register_meta", json=meta).json()["model_id"]
    for number in (0, 2):
        path = f"/_plugins/_ml/models/{begun}/upload_chunk/{number}"
        part = content[4000 * number : 4000 * (number + 1)]
        other.client.post(path, content=part, headers={"content-type": "application/json"}).raise_for_status()
    code, _, err = run("push", "tiny", "--to", other.url)
    assert code == 0, err
    assert f"go on uploading it in {meta['total_chunks']} chunks" in err
    assert pushed_model(other) == begun
    assert other.client.get(f"/_plugins/_ml/models/{begun}").json()["model_state"] == "DEPLOYED"


def test_a_push_that_is_killed_is_gone_on_with(here: ProcessServer, other: ProcessServer, run: Run) -> None:
    name, total = "killed", 4000
    here.client.put(f"/{name}", json={"mappings": {"properties": {"text": {"type": "text"}}}}).raise_for_status()
    lines = [json.dumps(item) for n in range(total) for item in ({"index": {"_id": str(n)}}, {"text": f"river {n}"})]
    headers = {"content-type": "application/x-ndjson"}
    here.client.post(f"/{name}/_bulk?refresh=true", content="\n".join([*lines, ""]), headers=headers).raise_for_status()
    command = [sys.executable, "-m", "antiphon", "push", name, "--to", other.url]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while other.client.get(f"/{name}/_count").json().get("count", 0) == 0 and process.poll() is None:
            other.client.post(f"/{name}/_refresh")
            time.sleep(0.005)  # until the other process has written something: only the server can tell
        process.send_signal(signal.SIGKILL)
    code, out, err = run("push", name, "--to", other.url, "--json")
    assert code == 0, err
    assert json.loads(out)["documents"] == {name: {"here": total, "there": total, "differing": 0}}
    assert run("push", name, "--to", other.url)[2].endswith("nothing changed: both sides agree\n")


def delete_models(server: ProcessServer) -> None:
    found = server.client.post("/_plugins/_ml/models/_search", json={"size": 100}).json()["hits"]["hits"]
    for hit in found:
        server.client.post(f"/_plugins/_ml/models/{hit['_id']}/_undeploy")
        server.client.delete(f"/_plugins/_ml/models/{hit['_id']}").raise_for_status()


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        (
            {"query_prefix": "passage: ", "passage_prefix": "query: "},
            "prefix: [passage: ], the passage prefix, in",
        ),
        ({"query_prefix": ""}, "prefix: the text goes in without [query: ]"),
        ({"query_prefix": "query: query: "}, "prefix: [query: ] stands twice"),
        ({"query_prefix": "query:"}, "prefix: [query: ] without its blank"),
        ({"pooling_mode": "cls"}, "pooling: cls in place of mean"),
        ({"pooling_mode": "max"}, "pooling: max in place of mean"),
        ({"normalize_result": True}, "normalisation: the directions agree"),
        ({"model_max_length": 64}, "truncation: short texts agree, a long one does not"),
        ({"query_prefix": "search: "}, "another file: no other prefix or pooling"),
    ],
)
def test_a_model_registered_otherwise_is_told_why(
    other: ProcessServer, run: Run, tiny_zip: Path, changed: dict[str, Any], cause: str
) -> None:
    """As somebody has registered it by hand; the vectors say what went wrong."""
    delete_models(other)
    setting = "plugins.ml_commons.allow_registering_model_via_url"
    other.client.put("/_cluster/settings", json={"persistent": {setting: True}}).raise_for_status()
    body = {
        "name": "by hand",
        "model_format": "ONNX",
        "function_name": "TEXT_EMBEDDING",
        "url": tiny_zip.as_uri(),
        "model_config": CONFIG | changed,
        "model_content_hash_value": hashlib.sha256(tiny_zip.read_bytes()).hexdigest(),
        "model_content_size_in_bytes": tiny_zip.stat().st_size,
    }
    task_id = other.client.post("/_plugins/_ml/models/_register?deploy=true", json=body).json()["task_id"]
    deadline = time.monotonic() + 30
    while (task := other.client.get(f"/_plugins/_ml/tasks/{task_id}").json())["state"] == "CREATED":
        assert time.monotonic() < deadline
    model_id = task["model_id"]
    while other.client.get(f"/_plugins/_ml/models/{model_id}").json()["model_state"] != "DEPLOYED":
        assert time.monotonic() < deadline
    code, _, err = run("diff", tiny_zip, "--to", other.url, "--as", model_id)
    assert code == 1
    assert f"Likely cause: {cause}" in err


def test_settings_that_stand_in_the_way_are_named_and_can_be_changed(
    other: ProcessServer, run: Run, tiny_zip: Path
) -> None:
    delete_models(other)
    allow_uploads(other, None)
    code, _, err = run("push", tiny_zip, "--to", other.url)
    assert code == 1
    assert f"to do: models may not be uploaded there (PUT /_cluster/settings {UPLOADS}: true)" in err
    assert err.splitlines()[-1].startswith("antiphon: Antiphon, which speaks OpenSearch")
    assert "is not ready for it" in err
    code, _, err = run("push", tiny_zip, "--to", other.url, "--apply-settings", "--dry-run")
    assert f"would set {UPLOADS} to true" in err
    code, _, err = run("push", tiny_zip, "--to", other.url, "--apply-settings")
    assert code == 0, err
    assert f"set {UPLOADS} to true" in err
    assert other.client.get("/_cluster/settings?flat_settings=true").json()["persistent"][UPLOADS] == "true"


def test_a_cluster_may_fetch_the_package_itself(other: ProcessServer, run: Run, tiny_zip: Path) -> None:
    delete_models(other)
    code, _, err = run("push", "tiny", "--to", other.url, "--via-url", tiny_zip.as_uri(), "--apply-settings")
    assert code == 0, err
    assert f"register it from {tiny_zip.as_uri()}" in err
    assert "query vectors are the same on both" in err


def test_everything_goes_with_all(here: ProcessServer, other: ProcessServer, run: Run, index: str) -> None:
    settings = {"index.default_pipeline": f"{index}-semantic"}
    template = {"index_patterns": [f"{index}-t*"], "template": {"settings": settings}}
    here.client.put(f"/_index_template/{index}", json=template).raise_for_status()
    here.client.put("/_component_template/parts", json={"template": {"settings": {"number_of_replicas": 0}}})
    here.client.put("/_ingest/pipeline/outer", json={"processors": [{"pipeline": {"name": f"{index}-semantic"}}]})
    code, _, err = run("push", "--all", "--to", other.url)
    assert code == 0, err
    for path in (f"/_index_template/{index}", "/_component_template/parts", "/_ingest/pipeline/outer", f"/{index}"):
        assert other.client.get(path).status_code == 200, path
    written = other.client.put(f"/{index}-t1/_doc/1?pipeline=outer&refresh=true", json={"text": "a river"})
    assert written.status_code == 201, written.text
    for path in (f"/_index_template/{index}", "/_component_template/parts", "/_ingest/pipeline/outer"):
        here.client.delete(path).raise_for_status()


def test_pull_brings_an_index_back(here: ProcessServer, other: ProcessServer, run: Run, index: str) -> None:
    assert run("push", index, "--to", other.url)[0] == 0
    query = {"query": {"match": {"text": "fleuve Dresden"}}}
    before = hits(here, index, query)
    assert run("index", "delete", index, "--yes")[0] == 0
    code, _, err = run("pull", index, "--from", other.url, "--model", "tiny")
    assert code == 0, err
    assert hits(here, index, query) == before
    neural = {"query": {"neural": {"embedding": {"query_text": RIVERS[0], "k": 4}}}}
    assert hits(here, index, neural) == hits(other, index, neural)
    assert run("pull", index, "--from", other.url, "--model", "tiny")[2].endswith("nothing changed: both sides agree\n")


def test_pull_without_a_model_leaves_the_pipelines(
    here: ProcessServer, other: ProcessServer, run: Run, index: str
) -> None:
    assert run("push", index, "--to", other.url)[0] == 0
    assert run("index", "delete", index, "--yes")[0] == 0
    code, _, err = run("pull", index, "--from", other.url)
    assert code == 0, err
    assert f"its pipelines stay behind, they name the models {pushed_model(other)}: bring them with --model ID" in err
    settings = here.client.get(f"/{index}/_settings?flat_settings=true").json()[index]["settings"]
    assert "index.default_pipeline" not in settings
    vector = here.client.get(f"/{index}/_doc/1").json()["_source"]["embedding"]
    assert hits(here, index, {"query": {"knn": {"embedding": {"vector": vector, "k": 1}}}})[0][0] == "1"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["push", "--to", "OTHER"], "name indexes or models, or take everything with --all"),
        (["push", "x", "--all", "--to", "OTHER"], "name indexes or models, or take everything with --all"),
        (["push", "nothing-such", "--to", "OTHER"], "[nothing-such] is neither an index nor a model on Antiphon"),
        (["push", "x", "--to", "HERE"], "both sides are http://127.0.0.1"),
        (["push", "x", "--to", "http://127.0.0.1:1"], "nothing answers at http://127.0.0.1:1"),
        (["push", "x", "--to", "ftp://h"], "is no address of a server"),
        (["push", "x", "--to", "http://me@127.0.0.1:1"], "the password of me at http://127.0.0.1:1 is missing"),
        (["push", "x", "--to", "OTHER", "--ca-cert", "f", "--insecure"], "--ca-cert and --insecure exclude each other"),
        (
            ["push", "x", "--to", "OTHER", "--connect", "--keep-model-ids"],
            "--keep-model-ids and --connect exclude each",
        ),
        (["connect", "x", "--to", "OTHER", "--address", "http://me:pw@h"], "--address http://h must hold no user"),
        (["pull", "nothing-such", "--from", "OTHER"], "there is no index [nothing-such] on Antiphon"),
        (["diff", "x", "--to", "OTHER", "--queries", "nowhere.txt"], "No such file or directory: nowhere.txt"),
    ],
)
def test_what_cannot_be_is_one_line(
    here: ProcessServer, other: ProcessServer, run: Run, arguments: list[str], said: str
) -> None:
    places = {"HERE": here.url, "OTHER": other.url}
    code, out, err = run(*[places.get(word, word) for word in arguments])
    assert (code, out) == (1, "")
    assert said in err
    assert err.count("\n") == 1


def test_another_kind_of_server_is_refused(run: Run) -> None:
    with scripted(lambda *_: (200, {"version": {"number": "8.1.0", "build_flavor": "default"}})) as elastic:
        code, _, err = run("push", "x", "--to", f"http://127.0.0.1:{elastic.port}")
    assert (code, err) == (1, f"antiphon: http://127.0.0.1:{elastic.port} is Elasticsearch 8.1.0, not OpenSearch\n")


def test_a_user_without_rights_is_told_which(run: Run, tiny_zip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(asked: str, _: bytes) -> Answer:
        if asked == "GET /":
            return 200, {"version": {"number": "2.19.1", "distribution": "opensearch"}}
        return 403, {"error": {"reason": "no permissions"}}

    monkeypatch.setenv("ANTIPHON_PASSWORD", "secret word")
    with scripted(answer) as cluster:
        code, out, err = run("push", tiny_zip, "--to", f"http://me@127.0.0.1:{cluster.port}")
    sent = cluster.asked[0][1]["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(sent).decode() == "me:secret word"
    assert (code, out) == (1, "")
    assert "POST /_plugins/_ml/models/_search is forbidden: give the user the role ml_full_access" in err
    assert "secret" not in err


def test_a_cluster_that_is_blocked_is_told_before_anything_is_done(run: Run, tiny_zip: Path) -> None:
    plugins = [{"component": name} for name in ("opensearch-ml", "opensearch-knn", "opensearch-neural-search")]

    def answer(asked: str, _: bytes) -> Answer:
        if "_cluster/settings" in asked:
            return 200, {"persistent": {"cluster.blocks.read_only": "true"}}
        if "_cat/plugins" in asked:
            return 200, json.dumps(plugins).encode()
        return 200, {"version": {"number": "3.6.0", "distribution": "opensearch"}, "hits": {"hits": []}}

    with scripted(answer) as cluster:
        code, _, err = run("push", tiny_zip, "--to", f"http://127.0.0.1:{cluster.port}", "--apply-settings")
    assert code == 1
    assert "to do: nothing can be written there while cluster.blocks.read_only is true" in err
    assert {asked.split()[0] for asked, _ in cluster.asked} == {"GET", "POST"}


def test_certificates_are_checked(run: Run) -> None:
    with scripted(lambda *_: (200, {"version": {"number": "8.1.0", "build_flavor": "default"}})) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        server.http.socket = context.wrap_socket(server.http.socket, server_side=True)
        url = f"https://localhost:{server.port}"
        code, _, err = run("push", "x", "--to", url)
        assert code == 1
        assert f"the certificate of {url} is not trusted" in err
        assert "is Elasticsearch" in run("push", "x", "--to", url, "--ca-cert", CERTIFICATE)[2]
        other_name = f"https://0.0.0.0:{server.port}"
        err = run("push", "x", "--to", other_name, "--ca-cert", CERTIFICATE)[2]
        assert f"the certificate of {other_name} is for another name: write that name in the address" in err
        context.load_cert_chain(CERTIFICATE.with_name("expired.pem"))
        err = run("push", "x", "--to", url, "--ca-cert", CERTIFICATE.with_name("expired.pem"))[2]
        assert f"the certificate of {url} is not valid today: renew it, or set the clock right" in err
        insecure = run("push", "x", "--to", url, "--insecure")[2]
        assert insecure.startswith(f"note: the certificate of {url} is not checked (--insecure)\n")
        assert "is Elasticsearch" in insecure
        code, _, err = run("push", "x", "--to", url, "--ca-cert", __file__)
        assert (code, "holds no certificates in PEM form" in err) == (1, True)

"""``/_ingest/pipeline`` over HTTP: definitions as they were put, errors with their metadata, simulations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.server import running_server

PATH = "/_ingest/pipeline"
DROPPING = {"processors": [{"set": {"field": "a", "value": 1, "tag": "t"}}, {"drop": {"if": "ctx.b == 'x'"}}]}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with running_server(tmp_path_factory.mktemp("rest")) as server:
        yield server.client


def simulate(client: httpx.Client, path: str, *sources: dict[str, Any], **body: Any) -> Any:
    docs = [{"_id": str(number), "_source": source} for number, source in enumerate(sources)]
    return client.post(f"{PATH}{path}", json={"docs": docs, **body}).json()


def test_put_get_delete(client: httpx.Client) -> None:
    nothing = client.get(PATH)
    assert (nothing.status_code, nothing.json()) == (404, {})
    assert client.put(f"{PATH}/one", json=DROPPING).json() == {"acknowledged": True}
    client.put(f"{PATH}/two", json={"description": "d", "version": 3, "processors": []})
    assert client.get(f"{PATH}/one").json() == {"one": DROPPING}
    assert list(client.get(f"{PATH}/t*,one").json()) == ["one", "two"]
    assert client.get(f"{PATH}/x").status_code == 404
    assert client.delete(f"{PATH}/two").json() == {"acknowledged": True}
    again = client.delete(f"{PATH}/two")
    assert again.status_code == 404
    assert again.json()["error"]["type"] == "resource_not_found_exception"
    assert again.json()["error"]["reason"] == "pipeline [two] is missing"
    assert client.delete(f"{PATH}/*").status_code == client.delete(f"{PATH}/*").status_code == 200


def test_a_pipeline_that_cannot_be_read_says_where(client: httpx.Client) -> None:
    answer = client.put(f"{PATH}/bad", json={"processors": [{"text_embedding": {"field_map": {"a": "b"}}}]})
    described = {
        "type": "parse_exception",
        "reason": "[model_id] required property is missing",
        "processor_type": "text_embedding",
        "property_name": "model_id",
    }
    assert answer.status_code == 400
    assert answer.json()["error"] == {"root_cause": [described], **described}


def test_a_simulation_shows_what_would_be_written(client: httpx.Client) -> None:
    kept, dropped, failed = simulate(
        client,
        "/_simulate",
        {"n": "7"},
        {"b": "x"},
        {"n": "seven"},
        pipeline={"processors": [*DROPPING["processors"], {"convert": {"field": "n", "type": "integer"}}]},
    )["docs"]
    assert kept["doc"]["_source"] == {"n": 7, "a": 1}
    assert (kept["doc"]["_index"], kept["doc"]["_id"]) == ("_index", "0")
    assert kept["doc"]["_ingest"]["timestamp"].endswith("Z")
    assert dropped is None
    assert failed["error"]["reason"] == "unable to convert [seven] to integer"
    assert failed["error"]["root_cause"][0]["type"] == failed["error"]["type"] == "illegal_argument_exception"


def test_a_verbose_simulation_shows_every_processor(client: httpx.Client) -> None:
    client.put(f"{PATH}/stored", json=DROPPING)
    results = simulate(client, "/stored/_simulate?verbose=true", {"b": "x"})["docs"][0]["processor_results"]
    assert [(result["processor_type"], result["status"]) for result in results] == [
        ("set", "success"),
        ("drop", "dropped"),
    ]
    assert results[0]["tag"] == "t"
    assert results[0]["doc"]["_source"] == {"b": "x", "a": 1}
    assert results[1]["if"] == {"condition": "ctx.b == 'x'", "result": True}


@pytest.mark.parametrize(
    ("path", "body", "kind", "reason"),
    [
        ("/_simulate", {"pipeline": DROPPING}, "parse_exception", "[docs] required property is missing"),
        ("/_simulate", {"docs": []}, "parse_exception", "[pipeline] required property is missing"),
        (
            "/none/_simulate",
            {"docs": [{"_source": {}}]},
            "illegal_argument_exception",
            "pipeline with id [none] does not exist",
        ),
    ],
)
def test_a_simulation_that_cannot_run(
    client: httpx.Client, path: str, body: dict[str, Any], kind: str, reason: str
) -> None:
    answer = client.post(f"{PATH}{path}", json=body)
    assert answer.status_code == 400
    assert (answer.json()["error"]["type"], answer.json()["error"]["reason"]) == (kind, reason)


def test_a_simulation_calls_the_model(client: httpx.Client) -> None:
    embed = {"text_embedding": {"model_id": "none", "field_map": {"t": "v"}}}
    (failed,) = simulate(client, "/_simulate", {"t": "x"}, pipeline={"processors": [embed]})["docs"]
    assert "Failed to find model" in failed["error"]["reason"]

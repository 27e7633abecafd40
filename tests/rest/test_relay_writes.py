"""Documents written through a server to its cluster: what embeds is embedded here, the rest goes on untouched."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rest.conftest import Front


def test_a_bulk_embeds_its_documents_as_passages(front: Front) -> None:
    name = front.index()
    answer = front.bulk(
        {"index": {"_index": name, "_id": "1"}}, {"text": "tea"}, {"create": {"_index": name}}, {"n": 5}
    )
    assert answer["errors"] is False
    assert [next(iter(item)) for item in answer["items"]] == ["index", "create"]
    assert front.source(name, "1") == {"text": "tea", "v": pytest.approx(front.vector("tea"), abs=1e-5)}
    assert front.vector("tea") != pytest.approx(front.vector("tea", "query"), abs=1e-3)
    made = answer["items"][1]["create"]
    assert made["status"] == 201
    assert front.source(name, made["_id"]) == {"n": 5}


def test_good_and_bad_items_have_their_answers_in_place(front: Front) -> None:
    name = front.index()
    front.ask("PUT", f"/_ingest/pipeline/{name}-lost", {
        "processors": [{"text_embedding": {"model_id": "gone", "field_map": {"text": "v"}}}]
    })  # fmt: skip
    front.ask("PUT", f"/_ingest/pipeline/{name}-drop", {
        "processors": [{"text_embedding": {"model_id": "tiny", "field_map": {"text": "v"}}}, {"drop": {}}]
    })  # fmt: skip
    front.ask("PUT", f"/_ingest/pipeline/{name}-plain", {"processors": [{"set": {"field": "n", "value": 7}}]})
    answer = front.bulk(
        {"index": {"_index": name, "_id": "good"}}, {"text": "tea"},
        {"index": {"_index": name, "_id": "lost", "pipeline": f"{name}-lost"}}, {"text": "tea"},
        {"index": {"_index": name, "_id": "number"}}, {"text": 5},
        {"index": {"_index": name, "_id": "dropped", "pipeline": f"{name}-drop"}}, {"text": "tea"},
        {"index": {"_index": name, "_id": "plain", "pipeline": f"{name}-plain"}}, {"text": "tea"},
        {"index": {"_index": name, "_id": "none", "pipeline": "_none"}}, {"text": "tea"},
        {"index": {"_index": name, "_id": "unknown", "pipeline": "nowhere"}}, {"text": "tea"},
        {"delete": {"_index": name, "_id": "nobody"}},
        {"update": {"_index": name, "_id": "nobody"}}, {"doc": {"n": 1}},
        {"index": {"_index": name, "_id": "last"}}, {"text": "coffee", "n": "x"},
        {"index": {"_index": name, "_id": "end"}}, {"text": "coffee"},
    )  # fmt: skip
    items = [next(iter(item.values())) for item in answer["items"]]
    assert answer["errors"] is True
    assert [(item["_id"], item["status"]) for item in items] == [
        ("good", 201), ("lost", 404), ("number", 400), ("dropped", 200), ("plain", 201), ("none", 201),
        ("unknown", 400), ("nobody", 404), ("nobody", 404), ("last", 400), ("end", 201),
    ]  # fmt: skip
    assert items[1]["error"]["reason"].startswith("Failed to find model with the provided model id: ")
    assert items[3]["result"] == "noop"
    assert items[8]["error"]["type"] == "document_missing_exception"
    assert items[9]["error"]["type"] == "mapper_parsing_exception"
    found = front.there.post(f"/{name}/_search", json={"size": 20}).json()["hits"]["hits"]
    assert {hit["_id"]: sorted(hit["_source"]) for hit in found} == {
        "good": ["text", "v"], "plain": ["n", "text"], "none": ["text"], "end": ["text", "v"],
    }  # fmt: skip


def test_a_bulk_asks_the_model_once(front: Front) -> None:
    name = front.index()
    front.vector("tea")
    before = front.server.app.node.predictor.requests["tiny"]
    lines: list[Any] = []
    for number in range(50):
        lines += [{"index": {"_index": name, "_id": str(number)}}, {"text": f"text {number}"}]
    assert front.bulk(*lines)["errors"] is False
    assert front.server.app.node.predictor.requests["tiny"] == before + 1
    assert len(front.source(name, "49")["v"]) == 8


def test_a_large_bulk_goes_in_parts_and_keeps_its_order(front: Front) -> None:
    name = front.index()
    lines: list[Any] = []
    for number in range(4):
        lines += [{"index": {"_index": name, "_id": f"big{number}", "pipeline": "_none"}}, {"blob": "x" * 5_000_000}]
        lines += [{"index": {"_index": name, "_id": "same"}}, {"text": f"text {number}"}]
        lines += [{"index": {"_index": name, "_id": f"bad{number}"}}, {"text": number}]
    items = [item["index"] for item in front.bulk(*lines)["items"]]
    assert [item["status"] for item in items] == [201, 201, 400, 201, 200, 400, 201, 200, 400, 201, 200, 400]
    assert [item["_version"] for item in items if item["_id"] == "same"] == [1, 2, 3, 4]
    assert front.source(name, "same") == {"text": "text 3", "v": pytest.approx(front.vector("text 3"), abs=1e-5)}


def test_an_update_embeds_what_it_changes_and_keeps_the_rest(front: Front) -> None:
    name = front.index()
    front.ask("PUT", f"/{name}/_doc/1?refresh=true", {"text": "tea", "n": 1})
    first = front.source(name, "1")["v"]
    answer = front.ask("POST", f"/{name}/_update/1?_source=n", {"doc": {"n": 2}})
    assert (answer["result"], answer["_version"], answer["get"]["_source"]) == ("updated", 2, {"n": 2})
    assert front.source(name, "1") == {"text": "tea", "n": 2, "v": first}
    assert front.ask("POST", f"/{name}/_update/1", {"doc": {"n": 2}})["result"] == "noop"
    script = {"source": "ctx._source.text = params.t", "params": {"t": "coffee"}}
    front.ask("POST", f"/{name}/_update/1", {"script": script})
    assert front.source(name, "1")["v"] == pytest.approx(front.vector("coffee"), abs=1e-5)
    made = front.send("POST", f"/{name}/_update/2", {"doc": {"text": "new"}, "doc_as_upsert": True})
    assert (made.status_code, made.headers["location"]) == (201, f"/{name}/_doc/2")
    assert front.source(name, "2")["v"] == pytest.approx(front.vector("new"), abs=1e-5)
    script = {"source": "ctx.op = 'delete'"}
    assert front.ask("POST", f"/{name}/_update/2", {"script": script})["result"] == "deleted"
    assert front.send("POST", f"/{name}/_update/2", {"doc": {"n": 1}}).status_code == 404


def test_updates_of_one_document_see_each_other(front: Front) -> None:
    name = front.index()
    answer = front.bulk(
        {"index": {"_index": name, "_id": "1"}}, {"text": "tea", "n": 1},
        {"update": {"_index": name, "_id": "1"}}, {"doc": {"text": "coffee"}},
        {"update": {"_index": name, "_id": "1"}}, {"doc": {"n": 2}},
        {"delete": {"_index": name, "_id": "1"}},
        {"update": {"_index": name, "_id": "1"}}, {"doc": {"n": 3}, "upsert": {"text": "milk"}},
    )  # fmt: skip
    results = [next(iter(item.values()))["result"] for item in answer["items"]]
    assert results == ["created", "updated", "updated", "deleted", "created"]
    assert front.source(name, "1") == {"text": "milk", "v": pytest.approx(front.vector("milk"), abs=1e-5)}


def test_an_update_with_a_stale_sequence_number_is_a_conflict(front: Front) -> None:
    name = front.index()
    made = front.ask("PUT", f"/{name}/_doc/1", {"text": "tea"})
    path = f"/{name}/_update/1?if_seq_no={made['_seq_no']}&if_primary_term=1"
    assert front.ask("POST", path, {"doc": {"text": "coffee"}})["result"] == "updated"
    late = front.send("POST", path, {"doc": {"text": "milk"}})
    assert (late.status_code, late.json()["error"]["type"]) == (409, "version_conflict_engine_exception")
    assert front.source(name, "1")["text"] == "coffee"


def test_single_writes_answer_as_the_cluster_does(front: Front) -> None:
    name = front.index()
    made = front.send("PUT", f"/{name}/_create/1?refresh=true", {"text": "tea"})
    assert (made.status_code, made.json()["result"]) == (201, "created")
    assert made.headers["location"] == f"/{name}/_doc/1"
    again = front.send("PUT", f"/{name}/_create/1", {"text": "tea"})
    assert (again.status_code, again.json()["error"]["type"]) == (409, "version_conflict_engine_exception")
    assert again.json()["error"]["root_cause"][0]["type"] == "version_conflict_engine_exception"
    own = front.send("POST", f"/{name}/_doc", {"text": "tea"})
    assert own.status_code == 201
    assert "v" in front.source(name, own.json()["_id"])
    bad = front.send("PUT", f"/{name}/_doc/2", {"text": {"a": 5}})
    assert bad.status_code == 400
    typo = front.send("PUT", f"/{name}/_doc/2?refrsh=true", {"text": "x"})
    assert (typo.status_code, "[refrsh]" in typo.text) == (400, True)
    assert front.source(name, "2") == {}


def test_an_update_finds_a_document_by_its_routing(front: Front) -> None:
    name = front.index()
    assert front.bulk({"index": {"_id": "1"}}, {"text": "tea"}, path=f"/{name}/_bulk?routing=a")["errors"] is False
    answer = front.bulk(
        {"update": {"_id": "1"}}, {"doc": {"text": "milk"}}, path=f"/{name}/_bulk?routing=a&_source=text"
    )
    assert answer["items"][0]["update"]["get"]["_source"] == {"text": "milk"}
    held = front.there.get(f"/{name}/_doc/1?routing=a").json()
    assert (held["_routing"], held["_source"]["v"]) == ("a", pytest.approx(front.vector("milk"), abs=1e-5))


def test_an_alias_has_the_pipeline_of_its_write_index(front: Front) -> None:
    one, two = front.index(), front.index()
    actions = [
        {"add": {"index": one, "alias": f"{one}-all"}},
        {"add": {"index": two, "alias": f"{one}-all", "is_write_index": True}},
    ]
    front.ask("POST", "/_aliases", {"actions": actions})
    answer = front.bulk({"index": {"_id": "1"}}, {"text": "tea"}, path=f"/{one}-all/_bulk")
    assert answer["items"][0]["index"]["_index"] == two
    assert len(front.source(two, "1")["v"]) == 8
    assert front.ask("POST", f"/{one}-all/_update/1", {"doc": {"text": "milk"}})["result"] == "updated"
    assert front.source(two, "1")["v"] == pytest.approx(front.vector("milk"), abs=1e-5)


@pytest.mark.parametrize("kind", ["_index_template", "_template"])
def test_a_new_index_has_the_pipeline_of_its_template(front: Front, kind: str) -> None:
    name = front.index()
    inner = {"settings": {"index.default_pipeline": name}, "mappings": {"properties": {"n": {"type": "long"}}}}
    body = {"index_patterns": [f"{name}-new-*"]} | ({"template": inner} if kind == "_index_template" else inner)
    front.ask("PUT", f"/{kind}/{name}", body)
    assert front.bulk({"index": {"_index": f"{name}-new-1", "_id": "1"}}, {"text": "tea"})["errors"] is False
    assert len(front.source(f"{name}-new-1", "1")["v"]) == 8


def test_a_pipeline_that_embeds_through_another_one_runs_here(front: Front) -> None:
    name = front.index()
    outer = {"processors": [{"set": {"field": "n", "value": 3}}, {"pipeline": {"name": name}}]}
    front.ask("PUT", f"/_ingest/pipeline/{name}-outer", outer)
    front.ask("PUT", f"/{name}/_doc/1?pipeline={name}-outer", {"text": "tea"})
    assert sorted(front.source(name, "1")) == ["n", "text", "v"]


def test_chunks_are_cut_and_embedded(front: Front) -> None:
    name = front.index()
    chunking = {"text_chunking": {"algorithm": {"delimiter": {"delimiter": "."}}, "field_map": {"text": "parts"}}}
    embedding = {"text_embedding": {"model_id": "tiny", "field_map": {"parts": "vectors"}}}
    front.ask("PUT", f"/_ingest/pipeline/{name}-cut", {"processors": [chunking, embedding]})
    front.ask("PUT", f"/{name}/_doc/1?pipeline={name}-cut", {"text": "one.two."})
    source = front.source(name, "1")
    assert source["parts"] == ["one.", "two."]
    assert [len(item["knn"]) for item in source["vectors"]] == [8, 8]


def test_a_changed_pipeline_acts_at_once(front: Front) -> None:
    name = front.index()
    front.ask("PUT", f"/{name}/_doc/1", {"text": "tea"})
    front.ask("PUT", f"/_ingest/pipeline/{name}", {"processors": [{"set": {"field": "n", "value": 9}}]})
    front.ask("PUT", f"/{name}/_doc/2", {"text": "tea"})
    assert front.source(name, "2") == {"text": "tea", "n": 9}


def test_a_final_pipeline_that_embeds_is_refused_for_its_items(front: Front) -> None:
    name = front.index(**{"index.default_pipeline": "_none"})
    front.ask("PUT", f"/{name}/_settings", {"index.final_pipeline": name})
    answer = front.bulk({"index": {"_index": name, "_id": "1"}}, {"text": "tea"})
    assert "[index.final_pipeline]" in answer["items"][0]["index"]["error"]["reason"]
    assert front.source(name, "1") == {}


def test_what_the_cluster_would_have_to_embed_is_refused_by_name(front: Front) -> None:
    name = front.index()
    for path, body in (
        (f"/{name}/_update_by_query", {"query": {"match_all": {}}}),
        (f"/{name}*/_update_by_query", {"query": {"match_all": {}}}),
        ("/_reindex", {"source": {"index": "other"}, "dest": {"index": name}}),
        ("/_bulk/stream", {"index": {"_index": name}}),
    ):
        answer = front.send("POST", path, body)
        assert (answer.status_code, "[_bulk]" in answer.text) == (400, True), answer.text


def test_a_pipeline_is_tried_out_where_it_would_run(front: Front) -> None:
    name = front.index()
    docs = {"docs": [{"_source": {"text": "tea"}}]}
    found = front.ask("POST", f"/_ingest/pipeline/{name}/_simulate", docs)["docs"][0]["doc"]["_source"]
    assert found["v"] == pytest.approx(front.vector("tea"), abs=1e-5)
    inline = {"pipeline": {"processors": [{"uppercase": {"field": "text"}}]}} | docs
    assert front.ask("POST", "/_ingest/pipeline/_simulate", inline)["docs"][0]["doc"]["_source"] == {"text": "TEA"}


@pytest.mark.parametrize("body", [b"", b'{"index":{}}', b'{"index":{"_id":"1"}}\n', b"{}\n{}\n", b'{"merge":{}}\n{}\n'])
def test_a_malformed_bulk_is_refused_as_a_whole(front: Front, body: bytes) -> None:
    assert front.send("POST", f"/{front.index()}/_bulk", body).status_code == 400


def test_truncation_is_told(front: Front) -> None:
    name = front.index()
    answer = front.send("PUT", f"/{name}/_doc/1", {"text": "x" * 3000})
    assert "1 of 1 texts were truncated" in answer.headers["warning"]

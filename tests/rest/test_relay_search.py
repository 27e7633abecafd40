"""Searches through a server to its cluster: texts are embedded here as queries, the cluster sees vectors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.rest.conftest import Front

TEXTS = {"1": "green tea", "2": "black coffee", "3": "cold milk", "4": "warm bread"}


def filled(front: Front) -> str:
    name = front.index()
    lines: list[Any] = []
    for doc_id, text in TEXTS.items():
        lines += [{"index": {"_index": name, "_id": doc_id}}, {"text": text, "n": int(doc_id)}]
    assert front.bulk(*lines)["errors"] is False
    return name


def neural(text: str, **options: Any) -> dict[str, Any]:
    return {"neural": {"v": {"query_text": text, **options}}}


def hits(answer: Any) -> list[tuple[str, float]]:
    return [(hit["_id"], hit["_score"]) for hit in answer["hits"]["hits"]]


def near(found: list[tuple[str, float]], tolerance: float) -> Any:
    """Equal to the same ids in the same order, with scores that differ by at most ``tolerance``."""
    return [(doc_id, pytest.approx(score, abs=tolerance)) for doc_id, score in found]


def exact(front: Front, name: str, text: str, **options: Any) -> list[tuple[str, float]]:
    """What the cluster finds for the vector of a query."""
    body = {"query": {"knn": {"v": {"vector": front.vector(text, "query"), **options}}}}
    return hits(front.there.post(f"/{name}/_search", json=body).json())


def test_a_text_is_asked_as_a_query(front: Front) -> None:
    name = filled(front)
    found = hits(front.ask("POST", f"/{name}/_search", {"query": neural("tea", k=3)}))
    assert found == near(exact(front, name, "tea", k=3), 1e-5)
    assert len(found) == 3


def test_filters_bools_and_radii(front: Front) -> None:
    name = filled(front)
    kept = {"range": {"n": {"gte": 3}}}
    found = hits(front.ask("POST", f"/{name}/_search", {"query": neural("tea", k=4, filter=kept)}))
    assert sorted(doc_id for doc_id, _ in found) == ["3", "4"]
    body = {"query": {"bool": {"must": [neural("tea", k=4)], "filter": [{"term": {"n": 2}}]}}}
    assert [doc_id for doc_id, _ in hits(front.ask("POST", f"/{name}/_search", body))] == ["2"]
    best = exact(front, name, "tea", k=4)[0][1]
    near = front.ask("POST", f"/{name}/_search", {"query": neural("tea", min_score=best - 1e-5)})
    assert len(near["hits"]["hits"]) >= 1
    assert front.ask("POST", f"/{name}/_count", {"query": neural("tea", k=2)})["count"] == 2


def test_a_hybrid_is_normalised_by_the_clusters_pipeline(front: Front) -> None:
    name = filled(front)
    legs = [{"match": {"text": "bread"}}, neural("tea", k=4)]
    found = hits(front.ask("POST", f"/{name}/_search", {"query": {"hybrid": {"queries": legs}}}))
    vector = front.vector("tea", "query")
    body = {"query": {"hybrid": {"queries": [legs[0], {"knn": {"v": {"vector": vector, "k": 4}}}]}}}
    there = hits(front.there.post(f"/{name}/_search", json=body).json())
    assert found == near(there, 1e-4)
    assert found[0][1] <= 1.0


@pytest.mark.parametrize("way", ["address", "body", "inline", "index"])
def test_the_default_model_is_that_of_the_pipeline_in_force(front: Front, way: str) -> None:
    name = filled(front)
    front.ask("PUT", f"/_search/pipeline/{name}-bad", {
        "request_processors": [{"neural_query_enricher": {"default_model_id": "gone"}}]
    })  # fmt: skip
    body: dict[str, Any] = {"query": neural("tea")}
    path = f"/{name}/_search"
    assert front.send("POST", path, body).status_code == 200
    if way == "address":
        path += f"?search_pipeline={name}-bad"
    elif way == "body":
        body["search_pipeline"] = f"{name}-bad"
    elif way == "inline":
        body["search_pipeline"] = front.ask("GET", f"/_search/pipeline/{name}-bad")[f"{name}-bad"]
    else:
        front.ask("PUT", f"/{name}/_settings", {"index.search.default_pipeline": f"{name}-bad"})
    answer = front.send("POST", path, body)
    assert answer.status_code == 404
    assert answer.json()["error"]["reason"].startswith("Failed to find model with the provided model id: ")


def test_a_neural_clause_without_any_model_is_refused(front: Front) -> None:
    name = filled(front)
    answer = front.send("POST", f"/{name}/_search?search_pipeline=_none", {"query": neural("tea")})
    assert (answer.status_code, "model_id must be provided" in answer.text) == (400, True)


def test_msearch_embeds_all_its_texts_at_once_and_each_has_its_answer(front: Front) -> None:
    name = filled(front)
    lines = [
        {"index": name}, {"query": neural("tea", k=1)},
        {"index": [name]}, {"query": {"match": {"text": "bread"}}},
        {}, {"query": neural("tea", model_id="gone")},
        {"index": name}, {"query": neural("tea"), "search_pipeline": "_none"},
        {"index": "nowhere"}, {"query": {"match_all": {}}},
        {"index": name}, {"query": neural("coffee", k=1)},
    ]  # fmt: skip
    before = front.server.app.node.predictor.requests["tiny"]
    content = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    answers = front.ask("POST", f"/{name}/_msearch", content, **{"content-type": "application/x-ndjson"})["responses"]
    assert front.server.app.node.predictor.requests["tiny"] == before + 1
    assert [answer["status"] for answer in answers] == [200, 200, 404, 400, 404, 200]
    assert hits(answers[0]) == near(exact(front, name, "tea", k=1), 1e-5)
    assert [doc_id for doc_id, _ in hits(answers[1])] == ["4"]
    assert hits(answers[5]) == near(exact(front, name, "coffee", k=1), 1e-5)


def test_an_msearch_that_fails_here_alone_needs_no_cluster(front: Front) -> None:
    content = json.dumps({}).encode() + b"\n" + json.dumps({"query": neural("x", model_id="gone")}).encode() + b"\n"
    answer = front.ask("POST", "/_msearch", content)
    assert [one["status"] for one in answer["responses"]] == [404]


def test_scrolls_and_points_in_time_go_on(front: Front) -> None:
    name = filled(front)
    page = front.ask("POST", f"/{name}/_search?scroll=1m&size=3", {"query": neural("tea", k=4)})
    rest = front.ask("POST", "/_search/scroll", {"scroll": "1m", "scroll_id": page["_scroll_id"]})
    assert sorted(doc_id for doc_id, _ in hits(page) + hits(rest)) == ["1", "2", "3", "4"]
    assert front.ask("DELETE", "/_search/scroll", {"scroll_id": page["_scroll_id"]})["num_freed"] == 1
    pit = front.ask("POST", f"/{name}/_search/point_in_time?keep_alive=1m")["pit_id"]
    front.ask("PUT", f"/{name}/_doc/5?refresh=true", {"text": "tea"})
    body = {"query": neural("tea", k=9, model_id="tiny"), "pit": {"id": pit, "keep_alive": "1m"}}
    assert len(hits(front.ask("POST", "/_search", body))) == 4
    assert front.ask("DELETE", "/_search/point_in_time", {"pit_id": [pit]})["pits"][0]["successful"] is True


def test_explain_validate_and_delete_by_query(front: Front) -> None:
    name = filled(front)
    body = {"query": neural("tea", k=4, model_id="tiny")}
    assert front.ask("POST", f"/{name}/_explain/1", body)["matched"] is True
    assert front.ask("POST", f"/{name}/_validate/query", body)["valid"] is True
    gone = front.ask("POST", f"/{name}/_delete_by_query?refresh=true", {"query": neural("tea", k=1, model_id="tiny")})
    assert gone["deleted"] == 1
    copied = front.ask("POST", "/_reindex?refresh=true", {
        "source": {"index": name, "query": neural("tea", k=2, model_id="tiny")}, "dest": {"index": f"{name}-copy"},
    })  # fmt: skip
    assert copied["created"] == 2


def test_a_body_may_come_as_a_parameter(front: Front) -> None:
    name = filled(front)
    source = {"source": json.dumps({"query": neural("tea", k=1)}), "source_content_type": "application/json"}
    answer = front.client.get(f"/{name}/_search", params=source)
    assert hits(answer.json()) == near(exact(front, name, "tea", k=1), 1e-5)


def test_a_document_with_a_field_named_neural_stays_one(front: Front) -> None:
    name = front.index(**{"index.default_pipeline": "_none"})
    source = {"neural": {"v": {"query_text": "tea"}}, "query": {"neural": "x"}}
    front.ask("PUT", f"/{name}/_doc/1?refresh=true", source)
    assert front.source(name, "1") == source
    body = {"query": {"term": {"query.neural": "x"}}, "aggs": {"neural": {"value_count": {"field": "n"}}}}
    answer = front.ask("POST", f"/{name}/_search", body)
    assert [doc_id for doc_id, _ in hits(answer)] == ["1"]
    assert "neural" in answer["aggregations"]


SPACE = {"method": {"engine": "lucene"}}


def semantic(front: Front, **more: Any) -> str:
    name = front.name()
    field = {"type": "semantic", "model_id": "tiny", "dense_embedding_config": SPACE, **more}
    body = {"mappings": {"_meta": {"mine": 1}, "properties": {"text": field}}, "settings": {"index.knn": True}}
    front.ask("PUT", f"/{name}", body)
    return name


@pytest.mark.parametrize("chunking", [False, True])
def test_a_semantic_field_works_on_a_cluster_that_does_not_know_it(front: Front, chunking: bool) -> None:
    name = semantic(front, chunking=chunking)
    there = front.there.get(f"/{name}/_mapping").json()[name]["mappings"]
    assert there["properties"]["text"] == {"type": "text"}
    assert there["_meta"]["antiphon"]["semantic"]["text"]["model_id"] == "tiny"
    shown = front.ask("GET", f"/{name}")[name]["mappings"]
    assert (shown["properties"]["text"]["type"], shown["_meta"]["mine"]) == ("semantic", 1)
    assert list(shown["_meta"]["antiphon"]) == ["embeddings"]
    lines: list[Any] = []
    for doc_id, text in TEXTS.items():
        lines += [{"index": {"_index": name, "_id": doc_id}}, {"text": text}]
    assert front.bulk(*lines)["errors"] is False
    info = front.source(name, "1")["text_semantic_info"]
    vector = info["chunks"][0]["embedding"] if chunking else info["embedding"]
    assert vector == pytest.approx(front.vector("green tea"), abs=1e-5)
    found = hits(front.ask("POST", f"/{name}/_search", {"query": {"neural": {"text": {"query_text": "tea", "k": 4}}}}))
    plain = filled(front)
    assert [doc_id for doc_id, _ in found] == [doc_id for doc_id, _ in exact(front, plain, "tea", k=4)]
    front.ask("POST", f"/{name}/_update/1", {"doc": {"text": "hot water"}})
    info = front.source(name, "1")["text_semantic_info"]
    vector = info["chunks"][0]["embedding"] if chunking else info["embedding"]
    assert vector == pytest.approx(front.vector("hot water"), abs=1e-5)


def test_a_mapping_that_grows_keeps_what_it_remembers(front: Front) -> None:
    name = semantic(front)
    more = {"type": "semantic", "model_id": "tiny", "dense_embedding_config": SPACE}
    front.ask("PUT", f"/{name}/_mapping", {"properties": {"o": {"properties": {"more": more}}}})
    front.ask("PUT", f"/{name}/_mapping", {"_meta": {"mine": 2}})
    meta = front.there.get(f"/{name}/_mapping").json()[name]["mappings"]["_meta"]
    assert (meta["mine"], sorted(meta["antiphon"]["semantic"])) == (2, ["o.more", "text"])
    front.ask("PUT", f"/{name}/_doc/1", {"text": "a", "o": {"more": "b"}})
    source = front.source(name, "1")
    assert len(source["o"]["more_semantic_info"]["embedding"]) == len(source["text_semantic_info"]["embedding"]) == 8
    other = front.send("PUT", f"/{name}/_mapping", {"properties": {"text": more | {"model_id": "gone"}}})
    assert other.status_code == 400


def test_a_template_may_hold_a_semantic_field(front: Front) -> None:
    name = front.name()
    field = {"type": "semantic", "model_id": "tiny", "dense_embedding_config": SPACE}
    body = {"index_patterns": [f"{name}-*"], "template": {
        "settings": {"index.knn": True}, "mappings": {"properties": {"text": field}},
    }}  # fmt: skip
    front.ask("PUT", f"/_index_template/{name}", body)
    assert front.bulk({"index": {"_index": f"{name}-1", "_id": "1"}}, {"text": "tea"})["errors"] is False
    assert len(front.source(f"{name}-1", "1")["text_semantic_info"]["embedding"]) == 8
    missing = front.send("PUT", f"/{name}-x", {"mappings": {"properties": {"t": field | {"model_id": "gone"}}}})
    assert (missing.status_code, "gone" in missing.text) == (400, True)


def test_indices_that_embed_a_field_in_different_ways_are_asked_one_by_one(front: Front) -> None:
    one, two = semantic(front), semantic(front, chunking=True)
    answer = front.send("POST", f"/{one},{two}/_search", {"query": {"neural": {"text": {"query_text": "x"}}}})
    assert (answer.status_code, "one by one" in answer.text) == (400, True)

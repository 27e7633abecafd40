"""opensearch-py: the calls and helpers of its users who index and search."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from opensearchpy import ConflictError, NotFoundError, OpenSearch, RequestError, helpers
from opensearchpy.helpers.document import Document
from opensearchpy.helpers.field import Integer, Keyword, Text
from opensearchpy.helpers.index import Index
from opensearchpy.helpers.search import Search

DOCUMENTS = [{"title": f"number {number}", "n": number, "kind": "even" if number % 2 == 0 else "odd"} for number in
             range(25)]  # fmt: skip
MAPPING = {"properties": {"title": {"type": "text"}, "n": {"type": "integer"}, "kind": {"type": "keyword"}}}


@pytest.fixture
def name(opensearch: OpenSearch) -> Iterator[str]:
    made = f"py-{uuid.uuid4().hex}"
    yield made
    opensearch.indices.delete(index=f"{made}*", ignore_unavailable=True)


def actions(name: str, **more: Any) -> list[dict[str, Any]]:
    return [{"_index": name, "_id": str(item["n"]), **more, **item} for item in DOCUMENTS]


@pytest.fixture
def filled(opensearch: OpenSearch, name: str) -> str:
    opensearch.indices.create(index=name, body={"mappings": MAPPING})
    assert helpers.bulk(opensearch, actions(name), refresh=True) == (25, [])
    return name


def test_bulk_reports_each_failure(opensearch: OpenSearch, filled: str) -> None:
    with pytest.raises(helpers.BulkIndexError) as refused:
        helpers.bulk(opensearch, actions(filled, _op_type="create"), chunk_size=10)
    assert [error["create"]["status"] for error in refused.value.errors] == [409] * 10
    done, failed = helpers.bulk(
        opensearch, actions(filled, _op_type="create"), raise_on_error=False, stats_only=True, chunk_size=7
    )
    assert (done, failed) == (0, 25)
    mixed = [
        {"_index": filled, "_op_type": "delete", "_id": "0"},
        {"_index": filled, "_op_type": "update", "_id": "1", "doc": {"kind": "changed"}},
        {"_index": filled, "_op_type": "delete", "_id": "nowhere"},
    ]
    results = list(helpers.streaming_bulk(opensearch, mixed, raise_on_error=False, refresh="wait_for"))
    assert [ok for ok, _ in results] == [True, True, False]
    assert opensearch.get(index=filled, id="1")["_source"]["kind"] == "changed"
    with pytest.raises(NotFoundError):
        opensearch.get(index=filled, id="0")


def test_parallel_bulk(opensearch: OpenSearch, name: str) -> None:
    results = list(helpers.parallel_bulk(opensearch, actions(name), thread_count=4, chunk_size=3))
    assert len(results) == 25
    assert all(ok for ok, _ in results)
    opensearch.indices.refresh(index=name)
    assert opensearch.count(index=name)["count"] == 25


def test_strings_and_numbers_as_bulk_actions(opensearch: OpenSearch, name: str) -> None:
    assert helpers.bulk(opensearch, ['{"a": 1}', '{"a": 2}'], index=name, refresh=True) == (2, [])
    assert helpers.bulk(opensearch, [{"_index": name, "_id": 7, "a": 3}], refresh=True) == (1, [])
    assert opensearch.get(index=name, id=7)["_id"] == "7"


def test_scan_walks_everything_once(opensearch: OpenSearch, filled: str) -> None:
    found = list(helpers.scan(opensearch, index=filled, size=4))
    assert sorted(int(hit["_id"]) for hit in found) == list(range(25))
    even = helpers.scan(opensearch, {"query": {"term": {"kind": "even"}}}, index=filled, size=4, preserve_order=True)
    assert len(list(even)) == 13


def test_reindex_by_helper_and_by_server(opensearch: OpenSearch, filled: str) -> None:
    query = {"query": {"range": {"n": {"gte": 20}}}}
    assert helpers.reindex(opensearch, filled, f"{filled}-copy", query=query, chunk_size=2) == (5, 0)
    body = {"source": {"index": filled, **query}, "dest": {"index": f"{filled}-server"}}
    answer = opensearch.reindex(body=body, refresh=True)
    assert (answer["created"], answer["failures"]) == (5, [])
    opensearch.indices.refresh(index=f"{filled}-copy")
    assert opensearch.count(index=f"{filled}-copy,{filled}-server")["count"] == 10


def test_single_documents(opensearch: OpenSearch, name: str) -> None:
    made = opensearch.index(index=name, id="x/y z", body={"a": 1}, refresh=True)
    assert made["result"] == "created"
    assert opensearch.exists(index=name, id="x/y z")
    assert opensearch.get_source(index=name, id="x/y z") == {"a": 1}
    with pytest.raises(ConflictError):
        opensearch.create(index=name, id="x/y z", body={"a": 2})
    changed = opensearch.update(index=name, id="x/y z", body={"doc": {"b": 2}}, retry_on_conflict=3)
    assert changed["_version"] == 2
    with pytest.raises(ConflictError):
        opensearch.index(
            index=name, id="x/y z", body={}, if_seq_no=made["_seq_no"], if_primary_term=made["_primary_term"]
        )
    assert opensearch.mget(body={"ids": ["x/y z", "none"]}, index=name)["docs"][1]["found"] is False
    assert opensearch.delete(index=name, id="x/y z")["result"] == "deleted"


def test_searches(opensearch: OpenSearch, filled: str) -> None:
    by_words = opensearch.search(
        index=filled, q="kind:odd", size=2, from_=1, sort="n:desc", _source=False, track_total_hits=True
    )
    assert [hit["_id"] for hit in by_words["hits"]["hits"]] == ["21", "19"]
    assert by_words["hits"]["total"] == {"value": 12, "relation": "eq"}
    body = [{"index": filled}, {"query": {"term": {"n": 3}}}, {"index": "nowhere"}, {"query": {"match_all": {}}}]
    one, other = opensearch.msearch(body=body)["responses"]
    assert [hit["_id"] for hit in one["hits"]["hits"]] == ["3"]
    assert other["status"] == 404
    assert opensearch.explain(index=filled, id="3", body={"query": {"term": {"n": 3}}})["matched"] is True
    assert set(opensearch.field_caps(index=filled, fields="*")["fields"]) >= {"title", "n", "kind"}
    with pytest.raises(RequestError) as refused:
        opensearch.search(index=filled, body={"query": {"astrology": {}}})
    assert refused.value.error == "parsing_exception"


def test_points_in_time_keep_what_they_saw(opensearch: OpenSearch, filled: str) -> None:
    pit = opensearch.create_pit(index=filled, keep_alive="1m")["pit_id"]
    opensearch.delete_by_query(index=filled, body={"query": {"match_all": {}}}, refresh=True)
    assert opensearch.count(index=filled)["count"] == 0
    seen: list[str] = []
    body: dict[str, Any] = {"size": 10, "pit": {"id": pit, "keep_alive": "1m"}, "sort": [{"n": "asc"}]}
    while hits := opensearch.search(body=body)["hits"]["hits"]:
        seen += [hit["_id"] for hit in hits]
        body["search_after"] = hits[-1]["sort"]
    assert seen == [str(number) for number in range(25)]
    assert opensearch.delete_pit(body={"pit_id": [pit]})["pits"][0]["successful"] is True


def test_writes_by_query(opensearch: OpenSearch, filled: str) -> None:
    odd = {"query": {"term": {"kind": "odd"}}}
    script = {"source": "ctx._source.n += params.by", "params": {"by": 100}, "lang": "painless"}
    assert opensearch.update_by_query(index=filled, body=odd | {"script": script}, refresh=True)["updated"] == 12
    assert opensearch.get(index=filled, id="3")["_source"]["n"] == 103
    deleted = opensearch.delete_by_query(index=filled, body=odd, refresh=True, wait_for_completion=True)
    assert (deleted["deleted"], deleted["failures"]) == (12, [])


def test_pipelines(opensearch: OpenSearch, name: str) -> None:
    opensearch.ingest.put_pipeline(id=name, body={"processors": [{"set": {"field": "kind", "value": "set"}}]})
    simulated = opensearch.ingest.simulate(id=name, body={"docs": [{"_source": {"a": 1}}]})
    assert simulated["docs"][0]["doc"]["_source"]["kind"] == "set"
    opensearch.index(index=name, id="1", body={"a": 1}, pipeline=name, refresh="wait_for")
    opensearch.search_pipeline.put(
        id=name, body={"request_processors": [{"filter_query": {"query": {"term": {"a": 2}}}}]}
    )
    assert opensearch.search(index=name)["hits"]["hits"][0]["_source"]["kind"] == "set"
    assert opensearch.search(index=name, search_pipeline=name)["hits"]["hits"] == []
    assert name in opensearch.search_pipeline.get(id=name)
    opensearch.search_pipeline.delete(id=name)
    opensearch.ingest.delete_pipeline(id=name)
    with pytest.raises(NotFoundError):
        opensearch.ingest.get_pipeline(id=name)


def test_administration(opensearch: OpenSearch, filled: str) -> None:
    (row,) = opensearch.cat.indices(index=filled, format="json", h="index,docs.count,status")
    assert row == {"index": filled, "docs.count": "25", "status": "open"}
    assert opensearch.cat.count(index=filled, h="count", format="json") == [{"count": "25"}]
    assert opensearch.cluster.health(index=filled, wait_for_status="yellow", timeout=5)["timed_out"] is False
    opensearch.indices.put_alias(index=filled, name=f"{filled}-alias")
    assert opensearch.indices.exists_alias(name=f"{filled}-alias")
    assert opensearch.count(index=f"{filled}-alias")["count"] == 25
    tokens = opensearch.indices.analyze(index=filled, body={"field": "title", "text": "Number Two"})["tokens"]
    assert [token["token"] for token in tokens] == ["number", "two"]
    assert opensearch.indices.stats(index=filled)["_all"]["primaries"]["docs"]["count"] == 25
    assert opensearch.indices.validate_query(index=filled, body={"query": {"match_all": {}}})["valid"] is True
    opensearch.indices.close(index=filled)
    with pytest.raises(RequestError):
        opensearch.count(index=filled)
    opensearch.indices.open(index=filled)
    assert opensearch.count(index=filled)["count"] == 25


def test_compressed_requests_and_answers(url: str, name: str) -> None:
    with OpenSearch(url, http_compress=True) as client:
        assert helpers.bulk(client, actions(name), refresh=True) == (25, [])
        assert client.search(index=name, size=25)["hits"]["total"]["value"] == 25


class Note(Document):
    title = Text()
    kind = Keyword()
    n = Integer()


def test_the_dsl(opensearch: OpenSearch, name: str) -> None:
    index = Index(name, using=opensearch)
    index.document(Note)
    index.settings(number_of_replicas=0)
    index.save()
    index.settings(number_of_replicas=0, refresh_interval="5s")
    index.save()
    assert opensearch.indices.get_settings(index=name)[name]["settings"]["index"]["refresh_interval"] == "5s"
    note = Note(meta={"id": "1"}, title="a first note", kind="short", n=1)
    assert note.save(using=opensearch, index=name, refresh=True) == "created"
    setattr(note, "title", "a changed note")  # noqa: B010 - a field on the class, a value on the object
    assert note.save(using=opensearch, index=name, refresh=True) == "updated"
    held = Note.get("1", using=opensearch, index=name)
    assert (held.title, held.meta.version) == ("a changed note", 2)
    held.update(using=opensearch, index=name, kind="long", refresh=True)
    search = Search(using=opensearch, index=name, doc_type=[Note]).query("match", title="changed").filter(
        "term", kind="long"
    )  # fmt: skip
    search.aggs.bucket("kinds", "terms", field="kind").metric("most", "max", field="n")
    answer = search.highlight("title").execute()
    assert answer.hits.total.value == 1
    assert isinstance(answer[0], Note)
    assert answer[0].meta.highlight.title[0] == "a <em>changed</em> note"
    assert [(bucket.key, bucket.most.value) for bucket in answer.aggregations.kinds.buckets] == [("long", 1.0)]
    assert search.count() == 1
    assert [hit.n for hit in search.scan()] == [1]
    every = Search(using=opensearch, index=name).query("term", kind="long")
    assert every.params(refresh=True).delete().deleted == 1
    assert not Note.exists("1", using=opensearch, index=name)
    index.delete()
    assert not index.exists()

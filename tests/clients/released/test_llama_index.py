"""LlamaIndex's OpensearchVectorStore: every filter operator, hybrid, deletes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from conftest import embed
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
)
from llama_index.vector_stores.opensearch import OpensearchVectorClient, OpensearchVectorStore
from opensearchpy import OpenSearch

DATA: list[tuple[str, dict[str, Any]]] = [
    ("apple pie", {"kind": "sweet", "year": 2019, "tags": ["fruit", "baked"], "note": "grandmother likes it"}),
    ("banana bread", {"kind": "sweet", "year": 2020, "tags": ["fruit", "baked"], "day": "2020-05-01"}),
    ("cherry cake", {"kind": "sweet", "year": 2021, "tags": ["fruit"], "day": "2021-05-01"}),
    ("zucchini soup", {"kind": "savoury", "year": 2022, "tags": ["vegetable"], "vegan": True}),
]


@pytest.fixture
def store(url: str, index_name: str, client: OpenSearch) -> Iterator[OpensearchVectorStore]:
    pipeline = "llama-hybrid"
    processor = {
        "normalization": {"technique": "min_max"},
        "combination": {"technique": "arithmetic_mean", "parameters": {"weights": [0.3, 0.7]}},
    }
    client.http.put(
        f"/_search/pipeline/{pipeline}", body={"phase_results_processors": [{"normalization-processor": processor}]}
    )
    vector_client = OpensearchVectorClient(url, index_name, dim=3, search_pipeline=pipeline)
    store = OpensearchVectorStore(vector_client)
    nodes = []
    for number, (text, metadata) in enumerate(DATA):
        node = TextNode(id_=f"n{number}", text=text, metadata=metadata, embedding=embed(text))
        node.relationships[NodeRelationship.SOURCE] = RelatedNodeInfo(node_id=f"doc{number // 2}")
        nodes.append(node)
    assert store.add(nodes) == ["n0", "n1", "n2", "n3"]
    yield store
    store.close()


def ask(store: OpensearchVectorStore, text: str, *filters: MetadataFilter, k: int = 4, **kwargs: Any) -> list[str]:
    wanted = MetadataFilters(filters=list(filters), condition=kwargs.pop("condition", FilterCondition.AND))
    query = VectorStoreQuery(
        query_embedding=embed(text), similarity_top_k=k, filters=wanted if filters else None, **kwargs
    )
    return list(store.query(query).ids or [])


def test_default_query(store: OpensearchVectorStore) -> None:
    assert ask(store, "banana", k=2) == ["n1", "n0"]
    result = store.query(VectorStoreQuery(query_embedding=embed("banana"), similarity_top_k=1))
    assert result.nodes is not None
    assert result.nodes[0].get_content() == "banana bread"
    assert result.nodes[0].metadata["year"] == 2020
    assert result.similarities == [pytest.approx(1.0)]


@pytest.mark.parametrize(
    ("key", "operator", "value", "expected"),
    [
        ("kind", FilterOperator.EQ, "sweet", ["n0", "n1", "n2"]),
        ("year", FilterOperator.EQ, 2020, ["n1"]),
        ("day", FilterOperator.EQ, "2020-05-01", ["n1"]),
        ("kind", FilterOperator.NE, "sweet", ["n3"]),
        ("year", FilterOperator.GT, 2020, ["n2", "n3"]),
        ("year", FilterOperator.GTE, 2020, ["n1", "n2", "n3"]),
        ("year", FilterOperator.LT, 2020, ["n0"]),
        ("year", FilterOperator.LTE, 2020, ["n0", "n1"]),
        ("day", FilterOperator.GTE, "2021-01-01", ["n2"]),
        ("kind", FilterOperator.IN, ["savoury", "bitter"], ["n3"]),
        ("year", FilterOperator.IN, [2019, 2022], ["n0", "n3"]),
        ("kind", FilterOperator.NIN, ["savoury"], ["n0", "n1", "n2"]),
        ("tags", FilterOperator.ANY, ["baked", "vegetable"], ["n0", "n1", "n3"]),
        ("tags", FilterOperator.ALL, ["fruit", "baked"], ["n0", "n1"]),
        ("note", FilterOperator.TEXT_MATCH, "grandmothr", ["n0"]),
        ("note", FilterOperator.CONTAINS, "mother", ["n0"]),
        ("day", FilterOperator.IS_EMPTY, None, ["n0", "n3"]),
    ],
)
def test_filter_operators(
    store: OpensearchVectorStore, key: str, operator: FilterOperator, value: Any, expected: list[str]
) -> None:
    found = ask(store, "apple", MetadataFilter(key=key, value=value, operator=operator))
    assert sorted(found) == expected


def test_conditions_and_nesting(store: OpensearchVectorStore) -> None:
    old = MetadataFilter(key="year", value=2019, operator=FilterOperator.LTE)
    new = MetadataFilter(key="year", value=2022, operator=FilterOperator.GTE)
    sweet = MetadataFilter(key="kind", value="sweet")
    assert sorted(ask(store, "apple", old, new, condition=FilterCondition.OR)) == ["n0", "n3"]
    assert ask(store, "apple", old, new) == []
    either = MetadataFilters(filters=[old, new], condition=FilterCondition.OR)
    both = MetadataFilters(filters=[sweet, either], condition=FilterCondition.AND)
    query = VectorStoreQuery(query_embedding=embed("apple"), similarity_top_k=4, filters=both)
    assert store.query(query).ids == ["n0"]


def test_text_search(store: OpensearchVectorStore) -> None:
    found = ask(store, "x", query_str="soup", mode=VectorStoreQueryMode.TEXT_SEARCH)
    assert found == ["n3"]
    sweet = MetadataFilter(key="kind", value="sweet")
    assert ask(store, "x", sweet, query_str="soup cake", mode=VectorStoreQueryMode.TEXT_SEARCH) == ["n2"]


def test_hybrid(store: OpensearchVectorStore) -> None:
    found = ask(store, "apple", k=2, query_str="soup", mode=VectorStoreQueryMode.HYBRID)
    assert found == ["n0", "n3"]


def test_deletes(store: OpensearchVectorStore) -> None:
    store.delete("doc0")
    assert sorted(ask(store, "apple")) == ["n2", "n3"]
    store.delete_nodes(["n2"])
    assert ask(store, "apple") == ["n3"]
    store.clear()
    assert ask(store, "apple") == []

"""LangChain's OpenSearchVectorSearch, every search type."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from conftest import embed
from langchain_community.vectorstores import OpenSearchVectorSearch
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings

TEXTS = ["apple pie", "banana bread", "cherry cake", "date loaf", "zucchini soup"]
METADATAS = [{"kind": "sweet", "year": 2019 + number} for number in range(4)] + [{"kind": "savoury", "year": 2023}]
SWEET = {"term": {"metadata.kind.keyword": "sweet"}}


class LetterEmbeddings(Embeddings):
    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [embed(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return embed(text)


def store(url: str, index_name: str, **kwargs: Any) -> OpenSearchVectorSearch:
    return OpenSearchVectorSearch.from_texts(
        TEXTS, LetterEmbeddings(), metadatas=METADATAS, opensearch_url=url, index_name=index_name, **kwargs
    )


def texts(documents: list[Document]) -> list[str]:
    return [document.page_content for document in documents]


@pytest.fixture(params=["nmslib", "faiss", "lucene"])
def vectors(request: pytest.FixtureRequest, url: str, index_name: str) -> Iterator[OpenSearchVectorSearch]:
    yield store(url, index_name, engine=request.param, space_type="l2")


@pytest.fixture
def exact(url: str, index_name: str) -> OpenSearchVectorSearch:
    return store(url, index_name, is_appx_search=False)


def test_approximate(vectors: OpenSearchVectorSearch) -> None:
    assert texts(vectors.similarity_search("banana", k=3)) == ["banana bread", "apple pie", "cherry cake"]
    found = vectors.similarity_search_with_score("banana", k=1)
    assert found[0][0].metadata == METADATAS[1]
    assert found[0][1] == pytest.approx(1.0)
    assert texts(vectors.similarity_search("banana", k=5, score_threshold=0.999)) == ["banana bread"]


def test_filters_of_approximate_search(vectors: OpenSearchVectorSearch, request: pytest.FixtureRequest) -> None:
    filtered = vectors.similarity_search("zucchini", k=2, boolean_filter=SWEET)
    assert texts(filtered) == ["date loaf"], "a boolean filter is applied to the k nearest"
    if "nmslib" not in request.node.name:
        found = vectors.similarity_search("zucchini", k=2, efficient_filter=SWEET)
        assert texts(found) == ["date loaf", "cherry cake"], "an efficient filter comes first"


def test_maximal_marginal_relevance(vectors: OpenSearchVectorSearch) -> None:
    found = vectors.max_marginal_relevance_search("apple", k=2, fetch_k=5, lambda_mult=0.1)
    assert texts(found) == ["apple pie", "zucchini soup"]


@pytest.mark.parametrize("space_type", ["l2", "l1", "linf", "cosinesimil", "innerproduct"])
def test_script_scoring(exact: OpenSearchVectorSearch, space_type: str) -> None:
    found = exact.similarity_search("cherry", k=2, search_type="script_scoring", space_type=space_type)
    assert texts(found)[0] == "cherry cake"
    only = exact.similarity_search("cherry", k=5, search_type="script_scoring", space_type=space_type, pre_filter=SWEET)
    assert set(texts(only)) == set(TEXTS[:4])


@pytest.mark.parametrize("space_type", ["l2Squared", "l1Norm", "cosineSimilarity"])
def test_painless_scripting(exact: OpenSearchVectorSearch, space_type: str) -> None:
    found = exact.similarity_search("date", k=1, search_type="painless_scripting", space_type=space_type)
    assert texts(found) == ["date loaf"]


def test_hybrid(vectors: OpenSearchVectorSearch) -> None:
    name = "langchain_hybrid"
    assert vectors.search_pipeline_exists("langchain_none") is False
    vectors.configure_search_pipelines(name)
    assert vectors.search_pipeline_exists(name)
    assert name in (vectors.get_search_pipeline_info(name) or {})
    found = vectors.similarity_search(
        "banana soup", k=2, search_type="hybrid_search", search_pipeline=name, vector_field="vector_field"
    )
    assert set(texts(found)) == {"banana bread", "zucchini soup"}


def test_life_of_an_index(url: str, index_name: str) -> None:
    vectors = store(url, index_name)
    assert vectors.index_exists(index_name)
    ids = vectors.add_texts(["elderberry jam"], ids=["e"])
    vectors.client.indices.refresh(index=index_name)
    assert texts(vectors.similarity_search("elder", k=1)) == ["elderberry jam"]
    vectors.delete(ids)
    assert texts(vectors.similarity_search("elder", k=1)) == ["date loaf"]
    assert vectors.delete_index(index_name)
    assert not vectors.index_exists(index_name)
    vectors.create_index(3, index_name)
    assert vectors.index_exists(index_name)


def test_routing_is_required_when_it_was_asked_for(url: str, index_name: str) -> None:
    vectors = store(url, index_name, routing="r1")
    assert len(vectors.similarity_search("apple", k=5, routing="r1")) == 5


async def test_async(url: str, index_name: str) -> None:
    vectors = await OpenSearchVectorSearch.afrom_texts(
        TEXTS, LetterEmbeddings(), opensearch_url=url, index_name=index_name
    )
    assert texts(await vectors.asimilarity_search("banana", k=1)) == ["banana bread"]
    await vectors.async_client.close()

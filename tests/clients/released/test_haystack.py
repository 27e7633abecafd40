"""Haystack's OpenSearchDocumentStore: Haystack's own test classes, its retrievers, and what only this store has."""

from __future__ import annotations

from dataclasses import replace

import pytest
from haystack.dataclasses import Document
from haystack.document_stores.types import DuplicatePolicy
from haystack.testing.document_store import (
    CountDocumentsByFilterTest,
    CountUniqueMetadataByFilterTest,
    DocumentStoreBaseExtendedTests,
    GetMetadataFieldMinMaxTest,
    GetMetadataFieldsInfoTest,
)
from haystack_integrations.components.retrievers.opensearch import (
    OpenSearchBM25Retriever,
    OpenSearchEmbeddingRetriever,
)
from haystack_integrations.document_stores.opensearch import OpenSearchDocumentStore


@pytest.fixture
def document_store(url: str, index_name: str) -> OpenSearchDocumentStore:
    return new_store(url, index_name)


def new_store(url: str, index_name: str) -> OpenSearchDocumentStore:
    return OpenSearchDocumentStore(
        hosts=url,
        index=index_name,
        embedding_dim=768,
        return_embedding=True,
        http_auth=("admin", "admin"),
        verify_certs=False,
        method={"space_type": "cosinesimil", "engine": "lucene", "name": "hnsw"},
    )


class TestHaystack(
    DocumentStoreBaseExtendedTests,
    CountDocumentsByFilterTest,
    CountUniqueMetadataByFilterTest,
    GetMetadataFieldsInfoTest,
    GetMetadataFieldMinMaxTest,
):
    """Inherited: writing, deleting, filters, metadata."""

    @pytest.fixture
    def document_store(self, url: str, index_name: str) -> OpenSearchDocumentStore:
        """In the class, since the inherited one would hide the module's."""
        return new_store(url, index_name)

    @staticmethod
    def assert_documents_are_equal(received: list[Document], expected: list[Document]) -> None:
        """Scores are the store's own, and embeddings come back as float32."""
        key = lambda document: document.id
        received, expected = sorted(received, key=key), sorted(expected, key=key)
        assert [one.embedding for one in received] == [pytest.approx(other.embedding, abs=1e-6) for other in expected]
        assert [replace(one, score=None, embedding=None) for one in received] == [
            replace(other, score=None, embedding=None) for other in expected
        ]

    def test_write_documents(self, document_store: OpenSearchDocumentStore) -> None:
        documents = [Document(id="1", content="a"), Document(id="2", content="b")]
        assert document_store.write_documents(documents) == 2
        with pytest.raises(Exception, match="already exist"):
            document_store.write_documents(documents)
        assert document_store.write_documents(documents, policy=DuplicatePolicy.OVERWRITE) == 2


def vector(*values: float) -> list[float]:
    return [*values, *([0.0] * (768 - len(values)))]


@pytest.fixture
def filled(document_store: OpenSearchDocumentStore) -> OpenSearchDocumentStore:
    document_store.write_documents(
        [
            Document(content="Haskell is a functional language", meta={"rank": 1}, embedding=vector(1, 0)),
            Document(content="Lisp is a functional language", meta={"rank": 2}, embedding=vector(0.9, 0.1)),
            Document(content="Java is an object oriented language", meta={"rank": 3}, embedding=vector(0, 1)),
        ]
    )
    return document_store


def test_bm25_retriever(filled: OpenSearchDocumentStore) -> None:
    found = OpenSearchBM25Retriever(document_store=filled, top_k=2, fuzziness=0).run(query="functional lisp")
    assert [document.content.split()[0] for document in found["documents"]] == ["Lisp", "Haskell"]
    fuzzy = OpenSearchBM25Retriever(document_store=filled, fuzziness="AUTO").run(query="functionl")
    assert len(fuzzy["documents"]) == 2
    every = OpenSearchBM25Retriever(document_store=filled, all_terms_must_match=True, fuzziness=0).run(
        query="java functional"
    )
    assert every["documents"] == []


@pytest.mark.parametrize("efficient_filtering", [True, False])
def test_embedding_retriever(filled: OpenSearchDocumentStore, efficient_filtering: bool) -> None:
    retriever = OpenSearchEmbeddingRetriever(document_store=filled, top_k=2, efficient_filtering=efficient_filtering)
    found = retriever.run(query_embedding=vector(1, 0))["documents"]
    assert [document.meta["rank"] for document in found] == [1, 2]
    filters = {"field": "meta.rank", "operator": ">", "value": 1}
    narrowed = retriever.run(query_embedding=vector(1, 0), filters=filters)["documents"]
    assert [document.meta["rank"] for document in narrowed] == ([2, 3] if efficient_filtering else [2])


def test_unique_values_and_paging(filled: OpenSearchDocumentStore) -> None:
    values, count = filled.get_metadata_field_unique_values("rank", None, 0, 2)[:2]
    assert count == 3
    assert len(values) == 2

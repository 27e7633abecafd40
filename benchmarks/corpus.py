"""The documents of the search workloads: clustered unit vectors, texts by Zipf's law, fields to filter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

DIMENSION, CLUSTERS, K = 384, 1000, 10
BULK = 500
"""Documents in one bulk request."""
_WORDS = 75
_BLOCK = 10_000
Floats = NDArray[np.float32]

ABOUT = (
    f"{DIMENSION}-dimensional clustered unit vectors ({CLUSTERS} clusters, each with a 12-dimensional subspace of its "
    f"own), texts of {_WORDS} words by Zipf's law over 50,000 words, a uniform price to filter by"
)


@dataclass
class Corpus:
    """Vectors float32 ``[n, 384]`` of unit length, texts, prices, and the cluster of each document."""

    vectors: Floats
    texts: list[str]
    prices: NDArray[np.float64]
    clusters: NDArray[np.int64]
    queries: Floats
    words: list[str] = field(default_factory=list)

    @classmethod
    def make(cls, count: int, queries: int) -> Corpus:
        """Draw everything from one seed."""
        rng = np.random.default_rng(7)
        centres = rng.standard_normal((CLUSTERS, DIMENSION)).astype(np.float32)
        bases = rng.standard_normal((CLUSTERS, 12, DIMENSION)).astype(np.float32) * 0.35
        clusters = rng.integers(0, CLUSTERS, count + queries)
        local = rng.standard_normal((count + queries, 12)).astype(np.float32)
        vectors = np.empty((count + queries, DIMENSION), np.float32)
        for start in range(0, len(vectors), _BLOCK):
            part = slice(start, start + _BLOCK)
            made = centres[clusters[part]] + np.einsum("ij,ijk->ik", local[part], bases[clusters[part]])
            made += 0.25 * rng.standard_normal(made.shape).astype(np.float32)
            vectors[part] = made / np.linalg.norm(made, axis=1, keepdims=True)
        words = [f"w{number}" for number in range(50_000)]
        share = 1 / np.arange(1, len(words) + 1) ** 1.07
        drawn = rng.choice(len(words), (count, _WORDS), p=share / share.sum())
        texts = [" ".join(words[number] for number in line) for line in drawn]
        return cls(vectors[:count], texts, rng.random(count), clusters[:count], vectors[count:], words)

    def first(self, count: int) -> Corpus:
        """Return its first documents, with all queries."""
        part = slice(count)
        return replace(
            self,
            vectors=self.vectors[part],
            texts=self.texts[part],
            prices=self.prices[part],
            clusters=self.clusters[part],
        )

    def bulks(self, *, vectors: bool = True) -> Iterator[bytes]:
        """Yield bulk requests for all documents; without ``vectors`` only with their texts."""
        for start in range(0, len(self.texts), BULK):
            lines = []
            for number in range(start, min(start + BULK, len(self.texts))):
                lines.append(b'{"index":{"_id":"%d"}}' % number)
                source = self._whole(number) if vectors else {"text": self.texts[number]}
                lines.append(orjson.dumps(source, option=orjson.OPT_SERIALIZE_NUMPY))
            yield b"\n".join([*lines, b""])

    def _whole(self, number: int) -> dict[str, Any]:
        return {
            "text": self.texts[number],
            "price": self.prices[number],
            "cluster": int(self.clusters[number]),
            "vector": self.vectors[number],
        }

    def query(self, number: int) -> Floats:
        """Return a query vector; they repeat."""
        found: Floats = self.queries[number % len(self.queries)]
        return found

    def terms(self, number: int) -> str:
        """Return two to four words, of the 3,000 commonest but the first five."""
        rng = np.random.default_rng(number)
        return " ".join(self.words[rank] for rank in rng.integers(5, 3000, rng.integers(2, 5)))


FILTERS: dict[str, tuple[dict[str, Any] | None, Callable[[Corpus], NDArray[np.bool_]]]] = {
    "none": (None, lambda c: np.ones(len(c.prices), bool)),
    "50 %": ({"range": {"price": {"lt": 0.5}}}, lambda c: c.prices < 0.5),
    "5 %": ({"range": {"price": {"lt": 0.05}}}, lambda c: c.prices < 0.05),
    "0.5 %": ({"range": {"price": {"lt": 0.005}}}, lambda c: c.prices < 0.005),
    "correlated 5 %": ({"range": {"cluster": {"lt": 50}}}, lambda c: c.clusters < 50),
}
"""What k-NN is narrowed to: a filter clause, and the documents that pass it."""


def knn(corpus: Corpus, number: int, narrowed: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a search body: k-NN, ids only."""
    query: dict[str, Any] = {"vector": corpus.query(number), "k": K}
    if narrowed is not None:
        query["filter"] = narrowed
    return {"size": K, "_source": False, "query": {"knn": {"vector": query}}}


def bm25(corpus: Corpus, number: int) -> dict[str, Any]:
    """Return a search body: BM25, ids only."""
    return {"size": K, "_source": False, "query": {"match": {"text": corpus.terms(number)}}}


def hybrid(corpus: Corpus, number: int) -> dict[str, Any]:
    """Return a search body: BM25 and k-NN, with the documents but their vectors."""
    return fused([bm25(corpus, number)["query"], knn(corpus, number)["query"]])


def fused(legs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a search body: the legs normalized and averaged, with the documents but their vectors."""
    return {
        "size": K,
        "_source": {"excludes": ["vector"]},
        "query": {"hybrid": {"queries": legs}},
        "search_pipeline": "fuse",
    }

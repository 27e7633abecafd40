"""Highlights mark the same words in the same fragments on both servers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.congruence.conftest import Pair

INDEX = "congruence-highlights"
TEXTS: list[str | list[str]] = [
    (
        "The quick brown fox jumps over the lazy dog. Quick brown foxes leap over lazy dogs in summer. A brown quick "
        "animal is not a fox."
    ),
    (
        "OpenSearch is a community-driven, Apache 2.0-licensed open source suite that makes it easy to search and "
        "analyze data. Developers build quick tools for use cases such as application search and log analytics."
    ),
    "quick " * 60,
    (
        "One two three. Four quick brown five! Six seven? Eight nine ten eleven twelve thirteen fourteen fifteen "
        "sixteen quick eighteen nineteen twenty."
    ),
    "Short quick text",
    (
        'Dr. Smith went to Washington. He said: "the quick brown fox" and left; nobody knew why. Mr. Jones, however, '
        "stayed at home with the brown bear, the quick cat and a very long list of other animals. The end."
    ),
    "line one quick\nline two brown\n\nline three quick brown fox that goes on and on and on until the end of the line",
    "No match here, but there is a long enough text so that no_match_size has something to cut. And a second sentence.",
    "averyveryverylongword" * 8 + " quick " + "anotherverylongword" * 8,
    ["first quick value. brown", "second value brown fox", "third quick brown"],
]
QUERIES: dict[str, dict[str, Any]] = {
    "words": {"match": {"t": "quick brown"}},
    "a phrase": {"match_phrase": {"t": "quick brown"}},
    "a phrase with a prefix": {"match_phrase_prefix": {"t": "quick bro"}},
    "a sloppy phrase": {"match_phrase": {"t": {"query": "quick fox", "slop": 1}}},
    "a phrase or a word": {"query_string": {"query": 't:"brown fox" OR t:lazy'}},
}
OPTIONS: list[dict[str, Any]] = [
    {},
    {"fragment_size": 18},
    {"fragment_size": 40, "number_of_fragments": 2},
    {"number_of_fragments": 0},
    {"no_match_size": 20},
    {"order": "score", "fragment_size": 30},
    {"boundary_scanner": "word", "fragment_size": 20},
]


@pytest.fixture(scope="module")
def texts(pair: Pair) -> Iterator[Pair]:
    """Both servers with the texts."""
    for client in (pair.own, pair.other):
        client.delete(f"/{INDEX}")
        settings = {"number_of_shards": 1, "number_of_replicas": 0}
        mappings = {"properties": {"t": {"type": "text"}}}
        client.put(f"/{INDEX}", json={"settings": settings, "mappings": mappings}).raise_for_status()
        for number, text in enumerate(TEXTS):
            client.put(f"/{INDEX}/_doc/{number}", json={"t": text}).raise_for_status()
        client.post(f"/{INDEX}/_refresh").raise_for_status()
    yield pair
    pair.other.delete(f"/{INDEX}")


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("name", QUERIES)
def test_the_same_fragments(texts: Pair, name: str, options: dict[str, Any]) -> None:
    query = {"bool": {"should": [QUERIES[name], {"match_all": {}}]}}
    body = {"query": query, "size": 20, "_source": False, "highlight": {"fields": {"t": options}}}
    own, other = (
        {hit["_id"]: hit.get("highlight") for hit in client.post(f"/{INDEX}/_search", json=body).json()["hits"]["hits"]}
        for client in (texts.own, texts.other)
    )
    assert len(own) == len(TEXTS)
    assert own == other

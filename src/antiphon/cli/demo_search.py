"""The demo's second half, the tutorial's next steps: an index that embeds by itself, searched by meaning and words."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import typer

from antiphon.cli.corpus import PASSAGES, QUERIES
from antiphon.cli.demo_client import Client
from antiphon.cli.index import HYBRID_WEIGHTS
from antiphon.cli.terminal import columns, wrapped
from antiphon.errors import AntiphonError
from antiphon.remote import ndjson

INDEX = f"antiphon-demo-{os.getpid()}"
"""A run's own, so that two of them on one server do not meet."""
_HYBRID = {
    "phase_results_processors": [
        {
            "normalization-processor": {
                "normalization": {"technique": "min_max"},
                "combination": {"technique": "arithmetic_mean", "parameters": {"weights": HYBRID_WEIGHTS}},
            }
        }
    ]
}


@dataclass(frozen=True, slots=True)
class Way:
    """A kind of search, and the name of the best text it found for each query (``-``: none)."""

    name: str
    best: tuple[str, ...]

    @property
    def right(self) -> int:
        """How many queries found the text that answers them."""
        return sum(best == query.answer for best, query in zip(self.best, QUERIES, strict=True))


def search_journey(client: Client, model_id: str) -> Way:
    """Index the passages through a pipeline and search them; return what meaning alone found."""
    typer.echo("6. Go on: an index that embeds what is written to it, in the passage role")
    model = client.ask("GET", f"/_plugins/_ml/models/{model_id}")
    embedding = {"text_embedding": {"model_id": model_id, "field_map": {"text": "embedding"}}}
    client.show("PUT", f"/_ingest/pipeline/{INDEX}", {"processors": [embedding]})
    client.show("PUT", f"/_search/pipeline/{INDEX}", _HYBRID)
    client.show("PUT", f"/{INDEX}", _index(model["model_config"]["embedding_dimension"]))
    lines: list[Any] = []
    for passage in PASSAGES:
        lines += [{"index": {"_id": passage.name}}, {"text": passage.text}]
    answer = client.ask("POST", f"/{INDEX}/_bulk?refresh=true", ndjson(lines))
    if answer["errors"]:
        raise AntiphonError(f"the bulk request failed: {answer}")
    typer.echo(wrapped(f"POST /{INDEX}/_bulk -> {len(PASSAGES)} documents, one call to the model"))
    typer.echo("7. Ask it: the query is embedded in the query role, nobody writes a prefix")
    shown = {"query": _meaning(QUERIES[0].text, model_id), "size": 1, "_source": ["text"]}
    client.show("POST", f"/{INDEX}/_search", shown)
    ways = [
        Way("words (BM25)", _best(client, _words)),
        Way("meaning (neural)", _best(client, lambda text: _meaning(text, model_id))),
        Way("both (hybrid)", _best(client, lambda text: _both(text, model_id), f"search_pipeline={INDEX}")),
    ]
    _show(ways)
    return ways[1]


def remove(client: Client) -> None:
    """Delete what the journey made."""
    client.ask("DELETE", f"/{INDEX}")
    client.ask("DELETE", f"/_ingest/pipeline/{INDEX}")
    client.ask("DELETE", f"/_search/pipeline/{INDEX}")


def _index(dimension: int) -> dict[str, Any]:
    method = {"name": "hnsw", "engine": "faiss", "space_type": "cosinesimil"}
    vector = {"type": "knn_vector", "dimension": dimension, "method": method}
    return {
        "settings": {"index.knn": True, "default_pipeline": INDEX},
        "mappings": {"properties": {"text": {"type": "text"}, "embedding": vector}},
    }


def _words(text: str) -> dict[str, Any]:
    return {"match": {"text": {"query": text}}}


def _meaning(text: str, model_id: str) -> dict[str, Any]:
    return {"neural": {"embedding": {"query_text": text, "model_id": model_id, "k": 5}}}


def _both(text: str, model_id: str) -> dict[str, Any]:
    return {"hybrid": {"queries": [_words(text), _meaning(text, model_id)]}}


def _best(client: Client, make: Any, parameters: str = "") -> tuple[str, ...]:
    path = f"/{INDEX}/_search?{parameters}"
    found = []
    for query in QUERIES:
        hits = client.ask("POST", path, {"query": make(query.text), "_source": False, "size": 5})["hits"]["hits"]
        found.append(hits[0]["_id"] if hits else "-")
    return tuple(found)


def _show(ways: list[Way]) -> None:
    typer.echo("")
    rows = [["query", *(way.name for way in ways)]]
    for number, query in enumerate(QUERIES):
        rows.append([query.text, *(way.best[number] for way in ways)])
    rows.append(["found", *(f"{way.right}/{len(QUERIES)}" for way in ways)])
    for line in columns(rows, left=4):
        typer.echo(f"   {line}")
    typer.echo("")

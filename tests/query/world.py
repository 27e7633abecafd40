"""One index to ask: every kind of field."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from antiphon.domain.mapping import IndexMapping
from antiphon.query import DefaultModels, Query, Scope, parse_query

NOW = 1_700_000_000_000

MAPPING = IndexMapping.parse(
    {
        "properties": {
            "title": {"type": "text", "fields": {"keyword": {"type": "keyword"}}},
            "body": {"type": "text"},
            "tag": {"type": "keyword"},
            "count": {"type": "long"},
            "price": {"type": "double"},
            "flag": {"type": "boolean"},
            "day": {"type": "date"},
            "stamp": {"type": "date", "format": "yyyy-MM-dd"},
            "from": {"type": "ip"},
            "blob": {"type": "binary"},
            "weights": {"type": "rank_features"},
            "vec": {"type": "knn_vector", "dimension": 2, "space_type": "cosinesimil"},
            "l2": {"type": "knn_vector", "dimension": 2},
            "bytes": {"type": "knn_vector", "dimension": 2, "data_type": "byte"},
            "other": {"type": "alias", "path": "tag"},
            "plain": {"type": "semantic", "model_id": "p"},
            "plain_semantic_info": {"properties": {"embedding": {"type": "knn_vector", "dimension": 2}}},
            "long": {"type": "semantic", "model_id": "p", "search_model_id": "s", "chunking": True},
            "long_semantic_info": {
                "properties": {
                    "chunks": {"type": "nested", "properties": {"embedding": {"type": "knn_vector", "dimension": 2}}}
                }
            },
            "object": {"properties": {"a": {"type": "text"}, "b": {"type": "float"}}},
            "part": {
                "type": "nested",
                "properties": {
                    "name": {"type": "keyword"},
                    "vec": {"type": "knn_vector", "dimension": 2},
                },
            },
        }
    },
    knn=True,
)


def scope(**options: Any) -> Scope:
    """A fresh scope over the mapping above."""
    models = DefaultModels(None, {"l2": "enriched"})
    return replace(Scope(MAPPING, index="books", now_ms=NOW, models=models), **options)


def parsed(body: object) -> Query:
    """The query of a body."""
    return parse_query(body, scope())

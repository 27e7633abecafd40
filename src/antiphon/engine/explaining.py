"""Why a document scores as it does, in Lucene's words where it is BM25."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import tantivy

from antiphon.engine.lexicon import KEY
from antiphon.engine.matches import Evaluator
from antiphon.engine.table import Table
from antiphon.engine.text_match import SCALE, text_query
from antiphon.query import (
    Bool,
    ConstantScore,
    DisMax,
    Explanation,
    FunctionScore,
    Knn,
    Named,
    Nested,
    Query,
    ScriptScore,
)


def explain_row(evaluator: Evaluator, table: Table, query: Query, row: int) -> Explanation | None:
    """Return the explanation of a row's score; None when it does not match."""
    found = evaluator.matches(table, query)
    if not found.mask[row]:
        return None
    value = float(found.at(np.array([row]))[0])
    match query:
        case Named():
            return explain_row(evaluator, table, query.query, row)
        case Bool():
            parts = [explain_row(evaluator, table, part, row) for part in (*query.must, *query.should)]
            return Explanation(value, "sum of:", tuple(part for part in parts if part is not None))
        case DisMax():
            parts = [explain_row(evaluator, table, part, row) for part in query.queries]
            description = f"max plus {query.tie_breaker} times others of:" if query.tie_breaker else "max of:"
            return Explanation(value, description, tuple(part for part in parts if part is not None))
        case ConstantScore():
            return Explanation(value, "ConstantScore")
        case FunctionScore() | ScriptScore():
            inner = explain_row(evaluator, table, query.query, row)
            kind = "function score" if isinstance(query, FunctionScore) else "script score function"
            return Explanation(value, f"{kind}, of:", () if inner is None else (inner,))
        case Knn():
            return Explanation(value, f"within top {query.k} of the nearest vectors of [{query.field}]")
        case Nested():
            return Explanation(value, f"Score based on the objects of [{query.path}], mode [{query.score_mode}]")
        case _:
            return _leaf(table, query, row, value)


def _leaf(table: Table, query: Query, row: int, value: float) -> Explanation:
    text = text_query(table, query)
    if text is None or table.lexicon is None:
        return Explanation(value, f"weight({type(query).__name__}:{getattr(query, 'field', '')})")
    searcher = table.lexicon.searcher
    alone = tantivy.Query.boolean_query([
        (tantivy.Occur.Must, text),
        (tantivy.Occur.Must, tantivy.Query.term_query(table.lexicon.schema, KEY, int(table.keys[row]))),
    ])  # fmt: skip
    hits = searcher.search(alone, limit=1).hits
    if not hits:
        return Explanation(value, f"weight({getattr(query, 'field', '')})")
    tree = json.loads(text.explain(searcher, hits[0][1]).to_json())
    return _translated(tree, getattr(query, "field", ""))


def _translated(tree: Mapping[str, Any], field: str) -> Explanation:
    """tantivy's tree without its factor k1 + 1."""
    details = tree.get("details") or ()
    factors = [detail for detail in details if "(K1+1)" in str(detail.get("description"))]
    inner = tuple(_translated(detail, field) for detail in details if detail not in factors)
    description = str(tree["description"])
    value = float(tree["value"])
    if factors:
        return Explanation(value / SCALE, f"weight({field}) [BM25], product of:", inner)
    if description.startswith(("idf", "freq", "tf", "n,", "N,", "k1", "b,", "dl", "avgdl")) or not inner:
        return Explanation(value, description, inner)
    return Explanation(sum(part.value for part in inner), "sum of:", inner)

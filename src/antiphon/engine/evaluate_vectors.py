"""k-NN on one view: exactly the k nearest over all segments, or everything within a distance."""

from __future__ import annotations

import numpy as np

from antiphon.domain.field import DataType, Field
from antiphon.domain.space import Space, score_of
from antiphon.engine.matches import Evaluator, Floats, Mask, Matches, Rows, ancestor_rows
from antiphon.engine.table import Table
from antiphon.engine.vectors import nearest
from antiphon.errors import IllegalArgument, QueryShardError
from antiphon.query import Knn, Nested, Query


def knn_matches(evaluator: Evaluator, table: Table, query: Knn) -> Matches:
    """Return what a k-NN query matches, dense."""
    rows, scores = knn_rows(evaluator, table, query)
    mask = np.zeros(table.size, np.bool_)
    dense = np.zeros(table.size, np.float32)
    mask[rows] = True
    dense[rows] = scores
    return Matches(mask, dense)


def knn_rows(evaluator: Evaluator, table: Table, query: Knn) -> tuple[Rows, Floats]:
    """Return (rows of ``table``, scores) of a k-NN query, best first."""
    field = vector_field(table, query.field)
    vector = _checked(field, evaluator.vectors[query.slot])
    allowed = table.alive
    if query.filter is not None:
        allowed = allowed & _passing(evaluator, table, query.filter)
    if query.k is None:
        rows, scores = _radial(table, query, field, vector, allowed)
    elif table.path:
        rows, scores = _nested_nearest(evaluator, table, query, vector, allowed)
    else:
        rows, scores = _nearest(table, query, vector, query.k, None if allowed.all() else allowed)
    return rows, scores * np.float32(query.boost)


def _passing(evaluator: Evaluator, table: Table, condition: Query) -> Mask:
    """Return the rows that a filter lets pass: it asks their documents, a ``nested`` query on their path them alone."""
    if isinstance(condition, Nested) and condition.path == table.path:
        return evaluator.mask(table, condition.query)
    documents = evaluator.view.tables[""]
    passing = evaluator.mask(documents, condition)
    return passing[ancestor_rows(evaluator.view, table, "")] if table.path else passing


def vector_field(table: Table, path: str) -> Field:
    """Return the vector field; QueryShardError when it is none, or has no approximate search."""
    field = table.mapping.field(path)
    if field is None or field.vector is None:
        raise _failed(f"Field '{path}' is not knn_vector type.")
    if not field.vector.ann:
        raise _failed(f"Field '{path}' is not built for ANN search.")
    return field


def _checked(field: Field, vector: Floats) -> Floats:
    assert field.vector is not None
    expected = field.vector.dimension // (8 if field.vector.data_type is DataType.BINARY else 1)
    if len(vector) != expected:
        raise _failed(f"Query vector has invalid dimension: {len(vector)}. Dimension should be: {expected}")
    if field.vector.space is Space.COSINESIMIL and not vector.any():
        raise _failed("zero vector is not supported when space type is [cosinesimil]")
    return vector


def _failed(reason: str) -> QueryShardError:
    return QueryShardError(f"failed to create query: {reason}", cause=IllegalArgument(reason))


def _nearest(table: Table, query: Knn, vector: Floats, k: int, allowed: Mask | None) -> tuple[Rows, Floats]:
    bases, columns, masks = [], [], []
    for base, part in zip(table.bases.tolist(), table.parts, strict=True):
        column = part.vectors.get(query.field)
        if column is not None:
            bases.append(base)
            columns.append(column)
            masks.append(None if allowed is None else allowed[base : base + part.rows])
    numbers, rows, scores = nearest(columns, masks, vector, k, query.ef_search)
    return rows + np.array(bases, np.int64)[numbers], scores


def _all(table: Table, query: Knn, vector: Floats, allowed: Mask) -> tuple[Rows, Floats]:
    found = []
    for base, part in zip(table.bases.tolist(), table.parts, strict=True):
        column = part.vectors.get(query.field)
        if column is not None:
            rows, scores = column.scores(vector, allowed[base : base + part.rows])
            found.append((rows + base, scores))
    if not found:
        return np.zeros(0, np.int64), np.zeros(0, np.float32)
    rows, scores = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((rows, -scores))
    return rows[order], scores[order]


def _nested_nearest(
    evaluator: Evaluator, table: Table, query: Knn, vector: Floats, allowed: Mask
) -> tuple[Rows, Floats]:
    """k counts documents, each by its best object; all of its objects with ``expand_nested``."""
    assert query.k is not None
    owners = ancestor_rows(evaluator.view, table, "")
    wanted = query.k
    while True:  # objects of one document may crowd out others: ask for more until k documents are in
        rows, scores = _nearest(table, query, vector, wanted, None if allowed.all() else allowed)
        _, first = np.unique(owners[rows], return_index=True)
        if len(first) >= query.k or len(rows) < wanted:
            break
        wanted *= 4
    best = np.sort(first)[: query.k]
    if not query.expand_nested:
        return rows[best], scores[best]
    return _all(table, query, vector, allowed & np.isin(owners, owners[rows[best]]))


def _radial(table: Table, query: Knn, field: Field, vector: Floats, allowed: Mask) -> tuple[Rows, Floats]:
    assert field.vector is not None
    rows, scores = _all(table, query, vector, allowed)
    least = query.min_score if query.min_score is not None else _score_at(field, query.max_distance or 0.0)
    near = scores >= np.float32(least)
    return rows[near], scores[near]


def _score_at(field: Field, distance: float) -> float:
    """The published score at a distance as the space defines it (cosine: 1 - c; faiss's inner product: -p)."""
    assert field.vector is not None
    match field.vector.space:
        case Space.COSINESIMIL:
            raw = 1.0 - distance
        case Space.INNERPRODUCT:
            raw = distance if field.vector.engine == "lucene" else -distance
        case _:
            raw = distance
    return float(score_of(field.vector.space, np.array([raw], np.float32))[0])

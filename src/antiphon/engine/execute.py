"""A bound search over one view: legs of the best documents, totals and aggregations; and the questions beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.engine.aggregating import collect
from antiphon.engine.evaluate import Evaluation
from antiphon.engine.evaluate_vectors import knn_rows
from antiphon.engine.explaining import explain_row
from antiphon.engine.fetching import fetch_rows
from antiphon.engine.matches import Floats, Mask, Matches, Rows
from antiphon.engine.ordering import after, collapse_values, in_order, ordinals
from antiphon.engine.table import Table
from antiphon.engine.text_match import any_query, text_query
from antiphon.engine.view import View
from antiphon.query import Explanation, Fetch, Knn, Leg, Query, Rescore, Search, SearchHit, ShardResult, SortKey

Vectors = Sequence[Floats]


def search(view: View, asked: Search, vectors: Vectors) -> ShardResult:
    """Return the best documents of every leg, best first, and what the search wants to know of all that match."""
    quick = _quick(view, asked, vectors)
    if quick is not None:
        return quick
    evaluator = Evaluation(view, vectors)
    table = view.tables[""]
    whole = [_narrowed(evaluator.matches(table, leg), asked, table.keys) for leg in asked.legs]
    found = [_first_ones(one, asked) for one in whole]
    union = found[0].mask if len(found) == 1 else np.logical_or.reduce([one.mask for one in found])
    aggregations = {
        name: collect(evaluator, asked, aggregation, _joined(found, union))
        for name, aggregation in asked.aggregations.items()
    }
    if asked.post_filter is not None:
        passing = evaluator.mask(table, asked.post_filter)
        found = [Matches(one.mask & passing, one.scores) for one in found]
        union = union & passing
    total = int(np.count_nonzero(union))
    legs = tuple(_ranked(evaluator, asked, one) for one in found)
    counted, exact = _counted(total, asked)
    early = any(_too_many(one.mask, asked) for one in whole)
    return ShardResult(legs, counted, exact, _max_score(asked, legs, found), aggregations, terminated_early=early)


def fetch(
    view: View,
    asked: Search,
    vectors: Vectors,
    rows: Sequence[int],
    scores: Sequence[float | None],
    wanted: Fetch | None = None,
) -> list[SearchHit]:
    """Return the hits of rows, in order."""
    return fetch_rows(Evaluation(view, vectors), asked, rows, scores, wanted or asked.fetch)


def count(view: View, query: Query, vectors: Vectors) -> int:
    """Return how many documents match."""
    return int(np.count_nonzero(Evaluation(view, vectors).mask(view.tables[""], query)))


def matching(view: View, query: Query, vectors: Vectors) -> NDArray[np.int64]:
    """Return the rows that match, ascending."""
    return np.flatnonzero(Evaluation(view, vectors).mask(view.tables[""], query))


def explain(view: View, query: Query, vectors: Vectors, doc_id: str) -> Explanation | None:
    """Return why a document scores as it does; None when there is none or it does not match."""
    rows = view.rows_of_ids([doc_id])
    if not len(rows):
        return None
    return explain_row(Evaluation(view, vectors), view.tables[""], query, int(rows[0]))


def _quick(view: View, asked: Search, vectors: Vectors) -> ShardResult | None:
    """Answer text and k-NN queries, alone or as a hybrid's, without touching every row; None when more is wanted."""
    plain = (
        not (asked.sort or asked.aggregations or asked.rescore)
        and asked.post_filter is None
        and asked.min_score is None
        and asked.collapse is None
        and asked.slice is None
        and asked.search_after is None
        and not asked.terminate_after
    )
    table = view.tables[""]
    if not plain:
        return None
    texts = [None if isinstance(leg, Knn) or table.lexicon is None else text_query(table, leg) for leg in asked.legs]
    for leg, text in zip(asked.legs, texts, strict=True):
        if text is None and not (isinstance(leg, Knn) and leg.k is not None):
            return None
    evaluator = Evaluation(view, vectors)
    legs: list[Leg] = []
    near: list[Rows] = []
    matched = 0
    for leg, text in zip(asked.legs, texts, strict=True):
        if isinstance(leg, Knn):
            rows, scores = knn_rows(evaluator, table, leg)
            near.append(rows)
        else:
            assert table.lexicon is not None
            keys, scores, matched = table.lexicon.best(text, _limit(asked))
            rows = table.rows_of(keys)
        legs.append(Leg(rows[: _limit(asked)], scores[: _limit(asked)]))
    total, exact = _counted(_union(table, [text for text in texts if text is not None], matched, near), asked)
    best = [float(leg.scores[0]) for leg in legs if len(leg.scores)]
    return ShardResult(tuple(legs), total, exact, max(best, default=None))


def _union(table: Table, texts: Sequence[Any], matched: int, near: Sequence[Rows]) -> int:
    """How many documents any leg found: those of the text queries (``matched``, if there is one), and k-NN's rows."""
    rows = np.unique(np.concatenate(near)) if near else np.zeros(0, np.int64)
    if not texts or table.lexicon is None:
        return len(rows)
    lexicon = table.lexicon
    either = texts[0] if len(texts) == 1 else any_query(texts)
    total = matched if len(texts) == 1 else lexicon.count(either)
    both = lexicon.count(either, only=table.keys[rows].tolist()) if len(rows) else 0
    return total + len(rows) - both


def _limit(asked: Search) -> int:
    return (asked.pagination_depth or asked.size) if asked.hybrid else asked.from_ + asked.size


def _max_score(asked: Search, legs: Sequence[Leg], found: Sequence[Matches]) -> float | None:
    """The best score of all that match, where scores are wanted, or decide the order before anything else."""
    if not asked.sort:
        best = [float(leg.scores[0]) for leg in legs if len(leg.scores)]
    elif asked.track_scores or asked.sort[0] == SortKey("_score", descending=True):
        best = [float(one.at(np.flatnonzero(one.mask)).max()) for one in found if one.mask.any()]
    else:
        best = []
    return max(best, default=None)


def _too_many(mask: Mask, asked: Search) -> bool:
    return bool(asked.terminate_after) and int(np.count_nonzero(mask)) > asked.terminate_after


def _first_ones(found: Matches, asked: Search) -> Matches:
    """The first ``terminate_after`` that match, in the order they were written."""
    if not _too_many(found.mask, asked):
        return found
    mask = np.zeros_like(found.mask)
    mask[np.flatnonzero(found.mask)[: asked.terminate_after]] = True
    return Matches(mask, found.scores)


def _narrowed(found: Matches, asked: Search, keys: NDArray[np.int64]) -> Matches:
    mask: Mask = found.mask
    if asked.min_score is not None and not asked.hybrid:
        mask = mask & (found.dense() >= np.float32(asked.min_score))
    if asked.slice is not None:
        number, slices = asked.slice
        mask = mask & (keys % slices == number)
    return Matches(mask, found.scores)


def _joined(found: Sequence[Matches], union: Mask) -> Matches:
    """All that any leg found; the scores of several add up."""
    if len(found) == 1:
        return found[0]
    return Matches(union, np.sum([one.dense() for one in found], axis=0, dtype=np.float32))


def _counted(total: int, asked: Search) -> tuple[int, bool]:
    threshold = asked.track_total_hits
    if threshold is True or threshold is False or total <= threshold:
        return total, True
    return int(threshold), False


def _ranked(evaluator: Evaluation, asked: Search, found: Matches) -> Leg:
    limit = _limit(asked)
    rows = np.flatnonzero(found.mask)
    scores = found.at(rows)
    if not asked.sort:
        return _by_score(evaluator, asked, rows, scores, limit)
    keys = [ordinals(evaluator, key, rows, scores) for key in asked.sort]
    order = in_order(keys, len(rows))
    if asked.search_after is not None and keys:
        later = after(keys, asked.search_after)
        order = order[later[order]]
    order, held = _collapsed(evaluator, asked, rows, order, limit)
    values = list(zip(*(key.values(order) for key in keys), strict=True))
    shown = scores[order] if _wants_scores(asked) else np.full(len(order), np.nan, np.float32)
    return Leg(rows[order], shown, values, held)


def _wants_scores(asked: Search) -> bool:
    return asked.track_scores or any(key.field == "_score" for key in asked.sort)


def _by_score(evaluator: Evaluation, asked: Search, rows: Rows, scores: Floats, limit: int) -> Leg:
    windows = max([limit, *(rescore.window_size for rescore in asked.rescore)])
    if asked.collapse is None and len(rows) > 4 * windows > 0:
        least = np.partition(scores, len(scores) - windows)[len(scores) - windows]
        kept = np.flatnonzero(scores >= least)
        rows, scores = rows[kept], scores[kept]
    order = np.lexsort((rows, -scores))
    rows, scores = rows[order], scores[order]
    for rescore in asked.rescore:
        rows, scores = _rescored(evaluator, rescore, rows, scores)
    order, held = _collapsed(evaluator, asked, rows, np.arange(len(rows)), limit)
    return Leg(rows[order], scores[order], None, held)


def _rescored(evaluator: Evaluation, rescore: Rescore, rows: Rows, scores: Floats) -> tuple[Rows, Floats]:
    window = slice(0, rescore.window_size)
    second = evaluator.matches(evaluator.view.tables[""], rescore.query)
    hit = second.mask[rows[window]]
    scores = scores * np.float32(rescore.query_weight)  # those beyond the window keep their place
    first = scores[window]
    other = second.at(rows[window]) * np.float32(rescore.rescore_query_weight)
    match rescore.score_mode:
        case "multiply":
            joined = first * other
        case "avg":
            joined = (first + other) / 2
        case "max":
            joined = np.maximum(first, other)
        case "min":
            joined = np.minimum(first, other)
        case _:
            joined = first + other
    scores[window] = np.where(hit, joined, first)
    order = np.lexsort((rows[window], -scores[window]))
    rows = rows.copy()
    rows[window], scores[window] = rows[window][order], scores[window][order]
    return rows, scores


def _collapsed(
    evaluator: Evaluation, asked: Search, rows: Rows, order: NDArray[np.int64], limit: int
) -> tuple[NDArray[np.int64], list[Any] | None]:
    """Cut to ``limit``, one hit per collapse value; return the positions and the values.

    Of a hybrid all are kept, with their values: which is the best of its value is known when the legs are one.
    """
    if asked.collapse is None:
        return order[:limit], None
    if asked.hybrid:
        return order[:limit], collapse_values(evaluator, asked.collapse.field, rows[order[:limit]])
    values = collapse_values(evaluator, asked.collapse.field, rows[order])
    seen: set[Any] = set()
    kept: list[int] = []
    for at, value in enumerate(values):
        if value not in seen:
            seen.add(value)
            kept.append(at)
            if len(kept) == limit:
                break
    return order[kept], [values[at] for at in kept]

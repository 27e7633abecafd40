"""Do two servers rank the same documents? The same queries on both sides, and what their answers share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from antiphon.remote import segment
from antiphon.transfer.documents import most_hits
from antiphon.transfer.journal import Journal
from antiphon.transfer.side import Floats, Side
from antiphon.wire.mapping_fields import read_fields, text_fields

_WORDS = 8
_TIE = 1e-5
"""Scores of this relative distance are equal: documents that have them may change places."""
_OLD_BM25 = 2.2
"""What BM25 is multiplied by before OpenSearch 3.0."""


@dataclass(frozen=True, slots=True)
class Options:
    """``queries`` (None: taken from the documents) and how many at most, ``k`` hits of each, the least mean overlap."""

    queries: Sequence[str] | None = None
    count: int = 20
    k: int = 10
    min_overlap: float = 0.9


@dataclass(frozen=True, slots=True)
class Embedding:
    """What a neural query names, its ``vector`` field (None: nested) and the model that queries it: its id on both
    sides (None there: it cannot be asked).

    A ``remote`` one there asks this server, so that its vectors are ours. A ``semantic`` field names the model itself.
    """

    field: str
    vector: str | None
    here: str
    there: str | None
    asymmetric: bool
    remote: bool = False
    semantic: bool = False


@dataclass(slots=True)
class Comparison:
    """Overlaps of one kind of search, 0 to 1, and the largest relative difference of the scores of shared hits."""

    overlaps: list[float] = field(default_factory=list)
    difference: float = 0.0

    @property
    def mean(self) -> float:
        """The mean overlap."""
        return float(np.mean(self.overlaps)) if self.overlaps else 1.0


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of search: ``body`` makes the query of (text, its number, whether it is for this side)."""

    name: str
    body: Callable[[str, int, bool], dict[str, Any]]
    by_words: bool = False


def compare_rankings(
    source: Side, target: Side, index: str, embeddings: Sequence[Embedding], options: Options, journal: Journal
) -> None:
    """Ask both sides the same queries; a kind of search whose mean overlap is below the least one fails."""
    fields = read_fields(source.client.ask("GET", f"/{segment(index)}/_mapping"))
    texts = text_fields(fields)
    most = min(most_hits(source, index), most_hits(target, index))
    options = replace(options, k=max(1, min(options.k, most // 2)))  # as many again are asked for, see compare_hits
    queries = list(options.queries or _queries(source, index, texts, min(options.count, most)))[: options.count]
    if not queries:
        journal.note(f"[{index}] has no texts to ask for: its rankings are not compared")
        return
    for kind in _kinds(source, target, texts, embeddings, queries, options.k):
        found = Comparison()
        for number, text in enumerate(queries):
            one = _hits(source, index, kind.body(text, number, True), min(2 * options.k, most))
            other = _hits(target, index, kind.body(text, number, False), min(2 * options.k, most))
            if kind.by_words:
                one, other = _unscaled(source, one), _unscaled(target, other)
            overlap, difference = compare_hits(one, other, options.k)
            found.overlaps.append(overlap)
            found.difference = max(found.difference, difference)
            journal.on_progress(f"  [{index}] {kind.name}", number + 1, len(queries))
        _tell(index, kind.name, found, options, journal)


def compare_hits(one: Mapping[str, float], other: Mapping[str, float], k: int) -> tuple[float, float]:
    """Return the share of the first ``k`` hits that both have, and the largest relative difference of their scores.

    Hits (id -> score) come best first, more than ``k`` of them. A hit beyond the k-th counts when its score equals the
    k-th: which of equals is shown is chance.
    """
    first = list(one)[:k]
    if not first:
        return (1.0 if not other else 0.0), 0.0
    ranked = list(other.values())
    last = ranked[min(k, len(ranked)) - 1] if ranked else 0.0
    shared = [doc_id for doc_id in first if doc_id in other and other[doc_id] >= last - _TIE * abs(last)]
    differences = [abs(one[doc_id] - other[doc_id]) / max(abs(one[doc_id]), 1e-9) for doc_id in shared]
    return len(shared) / max(len(first), min(k, len(other))), max(differences, default=0.0)


def _kinds(
    source: Side,
    target: Side,
    texts: Sequence[str],
    embeddings: Sequence[Embedding],
    queries: Sequence[str],
    k: int,
) -> Iterator[_Kind]:
    if texts:
        fields = list(texts)
        yield _Kind("words", lambda text, *_: {"multi_match": {"query": text, "fields": fields}}, by_words=True)
    for one in embeddings:
        if one.there is None:
            continue
        if one.vector is not None:
            role = "query" if one.asymmetric else None
            here = source.predict(one.here, queries, role)
            there = here if one.remote else target.predict(one.there, queries, role)
            yield _Kind(f"vectors of {one.vector}", partial(_knn, one.vector, here, there, 2 * k))
        if target.searches_by_roles or one.remote or not one.asymmetric:
            yield _Kind(f"neural on {one.field}", partial(_neural, one, 2 * k))


def _knn(name: str, here: Floats, there: Floats, k: int, text: str, number: int, own: bool) -> dict[str, Any]:  # noqa: ARG001
    vector = (here if own else there)[number]
    return {"knn": {name: {"vector": vector.tolist(), "k": k}}}


def _neural(one: Embedding, k: int, text: str, number: int, own: bool) -> dict[str, Any]:  # noqa: ARG001
    model = {} if one.semantic else {"model_id": one.here if own else one.there}
    return {"neural": {one.field: {"query_text": text, "k": k, **model}}}


def _hits(side: Side, index: str, query: dict[str, Any], size: int) -> dict[str, float]:
    body = {"query": query, "size": size, "_source": False}
    answer = side.client.ask("POST", f"/{segment(index)}/_search?search_type=dfs_query_then_fetch", body)
    return {hit["_id"]: float(hit["_score"]) for hit in answer["hits"]["hits"]}


def _unscaled(side: Side, hits: dict[str, float]) -> dict[str, float]:
    factor = _OLD_BM25 if not side.antiphon and side.version < (3, 0) else 1.0
    return {doc_id: score / factor for doc_id, score in hits.items()}


def _queries(source: Side, index: str, texts: Sequence[str], count: int) -> list[str]:
    """Return the beginnings of texts of documents picked by chance."""
    chance = {"function_score": {"query": {"match_all": {}}, "random_score": {"seed": 11, "field": "_seq_no"}}}
    body = {"size": count, "query": chance, "_source": list(texts)}
    hits = source.client.ask("POST", f"/{segment(index)}/_search", body)["hits"]["hits"]
    found = []
    for hit in hits:
        words = [value for value in _strings(hit.get("_source", {})) if value.strip()]
        if words:
            found.append(" ".join(max(words, key=len).split()[:_WORDS]))
    return found


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)


def _tell(index: str, kind: str, found: Comparison, options: Options, journal: Journal) -> None:
    worst = min(found.overlaps)
    line = (
        f"[{index}] {kind}: {len(found.overlaps)} queries, overlap of the first {options.k} is {found.mean:.3f} on "
        f"average, {worst:.2f} at worst; scores differ by {found.difference:.1e} at most"
    )
    journal.facts.setdefault("overlap", {}).setdefault(index, {})[kind] = round(found.mean, 4)
    if found.mean < options.min_overlap:
        journal.fail(f"{line}; {options.min_overlap:g} is wanted (--min-overlap)")
    else:
        journal.note(line)

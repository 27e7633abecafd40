"""Random documents and questions: the engine agrees with a model that looks at every document, order included."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.domain.mapping import IndexMapping
from antiphon.engine.execute import count, matching, search
from antiphon.engine.view import View
from antiphon.query import Search
from antiphon.query.aggregations import Metric, MetricKind, TermsAggregation
from antiphon.query.leaves import (
    Exists,
    KeywordTerms,
    MatchAll,
    NumberRange,
    TextMatch,
    TextPhrase,
)
from antiphon.query.nodes import (
    Bool,
    Knn,
    Nested,
    Query,
    ScoreMode,
    SortKey,
)
from antiphon.query.partial import BucketsPartial, MetricPartial
from tests.support.memory_view import memory_view

MAPPING = IndexMapping.parse(
    {
        "properties": {
            "title": {"type": "text"},
            "tag": {"type": "keyword"},
            "year": {"type": "long"},
            "vec": {"type": "knn_vector", "dimension": 2, "space_type": "l2"},
            "part": {
                "type": "nested",
                "properties": {
                    "kind": {"type": "keyword"},
                    "vec": {"type": "knn_vector", "dimension": 2, "space_type": "l2"},
                },
            },
        }
    },
    knn=True,
)
WORDS = ("ash", "birch", "cedar", "elm")
TAGS = ("red", "green", "blue")

Source = Mapping[str, Any]
coordinates = st.lists(st.integers(-3, 3), min_size=2, max_size=2)
parts = st.fixed_dictionaries({"kind": st.sampled_from(TAGS)}, optional={"vec": coordinates})
sources = st.fixed_dictionaries(
    {},
    optional={
        "title": st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join),
        "tag": st.lists(st.sampled_from(TAGS), max_size=3, unique=True),
        "year": st.integers(0, 5),
        "vec": coordinates,
        "part": st.lists(parts, max_size=3),
    },
)
worlds = st.lists(sources, max_size=12)

leaves: st.SearchStrategy[Query] = st.one_of(
    st.just(MatchAll()),
    st.builds(TextMatch, st.just("title"), st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join)),
    st.builds(TextPhrase, st.just("title"), st.lists(st.sampled_from(WORDS), min_size=1, max_size=2).map(" ".join)),
    st.builds(KeywordTerms, st.just("tag"), st.sampled_from(TAGS).map(lambda tag: (tag,)), st.just(True)),
    st.builds(NumberRange, st.just("year"), st.integers(0, 5), st.integers(0, 5)),
    st.builds(Exists, st.sampled_from(["title", "tag", "year", "vec"]).map(lambda field: (field,))),
)
queries: st.SearchStrategy[Query] = st.recursive(
    leaves,
    lambda inner: st.builds(
        Bool,
        must=st.lists(inner, max_size=2).map(tuple),
        filter=st.lists(inner, max_size=1).map(tuple),
        should=st.lists(inner, max_size=2).map(tuple),
        must_not=st.lists(inner, max_size=1).map(tuple),
    ),
    max_leaves=5,
)


def view_of(documents: list[Source], per_segment: int = 4) -> View:
    """Return the documents as a view of several small segments; ids are positions."""
    return memory_view(
        MAPPING, [(str(number), source) for number, source in enumerate(documents)], per_segment=per_segment
    )


class Model:
    """Scores every document by the formulas of the documentation, one at a time."""

    def __init__(self, documents: list[Source]) -> None:
        self.documents = documents

    def score(self, query: Query, document: Source) -> float | None:
        """Return the score of a document; None when it does not match."""
        match query:
            case MatchAll():
                return 1.0
            case TextMatch():
                parts = [self._term(word, document) for word in query.text.split()]
                return math.fsum(part or 0 for part in parts) if any(part is not None for part in parts) else None
            case TextPhrase():
                return self._phrase(query.text.split(), document)
            case KeywordTerms():
                return self._keyword(query.values[0], document)
            case NumberRange():
                year = document.get("year")
                assert isinstance(query.low, int)
                assert isinstance(query.high, int)
                return 1.0 if year is not None and query.low <= year <= query.high else None
            case Exists():
                return 1.0 if document.get(query.fields[0]) not in (None, []) else None
            case Bool():
                return self._bool(query, document)
            case _:
                raise AssertionError(query)

    def _bool(self, query: Bool, document: Source) -> float | None:
        if query == Bool():
            return 1.0
        needed = [self.score(inner, document) for inner in query.must]
        optional = [self.score(inner, document) for inner in query.should]
        silent = [self.score(inner, document) for inner in query.filter]
        refused = [self.score(inner, document) for inner in query.must_not]
        least = 1 if query.should and not (query.must or query.filter) else 0
        matched = [score for score in optional if score is not None]
        if None in needed or None in silent or any(score is not None for score in refused) or len(matched) < least:
            return None
        return math.fsum([*(score or 0 for score in needed), *matched])

    def _lengths(self) -> list[list[str]]:
        return [str(source["title"]).split() for source in self.documents if "title" in source]

    def _frequency(self, words: list[str], document: Source) -> int:
        title = str(document.get("title", "")).split()
        return sum(title[at : at + len(words)] == words for at in range(len(title) - len(words) + 1))

    def _idf(self, word: str) -> float:
        titles = self._lengths()
        having = sum(word in title for title in titles)
        # N counts documents of the text index, which are those with any text
        return math.log(1 + (len(titles) - having + 0.5) / (having + 0.5))

    def _weight(self, idf: float, frequency: int, document: Source) -> float:
        titles = self._lengths()
        average = sum(map(len, titles)) / len(titles)
        length = len(str(document["title"]).split())
        return idf * frequency / (frequency + 1.2 * (0.25 + 0.75 * length / average))

    def _term(self, word: str, document: Source) -> float | None:
        frequency = self._frequency([word], document)
        return self._weight(self._idf(word), frequency, document) if frequency else None

    def _phrase(self, words: list[str], document: Source) -> float | None:
        frequency = self._frequency(words, document)
        return self._weight(sum(map(self._idf, words)), frequency, document) if frequency else None

    def _keyword(self, tag: str, document: Source) -> float | None:
        if tag not in document.get("tag", ()):
            return None
        tags = [source["tag"] for source in self.documents if source.get("tag")]
        having = sum(tag in one for one in tags)
        average = sum(map(len, map(set, tags))) / len(tags)
        return math.log(1 + (len(tags) - having + 0.5) / (having + 0.5)) / (1 + 1.2 * (0.25 + 0.75 / average))


def nearest(documents: list[Source], allowed: list[bool], query: list[int], k: int) -> list[tuple[int, float]]:
    """Return (position, score) of the k nearest by squared distance, ties by position."""
    scored = [
        (-1 / (1 + sum((a - b) ** 2 for a, b in zip(source["vec"], query, strict=True))), number)
        for number, source in enumerate(documents)
        if "vec" in source and allowed[number]
    ]
    return [(number, -negative) for negative, number in sorted(scored)[:k]]


@settings(max_examples=150, deadline=None)
@given(worlds, queries)
def test_what_matches_and_its_score_are_the_models(documents: list[Source], query: Query) -> None:
    model = Model(documents)
    wanted = {number: model.score(query, source) for number, source in enumerate(documents)}
    wanted = {number: score for number, score in wanted.items() if score is not None}
    view = view_of(documents)
    result = search(view, Search(legs=(query,), size=100), [])
    leg = result.legs[0]
    scores = dict(zip(leg.rows.tolist(), leg.scores.tolist(), strict=True))
    assert scores == pytest.approx(wanted, rel=1e-5, abs=1e-6)
    assert result.total == len(wanted) == count(view, query, [])
    assert matching(view, query, []).tolist() == sorted(wanted)
    order = list(zip((-leg.scores).tolist(), leg.rows.tolist(), strict=True))
    assert order == sorted(order), "best first, ties by age"


@settings(max_examples=100, deadline=None)
@given(worlds, coordinates, st.integers(1, 6), st.none() | queries)
def test_exactly_the_k_nearest_that_pass_the_filter(
    documents: list[Source], vector: list[int], k: int, wanted: Query | None
) -> None:
    model = Model(documents)
    allowed = [wanted is None or model.score(wanted, source) is not None for source in documents]
    expected = nearest(documents, allowed, vector, k)
    result = search(
        view_of(documents), Search(legs=(Knn("vec", 0, k=k, filter=wanted),), size=3), [np.array(vector, np.float32)]
    )
    leg = result.legs[0]
    assert result.total == len(expected)
    assert leg.rows.tolist() == [number for number, _ in expected[:3]]
    assert leg.scores.tolist() == pytest.approx([score for _, score in expected[:3]], rel=1e-6)


@settings(max_examples=60, deadline=None)
@given(worlds, coordinates, st.integers(1, 4), queries)
def test_a_filter_beside_knn_cuts_what_the_k_nearest_were(
    documents: list[Source], vector: list[int], k: int, other: Query
) -> None:
    model = Model(documents)
    near = nearest(documents, [True] * len(documents), vector, k)
    expected = [number for number, _ in near if model.score(other, documents[number]) is not None]
    query = Bool(must=(Knn("vec", 0, k=k),), filter=(other,))
    result = search(view_of(documents), Search(legs=(query,)), [np.array(vector, np.float32)])
    assert result.legs[0].rows.tolist() == expected


@settings(max_examples=60, deadline=None)
@given(worlds, coordinates, st.integers(1, 4), st.booleans())
def test_nested_knn_counts_documents(documents: list[Source], vector: list[int], k: int, expand: bool) -> None:
    def scores(source: Source) -> list[float]:
        held = [part["vec"] for part in source.get("part", ()) if "vec" in part]
        return [1 / (1 + sum((a - b) ** 2 for a, b in zip(one, vector, strict=True))) for one in held]

    found = sorted((-max(scores(source)), number) for number, source in enumerate(documents) if scores(source))[:k]
    pick = (lambda each: sum(each)) if expand else max
    expected = {number: pick(scores(documents[number])) for _, number in found}
    query = Nested("part", Knn("part.vec", 0, k=k, expand_nested=expand), ScoreMode.SUM)
    leg = search(view_of(documents), Search(legs=(query,)), [np.array(vector, np.float32)]).legs[0]
    scored = dict(zip(leg.rows.tolist(), leg.scores.tolist(), strict=True))
    # of documents that tie for the last place any may be taken only by age, which the model's order has too
    assert scored == pytest.approx(expected, rel=1e-5)


@settings(max_examples=80, deadline=None)
@given(worlds, st.booleans(), st.booleans(), st.sampled_from(["_first", "_last"]), st.integers(0, 12))
def test_sorted_pages_follow_each_other(
    documents: list[Source], tag_down: bool, year_down: bool, missing: str, page: int
) -> None:
    def place(source: Source, field: str, down: bool) -> tuple[int, Any]:
        held = source.get(field)
        if held in (None, []):
            return (1 if missing == "_last" else -1, 0)
        if field == "year":
            return (0, -held if down else held)
        rank = sorted(TAGS).index(max(held) if down else min(held))
        return (0, -rank if down else rank)

    expected = sorted(
        range(len(documents)),
        key=lambda at: (place(documents[at], "tag", tag_down), place(documents[at], "year", year_down), at),
    )
    keys = (
        SortKey("tag", descending=tag_down, missing=missing),
        SortKey("year", descending=year_down, missing=missing),
        SortKey("_doc"),
    )
    view = view_of(documents)
    leg = search(view, Search(sort=keys, size=page), []).legs[0]
    assert leg.rows.tolist() == expected[:page]
    if leg.sort:
        rest = search(view, Search(sort=keys, size=100, search_after=tuple(leg.sort[-1])), []).legs[0]
        assert rest.rows.tolist() == expected[page:]


@settings(max_examples=60, deadline=None)
@given(worlds, queries)
def test_buckets_count_the_documents_that_match(documents: list[Source], query: Query) -> None:
    model = Model(documents)
    hits = [source for source in documents if model.score(query, source) is not None]
    asked = Search(
        legs=(query,),
        size=0,
        aggregations={
            "tags": TermsAggregation("tag", below={"years": Metric(MetricKind.SUM, "year")}),
            "sum": Metric(MetricKind.STATS, "year"),
        },
    )
    result = search(view_of(documents), asked, [])
    tags = result.aggregations["tags"]
    assert isinstance(tags, BucketsPartial)
    assert {key: bucket.count for key, bucket in tags.buckets.items()} == Counter(
        tag for source in hits for tag in source.get("tag", ())
    )
    for tag, bucket in tags.buckets.items():
        years = bucket.below["years"]
        assert isinstance(years, MetricPartial)
        assert years.total == sum(s["year"] for s in hits if tag in s.get("tag", ()) and "year" in s)
    stats = result.aggregations["sum"]
    assert isinstance(stats, MetricPartial)
    assert stats.count == sum("year" in source for source in hits)


@settings(max_examples=60, deadline=None)
@given(worlds, queries, coordinates, st.integers(1, 5))
def test_the_total_of_a_hybrid_is_the_union_of_its_legs(
    documents: list[Source], query: Query, vector: list[int], depth: int
) -> None:
    model = Model(documents)
    words = {number for number, source in enumerate(documents) if model.score(query, source) is not None}
    near = nearest(documents, [True] * len(documents), vector, 3)
    asked = Search(legs=(query, Knn("vec", 0, k=3)), hybrid=True, pagination_depth=depth, size=depth)
    result = search(view_of(documents), asked, [np.array(vector, np.float32)])
    assert result.total == len(words | {number for number, _ in near})
    assert len(result.legs[0].rows) == min(depth, len(words))
    assert result.legs[1].rows.tolist() == [number for number, _ in near][:depth]


def test_a_nested_filter_that_asks_about_the_document_may_say_no() -> None:
    documents: list[Source] = [
        {"tag": ["red"], "part": [{"kind": "blue", "vec": [0, 0]}]},
        {"tag": ["green"], "part": [{"kind": "blue", "vec": [1, 1]}]},
    ]
    refused = Bool(must_not=(KeywordTerms("tag", ("red",)),))
    query = Nested("part", Knn("part.vec", 0, k=2, filter=refused))
    leg = search(view_of(documents), Search(legs=(query,)), [np.zeros(2, np.float32)]).legs[0]
    assert leg.rows.tolist() == [1]


def test_whole_numbers_sort_exactly_beyond_what_a_double_holds() -> None:
    big = 2**53
    documents: list[Source] = [{"year": big + 1}, {"year": big}]
    leg = search(view_of(documents), Search(sort=(SortKey("year"),)), []).legs[0]
    assert leg.rows.tolist() == [1, 0]

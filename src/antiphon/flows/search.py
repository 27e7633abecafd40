"""A search over one or many indices: bodies bound, texts embedded once, snapshots asked, answers brought together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cmp_to_key
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.domain.dates import write_date
from antiphon.domain.index import Index, Target
from antiphon.domain.index_settings import setting, setting_number
from antiphon.domain.prediction import Prediction
from antiphon.domain.response_processors import RankedHit, RankedPage
from antiphon.domain.role import Role
from antiphon.domain.search_pipeline import SearchPipeline, filtered_query, prepare_body
from antiphon.errors import AntiphonError, IllegalArgument, SearchPhaseError
from antiphon.flows.fingerprint import Fingerprints
from antiphon.flows.indices import Indices
from antiphon.flows.ports import Ports, Snapshot
from antiphon.flows.search_contexts import Context, Contexts, Opened
from antiphon.flows.search_pipelines import BoundPipeline, SearchPipelines
from antiphon.query import (
    BucketsPartial,
    DefaultModels,
    EmbedText,
    Explanation,
    Leg,
    Page,
    PageHit,
    Partial,
    Scope,
    Search,
    SearchHit,
    ShardResult,
    SinglePartial,
    TopHitsPartial,
    Vector,
    compare_sort,
    finish_all,
    fuse,
    is_shard_failure,
    merge_all,
    parse_search,
)

Floats = NDArray[np.float32]
Embed = Callable[[str, Sequence[str], Role], Prediction]
RenderHit = Callable[[str, Any], Mapping[str, Any]]
_CONTEXTS = 500
_PLAIN_KEYS = ("search_pipeline", "pit", "verbose_pipeline", "timeout", "profile")


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """``body`` with the URL's parameters merged in; ``options`` as ``Indices.resolve`` takes them."""

    expression: str
    body: dict[str, Any]
    pipeline: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shard:
    """One index of a search: its snapshot, the body bound to it, and the vectors of its slots."""

    index: Index
    snapshot: Snapshot
    search: Search
    vectors: Sequence[Floats]


@dataclass(frozen=True, slots=True)
class _Ranked:
    """A hit before it is fetched. ``sort`` are typed values."""

    shard: int
    row: int
    score: float | None
    sort: tuple[Any, ...] | None = None
    key: Any = None
    explanation: Explanation | None = None


@dataclass(slots=True)
class _Scroll:
    """What a scroll goes on with: the body, and how many hits were returned."""

    request: SearchRequest
    opened: list[Opened]
    seen: int


class Searcher:
    """Answers searches. Thread-safe."""

    def __init__(
        self,
        ports: Ports,
        indices: Indices,
        embed: Embed,
        fingerprints: Fingerprints,
        pipelines: SearchPipelines,
        max_scrolls: Callable[[], int],
    ) -> None:
        self._ports = ports
        self._indices = indices
        self._embed = embed
        self._fingerprints = fingerprints
        self.pipelines = pipelines
        node_id = ports.catalog.node_id()
        self.scrolls: Contexts[_Scroll] = Contexts(
            "scroll", max_scrolls, "search.max_open_scroll_context", ports.new_id, node_id
        )
        self.points: Contexts[list[Opened]] = Contexts(
            "point in time", lambda: _CONTEXTS, "search.max_open_pit_context", ports.new_id, node_id
        )

    def search(self, request: SearchRequest, render: RenderHit) -> Page:
        """Return one page of hits; ``render`` makes JSON of a top_hits hit."""
        with self._opened(request) as opened:
            return self._run(request, opened, render)

    def count(self, request: SearchRequest) -> tuple[int, int]:
        """Return how many documents match the body's query, and over how many indices."""
        with self._opened(request) as opened:
            body = {"query": request.body.get("query"), "size": 0, "track_total_hits": True}
            page = self._run(replace(request, body=body), opened, lambda _, hit: {"_id": hit.id})
            return page.total or 0, page.shards

    def explain(self, request: SearchRequest, doc_id: str) -> tuple[str, bool, Explanation | None]:
        """Return (index, whether the document exists, why it scores as it does or None)."""
        with self._opened(request) as opened:
            bound = self.pipelines.chosen(request.pipeline, None, [one.index for one in opened])
            shards = self._bound(request.body, opened, bound.pipeline)
            for shard in shards:
                if self._indices.store(shard.index).get(doc_id) is not None:
                    found = shard.snapshot.explain(shard.search.legs[0], shard.vectors, doc_id)
                    return shard.index.name, True, found
            return (opened[0].index.name if opened else request.expression), False, None

    def check(self, request: SearchRequest) -> None:
        """Raise what is wrong with the body's query, if anything."""
        with self._opened(request) as opened:
            bound = self.pipelines.chosen(None, None, [one.index for one in opened])
            self._parsed(request.body, opened, bound.pipeline)

    def open_scroll(self, request: SearchRequest, keep_alive_ms: int, render: RenderHit) -> Page:
        """Return the first page and keep what it was taken from."""
        size = request.body.get("size", 10)
        if size == 0:
            raise IllegalArgument("Validation Failed: 1: [size] cannot be [0] in a scroll context;")
        if request.body.get("from"):
            raise IllegalArgument("Validation Failed: 1: using [from] is not allowed in a scroll context;")
        query = request.body.get("query")
        if isinstance(query, dict) and "hybrid" in query:
            raise IllegalArgument("Scroll operation is not supported in hybrid query")
        opened = self._open(request)
        try:
            page = self._run(request, opened, render, deep=True)
            content = _Scroll(request, opened, len(page.hits))
            context = self.scrolls.open(content, [one.snapshot for one in opened], keep_alive_ms, self._ports.clock())
        except BaseException:
            _close(opened)
            raise
        return replace(page, scroll_id=context.id)

    def next_page(self, scroll_id: str, keep_alive_ms: int | None, render: RenderHit) -> Page:
        """Return the page after the last one."""
        with self.scrolls.use(scroll_id, keep_alive_ms, self._ports.clock()) as context, context.turn:
            going = context.content
            body = going.request.body | {"from": going.seen}
            page = self._run(replace(going.request, body=body), going.opened, render, deep=True)
            going.seen += len(page.hits)
            return replace(page, scroll_id=scroll_id)

    def open_point(self, expression: str, keep_alive_ms: int, options: Mapping[str, Any]) -> Context[list[Opened]]:
        """Keep a snapshot of every index of an expression."""
        opened = self._open(SearchRequest(expression, {}, options=options))
        try:
            return self.points.open(opened, [one.snapshot for one in opened], keep_alive_ms, self._ports.clock())
        except BaseException:
            _close(opened)
            raise

    def search_point(self, pit_id: str, keep_alive_ms: int | None, request: SearchRequest, render: RenderHit) -> Page:
        """Search a point in time."""
        with self.points.use(pit_id, keep_alive_ms, self._ports.clock()) as context:
            return replace(self._run(request, context.content, render), pit_id=pit_id)

    def expire(self) -> None:
        """Drop scrolls and points in time that nobody used for their keep-alive."""
        self.scrolls.expire(self._ports.clock())
        self.points.expire(self._ports.clock())

    def close(self) -> None:
        """Drop them all."""
        self.scrolls.free_all()
        self.points.free_all()

    @contextmanager
    def _opened(self, request: SearchRequest) -> Iterator[list[Opened]]:
        opened = self._open(request)
        try:
            yield opened
        finally:
            _close(opened)

    def _open(self, request: SearchRequest) -> list[Opened]:
        targets: list[Target] = self._indices.resolve(request.expression, **request.options)
        opened: list[Opened] = []
        try:
            for target in targets:
                self._indices.check_open(target.index)
                self._indices.check_blocks(target.index, "read")
                opened.append(Opened(target.index, self._indices.store(target.index).snapshot(), target.filter))
        except BaseException:
            _close(opened)
            raise
        return opened

    def _run(self, request: SearchRequest, opened: Sequence[Opened], render: RenderHit, *, deep: bool = False) -> Page:
        start = self._ports.monotonic()
        bound = self.pipelines.chosen(
            request.pipeline, request.body.get("search_pipeline"), [one.index for one in opened]
        )
        body, remembered = prepare_body(bound.pipeline, request.body)
        shards = self._bound(body, opened, bound.pipeline, deep=deep)
        results = [self._ask(shard) for shard in shards]
        page = self._page(bound, shards, results, render) if shards else Page()
        page = _processed(bound.pipeline, page, remembered)
        return replace(page, took_ms=int((self._ports.monotonic() - start) * 1000))

    def _ask(self, shard: Shard) -> ShardResult:
        try:
            result = shard.snapshot.search(shard.search, shard.vectors)
        except AntiphonError as error:
            raise self._failed(error, shard.index) from error
        for partial in result.aggregations.values():
            _stamp(partial, shard.index.name)
        return result

    def _bound(
        self, body: dict[str, Any], opened: Sequence[Opened], pipeline: SearchPipeline, *, deep: bool = False
    ) -> list[Shard]:
        searches = self._parsed(body, opened, pipeline, deep=deep)
        vectors = self._vectors(opened, searches)
        return [
            Shard(one.index, one.snapshot, search, own)
            for one, search, own in zip(opened, searches, vectors, strict=True)
        ]

    def _parsed(
        self, body: dict[str, Any], opened: Sequence[Opened], pipeline: SearchPipeline, *, deep: bool = False
    ) -> list[Search]:
        enricher = pipeline.enricher
        models = DefaultModels() if enricher is None else DefaultModels(enricher.model_id, enricher.by_field)
        plain = {key: value for key, value in body.items() if key not in _PLAIN_KEYS}
        searches = []
        for one in opened:
            given = plain
            if one.filter is not None:
                given = plain | {"query": filtered_query(plain.get("query"), one.filter)}  # type: ignore[arg-type]
            try:
                searches.append(parse_search(given, self._scope(one.index, models, deep=deep)))
            except AntiphonError as error:
                raise (self._failed(error, one.index) if is_shard_failure(error) else error) from error
        return searches

    def _scope(self, index: Index, models: DefaultModels, *, deep: bool) -> Scope:
        return Scope(
            index.mapping,
            index.name,
            self._ports.clock(),
            default_field=tuple(setting(index.settings, "index.query.default_field")),
            max_result_window=(1 << 31) if deep else setting_number(index.settings, "index.max_result_window"),
            max_terms=setting_number(index.settings, "index.max_terms_count"),
            models=models,
        )

    def _vectors(self, opened: Sequence[Opened], searches: Sequence[Search]) -> list[list[Floats]]:
        """Fill the slots: one call per model for all texts of the request, each in the query role."""
        texts: dict[str, list[str]] = {}
        for one, search in zip(opened, searches, strict=True):
            for slot in search.slots:
                if isinstance(slot, EmbedText):
                    self._fingerprints.check_query(one.index, slot.field, slot.model_id)
                    wanted = texts.setdefault(slot.model_id, [])
                    if slot.text not in wanted:
                        wanted.append(slot.text)
        made = {
            (model_id, text): row
            for model_id, wanted in texts.items()
            for text, row in zip(wanted, self._embed(model_id, wanted, Role.QUERY).rows, strict=True)
        }
        return [
            [
                np.asarray(slot.values, np.float32) if isinstance(slot, Vector) else made[slot.model_id, slot.text]
                for slot in search.slots
            ]
            for search in searches
        ]

    def _page(
        self, bound: BoundPipeline, shards: Sequence[Shard], results: Sequence[ShardResult], render: RenderHit
    ) -> Page:
        search = shards[0].search
        try:
            ranked = _fused(bound, search, results) if search.hybrid else _merged(search, results)
        except AntiphonError as error:
            raise self._failed(error, shards[0].index) from error
        max_score = max((one.score for one in ranked if one.score is not None), default=None)
        if not search.hybrid:
            best = [result.max_score for result in results if result.max_score is not None]
            max_score = max(best) if best and not search.sort else None
        aggregations: Mapping[str, Partial] = {}
        for result in results:
            aggregations = merge_all(aggregations, result.aggregations)
        total = sum(result.total for result in results)
        shown = ranked[search.from_ : search.from_ + search.size]
        return Page(
            hits=_fetched(shards, shown),
            total=None if search.track_total_hits is False else total,
            exact=all(result.exact for result in results),
            max_score=max_score if search.size else None,
            shards=len(shards),
            aggregations=finish_all(search.aggregations, aggregations, render) if search.aggregations else None,
        )

    def _failed(self, error: AntiphonError, index: Index) -> AntiphonError:
        if isinstance(error, SearchPhaseError):
            return error
        error.metadata |= {"index": index.name, "index_uuid": index.uuid}
        return SearchPhaseError(error, self._ports.catalog.node_id())


def _close(opened: Sequence[Opened]) -> None:
    for one in opened:
        one.snapshot.close()


def _entries(number: int, leg: Leg) -> list[_Ranked]:
    scores = leg.scores.tolist()
    return [
        _Ranked(
            number,
            row,
            None if scores[at] != scores[at] else scores[at],
            None if leg.sort is None else leg.sort[at],
            None if leg.keys is None else leg.keys[at],
        )
        for at, row in enumerate(leg.rows.tolist())
    ]


def _merged(search: Search, results: Sequence[ShardResult]) -> list[_Ranked]:
    """The hits of all indices in order; equal ones by index, then by row."""
    found = [one for number, result in enumerate(results) for one in _entries(number, result.legs[0])]
    if len(results) > 1:
        if search.sort:
            found.sort(key=cmp_to_key(lambda a, b: compare_sort(search.sort, a.sort or (), b.sort or ())))
        else:
            found.sort(key=lambda one: -(one.score or 0.0))
        if search.collapse is not None:
            found = list({one.key: one for one in reversed(found)}.values())[::-1]
    return found


def _fused(bound: BoundPipeline, search: Search, results: Sequence[ShardResult]) -> list[_Ranked]:
    """The documents of all legs of a hybrid query, their scores normalised and combined."""
    legs: list[list[_Ranked]] = []
    for place in range(len(search.legs)):
        leg = [one for number, result in enumerate(results) for one in _entries(number, result.legs[place])]
        if len(results) > 1 and not search.sort:
            leg.sort(key=lambda one: -(one.score or 0.0))
        depth = search.pagination_depth or search.size
        legs.append(leg[: max(depth, 1)] if not search.sort else leg)
    known = {(one.shard, one.row): one for leg in legs for one in leg}
    if search.sort:
        ordered = list(known.values())
        ordered.sort(key=lambda one: (one.shard, one.row))
        ordered.sort(key=cmp_to_key(lambda a, b: compare_sort(search.sort, a.sort or (), b.sort or ())))
        return ordered
    scored = [
        ([(one.shard, one.row) for one in leg], np.array([one.score or 0.0 for one in leg], np.float32)) for leg in legs
    ]
    fused = fuse(bound.fusion, scored)
    ranked = [
        replace(known[key], score=float(score)) for key, score in zip(fused.keys, fused.scores.tolist(), strict=True)
    ]
    if search.min_score is not None:
        ranked = [one for one in ranked if (one.score or 0.0) >= np.float32(search.min_score)]
    if search.collapse is not None:
        ranked = list({one.key: one for one in reversed(ranked)}.values())[::-1]
    if search.from_ and search.from_ >= len(ranked):
        raise IllegalArgument("Reached end of search result, increase pagination_depth value to see more results")
    return ranked


def _fetched(shards: Sequence[Shard], shown: Sequence[_Ranked]) -> list[PageHit]:
    hits: list[PageHit | None] = [None] * len(shown)
    for number, shard in enumerate(shards):
        places = [place for place, one in enumerate(shown) if one.shard == number]
        if not places:
            continue
        rows = [shown[place].row for place in places]
        scores = [shown[place].score for place in places]
        for place, hit in zip(places, shard.snapshot.fetch(shard.search, shard.vectors, rows, scores), strict=True):
            hits[place] = PageHit(shard.index.name, _completed(shard.search, hit, shown[place], shard.index.name))
    return [hit for hit in hits if hit is not None]


def _completed(search: Search, hit: SearchHit, ranked: _Ranked, index: str) -> SearchHit:
    changes: dict[str, Any] = {}
    if ranked.sort is not None:
        changes["sort"] = tuple(
            index if key.field == "_index" else write_date(value, key.format) if key.format and value is not None
            else value
            for key, value in zip(search.sort, ranked.sort, strict=True)
        )  # fmt: skip
    if search.collapse is not None:
        changes["fields"] = {**hit.fields, search.collapse.field: [ranked.key]}
    return replace(hit, **changes) if changes else hit


def _processed(pipeline: SearchPipeline, page: Page, remembered: Mapping[str, Any]) -> Page:
    """The page as the response processors leave it."""
    if not pipeline.response:
        return page
    hits = [
        RankedHit(
            one.hit.id,
            one.hit.score,
            None if one.hit.source is None else dict(one.hit.source),
            {name: list(values) for name, values in one.hit.fields.items()},
            place,
        )
        for place, one in enumerate(page.hits)
    ]
    ranked = RankedPage(hits, page.max_score, remembered)
    for processor in pipeline.response:
        try:
            processor.work.change(ranked)
        except AntiphonError:
            if not processor.ignore_failure:
                raise
    changed = [
        PageHit(
            page.hits[hit.place].index,
            replace(page.hits[hit.place].hit, score=hit.score, source=hit.source, fields=hit.fields),
        )
        for hit in ranked.hits
    ]
    return replace(page, hits=changed, max_score=ranked.max_score)


def _stamp(partial: Partial, index: str) -> None:
    """Write the index's name to the hits of top_hits aggregations, at any depth."""
    match partial:
        case TopHitsPartial():
            partial.hits = [(values, index, hit) for values, _, hit in partial.hits]
        case SinglePartial():
            for inner in partial.bucket.below.values():
                _stamp(inner, index)
        case BucketsPartial():
            for bucket in partial.buckets.values():
                for inner in bucket.below.values():
                    _stamp(inner, index)
        case _:
            return

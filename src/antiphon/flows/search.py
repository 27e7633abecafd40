"""A search over one or many indices: bodies bound, texts embedded once, snapshots asked, answers brought together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.domain.index import Index, Target
from antiphon.domain.index_settings import setting, setting_number
from antiphon.domain.indices_boost import boosted_query, read_indices_boost
from antiphon.domain.prediction import Prediction
from antiphon.domain.role import Role
from antiphon.domain.search_pipeline import SearchPipeline, filtered_query, prepare_body
from antiphon.errors import AntiphonError, IllegalArgument, QueryShardError, SearchPhaseError, ValidationError
from antiphon.flows.explain_query import Checked, explained
from antiphon.flows.fingerprint import Fingerprints
from antiphon.flows.indices import Indices
from antiphon.flows.ports import Ports
from antiphon.flows.search_contexts import Context, Contexts, Opened
from antiphon.flows.search_page import Failures, Plan, Shard, answer_plan, processed_page
from antiphon.flows.search_pipelines import SearchPipelines
from antiphon.query import (
    DefaultModels,
    EmbedText,
    Explanation,
    Page,
    Scope,
    Search,
    SortKey,
    Vector,
    is_shard_failure,
    parse_query,
    parse_search,
)

Floats = NDArray[np.float32]
Embed = Callable[[str, Sequence[str], Role], Prediction]
RenderHit = Callable[[str, Any], Mapping[str, Any]]
_CONTEXTS = 500
_PLAIN_KEYS = ("search_pipeline", "pit", "verbose_pipeline", "timeout", "profile", "indices_boost")
_COUNT_KEYS = ("query", "min_score", "terminate_after")
_REFUSED = {
    "profile": "[took] is the time of the whole search; [explain] shows how a score came about",
    "verbose_pipeline": "run the search without the pipeline and compare",
}
_NOT_IN_A_SCROLL = {
    "from": "using [from] is not allowed in a scroll context",
    "rescore": "using [rescore] is not allowed in a scroll context",
    "collapse": "cannot use `collapse` in a scroll context",
    "search_after": "`search_after` cannot be used in a scroll context.",
    "pit": "using [point in time] is not allowed in a scroll context",
}


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """``body`` with the URL's parameters merged in; ``options`` as ``Indices.resolve`` takes them.

    Without ``allow_partial`` a search fails as soon as one index does. ``typed_keys``: see ``query.finish_all``.
    """

    expression: str
    body: dict[str, Any]
    pipeline: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    allow_partial: bool = True
    typed_keys: bool = False


@dataclass(slots=True)
class Scroll:
    """What a scroll goes on with: its plan, how many hits were returned, and the last one's sort values when they
    are enough to go on from (one index in index order)."""

    plan: Plan
    seen: int
    last: tuple[Any, ...] | None = None


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
        self.scrolls: Contexts[Scroll] = Contexts(
            "scroll", max_scrolls, "search.max_open_scroll_context", ports.new_id, node_id
        )
        self.points: Contexts[list[Opened]] = Contexts(
            "point in time", lambda: _CONTEXTS, "search.max_open_pit_context", ports.new_id, node_id
        )

    def search(self, request: SearchRequest, render: RenderHit) -> Page:
        """Return one page of hits; ``render`` makes JSON of a top_hits hit."""
        with self._opened(request) as opened:
            return self.run(request, opened, render)

    def count(self, request: SearchRequest) -> Page:
        """Return the total of the documents that match the body's query, without hits."""
        body = {key: request.body[key] for key in _COUNT_KEYS if key in request.body}
        body |= {"size": 0, "track_total_hits": True}
        with self._opened(request) as opened:
            return self.run(replace(request, body=body, allow_partial=False), opened, lambda _, hit: {"_id": hit.id})

    def explain(self, request: SearchRequest, doc_id: str) -> tuple[str, bool, Explanation | None]:
        """Return (index, whether the document can be found, why it scores as it does or None) on a single index."""
        self._indices.get(request.expression)
        with self._opened(request) as opened:
            for shard in self._planned(request, opened).shards:
                found = shard.snapshot.explain(shard.search.query, shard.vectors, doc_id)
                itself = parse_query({"ids": {"values": [doc_id]}}, self._scope(shard.index, DefaultModels()))
                if found is not None or shard.snapshot.count(itself, ()):
                    return shard.index.name, True, found
            return (opened[0].index.name if opened else request.expression), False, None

    def check(self, request: SearchRequest) -> list[Checked]:
        """Return for each index what the body's query means there, or what is wrong with it."""
        with self._opened(request) as opened:
            pipeline = self.pipelines.chosen(None, None, [one.index for one in opened]).pipeline
            return [self._checked(request.body, one, pipeline) for one in opened]

    def open_scroll(self, request: SearchRequest, keep_alive_ms: int, render: RenderHit) -> Page:
        """Return the first page and keep what it was taken from. ValidationError for what a scroll cannot do."""
        _check_scroll(request.body)
        start = self._ports.monotonic()
        opened = self._open(request)
        try:
            deep = replace(request, body=request.body | {"track_total_hits": True})
            plan = self._planned(deep, opened, deep=True)
            page = self._answered(plan, render, start)
            content = Scroll(plan, 0)
            context = self.scrolls.open(content, [one.snapshot for one in opened], keep_alive_ms, self._ports.clock())
        except BaseException:
            _close(opened)
            raise
        _remember(content, page)
        return replace(page, scroll_id=context.id)

    def next_page(self, scroll_id: str, keep_alive_ms: int | None, render: RenderHit) -> Page:
        """Return the page after the last one."""
        start = self._ports.monotonic()
        with self.scrolls.use(scroll_id, keep_alive_ms, self._ports.clock()) as context, context.turn:
            going = context.content
            page = self._answered(_further(going), render, start)
            _remember(going, page)
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
            return replace(self.run(request, context.content, render), pit_id=pit_id)

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

    def run(self, request: SearchRequest, opened: Sequence[Opened], render: RenderHit) -> Page:
        """Return one page of hits of what the caller holds open, whatever the request's expression says."""
        start = self._ports.monotonic()
        return self._answered(self._planned(request, opened), render, start)

    def _answered(self, plan: Plan, render: RenderHit, start: float) -> Page:
        page = processed_page(plan, answer_plan(plan, self._failed, render))
        return replace(page, took_ms=int((self._ports.monotonic() - start) * 1000))

    def _planned(self, request: SearchRequest, opened: Sequence[Opened], *, deep: bool = False) -> Plan:
        """Bind the body to every index and fill its slots; an index that cannot be asked is a failure of the plan."""
        for key, instead in _REFUSED.items():
            if request.body.get(key) in (True, "true"):
                raise IllegalArgument(f"[{key}] is not supported by Antiphon: {instead}")
        bound = self.pipelines.chosen(
            request.pipeline, request.body.get("search_pipeline"), [one.index for one in opened]
        )
        body, remembered = prepare_body(bound.pipeline, request.body)
        searches: list[tuple[Opened, Search]] = []
        failures: Failures = []
        boosts = self._boosts(body, opened)
        for one in opened:
            own = body
            if (factor := boosts.get(one.index.uuid, 1.0)) != 1.0:
                own = body | {"query": boosted_query(body.get("query"), factor)}
            try:
                searches.append((one, self._parsed(own, one, bound.pipeline, deep=deep)))
            except SearchPhaseError as error:
                failures.append((one.index.name, error))
        shards = [
            Shard(one.index, one.snapshot, search, vectors)
            for (one, search), vectors in zip(searches, self._vectors(searches), strict=True)
        ]
        return Plan(bound, remembered, shards, failures, request.allow_partial, request.typed_keys)

    def _boosts(self, body: Mapping[str, Any], opened: Sequence[Opened]) -> dict[str, float]:
        """The factors of ``indices_boost`` by uuid; IndexNotFound for a name that is no index, alias or pattern."""
        if body.get("indices_boost") is None:
            return {}
        factors: dict[str, float] = {}
        searched = {one.index.uuid for one in opened}
        for name, factor in read_indices_boost(body["indices_boost"]):
            for target in self._indices.resolve(name):
                if target.index.uuid in searched:
                    factors.setdefault(target.index.uuid, factor)
        return factors

    def _checked(self, body: dict[str, Any], one: Opened, pipeline: SearchPipeline) -> Checked:
        try:
            found = self._parsed(body, one, pipeline)
        except SearchPhaseError as error:
            return Checked(one.index.name, error=error.failure)
        except AntiphonError as error:
            return Checked(one.index.name, error=error)
        return Checked(one.index.name, explained(self._ports.engine, one.index, found))

    def _parsed(self, body: dict[str, Any], one: Opened, pipeline: SearchPipeline, *, deep: bool = False) -> Search:
        enricher = pipeline.enricher
        models = DefaultModels() if enricher is None else DefaultModels(enricher.model_id, enricher.by_field)
        given = {key: value for key, value in body.items() if key not in _PLAIN_KEYS}
        if one.filter is not None:
            given["query"] = filtered_query(given.get("query"), one.filter)
        try:
            found = parse_search(given, self._scope(one.index, models, deep=deep))
            if deep and found.hybrid:
                raise self._failed(IllegalArgument("Scroll operation is not supported in hybrid query"), one.index)
            return found
        except AntiphonError as error:
            raise (self._failed(error, one.index) if is_shard_failure(error) else error) from error

    def _scope(self, index: Index, models: DefaultModels, *, deep: bool = False) -> Scope:
        return Scope(
            index.mapping,
            index.name,
            self._ports.clock(),
            default_field=tuple(setting(index.settings, "index.query.default_field")),
            max_rescore_window=setting_number(index.settings, "index.max_rescore_window"),
            max_result_window=(1 << 31) if deep else setting_number(index.settings, "index.max_result_window"),
            max_terms=setting_number(index.settings, "index.max_terms_count"),
            models=models,
        )

    def _vectors(self, searches: Sequence[tuple[Opened, Search]]) -> list[list[Floats]]:
        """Fill the slots: one call per model for all texts of the request, each in the query role."""
        texts: dict[str, dict[str, None]] = {}
        for one, search in searches:
            for slot in search.slots:
                if isinstance(slot, EmbedText):
                    self._fingerprints.check_query(one.index, slot.field, slot.model_id)
                    texts.setdefault(slot.model_id, {})[slot.text] = None
        made = {
            (model_id, text): row
            for model_id, wanted in texts.items()
            for text, row in zip(wanted, self._embed(model_id, list(wanted), Role.QUERY).rows, strict=True)
        }
        return [
            [
                np.asarray(slot.values, np.float32)
                if isinstance(slot, Vector)
                else self._fitting(one.index, slot, made[slot.model_id, slot.text])
                for slot in search.slots
            ]
            for one, search in searches
        ]

    def _fitting(self, index: Index, slot: EmbedText, row: Floats) -> Floats:
        """Return an embedding; QueryShardError, wrapped, when the field holds vectors of another dimension."""
        known = index.mapping.field(slot.field)
        if known is None or known.vector is None or known.vector.dimension == len(row):
            return row
        reason = (
            f"Query vector has invalid dimension: {len(row)}. Dimension should be: {known.vector.dimension}: field "
            f"[{slot.field}] does not fit model [{slot.model_id}]"
        )
        raise self._failed(QueryShardError(f"failed to create query: {reason}", cause=IllegalArgument(reason)), index)

    def _failed(self, error: AntiphonError, index: Index) -> SearchPhaseError:
        if isinstance(error, SearchPhaseError):
            return error
        if isinstance(error, QueryShardError):
            error.metadata |= {"index": index.name, "index_uuid": index.uuid}
        return SearchPhaseError(error, self._ports.catalog.node_id(), index.name)


def _check_scroll(body: Mapping[str, Any]) -> None:
    problems = [said for key, said in _NOT_IN_A_SCROLL.items() if body.get(key)]
    if body.get("size", 10) in (0, "0"):
        problems.append("[size] cannot be [0] in a scroll context")
    if body.get("track_total_hits") in (False, "false"):
        problems.append("disabling [track_total_hits] is not allowed in a scroll context")
    if problems:
        raise ValidationError(*problems)


def _remember(scroll: Scroll, page: Page) -> None:
    scroll.seen += len(page.hits)
    shards = scroll.plan.shards
    in_order = len(shards) == 1 and shards[0].search.sort == (SortKey("_doc"),)
    if in_order and page.hits:
        scroll.last = page.hits[-1].hit.sort


def _further(scroll: Scroll) -> Plan:
    """The plan of the next page; aggregations are those of the first."""
    changes: dict[str, Any] = {"aggregations": {}}
    changes |= {"from_": scroll.seen} if scroll.last is None else {"search_after": scroll.last}
    shards = [replace(shard, search=replace(shard.search, **changes)) for shard in scroll.plan.shards]
    return replace(scroll.plan, shards=shards)


def _close(opened: Sequence[Opened]) -> None:
    for one in opened:
        one.snapshot.close()

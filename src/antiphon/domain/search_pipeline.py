"""A search pipeline: what happens to a search body before it is read, and to the page before it is returned.

Phase-results processors (normalisation, RRF) are kept as they were sent: ``query.fusion`` reads them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from antiphon.domain.ingest_document import java_type
from antiphon.domain.processors.config import Config
from antiphon.domain.response_processors import (
    CollapseHits,
    HybridScoreExplanation,
    RenameField,
    RerankByField,
    ResponseWork,
    SortField,
    SplitField,
    TruncateHits,
    context_key,
)
from antiphon.errors import IllegalArgument, ParseError

PHASE_PROCESSORS = ("normalization-processor", "score-ranker-processor")
_LISTS = ("request_processors", "phase_results_processors", "response_processors")
_OTHER_MODELS = "only text-embedding models run here; do it in the client"
REFUSED = {
    "script": "change the search body in the client",
    "ml_inference": _OTHER_MODELS,
    "agentic_query_translator": _OTHER_MODELS,
    "agentic_context": _OTHER_MODELS,
    "personalize_search_ranking": "rerank in the client",
    "retrieval_augmented_generation": _OTHER_MODELS,
    "semantic-highlighter": _OTHER_MODELS,
}
"""Processors of OpenSearch that are not here, and what to do instead."""


@dataclass(frozen=True, slots=True)
class Enricher:
    """``neural_query_enricher``: the models of neural clauses that name none; those by field win."""

    model_id: str | None
    by_field: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FilterQuery:
    """A query that every hit must match."""

    query: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Oversample:
    """Asks for ``sample_factor`` times as many hits."""

    sample_factor: float
    context_prefix: str = ""


@dataclass(frozen=True, slots=True)
class TwoPhase:
    """``neural_sparse_two_phase_processor``: a speed-up of sparse search, accepted without effect."""


RequestWork = Enricher | FilterQuery | Oversample | TwoPhase


@dataclass(frozen=True, slots=True)
class RequestProcessor:
    """A request processor and what every processor has."""

    type: str
    work: RequestWork
    ignore_failure: bool = False


@dataclass(frozen=True, slots=True)
class PhaseProcessor:
    """A phase-results processor as it was sent, without ``tag``, ``description`` and ``ignore_failure``."""

    type: str
    options: Mapping[str, Any]
    ignore_failure: bool = False


@dataclass(frozen=True, slots=True)
class ResponseProcessor:
    """A response processor and what every processor has."""

    type: str
    work: ResponseWork
    ignore_failure: bool = False


@dataclass(frozen=True, slots=True)
class SearchPipeline:
    """Processors in the order of their phases."""

    id: str
    request: tuple[RequestProcessor, ...] = ()
    phase: tuple[PhaseProcessor, ...] = ()
    response: tuple[ResponseProcessor, ...] = ()

    @property
    def explains_hybrid(self) -> bool:
        """True when the tree of a hybrid's score is asked for."""
        return any(isinstance(processor.work, HybridScoreExplanation) for processor in self.response)

    @property
    def enricher(self) -> Enricher | None:
        """The last enricher; None when there is none."""
        found = [processor.work for processor in self.request if isinstance(processor.work, Enricher)]
        return found[-1] if found else None


NO_PIPELINE = SearchPipeline("_none")


def read_search_pipeline(pipeline_id: str, body: object) -> SearchPipeline:
    """Return the pipeline; ParseError or IllegalArgument in OpenSearch's words. The phase's options stay unread."""
    if not isinstance(body, Mapping):
        raise ParseError(f"a search pipeline must be a JSON object, but [{pipeline_id}] is a [{java_type(body)}]")
    head = Config(pipeline_id, body)
    head.text_or_none("description")
    head.raw("version")
    head.raw("_meta")
    request, phase, response = (_entries(head, key) for key in _LISTS)
    left = [key for key in body if head.has(key)]
    if left:
        raise ParseError(
            f"pipeline [{pipeline_id}] doesn't support one or more provided configuration parameters "
            f"[{', '.join(left)}]"
        )
    return SearchPipeline(
        pipeline_id,
        tuple(RequestProcessor(name, *_read(name, options, _REQUEST)) for name, options in request),
        tuple(_phase(name, options) for name, options in phase),
        tuple(ResponseProcessor(name, *_read(name, options, _RESPONSE)) for name, options in response),
    )


def enricher_of(body: object) -> Enricher | None:
    """Return the last enricher of a pipeline that may hold processors unknown here; None when there is none."""
    listed = body.get("request_processors") if isinstance(body, Mapping) else None
    found = None
    for entry in listed if isinstance(listed, list) else ():
        options = entry.get("neural_query_enricher") if isinstance(entry, Mapping) else None
        if isinstance(options, Mapping):
            found = _enricher(Config("neural_query_enricher", options))
    return found


def prepare_body(pipeline: SearchPipeline, body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the body as the request processors leave it, and what they remember for the response."""
    remembered: dict[str, Any] = {}
    for processor in pipeline.request:
        match processor.work:
            case FilterQuery(query=kept):
                body = body | {"query": filtered_query(body.get("query"), kept)}
            case Oversample(sample_factor=factor, context_prefix=prefix):
                size = body.get("size", 10)
                if isinstance(size, int) and not isinstance(size, bool):
                    remembered[context_key(prefix, "original_size")] = size
                    body = body | {"size": math.ceil(size * factor)}
            case Enricher() | TwoPhase():
                pass
    return body, remembered


def filtered_query(query: Any, kept: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``query`` (None: all documents) with a filter; a hybrid takes it as its own filter. Scores stay."""
    if isinstance(query, dict) and isinstance(query.get("hybrid"), dict):
        own = query["hybrid"].get("filter")
        both = kept if own is None else {"bool": {"filter": [own, kept]}}
        return {"hybrid": query["hybrid"] | {"filter": both}}
    return {"bool": {"must": [{"match_all": {}} if query is None else query], "filter": [kept]}}


def _entries(head: Config, key: str) -> list[tuple[str, dict[str, Any]]]:
    value = head.raw(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise head.error(key, f"property isn't a list, but of type [{java_type(value)}]")
    found = []
    for entry in value:
        if not isinstance(entry, dict):
            raise head.error(key, f"property isn't a map, but of type [{java_type(entry)}]")
        for name, options in entry.items():
            if not isinstance(options, dict):
                raise head.error(name, f"property isn't a map, but of type [{java_type(options)}]")
            found.append((name, options))
    return found


_Reader = Callable[[Config], Any]


def _read(name: str, options: dict[str, Any], readers: Mapping[str, _Reader]) -> tuple[Any, bool]:
    if name in REFUSED:
        raise IllegalArgument(f"[{name}] processor is not supported by Antiphon: {REFUSED[name]}")
    if name not in readers:
        raise IllegalArgument(f"Invalid processor type {name}")
    config = Config(name, options)
    ignore = _common(config)
    work = readers[name](config)
    config.end(":")
    return work, ignore


def _common(config: Config) -> bool:
    config.text_or_none("tag")
    config.text_or_none("description")
    return config.boolean("ignore_failure", default=False)


def _phase(name: str, options: dict[str, Any]) -> PhaseProcessor:
    if name not in PHASE_PROCESSORS:
        raise IllegalArgument(f"Invalid processor type {name}")
    ignore = _common(Config(name, options))
    common = ("tag", "description", "ignore_failure")
    return PhaseProcessor(name, {key: value for key, value in options.items() if key not in common}, ignore)


def _enricher(config: Config) -> Enricher:
    model_id = config.text_or_none("default_model_id")
    by_field = config.mapping("neural_field_default_id") if config.has("neural_field_default_id") else {}
    if not model_id and not by_field:
        raise IllegalArgument("model Id or neural info map either of them should be provided")
    for path, value in by_field.items():
        if not isinstance(value, str):
            raise config.error("neural_field_default_id", f"model id of [{path}] isn't a string")
    return Enricher(model_id, by_field)


def _filter_query(config: Config) -> FilterQuery:
    if not config.has("query"):
        raise IllegalArgument("Did not specify the query property in processor of type filter_query")
    return FilterQuery(config.mapping("query"))


def _oversample(config: Config) -> Oversample:
    factor = config.required("sample_factor")
    if isinstance(factor, bool) or not isinstance(factor, (int, float)):
        raise config.error("sample_factor", f"property cannot be converted to a double [{factor}]")
    if factor < 1.0:
        raise config.error("sample_factor", "Value must be >= 1.0")
    return Oversample(float(factor), config.text("context_prefix", ""))


def _two_phase(config: Config) -> TwoPhase:
    config.boolean("enabled", default=True)
    parameters = config.mapping("two_phase_parameter") if config.has("two_phase_parameter") else {}
    known = ("prune_ratio", "expansion_rate", "max_window_size", "prune_type")
    unknown = [key for key in parameters if key not in known]
    if unknown:
        raise config.error("two_phase_parameter", f"does not have [{unknown[0]}]; known are [{', '.join(known)}]")
    return TwoPhase()


def _truncate_hits(config: Config) -> TruncateHits:
    size = config.integer("target_size", -1) if config.has("target_size") else None
    if size is not None and size < 0:
        raise config.error("target_size", "Value must be >= 0")
    return TruncateHits(size, config.text("context_prefix", ""))


def _rename_field(config: Config) -> RenameField:
    return RenameField(config.text("field"), config.text("target_field"))


def _sort(config: Config) -> SortField:
    name = config.text("field")
    order = config.text("order", "asc")
    if order.lower() not in ("asc", "desc"):
        raise config.error("order", f"Sort direction [{order}] not recognized. Valid values are: [asc, desc]")
    return SortField(name, order.lower() == "desc", config.text("target_field", name))


def _split(config: Config) -> SplitField:
    name = config.text("field")
    trailing = config.boolean("preserve_trailing", default=False)
    return SplitField(name, config.pattern("separator"), config.text("target_field", name), trailing)


def _collapse(config: Config) -> CollapseHits:
    config.text("context_prefix", "")
    return CollapseHits(config.text("field"))


def _explanation(_: Config) -> HybridScoreExplanation:
    return HybridScoreExplanation()


def _rerank(config: Config) -> RerankByField:
    kinds = [kind for kind in ("ml_opensearch", "by_field") if config.has(kind)]
    if not kinds:
        raise IllegalArgument("No rerank type found. Possible rerank types are: [ml_opensearch, by_field]")
    if len(kinds) > 1:
        raise IllegalArgument(f"Multiple rerank types found: [{', '.join(kinds)}]. Only one is permitted.")
    if kinds[0] == "ml_opensearch":
        raise IllegalArgument(
            "[rerank] with [ml_opensearch] is not supported by Antiphon: there are no cross-encoders here; use "
            "[by_field], or rerank in the client"
        )
    config.raw("context")
    inner = Config("rerank", config.mapping("by_field"))
    work = RerankByField(
        inner.text("target_field"),
        inner.boolean("remove_target_field", default=False),
        inner.boolean("keep_previous_score", default=False),
    )
    inner.end(":")
    return work


_REQUEST: Mapping[str, _Reader] = {
    "neural_query_enricher": _enricher,
    "filter_query": _filter_query,
    "oversample": _oversample,
    "neural_sparse_two_phase_processor": _two_phase,
}
_RESPONSE: Mapping[str, _Reader] = {
    "rerank": _rerank,
    "truncate_hits": _truncate_hits,
    "rename_field": _rename_field,
    "sort": _sort,
    "split": _split,
    "collapse": _collapse,
    "hybrid_score_explanation": _explanation,
}

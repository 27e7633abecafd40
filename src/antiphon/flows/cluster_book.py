"""What a cluster says of its pipelines, settings and semantic fields, kept for a second."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import orjson

from antiphon.domain.fingerprint import Fingerprint, fingerprints
from antiphon.domain.pattern import star_pattern
from antiphon.domain.pipeline import Pipeline
from antiphon.domain.processors.embeds import embeds
from antiphon.domain.processors.reading import read_pipeline
from antiphon.domain.search_pipeline import enricher_of
from antiphon.domain.semantic import SemanticField
from antiphon.domain.semantic_meta import META, definitions, noted, remembered
from antiphon.errors import StatusError, reason_of
from antiphon.flows.ports import Answer, Cluster
from antiphon.query import BindScope, DefaultModels, EmbeddedField

KEPT_S = 1.0
NONE = "_none"
_FORBIDDEN = 403
_MOST_KEPT = 10_000
_ASKED = (
    "*.aliases,*.settings.index.uuid,*.settings.index.default_pipeline,*.settings.index.final_pipeline,"
    "*.settings.index.search.default_pipeline,*.settings.index.mapping.depth.limit,"
    "*.settings.index.analyze.max_token_count,*.mappings._meta.antiphon"
)
_LENIENT = "ignore_unavailable=true&allow_no_indices=true"
Headers = Mapping[str, str]
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class IndexFacts:
    """What writes and searches need of an index. Pipelines are ``_none`` when there is none."""

    name: str
    default_pipeline: str = NONE
    final_pipeline: str = NONE
    search_pipeline: str = NONE
    semantic: tuple[SemanticField, ...] = ()
    max_depth: int = 20
    max_token_count: int = 10_000
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fingerprints(self) -> dict[str, Fingerprint]:
        """What made the vectors of its fields, as far as the mapping remembers, by path."""
        return fingerprints({META: self.meta})


class ClusterBook:
    """Keeps what the cluster told, a second at most. Thread-safe."""

    def __init__(self, cluster: Cluster, monotonic: Callable[[], float]) -> None:
        self._cluster = cluster
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._changes = 0
        self._kept: dict[tuple[str, str], tuple[float, Any]] = {}

    def forget(self) -> None:
        """Ask anew from now on: definitions may have changed."""
        with self._lock:
            self._changes += 1
            self._kept.clear()

    def seen_by(self, headers: Headers) -> ClusterView:
        """Return the definitions as a caller with these headers may read them.

        They are read as the configured user where there is one: whoever may write through a pipeline need not be
        allowed to read its definition.
        """
        own = {} if self._cluster.authenticates else {n: v for n, v in headers.items() if n == "authorization"}
        return ClusterView(self, own)

    def ask(self, method: str, path: str, headers: Headers) -> Any:
        """Return the answer's JSON, None when it is 404, kept for a second; StatusError for any other failure."""
        key = (f"{method} {path}", headers.get("authorization", ""))
        with self._lock:
            until, held = self._kept.get(key, (0.0, None))
            if self._monotonic() < until:
                return held
            changes = self._changes
        answer = self._cluster.exchange(method, path, None, headers)
        found = None if answer.status == 404 else self._read(method, path, answer)
        with self._lock:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            if changes == self._changes:  # else it may be what was replaced meanwhile
                self._kept[key] = (self._monotonic() + KEPT_S, found)
        return found

    def _read(self, method: str, path: str, answer: Answer) -> Any:
        found = parsed(answer)
        if answer.status >= 300:
            said = f"{self._cluster.url} answered {method} {path.partition('?')[0]} with {answer.status}"
            raise StatusError(f"{said}: {reason_of(found)}", status=answer.status)
        return found


class ClusterView:
    """The definitions of the cluster for one request, which reads each once and does not see it change."""

    def __init__(self, book: ClusterBook, headers: Headers) -> None:
        self._book = book
        self._headers = headers
        self._pipelines: dict[str, Pipeline | None] = {}
        self._embeds: dict[str, bool] = {}
        self._written: dict[str, IndexFacts | None] = {}

    def find(self, pipeline_id: str) -> Pipeline | None:
        """Return an ingest pipeline; IllegalArgument for one with a processor that is not here; None without one."""
        if pipeline_id not in self._pipelines:
            body = self.raw(pipeline_id)
            self._pipelines[pipeline_id] = None if body is None else read_pipeline(pipeline_id, body)
        return self._pipelines[pipeline_id]

    def embeds(self, pipeline_id: str) -> bool:
        """True when an ingest pipeline, or one that it runs, embeds text."""
        if pipeline_id not in self._embeds:
            body = None if pipeline_id == NONE else self.raw(pipeline_id)
            found = body is not None and embeds(body, self.raw, frozenset({pipeline_id}))
            self._embeds[pipeline_id] = found
        return self._embeds[pipeline_id]

    def written(self, name: str) -> IndexFacts | None:
        """Return the index that documents sent to ``name`` go to, to be made from its templates if need be.

        None for what is not the name of one index, or of an alias that says which one is written to.
        """
        if name not in self._written:
            self._written[name] = self._read_written(name)
        return self._written[name]

    def _read_written(self, name: str) -> IndexFacts | None:
        if not name or name.startswith(("_", "-", "+")) or any(mark in name for mark in "*,?<"):
            return None
        found = self._ask("GET", f"/{quote(name, safe='')}?filter_path={_ASKED}")
        if found is None:
            templated = self._templated(name)
            self._book.forget()  # a node that is starting knows no index; it knows its own once it knows templates
            found = self._ask("GET", f"/{quote(name, safe='')}?filter_path={_ASKED}")
            if found is None:
                return templated
        chosen = _write_index(name, found)
        return None if chosen is None else _facts(chosen, found[chosen])

    def held(self, expression: str) -> list[IndexFacts]:
        """Return the indices that an expression stands for, all of them for an empty one; unknown ones are left out."""
        parts = [quote(part, safe="*-") for part in expression.split(",") if ":" not in part]
        if not parts:
            return []
        path = ",".join(parts) if parts != [""] else "_all"
        try:
            found = self._ask("GET", f"/{path}?{_LENIENT}&filter_path={_ASKED}")
        except StatusError as error:
            if expression or error.status != _FORBIDDEN:
                raise
            found = None  # a point in time of somebody who may not see every index
        return [_facts(name, body) for name, body in (found or {}).items()]

    def scope(self, indices: Sequence[IndexFacts], named: str | None, inline: Any) -> BindScope:
        """Return what a search body is bound with: the models of its pipeline, and the semantic fields asked."""
        if isinstance(inline, dict):
            body: Any = inline
        else:
            name = named if named is not None else inline
            if name is None:
                defaults = {one.search_pipeline for one in indices}
                name = defaults.pop() if len(defaults) == 1 else NONE
            body = None if name in (NONE, "") else self._search_pipeline(str(name))
        enricher = enricher_of(body)
        models = DefaultModels() if enricher is None else DefaultModels(enricher.model_id, enricher.by_field)
        return BindScope(models, *_semantic(indices), self._knows_semantic())

    def _knows_semantic(self) -> bool:
        """Whether the cluster may have ``semantic`` fields of its own (3.1); True where nobody may ask its version."""
        try:
            version = (self._ask("GET", "/") or {}).get("version") or {}
        except StatusError:
            return True
        found = re.match(r"(\d+)\.(\d+)", str(version.get("number")))
        return found is None or (int(found[1]), int(found[2])) >= (3, 1)

    def metas(self, expression: str) -> list[Json]:
        """Return the ``_meta`` of the mapping of each index that an expression stands for, asked anew."""
        self._book.forget()
        parts = ",".join(quote(part, safe="*-") for part in expression.split(","))
        found = self._ask("GET", f"/{parts or '_all'}/_mapping?{_LENIENT}")
        return [(one.get("mappings") or {}).get("_meta") or {} for one in (found or {}).values()]

    def _search_pipeline(self, name: str) -> Any:
        found = self._ask("GET", f"/_search/pipeline/{quote(name, safe='')}")
        return (found or {}).get(name)

    def raw(self, pipeline_id: str) -> Json | None:
        """Return the definition of an ingest pipeline, None without one."""
        if not pipeline_id or any(mark in pipeline_id for mark in "*,"):
            return None
        found = self._ask("GET", f"/_ingest/pipeline/{quote(pipeline_id, safe='')}")
        body: Json | None = (found or {}).get(pipeline_id)
        return body

    def _templated(self, name: str) -> IndexFacts:
        """Return what an index of this name will be: by the composable template that matches, or all legacy ones."""
        found = self._ask("POST", f"/_index_template/_simulate_index/{quote(name, safe='')}") or {}
        if isinstance(found.get("template"), dict):
            return _facts(name, found["template"])
        legacy = [one for one in (self._ask("GET", "/_template") or {}).values() if _matches(one, name)]
        facts = IndexFacts(name)
        for one in sorted(legacy, key=lambda item: item.get("order", 0)):
            facts = _facts(name, one, facts)
        return facts

    def _ask(self, method: str, path: str) -> Any:
        return self._book.ask(method, path, self._headers)


def parsed(answer: Answer) -> Any:
    """Return the JSON of an answer; StatusError, with the answer's own status when it is one of failure, without."""
    try:
        return orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        status = answer.status if answer.status >= 400 else 502
        raise StatusError(
            f"the cluster answered {answer.status} and no JSON: is it OpenSearch?", status=status
        ) from None


def _facts(name: str, body: Mapping[str, Any], under: IndexFacts | None = None) -> IndexFacts:
    """Read an index, or a template over the facts ``under`` it."""
    base = under or IndexFacts(name)
    settings = body.get("settings") or {}
    meta = (body.get("mappings") or {}).get(META) or {}
    meta = noted({**base.meta, **meta}, {**definitions(base.meta), **definitions(meta)})

    def of(key: str, default: Any) -> Any:
        value: Any = settings.get(f"index.{key}", settings.get("index"))
        if value is settings.get("index"):
            for step in key.split("."):
                value = value.get(step) if isinstance(value, Mapping) else None
        return default if value is None else value

    return IndexFacts(
        name,
        str(of("default_pipeline", base.default_pipeline)),
        str(of("final_pipeline", base.final_pipeline)),
        str(of("search.default_pipeline", base.search_pipeline)),
        tuple(remembered(meta)),
        int(of("mapping.depth.limit", base.max_depth)),
        int(of("analyze.max_token_count", base.max_token_count)),
        meta,
    )


def _write_index(name: str, found: Mapping[str, Any]) -> str | None:
    """Return which of the indices behind a name is written to: the only one, the alias's own, a stream's newest."""
    if len(found) == 1:
        return next(iter(found))
    chosen = [key for key, one in found.items() if (one.get("aliases") or {}).get(name, {}).get("is_write_index")]
    if len(chosen) == 1:
        return chosen[0]
    return max((key for key in found if key.startswith(f".ds-{name}-")), default=None)


def _matches(template: Mapping[str, Any], name: str) -> bool:
    patterns: Iterable[str] = template.get("index_patterns") or ()
    return any(star_pattern(pattern).fullmatch(name) is not None for pattern in patterns)


def _semantic(indices: Sequence[IndexFacts]) -> tuple[dict[str, EmbeddedField], frozenset[str]]:
    """Return the semantic fields by path, and the paths that two indices embed in different ways."""
    found: dict[str, EmbeddedField] = {}
    mixed: set[str] = set()
    for one in (one for index in indices for one in index.semantic):
        place = EmbeddedField(one.vector, one.search_model_id, one.chunks)
        if found.setdefault(one.path, place) != place:
            mixed.add(one.path)
    return found, frozenset(mixed)

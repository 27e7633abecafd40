"""Defines search pipelines, and chooses the one of a request."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from antiphon.domain.index import Index
from antiphon.domain.index_settings import setting
from antiphon.domain.pattern import star_pattern
from antiphon.domain.search_pipeline import NO_PIPELINE, SearchPipeline, read_search_pipeline
from antiphon.errors import IllegalArgument, MissingResource
from antiphon.flows.ports import Catalog
from antiphon.query import FusionSpec, ScoreFusion, parse_fusion

_KIND = "search_pipeline"
_NONE = "_none"


@dataclass(frozen=True, slots=True)
class BoundPipeline:
    """A pipeline with its fusion read; without a phase processor hybrid queries get min_max and the mean."""

    pipeline: SearchPipeline
    fusion: FusionSpec


class SearchPipelines:
    """The search pipelines of this node, read once each. Thread-safe."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._lock = threading.Lock()
        self._read: dict[str, BoundPipeline] = {}

    def put(self, pipeline_id: str, body: dict[str, Any]) -> None:
        """Create or replace; ParseError or IllegalArgument when it cannot be understood."""
        _bound(pipeline_id, body)
        with self._lock:
            self._catalog.put_definition(_KIND, pipeline_id, body)
            self._read.clear()

    def get(self, patterns: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
        """Return the bodies as they were put, of the ids and patterns given (none: all)."""
        wanted = [star_pattern(pattern) for pattern in patterns]
        return {
            pipeline_id: body
            for pipeline_id, body in self._catalog.definitions(_KIND)
            if not wanted or any(pattern.fullmatch(pipeline_id) for pattern in wanted)
        }

    def delete(self, pattern: str) -> None:
        """Delete every pipeline that matches; MissingResource when none does, unless everything was asked for."""
        with self._lock, self._catalog.transaction():
            found = self.get([pattern])
            if not found and pattern != "*":
                raise MissingResource(f"pipeline [{pattern}] is missing")
            for pipeline_id in found:
                self._catalog.delete_definition(_KIND, pipeline_id)
            self._read.clear()

    def chosen(self, named: str | None, given: object, indices: Sequence[Index]) -> BoundPipeline:
        """Return the pipeline of a request: named in its address, named or inline in its body, or the indices' own."""
        if named is not None and isinstance(given, dict):
            raise IllegalArgument(
                "Both named and inline search pipeline were specified. Please only specify one or the other."
            )
        if isinstance(given, dict):
            return _bound("_ad_hoc_pipeline", given)
        name = named if named is not None else given
        if name is None:
            defaults = {str(setting(index.settings, "index.search.default_pipeline")) for index in indices}
            name = defaults.pop() if len(defaults) == 1 else _NONE
        if not isinstance(name, str):
            raise IllegalArgument("[search_pipeline] must be the name of a pipeline or a pipeline")
        return BoundPipeline(NO_PIPELINE, ScoreFusion()) if name in (_NONE, "") else self._find(name)

    def _find(self, name: str) -> BoundPipeline:
        with self._lock:
            if name not in self._read:
                body = self._catalog.definition(_KIND, name)
                if body is None:
                    raise IllegalArgument(f"Pipeline {name} is not defined")
                self._read[name] = _bound(name, body)
            return self._read[name]


def _bound(pipeline_id: str, body: object) -> BoundPipeline:
    pipeline = read_search_pipeline(pipeline_id, body)
    specs = [parse_fusion(processor.type, dict(processor.options)) for processor in pipeline.phase]
    return BoundPipeline(pipeline, specs[-1] if specs else ScoreFusion())

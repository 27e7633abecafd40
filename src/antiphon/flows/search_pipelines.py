"""Defines search pipelines, and chooses the one of a request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from antiphon.domain.index import Index
from antiphon.domain.index_settings import setting
from antiphon.domain.search_pipeline import NO_PIPELINE, SearchPipeline, read_search_pipeline
from antiphon.errors import IllegalArgument
from antiphon.flows.definitions import Definitions
from antiphon.flows.ports import Catalog
from antiphon.query import FusionSpec, ScoreFusion, parse_fusion

_NONE = "_none"


@dataclass(frozen=True, slots=True)
class BoundPipeline:
    """A pipeline with its first fusion read; without a phase processor hybrid queries get min_max and the mean."""

    pipeline: SearchPipeline
    fusion: FusionSpec


class SearchPipelines(Definitions[BoundPipeline]):
    """The search pipelines of this node."""

    def __init__(self, catalog: Catalog) -> None:
        super().__init__(catalog, "search_pipeline", _bound)

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
        if name in (_NONE, ""):
            return BoundPipeline(NO_PIPELINE, ScoreFusion())
        found = self.find(name)
        if found is None:
            raise IllegalArgument(f"Pipeline {name} is not defined")
        return found


def _bound(pipeline_id: str, body: object) -> BoundPipeline:
    pipeline = read_search_pipeline(pipeline_id, body)
    specs = [parse_fusion(processor.type, dict(processor.options)) for processor in pipeline.phase]
    return BoundPipeline(pipeline, specs[0] if specs else ScoreFusion())

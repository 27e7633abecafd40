"""What goes together: indexes with the pipelines, templates and models that they need."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from antiphon.domain.semantic import semantic_fields
from antiphon.errors import IllegalArgument
from antiphon.remote import one_index
from antiphon.transfer.definitions import (
    INGEST,
    SEARCH,
    TEMPLATES,
    everything,
    model_ids_in,
    pipelines_of,
    search_pipelines_of,
)
from antiphon.transfer.indexes import IndexDefinition, read_index
from antiphon.transfer.models import SourceModel
from antiphon.transfer.side import Side


@dataclass(slots=True)
class Cargo:
    """Definitions by name, and the models that they name or that were asked for."""

    models: list[SourceModel] = field(default_factory=list)
    indexes: list[IndexDefinition] = field(default_factory=list)
    ingest: dict[str, Any] = field(default_factory=dict)
    search: dict[str, Any] = field(default_factory=dict)
    templates: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def definitions(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Everything that is put by name, in the order in which it can be put."""
        yield INGEST, self.ingest
        yield SEARCH, self.search
        for kind in TEMPLATES:
            yield kind, self.templates.get(kind, {})


@dataclass(frozen=True, slots=True)
class Embedded:
    """What a neural query names, its vectors (None when they are nested, one of each chunk), the model of queries."""

    field: str
    vector: str | None
    model_id: str
    semantic: bool = False


ModelOf = Callable[[str], SourceModel]


def load_cargo(source: Side, indexes: Iterable[str], model_of: ModelOf, *, all_of_it: bool = False) -> Cargo:
    """Read indexes with all they need, or everything there is; ``model_of`` makes a model of its id."""
    cargo = Cargo()
    if all_of_it:
        rows = source.client.ask("GET", "/_cat/indices?format=json&h=index&s=index")
        indexes = [row["index"] for row in rows if not row["index"].startswith(".")]
    for name in indexes:
        found = read_index(source, one_index(name))
        if found is None:
            raise IllegalArgument(f"there is no index [{name}] on {source.name}")
        cargo.indexes.append(found)
    if all_of_it:
        cargo.ingest = pipelines_of(source, everything(source, INGEST))
        cargo.search = everything(source, SEARCH)
        cargo.templates = {kind: everything(source, kind) for kind in TEMPLATES}
    else:
        cargo.ingest = pipelines_of(source, {name for index in cargo.indexes for name in index.pipelines})
        named = {index.search_pipeline for index in cargo.indexes}
        cargo.search = search_pipelines_of(source, {name for name in named if name is not None})
    ids = dict.fromkeys(
        model_ids_in([cargo.ingest, cargo.search, cargo.templates, [i.mappings for i in cargo.indexes]])
    )
    cargo.models = [model_of(model_id) for model_id in ids]
    return cargo


def embedded_fields(index: IndexDefinition, pipelines: dict[str, Any]) -> list[Embedded]:
    """Return the fields that pipelines and semantic fields fill, nested vectors of pipelines left out."""
    found = []
    for name in sorted(index.pipelines):
        for processor in pipelines.get(name, {}).get("processors", []):
            options = processor.get("text_embedding", {})
            targets = options.get("field_map", {}).values()
            found += [Embedded(field, field, options["model_id"]) for field in targets if isinstance(field, str)]
    for one in semantic_fields(index.mappings):
        found.append(Embedded(one.path, None if one.chunks else one.vector, one.search_model_id, semantic=True))
    return found

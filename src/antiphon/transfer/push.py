"""Brings models, pipelines, templates and indexes to another server, step by step, and proves what arrived."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from antiphon.domain.package import PackageInspection
from antiphon.errors import IllegalArgument
from antiphon.remote import one_index
from antiphon.transfer.definitions import (
    INGEST,
    SEARCH,
    TEMPLATES,
    IndexDefinition,
    Translation,
    differences,
    differing_definitions,
    everything,
    model_ids_in,
    pipelines_of,
    push_definitions,
    push_index,
    read_index,
    search_pipelines_of,
    set_pipelines,
)
from antiphon.transfer.documents import check_documents, copy_documents, sample_ids, tell
from antiphon.transfer.journal import Journal
from antiphon.transfer.models import SourceModel, compare_vectors, find_model, push_model
from antiphon.transfer.parity import Embedding, Options, compare_rankings
from antiphon.transfer.preflight import Needs, preflight
from antiphon.transfer.side import Side


@dataclass(frozen=True, slots=True)
class How:
    """Ways to push: ``url`` is where the cluster fetches the package, ``engine`` of vectors there, ``model_ids`` of the
    source stay in what is pushed, settings that stand in the way are changed."""

    url: str | None = None
    engine: str | None = None
    keep_model_ids: bool = False
    apply_settings: bool = False


@dataclass(slots=True)
class Cargo:
    """What goes together: definitions by name, and the models that they name or that were asked for."""

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


ModelOf = Callable[[str], SourceModel]
Inspect = Callable[[SourceModel], PackageInspection]


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


def push(
    source: Side | None, target: Side, cargo: Cargo, how: How, options: Options, inspect: Inspect, journal: Journal
) -> None:
    """Bring the cargo there and compare; ``journal.failures`` has what does not agree."""
    preflight(target, Needs(cargo.models, cargo.indexes, how.url), journal, inspect, apply=how.apply_settings)
    there = {model.model_id or model.sha256: push_model(model, target, journal, how.url) for model in cargo.models}
    translate = _translation(target, cargo, there, how)
    if any(definitions for _, definitions in cargo.definitions):
        journal.title("pipelines and templates")
    for kind, definitions in cargo.definitions:
        push_definitions(kind, definitions, target, translate, journal)
    if source is None:  # models only
        return
    for index in cargo.indexes:
        journal.title(f"index {index.name}")
        was_there = push_index(index, target, translate, journal)
        copied = copy_documents(source, target, index.name, journal, fresh=not was_there)
        tell(copied, index.name, journal)
        set_pipelines(index, target, journal)
        if not journal.dry_run:
            check_documents(source, target, index.name, copied.sample, journal)
    if not journal.dry_run:
        compare_all(source, target, cargo, there, options, journal)


def diff(source: Side | None, target: Side, cargo: Cargo, how: How, options: Options, journal: Journal) -> None:
    """Only compare: vectors, definitions, counts, a sample of documents, rankings."""
    there: dict[str, str | None] = {}
    for model in cargo.models:
        journal.title(f"model {model.name}")
        found = find_model(target, model)
        there[model.model_id or model.sha256] = None if found is None else found.model_id
        if found is None:
            journal.fail(
                f"no model of SHA-256 {model.sha256[:12]} with this configuration is there: `antiphon push` it"
            )
        elif found.state not in ("DEPLOYED", "PARTIALLY_DEPLOYED"):
            journal.fail(f"[{found.model_id}] is {found.state} there: deploy it")
        else:
            compare_vectors(model, target, found.model_id, journal)
    translate = _translation(target, cargo, there, how)
    for kind, definitions in cargo.definitions:
        for name, problem in differing_definitions(kind, definitions, target, translate).items():
            journal.fail(f"{kind}/{name} {problem}")
    if source is None:  # models only
        return
    present = []
    for index in cargo.indexes:
        journal.title(f"index {index.name}")
        other = read_index(target, index.name)
        if other is None:
            journal.fail(f"[{index.name}] is not there")
            continue
        present.append(index)
        if differing := differences(translate(index.mappings), other.mappings):
            journal.fail(f"the mapping of [{index.name}] is another there: {', '.join(differing[:5])}")
        check_documents(source, target, index.name, sample_ids(source, index.name), journal)
    cargo.indexes[:] = present
    compare_all(source, target, cargo, there, options, journal)


def compare_all(
    source: Side, target: Side, cargo: Cargo, there: dict[str, str | None], options: Options, journal: Journal
) -> None:
    """Compare the rankings of every index of the cargo."""
    if cargo.indexes:
        journal.title("rankings")
    models = {model.model_id: model for model in cargo.models}
    for index in cargo.indexes:
        embeddings = []
        for name, model_id in embedded_fields(index, cargo.ingest):
            model = models.get(model_id)
            asymmetric = model is not None and model.config.asymmetric
            embeddings.append(Embedding(name, model_id, there.get(model_id), asymmetric))
        compare_rankings(source, target, index.name, embeddings, options, journal)


def embedded_fields(index: IndexDefinition, pipelines: dict[str, Any]) -> list[tuple[str, str]]:
    """Return (vector field, model id) of the fields that pipelines and semantic fields fill, nested ones left out."""
    found = []
    for name in sorted(index.pipelines):
        for processor in pipelines.get(name, {}).get("processors", []):
            options = processor.get("text_embedding", {})
            targets = options.get("field_map", {}).values()
            found += [(field, options["model_id"]) for field in targets if isinstance(field, str)]
    for name, spec in index.mappings.get("properties", {}).items():
        if spec.get("type") == "semantic" and not spec.get("chunking"):
            info = spec.get("semantic_info_field_name", f"{name}_semantic_info")
            found.append((f"{info}.embedding", spec.get("search_model_id", spec["model_id"])))
    return found


def _translation(target: Side, cargo: Cargo, there: dict[str, str | None], how: How) -> Translation:
    ids: Sequence[tuple[str | None, str | None]] = [
        (model.model_id, there.get(model.model_id or model.sha256)) for model in cargo.models
    ]
    known = {} if how.keep_model_ids else {here: other for here, other in ids if here is not None and other is not None}
    return Translation(known, how.engine, target.knows_semantic)

"""Brings a cargo to another server, step by step, and proves what arrived; or only compares."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from antiphon.domain.semantic import semantic_fields
from antiphon.errors import AntiphonError, ResourceNotFound, Unavailable
from antiphon.transfer.alike import Alike
from antiphon.transfer.cargo import Cargo, embedded_fields
from antiphon.transfer.definitions import (
    INGEST,
    differing_definitions,
    push_definitions,
)
from antiphon.transfer.documents import check_documents, copy_documents, sample_ids, tell
from antiphon.transfer.indexes import (
    IndexDefinition,
    differing_aliases,
    differing_parts,
    differing_pipelines,
    must_be_open,
    push_index,
    read_index,
    read_namesake,
    set_pipelines,
)
from antiphon.transfer.journal import Journal
from antiphon.transfer.parity import Embedding, Options, compare_rankings
from antiphon.transfer.place import How, Inspect, Placed, Places, find_models, place_models, translation
from antiphon.transfer.preflight import Needs, preflight
from antiphon.transfer.side import Side


def push(
    source: Side | None, target: Side, cargo: Cargo, how: How, options: Options, inspect: Inspect, journal: Journal
) -> None:
    """Bring the cargo there and compare; ``journal.failures`` has what does not agree."""
    models = cargo.models if how.address is None else []
    preflight(target, Needs(models, cargo.indexes, how.url), journal, inspect, apply=how.apply_settings)
    places = place_models(cargo.models, target, how, journal)
    if any(definitions for _, definitions in cargo.definitions):
        journal.title("pipelines and templates")
    for kind, definitions in cargo.definitions:
        push_definitions(kind, definitions, target, translation(kind, target, places, how), journal)
    if source is None:  # models only
        return
    translate = translation(INGEST, target, places, how)

    def bring(index: IndexDefinition) -> None:
        must_be_open(source, index.name)
        was_there = push_index(index, target, translate, journal)
        alike = Alike.on(target, index.name, journal)
        copied = copy_documents(source, target, index.name, alike, journal, fresh=not was_there)
        tell(copied, index.name, target, journal)
        set_pipelines(index, target, journal)
        if not journal.dry_run:
            check_documents(source, target, index.name, copied.sample, alike, journal)

    _one_by_one(cargo, bring, journal)
    if not journal.dry_run:
        _compare_rankings(source, target, cargo, places, options, journal)


def diff(source: Side | None, target: Side, cargo: Cargo, how: How, options: Options, journal: Journal) -> None:
    """Only compare: vectors, definitions, counts, a sample of documents, rankings."""
    places = find_models(cargo.models, target, how, journal)
    for kind, definitions in cargo.definitions:
        translate = translation(kind, target, places, how)
        for name, problem in differing_definitions(kind, definitions, target, translate).items():
            journal.fail(f"{kind}/{name} {problem}")
    if source is None:  # models only
        return
    translate = translation(INGEST, target, places, how)

    def compare(index: IndexDefinition) -> None:
        must_be_open(source, index.name)
        other = read_namesake(target, index.name)
        if other is None:
            raise ResourceNotFound(f"[{index.name}] is not there")
        _diff_index(index, other, translate.mapping(index.mappings), target, journal)
        alike = Alike.on(target, index.name, journal)
        check_documents(source, target, index.name, sample_ids(source, index.name), alike, journal)

    _one_by_one(cargo, compare, journal)
    _compare_rankings(source, target, cargo, places, options, journal)


def _one_by_one(cargo: Cargo, work: Callable[[IndexDefinition], None], journal: Journal) -> None:
    """Do something with every index; one that is refused fails, leaves the cargo, and keeps no other back."""
    done = []
    for index in cargo.indexes:
        journal.title(f"index {index.name}")
        try:
            work(index)
        except Unavailable:
            raise
        except AntiphonError as error:
            journal.fail(error.reason)
        else:
            done.append(index)
    cargo.indexes[:] = done


def _diff_index(
    index: IndexDefinition, other: IndexDefinition, mappings: dict[str, Any], target: Side, journal: Journal
) -> None:
    differing = [*differing_parts(index, mappings, other), *differing_pipelines(index, other)]
    differing += [f"the alias [{name}]" for name in differing_aliases(index, target, other)]
    for what in differing:
        journal.fail(f"{what} of [{index.name}] is another there")


def _compare_rankings(
    source: Side, target: Side, cargo: Cargo, places: Places, options: Options, journal: Journal
) -> None:
    if cargo.indexes:
        journal.title("rankings")
    for index in cargo.indexes:
        embeddings = list(_embeddings(index, target, cargo, places))
        compare_rankings(source, target, index.name, embeddings, options, journal)


def _embeddings(index: IndexDefinition, target: Side, cargo: Cargo, places: Places) -> Iterator[Embedding]:
    """Yield what can be asked by meaning; a semantic field that became text there is asked by its vectors."""
    models = {model.model_id: model for model in cargo.models}
    there = read_index(target, index.name)
    kept = {field.path for field in semantic_fields(there.mappings)} if there is not None else set()
    for one in embedded_fields(index, cargo.ingest):
        model, placed = models.get(one.model_id), places.get(one.model_id, Placed(None, None))
        asymmetric = model is not None and model.config.asymmetric
        semantic = one.semantic and one.field in kept
        field = one.field if semantic else one.vector
        if field is not None:
            yield Embedding(field, one.vector, one.model_id, placed.query, asymmetric, placed.remote, semantic)

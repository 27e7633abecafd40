"""The models of a cargo on the other server, and what translates definitions to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from antiphon.domain.package import PackageInspection
from antiphon.domain.semantic import ModelFacts
from antiphon.transfer.connect import connect
from antiphon.transfer.definitions import SEARCH, Translation
from antiphon.transfer.journal import Journal
from antiphon.transfer.models import SourceModel, compare_vectors, find_model, push_model
from antiphon.transfer.side import Side

Inspect = Callable[[SourceModel], PackageInspection]


@dataclass(frozen=True, slots=True)
class How:
    """Ways to push.

    ``url`` is where the cluster fetches a package itself; ``address`` is where it reaches this server, when it shall
    embed through it; ``engine`` of vectors there; with ``keep_model_ids`` definitions go as they are; with
    ``apply_settings`` cluster settings that stand in the way are changed.
    """

    url: str | None = None
    address: str | None = None
    engine: str | None = None
    keep_model_ids: bool = False
    apply_settings: bool = False


@dataclass(frozen=True, slots=True)
class Placed:
    """A model there: the ids to embed passages and queries by, one and the same unless ``remote`` models need two."""

    passage: str | None
    query: str | None
    remote: bool = False
    facts: ModelFacts | None = None


Places = Mapping[str | None, Placed]
"""Id of a model here -> where it is there."""


def place_models(models: Sequence[SourceModel], target: Side, how: How, journal: Journal) -> dict[str | None, Placed]:
    """Push the models, or connect the cluster with them."""
    if how.address is None:
        ids = [push_model(model, target, journal, how.url) for model in models]
        return {model.model_id: Placed(one, one, facts=_facts(model)) for model, one in zip(models, ids, strict=True)}
    return {model.model_id: _connected(model, how.address, target, how, journal) for model in models}


def find_models(models: Sequence[SourceModel], target: Side, how: How, journal: Journal) -> dict[str | None, Placed]:
    """Find the models there and compare their vectors; what is missing fails."""
    found: dict[str | None, Placed] = {}
    for model in models:
        if how.address is None:
            journal.title(f"model {model.name}")
            model_id = _found(model, target, journal)
            found[model.model_id] = Placed(model_id, model_id, facts=_facts(model))
            continue
        look = replace(journal, dry_run=True, changes=[])
        found[model.model_id] = _connected(model, how.address, target, how, look)
        if look.changes:
            journal.fail(f"the cluster is not connected with {model.name}: `antiphon connect`")
    return found


def translation(kind: str, target: Side, places: Places, how: How) -> Translation:
    """Return what turns definitions of a kind into the other server's: search pipelines name models for queries."""
    ids: dict[str, str] = {}
    facts: dict[str, ModelFacts] = {}
    for here, placed in places.items():
        there = placed.query if kind == SEARCH else placed.passage
        if here is not None and there is not None and not how.keep_model_ids:
            ids[here] = there
        if here is not None and placed.facts is not None:
            facts[ids.get(here, here)] = placed.facts
    keeps = target.knows_semantic and (target.antiphon or not how.keep_model_ids)  # a cluster has no such model
    return Translation(ids, how.engine, keeps, facts)


def _facts(model: SourceModel) -> ModelFacts:
    space = (model.config.additional_config or {}).get("space_type")
    return ModelFacts(model.name, model.config.embedding_dimension, None if space is None else str(space))


def _connected(model: SourceModel, address: str, target: Side, how: How, journal: Journal) -> Placed:
    made = connect(model, address, target, journal, apply_settings=how.apply_settings)
    both = made.get("both")
    return Placed(made.get("passage", both), made.get("query", both), remote=True, facts=_facts(model))


def _found(model: SourceModel, target: Side, journal: Journal) -> str | None:
    found = find_model(target, model)
    if found is None:
        journal.fail(f"no model of SHA-256 {model.sha256[:12]} with this configuration is there: `antiphon push` it")
        return None
    if found.state not in ("DEPLOYED", "PARTIALLY_DEPLOYED"):
        journal.fail(f"[{found.model_id}] is {found.state} there: deploy it")
        return None
    compare_vectors(model, target, found.model_id, journal)
    return found.model_id

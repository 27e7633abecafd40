"""Brings an index from a cluster here: mapping, documents, vectors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from antiphon.domain.semantic_meta import shown_mapping
from antiphon.errors import AntiphonError, IllegalArgument, Unavailable
from antiphon.remote import one_index, segment
from antiphon.transfer.alike import Alike
from antiphon.transfer.definitions import (
    INGEST,
    SEARCH,
    Translation,
    model_ids_in,
    pipelines_of,
    push_definitions,
    search_pipelines_of,
)
from antiphon.transfer.documents import check_documents, copy_documents, tell
from antiphon.transfer.indexes import (
    PIPELINE_SETTINGS,
    SEARCH_SETTING,
    IndexDefinition,
    differing_parts,
    must_be_open,
    must_be_writable,
    must_have_sources,
    push_index,
    read_index,
    read_namesake,
    set_pipelines,
)
from antiphon.transfer.journal import Journal
from antiphon.transfer.models import ML
from antiphon.transfer.side import Side

_REFERENCES = (*PIPELINE_SETTINGS, SEARCH_SETTING)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a pull brings: ``model_id`` is the model here that pipelines shall use, ``engine`` that of vectors.

    With ``documents_only`` the index is here already, and stays as it is but for its documents.
    """

    model_id: str | None = None
    engine: str | None = None
    documents_only: bool = False


def pull(cluster: Side, here: Side, names: Sequence[str], wanted: Wanted, journal: Journal) -> None:
    """Make the indexes here as they are there; one that is refused fails and keeps no other back.

    With a model their pipelines come too and use that one. Without it what refers to models stays behind: the vectors
    are here, and can be asked by ``knn``.
    """
    for name in names:
        try:
            _pull(cluster, here, name, wanted, journal)
        except Unavailable:
            raise
        except AntiphonError as error:
            if len(names) == 1:
                raise
            journal.fail(error.reason)


def _pull(cluster: Side, here: Side, name: str, wanted: Wanted, journal: Journal) -> None:
    index = read_index(cluster, one_index(name))
    if index is None:
        raise IllegalArgument(f"there is no index [{name}] on {cluster.name}")
    journal.title(f"index {index.name} from {cluster.name}")
    must_be_open(cluster, index.name)
    must_have_sources(index, cluster, journal)
    if wanted.documents_only:
        _must_take(index, here, journal)
        _documents(cluster, here, index.name, journal, fresh=False)
        return
    model_id = wanted.model_id
    if model_id is not None:
        index = replace(index, mappings=shown_mapping(index.mappings))
    ingest, search = _pipelines(cluster, index)
    ids = dict.fromkeys(model_ids_in([ingest, search, index.mappings]))
    stays_behind = bool(ids) and model_id is None
    if stays_behind:
        journal.note(f"its pipelines stay behind, they name the models {', '.join(ids)}: bring them with --model ID")
        settings = {key: value for key, value in index.settings.items() if key not in _REFERENCES}
        mappings = index.mappings if read_index(here, index.name) is None else _anonymous(index.mappings)
        index = replace(index, settings=settings, mappings=mappings)
        ingest, search = {}, {}
    known = {one: model_id for one in ids if model_id is not None}
    if model_id is not None:
        _must_be_the_same(cluster, ids, here, model_id, journal)
    translate = Translation(known, wanted.engine, keeps_semantic=model_id is not None)
    push_definitions(INGEST, ingest, here, translate, journal)
    push_definitions(SEARCH, search, here, translate, journal)
    was_there = push_index(index, here, translate, journal)
    _documents(cluster, here, index.name, journal, fresh=not was_there)
    if not stays_behind:  # else the index keeps what it has here
        set_pipelines(index, here, journal)


def _must_be_the_same(cluster: Side, ids: Iterable[str], here: Side, model_id: str, journal: Journal) -> None:
    """IllegalArgument when there is no such model here; one of another file than those there is told."""
    ours = here.client.find(f"{ML}/models/{segment(model_id)}")
    if ours is None:
        raise IllegalArgument(f"there is no model [{model_id}] on {here.name}")
    for one in ids:
        theirs = cluster.client.find(f"{ML}/models/{segment(one)}") or {}
        files = {document.get("model_content_hash_value") for document in (ours, theirs)} - {None}
        if len(files) > 1:
            journal.note(
                f"[{model_id}] is another file than [{one}] there: searches fit the vectors only if it is the same "
                "model in another precision"
            )


def _anonymous(mappings: dict[str, Any]) -> dict[str, Any]:
    """Return mappings without the ids of the models that filled vectors there: those of an index here stay."""
    meta = {key: value for key, value in mappings.get("_meta", {}).items() if key != "antiphon"}
    return {key: value for key, value in mappings.items() if key != "_meta"} | ({"_meta": meta} if meta else {})


def _must_take(index: IndexDefinition, here: Side, journal: Journal) -> None:
    """AntiphonError when there is no index here that takes the documents; what it has otherwise is told."""
    there = read_namesake(here, index.name)
    if there is None:
        raise IllegalArgument(f"there is no index [{index.name}] here: make it, as the documents need it")
    must_be_writable(there, here)
    for what in differing_parts(index, index.mappings, there):
        journal.note(f"{what} of [{index.name}] stays another here")


def _documents(cluster: Side, here: Side, name: str, journal: Journal, *, fresh: bool) -> None:
    alike = Alike.on(here, name, journal)
    copied = copy_documents(cluster, here, name, alike, journal, fresh=fresh)
    tell(copied, name, here, journal)
    if not journal.dry_run:
        check_documents(cluster, here, name, copied.sample, alike, journal)


def _pipelines(cluster: Side, index: IndexDefinition) -> tuple[dict[str, Any], dict[str, Any]]:
    search = index.search_pipeline
    return pipelines_of(cluster, index.pipelines), search_pipelines_of(cluster, [] if search is None else [search])

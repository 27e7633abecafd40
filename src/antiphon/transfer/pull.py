"""Brings an index from a cluster here: mapping, documents, vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from antiphon.errors import AntiphonError, IllegalArgument, Unavailable
from antiphon.remote import one_index
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
    must_be_open,
    must_have_sources,
    push_index,
    read_index,
    set_pipelines,
)
from antiphon.transfer.journal import Journal
from antiphon.transfer.side import Side

_REFERENCES = (*PIPELINE_SETTINGS, SEARCH_SETTING)


def pull(
    cluster: Side, here: Side, names: Sequence[str], model_id: str | None, engine: str | None, journal: Journal
) -> None:
    """Make the indexes here as they are there; one that is refused fails and keeps no other back.

    With ``model_id``, a model here, their pipelines come too and use that one. Without it what refers to models stays
    behind: the vectors are here, and can be asked by ``knn``.
    """
    for name in names:
        try:
            _pull(cluster, here, name, model_id, engine, journal)
        except Unavailable:
            raise
        except AntiphonError as error:
            if len(names) == 1:
                raise
            journal.fail(error.reason)


def _pull(cluster: Side, here: Side, name: str, model_id: str | None, engine: str | None, journal: Journal) -> None:
    index = read_index(cluster, one_index(name))
    if index is None:
        raise IllegalArgument(f"there is no index [{name}] on {cluster.name}")
    journal.title(f"index {index.name} from {cluster.name}")
    must_be_open(cluster, index.name)
    must_have_sources(index, cluster, journal)
    ingest, search = _pipelines(cluster, index)
    ids = dict.fromkeys(model_ids_in([ingest, search, index.mappings]))
    stays_behind = bool(ids) and model_id is None
    if stays_behind:
        journal.note(f"its pipelines stay behind, they name the models {', '.join(ids)}: bring them with --model ID")
        index = replace(index, settings={k: v for k, v in index.settings.items() if k not in _REFERENCES})
        ingest, search = {}, {}
    known = {one: model_id for one in ids if model_id is not None}
    translate = Translation(known, engine, keeps_semantic=model_id is not None)
    push_definitions(INGEST, ingest, here, translate, journal)
    push_definitions(SEARCH, search, here, translate, journal)
    was_there = push_index(index, here, translate, journal)
    copied = copy_documents(cluster, here, index.name, journal, fresh=not was_there)
    tell(copied, index.name, here, journal)
    if not stays_behind:  # else the index keeps what it has here
        set_pipelines(index, here, journal)
    if not journal.dry_run:
        check_documents(cluster, here, index.name, copied.sample, journal)


def _pipelines(cluster: Side, index: IndexDefinition) -> tuple[dict[str, Any], dict[str, Any]]:
    search = index.search_pipeline
    return pipelines_of(cluster, index.pipelines), search_pipelines_of(cluster, [] if search is None else [search])

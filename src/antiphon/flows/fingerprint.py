"""Keeps vectors of different models apart: records what embedded a field, and refuses what does not agree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from antiphon.domain.field import Family
from antiphon.domain.fingerprint import Fingerprint, check_queried, check_written, fingerprints, stamped
from antiphon.domain.index import Index
from antiphon.domain.index_settings import setting
from antiphon.domain.mapping import IndexMapping
from antiphon.domain.pipeline import Pipeline, Processor
from antiphon.domain.processors.embedding import TextEmbedding
from antiphon.domain.role import Role
from antiphon.domain.semantic import semantic_fields
from antiphon.errors import AntiphonError, IllegalArgument
from antiphon.flows.loaded import LoadedModels
from antiphon.flows.ports import Catalog, IndexStore

Stamp = tuple[str, str]
"""Path of a vector field, model id."""


class IndexBook(Protocol):
    """What is needed of ``flows.indices.Indices``."""

    def all(self) -> list[Index]:
        """Every index."""

    def get(self, name: str) -> Index:
        """The index as it is now."""

    def store(self, index: Index) -> IndexStore:
        """Its documents."""

    def update_mapping(self, index_name: str, mapping: IndexMapping) -> Index:
        """Persist a grown mapping."""


class Fingerprints:
    """Reads and writes the fingerprints in mappings. Thread-safe as far as ``indices`` is."""

    def __init__(self, catalog: Catalog, loaded: LoadedModels, indices: IndexBook) -> None:
        self._catalog = catalog
        self._loaded = loaded
        self._indices = indices

    def of(self, model_id: str, role: Role) -> Fingerprint | None:
        """Return the fingerprint of what a model makes now; None for a model that is unknown or cannot be deployed."""
        model = self._catalog.model(model_id)
        if model is None or model.model_config is None:
            return None
        loaded = self._loaded.get(model_id)
        known = model.model_config.embedding_dimension or 0
        return Fingerprint.of(model, role, known if loaded is None else loaded.encoder.report.dimension)

    def stamp(self, index: Index, embedded: Iterable[Stamp]) -> tuple[Index, dict[Stamp, AntiphonError]]:
        """Record the models of vectors about to be written; return the index, and what must not be written.

        A field that has a fingerprint keeps it, unless the index has no documents yet.
        """
        held = fingerprints(index.mapping.body)
        refused: dict[Stamp, AntiphonError] = {}
        fresh: dict[str, Fingerprint] = {}
        for path, model_id in embedded:
            field = index.mapping.field(path)
            wanted = self.of(model_id, Role.PASSAGE)
            if field is None or field.family is not Family.VECTOR or wanted is None:
                continue
            known = fresh.get(field.path) or held.get(field.path)
            if known is None or (field.path not in fresh and not known.agrees(wanted) and self._empty(index)):
                fresh[field.path] = wanted
                continue
            try:
                check_written(index.name, field.path, known, wanted)
            except IllegalArgument as error:
                refused[path, model_id] = error
        if fresh:
            meta = stamped(index.mapping.body, fresh)
            index = self._indices.update_mapping(index.name, index.mapping.with_meta(meta))
        return index, refused

    def check_query(self, index: Index, path: str, model_id: str) -> None:
        """IllegalArgument when the field holds vectors that a query of this model cannot be compared with."""
        field = index.mapping.field(path)
        held = None if field is None else fingerprints(index.mapping.body).get(field.path)
        query = None if held is None else self.of(model_id, Role.QUERY)
        if held is not None and query is not None and field is not None:
            check_queried(index.name, field.path, held, query)

    def check_pipeline_change(self, pipeline: Pipeline) -> None:
        """IllegalArgument when an index with documents, whose default or final pipeline this is, holds other vectors.

        Ask before the new pipeline takes the place of one of the same id.
        """
        targets = list(embedding_targets(pipeline.processors))
        for index in self._indices.all() if targets else ():
            names = (setting(index.settings, f"index.{which}_pipeline") for which in ("default", "final"))
            if pipeline.id in names and fingerprints(index.mapping.body):
                self._check(index, targets)

    def check_mapping_change(self, index: Index, mapping: IndexMapping) -> None:
        """IllegalArgument when a semantic field of ``mapping`` would get another model while it holds vectors."""
        self._check(index, [(field.vector, field.model_id) for field in semantic_fields(mapping.body)])

    def _check(self, index: Index, targets: Iterable[Stamp]) -> None:
        held = fingerprints(index.mapping.body)
        for path, model_id in targets:
            for known in (name for name in (path, f"{path}.knn") if name in held):
                wanted = self.of(model_id, Role.PASSAGE)
                if wanted is not None and not held[known].agrees(wanted) and not self._empty(index):
                    check_written(index.name, known, held[known], wanted)

    def _empty(self, index: Index) -> bool:
        return self._indices.store(index).stats().documents == 0


def embedding_targets(processors: Iterable[Processor]) -> Iterator[Stamp]:
    """Yield the targets of ``text_embedding`` processors, wherever they stand in the pipeline."""
    for processor in processors:
        if isinstance(processor.work, TextEmbedding):
            yield from ((path, processor.work.model_id) for path in _targets(processor.work.field_map, ""))
        yield from embedding_targets(processor.on_failure)


def _targets(fields: Mapping[str, Any], at: str) -> Iterator[str]:
    for key, target in fields.items():
        if isinstance(target, str):
            yield f"{at}{target}"
        else:
            yield from _targets(target, f"{at}{key}.")

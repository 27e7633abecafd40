"""Mappings on their way to a cluster: ``semantic`` fields become plain ones, remembered in ``_meta``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from antiphon.domain.fingerprint import fingerprints, stamped
from antiphon.domain.index_settings import flatten_settings
from antiphon.domain.role import Role
from antiphon.domain.semantic_meta import META, OURS, definitions, noted, plain_mapping, remembered
from antiphon.errors import IllegalArgument
from antiphon.flows.cluster_book import NONE, ClusterBook, Headers
from antiphon.flows.fingerprint import Fingerprints, Stamp, embedding_targets
from antiphon.flows.model_facts import model_facts
from antiphon.flows.ports import Catalog

Json = dict[str, Any]


class ClusterMappings:
    """The models of ``catalog`` tell the dimensions."""

    def __init__(self, catalog: Catalog, book: ClusterBook, fingerprints: Fingerprints) -> None:
        self._catalog = catalog
        self._book = book
        self._fingerprints = fingerprints

    def created(self, body: Mapping[str, Any], headers: Headers) -> Json:
        """Return the body of a new index, or a template's, as the cluster can have it.

        ``_meta`` remembers what will fill the fields that its own default pipeline, or a semantic field, embeds into.
        """
        if not isinstance(body.get("mappings"), Mapping):
            return dict(body)
        mapping = self._plain(body["mappings"])
        settings = body.get("settings")
        flat = flatten_settings(settings) if isinstance(settings, Mapping) else {}
        targets = self._targets(str(flat.get("index.default_pipeline") or NONE), headers)
        return {**body, "mappings": self._stamped(mapping, targets)}

    def grown(self, expression: str, mapping: Mapping[str, Any], headers: Headers) -> Json:
        """Return what is to be put into a mapping; ``_meta``, which a put replaces, keeps what it remembers.

        IllegalArgument when the field has another model already, or when several indices remember different things.
        """
        plain = self._stamped(self._plain(mapping), [])
        if META not in plain:
            return plain
        held: list[Json] = []
        for meta in self._book.seen_by(headers).metas(expression):
            if meta not in held:
                held.append(meta)
        if not definitions(plain[META]) and not any(OURS in meta for meta in held):
            return plain
        if len(held) > 1:
            raise IllegalArgument(f"the indices of [{expression}] have different [_meta]: change them one by one")
        return plain | {META: _joined(held[0] if held else {}, mapping, plain[META])}

    def _plain(self, mapping: Mapping[str, Any]) -> Json:
        return plain_mapping(mapping, lambda model_id: model_facts(self._catalog, model_id))

    def _targets(self, pipeline_id: str, headers: Headers) -> list[Stamp]:
        view = self._book.seen_by(headers)
        try:
            pipeline = view.find(pipeline_id) if view.embeds(pipeline_id) else None
        except IllegalArgument:  # it has a processor that is not here: writes through it are refused
            return []
        return [] if pipeline is None else list(embedding_targets(pipeline.processors))

    def _stamped(self, mapping: Json, targets: Sequence[Stamp]) -> Json:
        """Return the mapping with the fingerprints of what will be embedded into its vector fields."""
        semantic = [(field.vector, field.model_id) for field in remembered(mapping.get(META))]
        found = {}
        for path, model_id in [*targets, *semantic]:
            made = self._fingerprints.of(model_id, Role.PASSAGE)
            for vector in (path, f"{path}.knn"):
                if made is not None and _is_vector(mapping, vector):
                    found[vector] = made
        return {**mapping, META: stamped(mapping, found)} if found else mapping


def _is_vector(mapping: Mapping[str, Any], path: str) -> bool:
    held: Any = mapping
    for name in path.split("."):
        properties = held.get("properties") if isinstance(held, Mapping) else None
        held = properties.get(name) if isinstance(properties, Mapping) else None
    return isinstance(held, Mapping) and held.get("type") == "knn_vector"


def _joined(held: Json, asked: Mapping[str, Any], new: Json) -> Json:
    before, fresh = definitions(held), definitions(new)
    for path, definition in fresh.items():
        old = before.get(path, definition)
        if old.get("model_id") != definition.get("model_id"):
            raise IllegalArgument(
                f"the semantic field [{path}] is embedded by model [{old.get('model_id')}], so that it cannot have "
                f"[{definition.get('model_id')}]: make a new index and copy the documents"
            )
    base = new if META in asked else held
    ours = held.get(OURS)
    kept = {OURS: {**ours, **(base.get(OURS) or {})}} if isinstance(ours, Mapping) else {}
    meta = noted({**base, **kept}, {**before, **fresh})
    made = {**fingerprints({META: held}), **fingerprints({META: new})}
    return stamped({META: meta}, made) if made else meta

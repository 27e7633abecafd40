"""Mappings on their way to a cluster: ``semantic`` fields become plain ones, remembered in ``_meta``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from antiphon.domain.semantic_meta import META, OURS, definitions, noted, plain_mapping
from antiphon.errors import IllegalArgument
from antiphon.flows.cluster_book import ClusterBook, Headers
from antiphon.flows.model_facts import model_facts
from antiphon.flows.ports import Catalog

Json = dict[str, Any]


class ClusterMappings:
    """The models of ``catalog`` tell the dimensions."""

    def __init__(self, catalog: Catalog, book: ClusterBook) -> None:
        self._catalog = catalog
        self._book = book

    def plain(self, mapping: Mapping[str, Any]) -> Json:
        """Return the mapping of a new index or a template as the cluster can have it."""
        return plain_mapping(mapping, lambda model_id: model_facts(self._catalog, model_id))

    def grown(self, expression: str, mapping: Mapping[str, Any], headers: Headers) -> Json:
        """Return what is to be put into a mapping; ``_meta``, which a put replaces, keeps what it remembers.

        IllegalArgument when the field has another model already, or when several indices remember different things.
        """
        plain = self.plain(mapping)
        if META not in plain:
            return plain
        held: list[Json] = []
        for meta in self._book.seen_by(headers).metas(expression):
            if meta not in held:
                held.append(meta)
        if len(held) > 1:
            raise IllegalArgument(f"the indices of [{expression}] have different [_meta]: change them one by one")
        return plain | {META: _joined(held[0] if held else {}, mapping, plain[META])}


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
    return noted({**base, **kept}, {**before, **fresh})

"""Searches over models, groups and tasks: their documents become an index in memory, made anew once one changes."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from antiphon.domain.index import Index
from antiphon.domain.mapping import IndexMapping
from antiphon.domain.store import Write
from antiphon.flows.ports import Engine, Stored
from antiphon.flows.search import RenderHit, Searcher, SearchRequest
from antiphon.flows.search_contexts import Opened
from antiphon.query import Page, PageHit

Listed = tuple[str, Mapping[str, Any], Stored]
"""A document of the catalog: its id, its source, and where it stands."""


@dataclass(frozen=True, slots=True)
class _Made:
    """An index and the places of the documents it was made from, by id."""

    places: Mapping[str, tuple[int, int]]
    opened: Opened


class CatalogSearcher:
    """Answers searches over what the catalog lists, one at a time. Thread-safe."""

    def __init__(self, engine: Engine, searcher: Searcher) -> None:
        self._engine = engine
        self._searcher = searcher
        self._lock = threading.Lock()
        self._made: dict[str, _Made] = {}

    def search(
        self, name: str, properties: Mapping[str, Any], listed: Iterable[Listed], body: Any, render: RenderHit
    ) -> Page:
        """Return one page of hits, with the versions and sequence numbers that the catalog knows.

        ``name`` is what the index is called in answers, ``properties`` is its mapping's.
        """
        documents = list(listed)
        places = {doc_id: (at.version, at.seq_no) for doc_id, _, at in documents}
        request = SearchRequest(name, body | {"version": True, "seq_no_primary_term": True})
        with self._lock:
            made = self._made.get(name)
            if made is None or made.places != places:
                self._forget(name)
                made = self._made[name] = _Made(places, self._opened(name, properties, documents))
            page = self._searcher.run(request, [made.opened], render)
        return replace(page, hits=[_placed(hit, places) for hit in page.hits])

    def close(self) -> None:
        """Free what was made. Idempotent."""
        with self._lock:
            for name in list(self._made):
                self._forget(name)

    def _forget(self, name: str) -> None:
        if (made := self._made.pop(name, None)) is not None:
            made.opened.snapshot.close()

    def _opened(self, name: str, properties: Mapping[str, Any], documents: Sequence[Listed]) -> Opened:
        mapping = IndexMapping.parse({"properties": properties})
        writes = []
        for doc_id, source, _ in documents:
            document, mapping = mapping.typed(doc_id, source)
            writes.append(Write(doc_id, orjson.dumps(source), document))
        return Opened(Index(name, uuid=name, created_ms=0, mapping=mapping), self._engine.scratch(mapping, writes))


def _placed(found: PageHit, places: Mapping[str, tuple[int, int]]) -> PageHit:
    version, seq_no = places[found.hit.id]
    return replace(found, hit=replace(found.hit, version=version, seq_no=seq_no))

"""Every index's data on this node, by uuid, and the thread that refreshes it."""

from __future__ import annotations

import logging
import shutil
import sqlite3
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from antiphon.domain.analysis import AnalyzeRequest, Token
from antiphon.domain.mapping import IndexMapping
from antiphon.engine.analysis import Analyzers
from antiphon.engine.store import Store, has_documents
from antiphon.errors import DataLost

_LOG = logging.getLogger(__name__)
_TICK_S = 0.1
_DELETE = "delete the index and index its documents again"


class LocalEngine:
    """Fulfils ``flows.ports.Engine``. ``folder`` holds one folder per index; None keeps everything in memory."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self._stores: dict[str, Store] = {}
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._due: dict[str, float] = {}
        self._thread = threading.Thread(target=self._refresh_all, name="antiphon-refresh", daemon=True)
        self._thread.start()

    def create(self, uuid: str, mapping: IndexMapping, settings: Mapping[str, Any]) -> Store:
        """Make an empty index; IllegalArgument when its analysis settings cannot be built."""
        Analyzers(settings).check()
        with self._lock:
            store = self._stores[uuid] = Store(self._place(uuid), mapping, settings)
        return store

    def open(self, uuid: str, mapping: IndexMapping, settings: Mapping[str, Any]) -> Store:
        """Return the store, opened (its search structures derived) on first use; DataLost when it cannot be."""
        with self._lock:
            if (store := self._stores.get(uuid)) is None:
                place = self._place(uuid)
                if place is not None and not has_documents(place):
                    raise DataLost(f"there are no documents in [{place}]: put a copy of the folder there, or {_DELETE}")
                try:
                    store = self._stores[uuid] = Store(place, mapping, settings)
                except sqlite3.DatabaseError as error:
                    reason = f"the documents in [{place}] cannot be read ({error})"
                    raise DataLost(f"{reason}: put a copy of the folder there, or {_DELETE}") from error
            return store

    def drop(self, uuid: str) -> None:
        """Delete the data once no snapshot holds it. Idempotent."""
        with self._lock:
            store = self._stores.pop(uuid, None)
        if store is None:
            self._delete(uuid)
        else:
            store.when_free(lambda: self._discard(uuid, store))

    def known(self) -> list[str]:
        """Return the uuids that have data here."""
        with self._lock:
            here = set(self._stores)
        if self._folder is not None:
            here |= {path.name for path in self._folder.iterdir() if path.is_dir()}
        return sorted(here)

    def analyze(self, settings: Mapping[str, Any], request: AnalyzeRequest) -> list[Token]:
        """Return the tokens of a text; IllegalArgument for an unknown analyzer, tokenizer or filter."""
        return Analyzers(settings).analyze(request)

    def check_analysis(self, settings: Mapping[str, Any], analyzers: Sequence[str]) -> None:
        """IllegalArgument when the flat ``index.analysis.*`` settings, or a named analyzer, cannot be built."""
        built = Analyzers(settings)
        built.check()
        for name in analyzers:
            built.chain(name)

    def close(self) -> None:
        """Close everything. Idempotent."""
        self._stop.set()
        if self._thread is not threading.current_thread():
            self._thread.join()
        with self._lock:
            for store in self._stores.values():
                store.close()
            self._stores.clear()

    def _place(self, uuid: str) -> Path | None:
        return None if self._folder is None else self._folder / uuid

    def _discard(self, uuid: str, store: Store) -> None:
        store.close()
        self._delete(uuid)

    def _delete(self, uuid: str) -> None:
        if (place := self._place(uuid)) is not None:
            shutil.rmtree(place, ignore_errors=True)

    def _refresh_all(self) -> None:
        while not self._stop.wait(_TICK_S):
            with self._lock:
                stores = list(self._stores.items())
            for uuid, store in stores:
                self._refresh_one(uuid, store)

    def _refresh_one(self, uuid: str, store: Store) -> None:
        now = time.monotonic()
        if store.interval is None or not store.pending or now < self._due.get(uuid, 0.0):
            return
        self._due[uuid] = now + store.interval
        try:
            store.refresh()
        except Exception:  # noqa: BLE001 - the thread serves every index: one that fails must not stop the others
            with self._lock:
                dropped = self._stores.get(uuid) is not store
            if not dropped:
                _LOG.exception("refresh of index [%s] failed; it is tried again", uuid)

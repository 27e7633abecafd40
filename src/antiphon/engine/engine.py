"""Every index's data on this node, by uuid, and the threads that refresh it, tend it and build its graphs."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from antiphon.domain.analysis import AnalyzeRequest, Token
from antiphon.domain.mapping import IndexMapping
from antiphon.domain.store import Write
from antiphon.engine.allocator import give_back, map_large_arrays
from antiphon.engine.analysis import Analyzers
from antiphon.engine.failures import Failures
from antiphon.engine.pieces import Limits
from antiphon.engine.snapshot import HeldSnapshot
from antiphon.engine.store import Store, has_documents
from antiphon.errors import DataLost

_LOG = logging.getLogger(__name__)
_TICK_S = 0.1
_RETRY_S = 1.0
_NICENESS = 10
"""Of the threads nobody waits for, where the system has a niceness per thread: searches and writes go first."""
_DELETE = "delete the index and index its documents again"


class LocalEngine:
    """Fulfils ``flows.ports.Engine``. ``folder`` holds one folder per index; None keeps everything in memory."""

    def __init__(self, folder: Path | None, limits: Limits | None = None) -> None:
        self._folder = folder
        self._limits = limits
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self._stores: dict[str, Store] = {}
        map_large_arrays()
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._due: dict[str, float] = {}
        self._threads = [
            threading.Thread(target=self._rounds, args=(act, nice), name=f"antiphon-{name}", daemon=True)
            for name, act, nice in (
                ("refresh", self._refresh, 0),
                ("tend", self._tend, _NICENESS),
                ("graph", self._build_graphs, _NICENESS),
            )
        ]
        for thread in self._threads:
            thread.start()

    def create(self, uuid: str, mapping: IndexMapping, settings: Mapping[str, Any]) -> Store:
        """Make an empty index; IllegalArgument when its analysis settings cannot be built."""
        Analyzers(settings).check()
        with self._lock:
            store = self._stores[uuid] = Store(self._place(uuid), mapping, settings, self._limits)
        return store

    def open(self, uuid: str, mapping: IndexMapping, settings: Mapping[str, Any]) -> Store:
        """Return the store, opened (its search structures loaded, or derived anew) on first use.

        DataLost when it cannot be.
        """
        with self._lock:
            if (store := self._stores.get(uuid)) is None:
                place = self._place(uuid)
                if place is not None and not has_documents(place):
                    raise DataLost(f"there are no documents in [{place}]: put a copy of the folder there, or {_DELETE}")
                try:
                    store = self._stores[uuid] = Store(place, mapping, settings, self._limits)
                except sqlite3.DatabaseError as error:
                    reason = f"the documents in [{place}] cannot be read ({error})"
                    raise DataLost(f"{reason}: put a copy of the folder there, or {_DELETE}") from error
            return store

    def scratch(self, mapping: IndexMapping, writes: Sequence[Write]) -> HeldSnapshot:
        """Return a snapshot of nothing but these documents, in memory, which is freed once that is closed."""
        store = Store(None, mapping, {}, self._limits)
        store.write(writes)
        store.refresh()
        snapshot = store.snapshot()
        store.when_free(store.close)
        return snapshot

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
        """Seal and close everything. Idempotent."""
        self._stop.set()
        with self._lock:
            stores = dict(self._stores)
            self._stores.clear()
        for store in stores.values():
            store.give_up_graphs()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()
        for uuid, store in stores.items():
            try:
                store.close()
            except Exception:  # noqa: BLE001 - one index whose disk fails must not keep the others from closing
                _LOG.exception("index [%s] was not sealed; the next start derives what is missing", uuid)

    def _place(self, uuid: str) -> Path | None:
        return None if self._folder is None else self._folder / uuid

    def _discard(self, uuid: str, store: Store) -> None:
        store.close(keep=False)
        self._delete(uuid)

    def _delete(self, uuid: str) -> None:
        if (place := self._place(uuid)) is not None:
            shutil.rmtree(place, ignore_errors=True)

    def _rounds(self, act: Callable[[str, Store], bool], nice: int) -> None:
        if nice and sys.platform == "linux":
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), nice)
        again_at: dict[str, float] = {}
        failures = Failures(self._folder)
        worked = False
        while not self._stop.wait(_TICK_S):
            before, worked = worked, False
            with self._lock:
                stores = list(self._stores.items())
            for uuid, store in stores:
                if time.monotonic() < again_at.get(uuid, 0.0):
                    continue
                work = f"[{threading.current_thread().name}] of index [{uuid}]"
                try:
                    if act(uuid, store):
                        worked = True
                        failures.over(work)
                except Exception as error:  # noqa: BLE001 - a thread serves every index: one that fails must not stop the others
                    with self._lock:
                        dropped = self._stores.get(uuid) is not store
                    again_at[uuid] = time.monotonic() + _RETRY_S
                    if not dropped:
                        failures.tell(work, error)
            if before and not worked and nice:
                give_back()

    def _refresh(self, uuid: str, store: Store) -> bool:
        now = time.monotonic()
        if store.interval is None or not store.pending or now < self._due.get(uuid, 0.0):
            return False
        self._due[uuid] = now + store.interval
        store.refresh()
        return True

    @staticmethod
    def _tend(_: str, store: Store) -> bool:
        return store.tend()

    @staticmethod
    def _build_graphs(_: str, store: Store) -> bool:
        return store.build_graph()

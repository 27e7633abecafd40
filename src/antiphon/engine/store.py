"""One index's data: documents are the truth, everything that searches follows them by refreshes."""

from __future__ import annotations

import re
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from antiphon.domain.document import TypedDocument
from antiphon.domain.mapping import IndexMapping
from antiphon.domain.store import IndexStats, StoredDocument, Write, Written
from antiphon.engine.analysis import Analyzers
from antiphon.engine.derived import Derived, fresh
from antiphon.engine.documents import Documents
from antiphon.engine.lexicon import SlotsExhausted
from antiphon.engine.snapshot import HeldSnapshot
from antiphon.errors import AntiphonError, IllegalArgument

PENDING_DOCUMENTS = 20_000
PENDING_VECTOR_BYTES = 64_000_000
_UNITS = {"nanos": 1e-9, "micros": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


_DOCUMENTS = "docs.db"


def has_documents(folder: Path) -> bool:
    """True when a store was made in this folder."""
    return (folder / _DOCUMENTS).is_file()


class _TornError(Exception):
    """A refresh failed half way: what it left behind is derived anew."""


class Store:
    """Fulfils ``flows.ports.IndexStore``. ``folder`` None: nothing outlives the process.

    Locks, always taken in this order: ``_refreshing`` (one refresh at a time), ``_writing`` (the log and what no
    refresh has taken in: held while a commit reaches the disk), ``_publishing`` (the view and who holds one: held for
    moments only, so that a search never waits for a write).
    """

    def __init__(self, folder: Path | None, mapping: IndexMapping, settings: Mapping[str, Any]) -> None:
        self._folder = folder
        self._settings = dict(settings)
        self._analyzers = Analyzers(self._settings)
        self._analyzers.check()
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self._documents = Documents(None if folder is None else folder / _DOCUMENTS, durable=_durable(settings))
        self._mapping = mapping
        self._refreshing = threading.RLock()
        self._writing = threading.Lock()
        self._publishing = threading.Lock()
        self._generation = 0
        self._torn = False
        self._pending: list[tuple[int, TypedDocument]] = []
        self._pending_bytes = 0
        self._held: Counter[int] = Counter()
        self._when_free: Callable[[], None] | None = None
        self._operations = self._queries = 0
        self.interval = refresh_seconds(settings)
        self._clear_derived()
        self._derived = self._derive()
        self._view = self._derived.view()

    def get(self, doc_id: str) -> StoredDocument | None:
        """Return the document as last written, refreshed or not."""
        return self.get_many((doc_id,))[0]

    def get_many(self, ids: Sequence[str]) -> list[StoredDocument | None]:
        """Return the documents in the order of ``ids``."""
        return self._documents.get_many(ids)

    def write(self, writes: Sequence[Write]) -> list[Written | AntiphonError]:
        """Apply in order, in one commit; a conflict fails its item only."""
        with self._writing:
            outcomes = self._documents.apply(writes)
            for write, outcome in zip(writes, outcomes, strict=True):
                if isinstance(outcome, Written):
                    self._operations += 1
                    if write.document is not None:
                        self._pending.append((outcome.seq_no, write.document))
                        self._pending_bytes += _vector_bytes(write.document)
            full = len(self._pending) >= PENDING_DOCUMENTS or self._pending_bytes >= PENDING_VECTOR_BYTES
        if full:
            self.refresh()
        return outcomes

    @property
    def pending(self) -> int:
        """How many operations no refresh has shown."""
        return self._documents.last_seq - self._derived.seq

    def refresh(self) -> None:
        """Make every acknowledged write searchable; returns when it is."""
        with self._refreshing:
            with self._writing:
                pending, self._pending, self._pending_bytes = self._pending, [], 0
                until, self._derived.mapping = self._documents.last_seq, self._mapping
            if until == self._view.seq and self._view.mapping is self._mapping and not self._torn:
                return
            try:
                if self._torn:
                    raise _TornError
                self._torn = True
                self._derived.advance(pending, until)
            except (SlotsExhausted, _TornError):
                self._replace()
            self._publish()
            self._torn = False

    def snapshot(self) -> HeldSnapshot:
        """Return the current snapshot, held for the caller, who closes it."""
        with self._publishing:
            view = self._view
            self._held[view.seq] += 1
            self._queries += 1
        return HeldSnapshot(view, lambda: self._let_go(view.seq))

    def remap(self, mapping: IndexMapping) -> None:
        """Index later writes by this mapping (it only ever grows)."""
        with self._writing:
            self._mapping = mapping

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Take the index's flat settings: refresh interval, durability, analysis (for what is derived from now on)."""
        analyzers = Analyzers(settings)
        analyzers.check()
        before, self._settings = self._settings, dict(settings)
        self.interval = refresh_seconds(settings)
        self._documents.set_durable(_durable(settings))
        if _analysis(before) != _analysis(self._settings):
            self._analyzers = analyzers
            self.rebuild()

    def stats(self) -> IndexStats:
        """Return counts and sizes."""
        living, superseded = self._documents.counts()
        files = [] if self._folder is None else [path for path in self._folder.rglob("*") if path.is_file()]
        return IndexStats(
            living, superseded, self._view.documents, self.pending, self._derived.segments,
            sum(path.stat().st_size for path in files), self._documents.last_seq, self._derived.vectors,
            self._operations, self._queries,
        )  # fmt: skip

    def flush(self) -> None:
        """Refresh, and move the log of the documents into their file."""
        self.refresh()
        self._documents.checkpoint()

    def force_merge(self) -> None:
        """Merge to as few segments as possible; returns when done."""
        with self._refreshing:
            self.refresh()
            self._derived.merge_all()
            self._publish()

    def rebuild(self) -> None:
        """Delete every search structure and derive it anew from the documents; searches go on meanwhile."""
        with self._refreshing:
            self._replace()
            self._publish()
            self._torn = False

    def when_free(self, act: Callable[[], None]) -> None:
        """Run ``act`` once no snapshot is held."""
        with self._publishing:
            if self._held:
                self._when_free = act
                return
        act()

    def close(self) -> None:
        """Close everything. Idempotent."""
        with self._refreshing:
            self._derived.close()
            self._documents.close()

    def _derive(self) -> Derived:
        folder = None if self._folder is None else self._folder / "derived" / str(self._generation)
        self._generation += 1
        with self._writing:  # no write is half done
            mapping, until = self._mapping, self._documents.last_seq
        return fresh(folder, self._documents, mapping, self._analyzers, until)

    def _replace(self) -> None:
        old, self._derived = self._derived, self._derive()
        with self._writing:  # what was written while deriving is taken in by the next refresh
            self._pending = [(seq, document) for seq, document in self._pending if seq > self._derived.seq]
        old.close()

    def _publish(self) -> None:
        view = self._derived.view()
        with self._publishing:
            self._view = view
            until = min([view.seq, *self._held])  # whoever takes a snapshot from here on takes this view or a later one
        self._documents.purge(until)

    def _let_go(self, seq: int) -> None:
        with self._publishing:
            self._held[seq] -= 1
            if not self._held[seq]:
                del self._held[seq]
            act = None if self._held else self._when_free
            if act is not None:
                self._when_free = None
        if act is not None:
            act()

    def _clear_derived(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder / "derived", ignore_errors=True)


def refresh_seconds(settings: Mapping[str, Any]) -> float | None:
    """Return ``index.refresh_interval`` in seconds; None when it is off."""
    text = str(settings.get("index.refresh_interval", "1s"))
    if text in {"-1", "-1ms", "-1s"}:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(nanos|micros|ms|s|m|h|d)", text)
    if found is None:
        raise IllegalArgument(f"failed to parse setting [index.refresh_interval] with value [{text}] as a time value")
    return float(found[1]) * _UNITS[found[2]] or 1.0


def _vector_bytes(document: TypedDocument) -> int:
    return sum(vector.nbytes for row in document.rows for vector in row.vectors.values())


def _durable(settings: Mapping[str, Any]) -> bool:
    return str(settings.get("index.translog.durability", "request")).lower() != "async"


def _analysis(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key.startswith("index.analysis.")}

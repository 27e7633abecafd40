"""One index's data: documents are the truth, everything that searches follows them by refreshes."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from antiphon.domain.embedding_report import EmbeddingCounts
from antiphon.domain.mapping import IndexMapping
from antiphon.domain.store import IndexStats, StoredDocument, Write, Written
from antiphon.engine.analysis import Analyzers
from antiphon.engine.derived import Derived, Job
from antiphon.engine.documents import Documents
from antiphon.engine.graph import Stopped
from antiphon.engine.index_settings import durable, refresh_seconds
from antiphon.engine.lexicon import SlotsExhausted
from antiphon.engine.lexicons import Lexicons
from antiphon.engine.manifest import Places, making_of
from antiphon.engine.pack import text_rows
from antiphon.engine.pending import Pending, Run
from antiphon.engine.pieces import Limits
from antiphon.engine.recovery import fresh, note_texts, opened, save
from antiphon.engine.snapshot import HeldSnapshot
from antiphon.engine.workload import Workload
from antiphon.errors import AntiphonError

PENDING_DOCUMENTS = 20_000
PENDING_VECTOR_BYTES = 64_000_000
_DOCUMENTS = "docs.db"


def has_documents(folder: Path) -> bool:
    """True when a store was made in this folder."""
    return (folder / _DOCUMENTS).is_file()


class _TornError(Exception):
    """A refresh failed half way: what it left behind is derived anew."""


class Store:
    """Fulfils ``flows.ports.IndexStore``. ``folder`` None: nothing outlives the process.

    Locks, always taken in this order: ``_tending`` (one thread seals, merges and rebuilds), ``_refreshing`` (one
    refresh at a time; whoever tends holds it for moments), ``_writing`` (the log and what no refresh has taken in:
    held while a commit reaches the disk), ``_publishing`` (the view and who holds one: held for moments, so that a
    search never waits for a write).
    """

    def __init__(
        self, folder: Path | None, mapping: IndexMapping, settings: Mapping[str, Any], limits: Limits | None = None
    ) -> None:
        self._folder = folder
        self._settings = dict(settings)
        self._limits = limits or Limits()
        self._analyzers = Analyzers(self._settings)
        self._analyzers.check()
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self._documents = Documents(None if folder is None else folder / _DOCUMENTS, durable=durable(settings))
        self._places = None if folder is None else Places(folder)
        self._mapping = mapping
        self._tending = threading.RLock()
        self._refreshing = threading.RLock()
        self._writing = threading.Lock()
        self._publishing = threading.Lock()
        self._stop = threading.Event()
        self._torn = self._closed = False
        self._pending = Pending()
        self._held: Counter[int] = Counter()
        self._when_free: Callable[[], None] | None = None
        self._workload = Workload()
        self._written_at = time.monotonic()
        self._log_full = False
        self.interval = refresh_seconds(settings)
        self.loaded = False
        self._derived = self._open()
        self._view = self._derived.view()

    def get(self, doc_id: str) -> StoredDocument | None:
        """Return the document as last written, refreshed or not."""
        return self.get_many((doc_id,))[0]

    def get_many(self, ids: Sequence[str]) -> list[StoredDocument | None]:
        """Return the documents in the order of ``ids``."""
        return self._documents.get_many(ids)

    def write(self, writes: Sequence[Write]) -> list[Written | AntiphonError]:
        """Apply in order, in one commit; a conflict fails its item only."""
        began = time.monotonic()
        with self._writing:
            outcomes = self._documents.apply(writes)
            done = [write for write, outcome in zip(writes, outcomes, strict=True) if isinstance(outcome, Written)]
            for write, outcome in zip(writes, outcomes, strict=True):
                if isinstance(outcome, Written) and write.document is not None:
                    self._pending.add(outcome.seq_no, write.document)
            self._pending.pack(self._mapping, self._analyzers)
            self._written_at, self._log_full = time.monotonic(), True
            full = self._pending.documents >= PENDING_DOCUMENTS or self._pending.vector_bytes >= PENDING_VECTOR_BYTES
        self._note(done, time.monotonic() - began)
        if full:
            self.refresh()
        return outcomes

    def _note(self, done: Sequence[Write], seconds: float) -> None:
        deletions = sum(write.document is None for write in done)
        for kind, times in (("index", len(done) - deletions), ("delete", deletions)):
            if times:
                self._workload.add(kind, times, seconds * times / len(done))

    @property
    def pending(self) -> int:
        """How many operations no refresh has shown."""
        return self._documents.last_seq - self._view.seq

    def refresh(self) -> None:
        """Make every acknowledged write searchable; returns when it is."""
        with self._refreshing:
            current = self._documents.last_seq == self._view.seq and self._view.mapping is self._mapping
            if current and not self._torn:
                return
            try:
                if self._torn:
                    raise _TornError
                self._torn = True
                self._derived.advance(*self._take())
            except (SlotsExhausted, _TornError):
                with self._writing:
                    self._pending.forget()
                    until = self._documents.last_seq
                self._replace(self._derive(until))
            self._publish()
            self._torn = False

    def snapshot(self) -> HeldSnapshot:
        """Return the current snapshot, held for the caller, who closes it."""
        with self._publishing:
            view = self._view
            self._held[view.seq] += 1
        return HeldSnapshot(view, lambda: self._let_go(view.seq), self._workload)

    def _take(self) -> tuple[list[Run], int]:
        with self._writing:
            self._derived.mapping = self._mapping
            return self._pending.take(self._mapping, self._analyzers), self._documents.last_seq

    def remap(self, mapping: IndexMapping) -> None:
        """Index later writes by this mapping (it only ever grows)."""
        with self._writing:
            self._mapping = mapping

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Take the index's flat settings: refresh interval, durability, analysis (for what is derived from now on)."""
        analyzers = Analyzers(settings)
        analyzers.check()
        before, self._settings = making_of(self._settings), dict(settings)
        self.interval = refresh_seconds(settings)
        self._documents.set_durable(durable(settings))
        if before != making_of(self._settings):
            self._analyzers = analyzers
            self.rebuild()

    def stats(self) -> IndexStats:
        """Return counts and sizes."""
        living, superseded = self._documents.counts()
        return IndexStats(
            living, superseded, self._view.documents, self.pending, self._derived.segments,
            0 if self._folder is None else _size(self._folder), self._documents.last_seq, *self._derived.vectors,
            self._workload.done(),
        )  # fmt: skip

    def embedded(self) -> EmbeddingCounts:
        """Return the sum of the counts of all that was written."""
        return self._documents.embedded()

    def flush(self) -> None:
        """Refresh, seal what is in memory, and move the log of the documents into their file."""
        with self._tending:
            self.refresh()
            self._round(lambda derived: derived.plan_seal())
            self._documents.checkpoint()

    def force_merge(self) -> None:
        """Merge to one segment; returns when done (a graph over it is built after that, in the background)."""
        with self._tending:
            self.refresh()
            self._round(lambda derived: derived.plan_all())

    def rebuild(self) -> None:
        """Delete every search structure and derive it anew from the documents; searches and writes go on meanwhile."""
        with self._tending:
            held = self.snapshot()  # deaths from here on are remembered until they were caught up with
            try:
                derived = self._derive(held.view.seq)
                with self._refreshing:
                    self._catch_up(derived)
                    self._publish()
                    self._torn = False
            finally:
                held.close()

    def tend(self) -> bool:
        """Seal, merge, renew a worn text index or empty the log: one of them if it is due. False when nothing was."""
        with self._tending:
            if self._closed:
                return False
            idle = time.monotonic() - self._written_at >= self._limits.idle_s
            if self._round(lambda derived: derived.plan(self._limits, idle=idle)):
                return True
            if self._derived.lexicons.dead_share(self._limits.removals) > self._limits.dead_text:
                self._renew_text()
                return True
            if idle and self._log_full:
                self._log_full = False
                self._documents.checkpoint()
                return True
            return False

    def build_graph(self) -> bool:
        """Build one graph that is wanted; False when there is none. Takes long, and keeps nobody waiting."""
        with self._refreshing:
            derived = self._derived
            job = None if self._stop.is_set() else derived.plan_graph(self._limits)
        if job is None:
            return False
        try:
            graph = job.build(self._stop)
        except Stopped:
            return False
        with self._refreshing:
            usable = derived is self._derived and not self._torn and not self._closed
            if usable and derived.settle_graph(job, graph):
                self._publish()
        return True

    def give_up_graphs(self) -> None:
        """Let a build of a graph that is under way end soon, unfinished, and begin no other."""
        self._stop.set()

    def when_free(self, act: Callable[[], None]) -> None:
        """Run ``act`` once no snapshot is held."""
        with self._publishing:
            if self._held:
                self._when_free = act
                return
        act()

    def close(self, *, keep: bool = True) -> None:
        """Close everything, with all on disk that the next start needs (``keep``). Idempotent."""
        self._stop.set()
        with self._tending, self._refreshing:
            if self._closed:
                return
            self._closed = True
            sealed = False
            try:
                if keep and self._places is not None:
                    self.flush()
                    sealed = True
            finally:
                self._derived.close()
                if sealed:
                    note_texts(self._derived, self._documents)
                self._documents.close()

    def _open(self) -> Derived:
        if self._folder is None or self._places is None:
            return fresh(None, self._documents, self._mapping, self._analyzers, self._documents.last_seq)
        making = making_of(self._settings)
        derived, self.loaded = opened(
            self._folder, self._places, self._documents, self._mapping, self._analyzers, making
        )  # fmt: skip
        return derived

    def _derive(self, until: int) -> Derived:
        return fresh(self._places, self._documents, self._mapping, self._analyzers, until)

    def _replace(self, derived: Derived) -> None:
        old, self._derived = self._derived, derived
        self._save()
        old.close()

    def _catch_up(self, derived: Derived) -> None:
        with self._writing:
            self._pending.forget()
            until, derived.mapping = self._documents.last_seq, self._mapping
        try:
            derived.catch_up(until)
        except SlotsExhausted:
            derived.close()
            derived = self._derive(until)
        self._replace(derived)
        self._sweep()

    def _round(self, plan: Callable[[Derived], Job | None]) -> bool:
        """Do one job while others go on, and publish what it made; False when there was none."""
        with self._refreshing:
            derived = self._derived
            job = None if self._torn else plan(derived)
        if job is None:
            return False
        made = None
        done = False
        try:
            made = derived.carry_out(job)
            done = True
        finally:
            with self._refreshing:
                if not done:
                    derived.give_up()
                elif derived is self._derived and not self._torn:  # no refresh had to derive anew meanwhile
                    derived.settle(job, made)
                    self._save()
                    self._publish()
        self._sweep()
        return True

    def _renew_text(self) -> None:
        """Build the text indexes aside, without what is superseded, and swap them in."""
        if self._places is None:
            return
        held = self.snapshot()
        try:
            with self._refreshing:
                derived = self._derived
            generation, folder = self._places.new_lexicons()
            lexicons = Lexicons.begin(folder, self._analyzers, derived.lexicons.slots)
            for run in derived.runs(-1, held.view.seq):
                lexicons.index(text_rows(run), held.view.mapping)
            lexicons.commit()
            with self._refreshing:
                if derived is self._derived and not self._torn:
                    old = derived.use_generation(generation, lexicons)
                    self._publish()  # commits the text that the manifest then names
                    self._save()
                    old.close()
        finally:
            held.close()
        self._sweep()

    def _save(self) -> None:
        if self._places is not None:
            save(self._derived, self._documents, making_of(self._settings))

    def _sweep(self) -> None:
        """Only who tends may: what others are making is not yet named."""
        if self._places is not None:
            with self._refreshing:
                self._places.sweep(self._derived.manifest(making_of(self._settings)))

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


def _size(folder: Path) -> int:
    """The bytes of all files; what a merge deletes meanwhile counts nothing."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += Path(place, name).stat().st_size
    return total

"""The truth: every document of one index in SQLite, one row per operation, durable when a write returns."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray

from antiphon.domain.embedding_report import EmbeddingCounts
from antiphon.domain.store import StoredDocument, VersionType, Write, Written
from antiphon.errors import AntiphonError, VersionConflict

_SCHEMA = """
create table if not exists docs(
    seq integer primary key, id text not null, version integer not null, routing text, source blob not null,
    dead_at integer);
create unique index if not exists living on docs(id) where dead_at is null;
create index if not exists by_id on docs(id);
create index if not exists dead on docs(dead_at) where dead_at is not null;
create table if not exists graves(
    id text primary key, version integer not null, seq integer not null, dug_at real not null default 0);
create index if not exists by_age on graves(dug_at);
create table if not exists facts(name text primary key, value) without rowid;
"""
_COLUMNS = "id, source, version, seq, routing"
_AT_ONCE = 500
_EMBEDDED = "embedded"
GRAVE_S = 60.0
"""How long the version of a deleted document is remembered (``index.gc_deletes``)."""


class Documents:
    """One writer connection under a lock; readers on connections of their own. ``path`` None: in memory."""

    def __init__(self, path: Path | None, *, durable: bool = True, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.RLock()
        self._connecting = threading.Lock()
        self._readers = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._writer = self._connect()
        self._writer.execute("pragma journal_mode=wal")
        self._writer.execute("pragma fullfsync=1")
        self.set_durable(durable)
        self._date_graves()
        self._writer.executescript(_SCHEMA)
        self.last_seq = int(self.fact("last_seq", -1))

    def _date_graves(self) -> None:
        columns = [row[1] for row in self._writer.execute("pragma table_info(graves)")]
        if columns and "dug_at" not in columns:  # made before graves had a date
            self._writer.execute("alter table graves add column dug_at real not null default 0")

    def set_durable(self, durable: bool) -> None:
        """Sync to disk at every commit (True), or leave that to the operating system."""
        with self._lock:
            self._writer.execute(f"pragma synchronous={'full' if durable else 'normal'}")

    def apply(self, writes: Sequence[Write]) -> list[Written | AntiphonError]:
        """Apply in order, in one commit; a conflict fails its item only."""
        with self._lock:
            before = self.last_seq
            self._writer.execute("begin immediate")
            try:
                outcomes = [self._apply(write) for write in writes]
                self._count(writes, outcomes)
                self._writer.execute("insert or replace into facts values('last_seq', ?)", (self.last_seq,))
                self._writer.execute("commit")
            except BaseException:
                self._writer.execute("rollback")
                self.last_seq = before
                raise
            return outcomes

    def _apply(self, write: Write) -> Written | AntiphonError:
        held = self._writer.execute(
            "select version, seq from docs where id = ? and dead_at is null", (write.id,)
        ).fetchone()
        try:
            version = _next_version(write, held, self._grave(write.id) if held is None else None)
        except VersionConflict as conflict:
            return conflict
        self.last_seq = seq = self.last_seq + 1
        if held is not None:
            self._writer.execute("update docs set dead_at = ? where seq = ?", (seq, held[1]))
        if write.source is None:
            grave = (write.id, version, seq, self._clock())
            self._writer.execute("insert or replace into graves values(?, ?, ?, ?)", grave)
            return Written("deleted" if held is not None else "not_found", version, seq)
        if held is None:
            self._writer.execute("delete from graves where id = ?", (write.id,))
        row = (seq, write.id, version, write.routing, write.source)
        self._writer.execute("insert into docs(seq, id, version, routing, source) values(?, ?, ?, ?, ?)", row)
        return Written("created" if held is None else "updated", version, seq)

    def _count(self, writes: Sequence[Write], outcomes: Sequence[Written | AntiphonError]) -> None:
        total = EmbeddingCounts()
        for write, outcome in zip(writes, outcomes, strict=True):
            if write.embedded is not None and isinstance(outcome, Written):
                total.add(write.embedded)
        if total.fields:
            held = self._writer.execute("select value from facts where name = ?", (_EMBEDDED,)).fetchone()
            total.add(EmbeddingCounts.read(None if held is None else orjson.loads(held[0])))
            text = orjson.dumps(total.write()).decode()
            self._writer.execute("insert or replace into facts values(?, ?)", (_EMBEDDED, text))

    def embedded(self) -> EmbeddingCounts:
        """Return the sum of the counts of all that was written."""
        text = self.noted(_EMBEDDED)
        return EmbeddingCounts.read(None if text is None else orjson.loads(text))

    def _grave(self, doc_id: str) -> int | None:
        row = self._writer.execute("select version from graves where id = ?", (doc_id,)).fetchone()
        return None if row is None else int(row[0])

    def get_many(self, ids: Sequence[str]) -> list[StoredDocument | None]:
        """Return the documents as last written, in the order of ``ids``."""
        found: dict[str, StoredDocument] = {}
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE]
            query = f"select {_COLUMNS} from docs where dead_at is null and id in ({_marks(some)})"  # noqa: S608 - question marks only
            found |= {row[0]: StoredDocument(*row) for row in self._reader().execute(query, some)}
        return [found.get(doc_id) for doc_id in ids]

    def by_seq(self, seqs: Sequence[int], *, sources: bool = True) -> list[StoredDocument]:
        """Return the documents written under these sequence numbers, in order; with ``sources`` False without them."""
        columns = _COLUMNS if sources else _COLUMNS.replace("source", "x'' as source")
        found: dict[int, StoredDocument] = {}
        for start in range(0, len(seqs), _AT_ONCE):
            some = seqs[start : start + _AT_ONCE]
            query = f"select {columns} from docs where seq in ({_marks(some)})"  # noqa: S608 - question marks only
            found |= {row[3]: StoredDocument(*row) for row in self._reader().execute(query, some)}
        return [found[seq] for seq in seqs]

    def ids_of(self, seqs: Sequence[int]) -> list[str]:
        """Return the ids written under these sequence numbers, in order."""
        found: dict[int, str] = {}
        for start in range(0, len(seqs), _AT_ONCE):
            some = seqs[start : start + _AT_ONCE]
            query = f"select seq, id from docs where seq in ({_marks(some)})"  # noqa: S608 - question marks only
            found.update(self._reader().execute(query, some))
        return [found[seq] for seq in seqs]

    def seqs_of(self, ids: Sequence[str], until: int) -> dict[str, int]:
        """Return id -> sequence number of what was current after operation ``until``."""
        found: dict[str, int] = {}
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE]
            query = f"select id, seq from docs where id in ({_marks(some)})"  # noqa: S608 - question marks only
            query += " and seq <= ? and (dead_at is null or dead_at > ?)"
            found.update(self._reader().execute(query, (*some, until, until)))
        return found

    def living(self, after: int, until: int) -> Iterator[tuple[int, str, bytes]]:
        """Yield (seq, id, source) of what was written in ``after < seq <= until`` and is current after ``until``."""
        query = "select seq, id, source from docs where seq > ? and seq <= ? and (dead_at is null or dead_at > ?)"
        yield from self._reader().execute(query + " order by seq", (after, until, until))

    def died(self, after: int, until: int) -> list[int]:
        """Return the sequence numbers that an operation in ``after < seq <= until`` superseded, ascending."""
        query = "select seq from docs where dead_at > ? and dead_at <= ? order by seq"
        return [row[0] for row in self._reader().execute(query, (after, until))]

    def purge(self, until: int) -> None:
        """Forget what was superseded at or before operation ``until``, and the versions of what is long deleted."""
        with self._lock:
            self._writer.execute("delete from docs where dead_at <= ?", (until,))
            self._writer.execute("delete from graves where dug_at < ?", (self._clock() - GRAVE_S,))

    def living_seqs(self) -> NDArray[np.int64]:
        """Return the sequence numbers of all current documents, ascending."""
        rows = self._reader().execute("select seq from docs indexed by living where dead_at is null")
        return np.sort(np.fromiter((row[0] for row in rows), np.int64))

    def note(self, name: str, text: str) -> None:
        """Remember a text, on disk when this returns whatever the durability of writes."""
        with self._lock:
            held = self._writer.execute("pragma synchronous").fetchone()[0]
            self._writer.execute("pragma synchronous=full")
            self._writer.execute("insert or replace into facts values(?, ?)", (name, text))
            self._writer.execute(f"pragma synchronous={held}")

    def noted(self, name: str) -> str | None:
        """Return a remembered text."""
        row = self._reader().execute("select value from facts where name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def checkpoint(self) -> None:
        """Move the log into the database file, as far as readers allow."""
        with self._lock:
            self._writer.execute("pragma wal_checkpoint(truncate)").fetchall()

    def counts(self) -> tuple[int, int]:
        """Return (living, superseded) documents."""
        row = self._reader().execute("select count(*) - count(dead_at), count(dead_at) from docs").fetchone()
        return int(row[0]), int(row[1])

    def fact(self, name: str, default: int) -> int:
        """Return a remembered number."""
        row = self._reader().execute("select value from facts where name = ?", (name,)).fetchone()
        return default if row is None else int(row[0])

    def close(self) -> None:
        """Close every connection. Idempotent."""
        with self._lock, self._connecting:
            for connection in self._all:
                connection.close()
            self._all.clear()

    def _connect(self) -> sqlite3.Connection:
        name = ":memory:" if self._path is None else str(self._path)
        with self._connecting:
            connection = sqlite3.connect(name, isolation_level=None, check_same_thread=False, timeout=60)
            self._all.append(connection)
        return connection

    def _reader(self) -> sqlite3.Connection:
        if self._path is None:
            return self._writer
        connection: sqlite3.Connection | None = getattr(self._readers, "connection", None)
        if connection is None:
            connection = self._readers.connection = self._connect()
        return connection


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))


def _next_version(write: Write, held: tuple[int, int] | None, grave: int | None) -> int:
    current = held[0] if held is not None else grave
    if write.version_type is not VersionType.INTERNAL and write.version is not None:
        allowed = write.version_type is VersionType.EXTERNAL_GTE
        if current is not None and not (write.version > current or (allowed and write.version == current)):
            relation = "higher than" if allowed else "higher or equal to"
            raise VersionConflict(
                f"[{write.id}]: version conflict, current version [{current}] is {relation} the one provided "
                f"[{write.version}]"
            )
        return write.version
    if write.create and held is not None:
        raise VersionConflict(f"[{write.id}]: version conflict, document already exists (current version [{held[0]}])")
    if write.if_seq_no is not None and (held is None or held[1] != write.if_seq_no or write.if_primary_term != 1):
        wanted = f"required seqNo [{write.if_seq_no}], primary term [{write.if_primary_term}]."
        if held is None:
            raise VersionConflict(f"[{write.id}]: version conflict, {wanted} but no document was found")
        found = f"current document has seqNo [{held[1]}] and primary term [1]"
        raise VersionConflict(f"[{write.id}]: version conflict, {wanted} {found}")
    if write.version is not None and current != write.version:
        raise VersionConflict(
            f"[{write.id}]: version conflict, current version [{-1 if current is None else current}] is different "
            f"than the one provided [{write.version}]"
        )
    return 1 if current is None else current + 1

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
from antiphon.domain.store import StoredDocument, Write, Written
from antiphon.engine.batch import Batch
from antiphon.errors import AntiphonError
from antiphon.precedence import giving_way

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
_PAGE_BYTES = 32_768
"""A document with a vector of 384 to 1,536 numbers takes 5 to 20 kB: with small pages a bulk takes twice as long."""
_LOG_BYTES = 8_000_000
"""How long the log gets before it is moved into the file."""
_CACHE_KIB = 8_000
"""Pages of the writing connection that are kept: the ids come in no order."""
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
        self._writer.execute(f"pragma page_size={_PAGE_BYTES}")  # of a new file
        self._writer.execute("pragma journal_mode=wal")
        self._writer.execute("pragma fullfsync=1")
        self._writer.execute(f"pragma cache_size=-{_CACHE_KIB}")
        page_bytes = self._writer.execute("pragma page_size").fetchone()[0]
        self._writer.execute(f"pragma wal_autocheckpoint={_LOG_BYTES // page_bytes}")
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
            self._writer.execute("begin immediate")
            try:
                batch = self._batch(writes)
                outcomes: list[Written | AntiphonError] = [batch.apply(write) for write in giving_way(writes)]
                batch.store(self._writer)
                self._count(writes, outcomes)
                self._writer.execute("insert or replace into facts values('last_seq', ?)", (batch.last_seq,))
                self._writer.execute("commit")
            except BaseException:
                if self._writer.in_transaction:  # SQLite ends it itself when the disk is full
                    self._writer.execute("rollback")
                raise
            self.last_seq = batch.last_seq
            return outcomes

    def _batch(self, writes: Sequence[Write]) -> Batch:
        """What the writes meet: the living documents and the graves of their ids."""
        held: dict[str, tuple[int, int]] = {}
        graves: dict[str, int] = {}
        ids = list(dict.fromkeys(write.id for write in writes))
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE]
            living = f"select id, version, seq from docs where dead_at is null and id in ({_marks(some)})"  # noqa: S608 - question marks only
            held |= {doc_id: (version, seq) for doc_id, version, seq in self._writer.execute(living, some)}
            dead = f"select id, version from graves where id in ({_marks(some)})"  # noqa: S608 - question marks only
            graves |= dict(self._writer.execute(dead, some))
        return Batch(held, graves, self.last_seq, self._clock())

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
        query = "select json_group_array(seq) from docs indexed by living where dead_at is null"
        (text,) = self._reader().execute(query).fetchone()  # one value: rows take three times as long
        return np.sort(np.array(orjson.loads(text), np.int64))

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
        living = "select count(*) from docs indexed by living where dead_at is null"  # the documents would all be read
        dead = "select count(*) from docs indexed by dead where dead_at is not null"
        row = self._reader().execute(f"select ({living}), ({dead})").fetchone()
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

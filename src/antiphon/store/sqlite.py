"""Rows in one SQLite file: the write-ahead log is on disk before a write is acknowledged."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from antiphon.errors import AntiphonError, Unavailable
from antiphon.store.catalog import DocumentCatalog
from antiphon.store.folder_lock import FolderLock
from antiphon.store.memory import MemoryRows
from antiphon.store.rows import Kind, Row, following

_MIGRATIONS = (
    (
        """CREATE TABLE document (
               kind TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, seq_no INTEGER NOT NULL,
               first INTEGER NOT NULL, name TEXT, body BLOB,
               PRIMARY KEY (kind, id)
           )""",
        "CREATE UNIQUE INDEX document_by_seq_no ON document (kind, seq_no)",
        "CREATE INDEX document_by_name ON document (kind, name) WHERE name IS NOT NULL",
    ),
)
"""Statements that lead from each schema version to the next; the version is kept in ``PRAGMA user_version``."""

_SCHEMA = len(_MIGRATIONS)
_COLUMNS = "id, version, seq_no, first, name, body"


class SqliteRows:
    """See ``Rows``. One connection writes; readers borrow one each and see the last commit.

    ``path`` is the database file; its folder, created when missing, is locked against other processes.
    AntiphonError when the folder is in use, or the file is damaged or written by a newer version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._writer: int | None = None
        self._depth = 0
        self._idle: list[sqlite3.Connection] = []
        self._pool_lock = threading.Lock()
        self._closed = False
        self._folder_lock = FolderLock(path.parent)
        try:
            self._connection = self._open()
        except BaseException:
            self._folder_lock.release()
            raise

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """See ``Rows``."""
        with self._lock:
            self._check_open()
            name = f"level_{self._depth}"
            begin = f"SAVEPOINT {name}" if self._depth else "BEGIN IMMEDIATE"
            commit = f"RELEASE {name}" if self._depth else "COMMIT"
            rollback = f"ROLLBACK TO {name}; RELEASE {name}" if self._depth else "ROLLBACK"
            self._execute(begin)
            self._depth += 1
            self._writer = threading.get_ident()
            try:
                yield
                self._execute(commit)
            except BaseException:
                self._undo(rollback)
                raise
            finally:
                self._depth -= 1
                self._writer = self._writer if self._depth else None

    def get(self, kind: Kind, row_id: str) -> Row | None:
        """See ``Rows``."""
        row = self._any(kind, row_id)
        return None if row is None or row.body is None else row

    def named(self, kind: Kind, name: str) -> Row | None:
        """See ``Rows``."""
        where = "kind = ? AND name = ? AND body IS NOT NULL ORDER BY first LIMIT 1"
        return next(iter(self._select(where, kind, name)), None)

    def all(self, kind: Kind) -> list[Row]:
        """See ``Rows``."""
        return self._select("kind = ? AND body IS NOT NULL ORDER BY first", kind)

    def delete(self, kind: Kind, row_id: str) -> Row | None:
        """See ``Rows``."""
        with self.transaction():
            return None if self.get(kind, row_id) is None else self.put(kind, row_id, None, None)

    def close(self) -> None:
        """See ``Rows``; waits for a running transaction, then folds the log into the file."""
        with self._lock:
            with self._pool_lock:
                idle, self._idle = self._idle, []
                closed, self._closed = self._closed, True
            if closed:
                return
            for connection in (*idle, self._connection):
                connection.close()
            self._folder_lock.release()

    def put(self, kind: Kind, row_id: str, name: str | None, body: bytes | None) -> Row:
        """See ``Rows``; without a body the row is deleted."""
        with self.transaction():
            (last,) = self._execute("SELECT max(seq_no) FROM document WHERE kind = ?", kind)[0]
            row = following(self._any(kind, row_id), row_id, 0 if last is None else last + 1, name, body)
            self._execute(
                f"INSERT OR REPLACE INTO document (kind, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
                kind, row.id, row.version, row.seq_no, row.first, row.name, row.body,
            )  # fmt: skip
        return row

    def _any(self, kind: Kind, row_id: str) -> Row | None:
        return next(iter(self._select("kind = ? AND id = ?", kind, row_id)), None)

    def _select(self, where: str, *values: Any) -> list[Row]:
        statement = f"SELECT {_COLUMNS} FROM document WHERE {where}"  # noqa: S608  `where` is ours, values are bound
        if self._writer == threading.get_ident():
            return [Row(*found) for found in self._execute(statement, *values)]
        with self._reader() as connection, self._translated():
            return [Row(*found) for found in connection.execute(statement, values)]

    def _execute(self, statement: str, *values: Any) -> list[Any]:
        with self._translated():
            return self._connection.execute(statement, values).fetchall()

    def _undo(self, rollback: str) -> None:
        if not self._connection.in_transaction:  # SQLite has rolled back by itself, as it does when the disk is full
            return
        with self._translated():
            for statement in rollback.split("; "):
                self._connection.execute(statement)

    @contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        with self._pool_lock, self._translated():
            self._check_open()
            connection = self._idle.pop() if self._idle else self._connect()
        try:
            yield connection
        finally:
            with self._pool_lock:
                if self._closed:
                    connection.close()
                else:
                    self._idle.append(connection)

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable("the catalog is closed")

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA synchronous = FULL")
        except BaseException:
            connection.close()
            raise
        return connection

    def _open(self) -> sqlite3.Connection:
        with self._translated():
            connection = self._connect()
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                self._check(connection)
                self._migrate(connection)
            except BaseException:
                connection.close()
                raise
        return connection

    def _check(self, connection: sqlite3.Connection) -> None:
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise self._damaged(verdict)

    def _migrate(self, connection: sqlite3.Connection) -> None:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > _SCHEMA:
            raise AntiphonError(
                f"the catalog [{self._path}] has schema version {version}, this version of Antiphon reads up to "
                f"{_SCHEMA}; start the newer Antiphon that wrote it, or choose another data folder"
            )
        if version == _SCHEMA:
            return
        connection.execute("BEGIN IMMEDIATE")
        for statements in _MIGRATIONS[version:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {_SCHEMA}")
        connection.execute("COMMIT")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", None) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise self._damaged(str(error)) from error
            raise AntiphonError(f"the catalog [{self._path}] cannot be used: {error}") from error

    def _damaged(self, what: str) -> AntiphonError:
        return AntiphonError(
            f"the catalog [{self._path}] is damaged: {what}; put a copy in its place, "
            "or move it away to start with an empty one"
        )


class SqliteCatalog(DocumentCatalog):
    """A catalog in the database file ``path``, whose folder no other process may use until ``close``.

    AntiphonError when the folder is in use or the file is damaged or written by a newer version.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(SqliteRows(path), MemoryRows())

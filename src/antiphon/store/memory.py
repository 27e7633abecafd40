"""The in-memory twin: copy-on-write dictionaries with the semantics of the SQLite rows, forgotten at exit."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from antiphon.errors import Unavailable
from antiphon.store.catalog import DocumentCatalog
from antiphon.store.rows import Kind, Row, following

_State = dict[Kind, dict[str, Row]]


class MemoryRows:
    """Readers hold the published state, which is never changed in place; a writer works on a copy."""

    def __init__(self) -> None:
        self._published: _State = {kind: {} for kind in Kind}
        self._draft: _State | None = None
        self._lock = threading.RLock()
        self._writer: int | None = None
        self._closed = False

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """See ``Rows``."""
        with self._lock:
            before, outer = self._state(), self._draft
            writer, self._writer = self._writer, threading.get_ident()
            self._draft = {kind: dict(rows) for kind, rows in before.items()}
            try:
                yield
            except BaseException:
                self._draft = outer
                raise
            else:
                if outer is None:
                    self._published, self._draft = self._draft, None
            finally:
                self._writer = writer

    def get(self, kind: Kind, row_id: str) -> Row | None:
        """See ``Rows``."""
        row = self._state()[kind].get(row_id)
        return None if row is None or row.body is None else row

    def named(self, kind: Kind, name: str) -> Row | None:
        """See ``Rows``."""
        return next((row for row in self.all(kind) if row.name == name), None)

    def all(self, kind: Kind) -> list[Row]:
        """See ``Rows``."""
        living = (row for row in self._state()[kind].values() if row.body is not None)
        return sorted(living, key=lambda row: row.first)

    def delete(self, kind: Kind, row_id: str) -> Row | None:
        """See ``Rows``."""
        with self.transaction():
            return None if self.get(kind, row_id) is None else self.put(kind, row_id, None, None)

    def close(self) -> None:
        """See ``Rows``."""
        with self._lock:
            self._closed = True

    def put(self, kind: Kind, row_id: str, name: str | None, body: bytes | None) -> Row:
        """See ``Rows``; without a body the row is deleted."""
        with self.transaction():
            rows = self._state()[kind]
            seq_no = 1 + max((row.seq_no for row in rows.values()), default=-1)
            row = rows[row_id] = following(rows.get(row_id), row_id, seq_no, name, body)
        return row

    def _state(self) -> _State:
        if self._closed:
            raise Unavailable("the catalog is closed")
        draft = self._draft
        return draft if draft is not None and self._writer == threading.get_ident() else self._published


class MemoryCatalog(DocumentCatalog):
    """A catalog for tests and for servers without a data folder."""

    def __init__(self) -> None:
        super().__init__(MemoryRows(), MemoryRows())

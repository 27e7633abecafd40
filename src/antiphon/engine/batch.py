"""What a batch of writes does to the documents of an index: worked out in order, then stored in a few statements."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from antiphon.domain.store import VersionType, Write, Written
from antiphon.errors import VersionConflict
from antiphon.precedence import giving_way

Row = tuple[int, str, int, str | None, bytes]
"""Sequence number, id, version, routing and source of a document."""


class Batch:
    """``held`` are (version, sequence number) of the batch's documents that live, ``graves`` the versions of dead ones.

    ``last_seq`` is the last sequence number given; ``now`` when its graves are dug, in epoch seconds.
    """

    def __init__(self, held: dict[str, tuple[int, int]], graves: dict[str, int], last_seq: int, now: float) -> None:
        self._held = held
        self._stored = {seq for _, seq in held.values()}
        self._graves: dict[str, tuple[int, int | None]] = {one: (version, None) for one, version in graves.items()}
        self._filled: set[str] = set()
        self._rows: dict[int, Row] = {}
        self._dead: dict[int, int] = {}
        self._now = now
        self.last_seq = last_seq

    def apply(self, write: Write) -> Written | VersionConflict:
        """Do one write after those before it; a conflict changes nothing."""
        held = self._held.pop(write.id, None)
        grave = self._graves.get(write.id)
        try:
            version = _next_version(write, held, grave[0] if held is None and grave is not None else None)
        except VersionConflict as conflict:
            if held is not None:
                self._held[write.id] = held
            return conflict
        self.last_seq = seq = self.last_seq + 1
        if held is not None:
            self._dead[held[1]] = seq
        if write.source is None:
            self._graves[write.id] = (version, seq)
            return Written("deleted" if held is not None else "not_found", version, seq)
        if grave is not None:
            del self._graves[write.id]
            self._filled.add(write.id)
        self._held[write.id] = (version, seq)
        self._rows[seq] = (seq, write.id, version, write.routing, write.source)
        return Written("created" if held is None else "updated", version, seq)

    def store(self, writer: sqlite3.Connection) -> None:
        """Put everything into the tables, within the transaction at hand."""
        _each(writer, "update docs set dead_at = ? where seq = ?", (
            (dead_at, seq) for seq, dead_at in self._dead.items() if seq in self._stored
        ))  # fmt: skip
        _each(writer, "insert into docs(seq, id, version, routing, source, dead_at) values(?, ?, ?, ?, ?, ?)", (
            (*row, self._dead.get(seq)) for seq, row in self._rows.items()
        ))  # fmt: skip
        _each(writer, "delete from graves where id = ?", ((one,) for one in self._filled - self._graves.keys()))
        _each(writer, "insert or replace into graves values(?, ?, ?, ?)", (
            (one, version, seq, self._now) for one, (version, seq) in self._graves.items() if seq is not None
        ))  # fmt: skip


def _each(writer: sqlite3.Connection, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
    writer.executemany(statement, giving_way(rows))


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

"""The last results, a file for each kind of machine: figures of different machines are never mixed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from benchmarks.result import Table

FOLDER = Path(__file__).resolve().parent / "results"


@dataclass(frozen=True, slots=True)
class Stored:
    """What one kind of machine has measured; ``date`` is that of its last run, ``minutes`` are by section."""

    machine: Mapping[str, str]
    date: str
    versions: Mapping[str, str] = field(default_factory=dict)
    minutes: Mapping[str, float] = field(default_factory=dict)
    tables: Sequence[Table] = ()

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return what a file holds."""
        body = json.loads(path.read_text(encoding="utf-8"))
        return cls(**body | {"tables": [Table.parse(one) for one in body["tables"]]})

    @classmethod
    def of(cls, machine: Mapping[str, str], date: str) -> Self:
        """Return what this kind of machine has stored, as of today; nothing when it never ran."""
        path = path_of(machine)
        return replace(cls.read(path), machine=machine, date=date) if path.exists() else cls(machine, date)

    def with_run(
        self, tables: Iterable[Table], versions: Mapping[str, str], minutes: Mapping[str, float], order: Iterable[str]
    ) -> Self:
        """Return the results after a run of some sections; tables are in the ``order`` of their names."""
        named = {table.name: table for table in self.tables} | {table.name: table for table in tables}
        return replace(
            self,
            versions={**self.versions, **versions},
            minutes={**self.minutes, **minutes},
            tables=[named[name] for name in order if name in named],
        )

    def write(self) -> None:
        """Store it."""
        FOLDER.mkdir(exist_ok=True)
        body = {
            "machine": dict(self.machine),
            "date": self.date,
            "versions": dict(self.versions),
            "minutes": dict(self.minutes),
            "tables": [table.json() for table in self.tables],
        }
        path_of(self.machine).write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")


def path_of(machine: Mapping[str, str]) -> Path:
    """Return where the results of a kind of machine are: its processor and how many cores of it."""
    kind = re.sub(r", \d+ GiB$", "", machine["processor"])
    return FOLDER / (re.sub(r"[^a-z0-9]+", "-", kind.lower().replace("(r)", "")).strip("-") + ".json")


def everything() -> list[Stored]:
    """Return the results of all machines, the newest first."""
    found = [Stored.read(path) for path in sorted(FOLDER.glob("*.json"))]
    return sorted(found, key=lambda one: one.date, reverse=True)

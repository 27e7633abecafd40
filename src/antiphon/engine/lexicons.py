"""The text indexes of one index, one per nested path that has text, and the file that remembers their slots.

A slot is on disk before anything that is indexed in it: after a crash no field can find another's words.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import tantivy
from numpy.typing import NDArray

from antiphon.domain.mapping import IndexMapping
from antiphon.engine.analysis import Analyzers
from antiphon.engine.lexicon import Lexicon, LexiconView
from antiphon.engine.manifest import Unusable
from antiphon.engine.pack import TextRow
from antiphon.engine.segment_file import sync_folder
from antiphon.precedence import giving_way

SLOTS = 32
_FILE = "slots.json"


class Lexicons:
    """The writing side: one thread at a time. ``folder`` None keeps them in memory, otherwise it exists."""

    def __init__(self, folder: Path | None, analyzers: Analyzers, slots: int = SLOTS) -> None:
        self._folder = folder
        self._analyzers = analyzers
        self._by_path: dict[str, Lexicon] = {}
        self._analyzer_of: dict[str, dict[str, str]] = {}
        self._removed = 0
        self.slots = slots

    @classmethod
    def begin(cls, folder: Path | None, analyzers: Analyzers, slots: int = SLOTS) -> Lexicons:
        """Return empty lexicons in an empty folder."""
        begun = cls(folder, analyzers, slots)
        begun._remember()
        return begun

    @classmethod
    def load(cls, folder: Path, analyzers: Analyzers) -> Lexicons:
        """Return the lexicons of a folder as their last commit left them; Unusable when they cannot be read."""
        try:
            if not folder.is_dir():
                raise Unusable("the text index is missing")
            remembered = orjson.loads((folder / _FILE).read_bytes())
            loaded = cls(folder, analyzers, remembered["slots"])
            for path, fields in remembered["paths"].items():
                loaded._load_one(path, fields)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Unusable(f"the text index cannot be read ({error})") from error
        return loaded

    def _load_one(self, path: str, fields: Mapping[str, Sequence[str]]) -> None:
        place = self._place(len(self._by_path))
        if place is None or not tantivy.Index.exists(str(place)):
            raise Unusable(f"the text index of [{path or '_doc'}] is missing")
        lexicon = Lexicon(place, {name: slot for name, (slot, _) in fields.items()}, self._analyzers, self.slots)
        self._by_path[path] = lexicon
        self._analyzer_of[path] = {}
        for name, (_, analyzer) in fields.items():
            lexicon.assign(name, analyzer)
            self._analyzer_of[path][name] = analyzer

    def paths(self) -> list[str]:
        """Return the nested paths that have text."""
        return list(self._by_path)

    def index(self, rows: Sequence[TextRow], mapping: IndexMapping) -> None:
        """Index texts."""
        self._assign(rows, mapping)
        for _, path, key, texts in giving_way(rows):
            self._by_path[path].add(key, texts)

    def remove(self, path: str, keys: Iterable[int]) -> None:
        """Drop documents or objects by key."""
        if (lexicon := self._by_path.get(path)) is not None:
            gone = list(keys)
            lexicon.remove(gone)
            self._removed += len(gone)

    def commit(self) -> dict[str, LexiconView]:
        """Make everything durable and return the views of it."""
        return {path: lexicon.commit() for path, lexicon in self._by_path.items()}

    def keys(self, path: str) -> NDArray[np.int64]:
        """Return the keys that are indexed now, committed and ascending."""
        if (lexicon := self._by_path.get(path)) is None:
            return np.zeros(0, np.int64)
        return np.sort(lexicon.commit().all(tantivy.Query.all_query())[0])

    def size(self, path: str) -> int:
        """Return how many documents or objects are indexed and committed, superseded ones not counted."""
        return self._by_path[path].view().size if path in self._by_path else 0

    def stamps(self) -> dict[str, int]:
        """Return the number of the last commit of each."""
        return {path: _meta(place)["opstamp"] for path, place in self._places()}

    def dead_share(self, after: int) -> float:
        """Return the largest share of superseded entries in a text index (0..1); looks once per ``after`` removals."""
        if self._folder is None or self._removed < after:
            return 0.0
        self._removed = 0
        return max((_dead_share(place) for _, place in self._places()), default=0.0)

    def close(self) -> None:
        """Let merges finish and free the folder. Idempotent."""
        for lexicon in self._by_path.values():
            lexicon.close()

    def _assign(self, rows: Sequence[TextRow], mapping: IndexMapping) -> None:
        fields: dict[str, dict[str, None]] = {}
        for _, path, _, texts in rows:
            fields.setdefault(path, {}).update(dict.fromkeys(texts))
        new = False
        for path, names in fields.items():
            if (lexicon := self._by_path.get(path)) is None:
                lexicon = Lexicon(self._place(len(self._by_path)), {}, self._analyzers, self.slots)
                self._by_path[path] = lexicon
                self._analyzer_of[path] = {}
            for name in names:
                if name not in lexicon.slots:
                    known = mapping.field(name)
                    analyzer = known.analyzer if known is not None else "standard"
                    lexicon.assign(name, analyzer)
                    self._analyzer_of[path][name] = analyzer
                    new = True
        if new:
            self._remember()

    def _places(self) -> Iterator[tuple[str, Path]]:
        for number, path in enumerate(self._by_path):
            if (place := self._place(number)) is not None:
                yield path, place

    def _place(self, number: int) -> Path | None:
        return None if self._folder is None else self._folder / str(number)

    def _remember(self) -> None:
        if self._folder is None:
            return
        paths = {
            path: {name: (lexicon.slots[name], analyzer) for name, analyzer in self._analyzer_of[path].items()}
            for path, lexicon in self._by_path.items()
        }
        unfinished = self._folder / f"{_FILE}.unfinished"
        with unfinished.open("wb") as file:
            file.write(orjson.dumps({"slots": self.slots, "paths": paths}))
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self._folder / _FILE)
        sync_folder(self._folder)


def _meta(place: Path) -> dict[str, Any]:
    meta: dict[str, Any] = orjson.loads((place / "meta.json").read_bytes())
    return meta


def _dead_share(place: Path) -> float:
    segments = _meta(place)["segments"]
    entries = sum(segment["max_doc"] for segment in segments)
    dead = sum((segment.get("deletes") or {}).get("num_deleted_docs", 0) for segment in segments)
    return dead / entries if entries else 0.0

"""What of an index's search structures is on disk, and where: the manifest (kept with the documents) and its folders.

A manifest changes in one commit of the documents' database, after everything it names is on disk. What it does not
name is left over and goes at the next start.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson

FORMAT = 2
"""Raised when segments or lexicons can no longer be read, or texts become other terms: they are then derived anew."""


class Unusable(Exception):
    """What is on disk is missing, damaged or of another making, and must be derived anew; the text says which."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """One segment on disk: the number of its folder, and its first and last sequence number."""

    number: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """``segments`` in order of keys hold every document written at or before ``until`` that lives.

    ``generation`` numbers the folder of the lexicons, ``making`` is a fingerprint of all that shaped them.
    """

    segments: tuple[Sealed, ...]
    until: int
    generation: int
    making: str

    def dump(self) -> str:
        """Return the text that ``read`` takes."""
        return orjson.dumps(asdict(self)).decode()

    @classmethod
    def read(cls, text: str, making: str) -> Manifest:
        """Return the manifest of a text; Unusable when it was made another way than ``making``."""
        try:
            found = orjson.loads(text)
            segments = tuple(Sealed(**sealed) for sealed in found["segments"])
            manifest = cls(segments, found["until"], found["generation"], found["making"])
        except (ValueError, KeyError, TypeError) as error:
            raise Unusable(f"their manifest cannot be read ({error})") from error
        if manifest.making != making:
            raise Unusable("they were made by another version, or with other analysis settings")
        return manifest


def making_of(settings: Mapping[str, Any]) -> str:
    """Return the fingerprint of what shapes the search structures: our format, the library's, the analysis settings."""
    analysis = {key: value for key, value in settings.items() if key.startswith("index.analysis.")}
    parts = [FORMAT, version("tantivy"), analysis]
    return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()


class Places:
    """The folders below an index's folder: ``seg/<number>`` for segments, ``lex/<generation>`` for lexicons."""

    def __init__(self, folder: Path) -> None:
        self._segments = folder / "seg"
        self._lexicons = folder / "lex"
        for place in (self._segments, self._lexicons):
            place.mkdir(parents=True, exist_ok=True)
        self._number = max(map(int, _names(self._segments)), default=-1)
        self._generation = max(map(int, _names(self._lexicons)), default=-1)

    def new_segment(self) -> tuple[int, Path]:
        """Return a number that no segment has, and its folder, made."""
        self._number += 1
        place = self.segment(self._number)
        place.mkdir()
        return self._number, place

    def segment(self, number: int) -> Path:
        """Return the folder of a segment."""
        return self._segments / str(number)

    def new_lexicons(self) -> tuple[int, Path]:
        """Return a generation that no lexicons have, and its folder, made."""
        self._generation += 1
        place = self.lexicons(self._generation)
        place.mkdir()
        return self._generation, place

    def lexicons(self, generation: int) -> Path:
        """Return the folder of a generation of lexicons."""
        return self._lexicons / str(generation)

    def sweep(self, manifest: Manifest) -> None:
        """Delete what the manifest does not name, as far as the system lets go of it."""
        kept = {str(sealed.number) for sealed in manifest.segments}
        for name in _names(self._segments) - kept:
            shutil.rmtree(self._segments / name, ignore_errors=True)
        for name in _names(self._lexicons) - {str(manifest.generation)}:
            shutil.rmtree(self._lexicons / name, ignore_errors=True)


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.name.isdecimal()}

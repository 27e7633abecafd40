"""Is a document the same on both sides? Vectors that a side makes itself when it is written need only agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from antiphon.domain.semantic import semantic_fields
from antiphon.remote import segment
from antiphon.transfer.journal import Journal
from antiphon.transfer.side import Side
from antiphon.transfer.vectors import Agreement


@dataclass(frozen=True, slots=True)
class Alike:
    """Compares sources; ``infos`` are the dotted paths that the other side fills by itself, as it does for ``semantic``
    fields with whatever model it has under another id."""

    infos: frozenset[str] = frozenset()

    @classmethod
    def on(cls, target: Side, index: str, journal: Journal) -> Alike:
        """Return how documents of an index there compare with those they came from; what is made there is told."""
        answer = target.client.find(f"/{segment(index)}/_mapping") or {}
        fields = [field for body in answer.values() for field in semantic_fields(body["mappings"])]
        if fields:
            names = ", ".join(field.path for field in fields)
            journal.note(f"the vectors of {names} are made {target.place} again: semantic fields embed what is written")
        return cls(frozenset(field.info for field in fields))

    def __call__(self, one: Any, other: Any, path: str = "") -> bool:
        """Return whether two sources, or parts of them at ``path``, are the same."""
        if one == other:
            return True
        if path in self.infos:
            return _agree(one, other)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            return one.keys() == other.keys() and all(
                self(value, other[key], f"{path}.{key}" if path else key) for key, value in one.items()
            )
        if self.infos and isinstance(one, list) and isinstance(other, list):
            return len(one) == len(other) and all(self(*pair, path) for pair in zip(one, other, strict=True))
        return False


def _agree(one: Any, other: Any) -> bool:
    """Return whether embeddings agree: the texts of chunks are the same, vectors but for rounding; models have ids."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(key == "model" or _agree(one[key], other[key]) for key in one)
    if not (isinstance(one, list) and isinstance(other, list)):
        return bool(one == other)
    if one and isinstance(one[0], int | float):
        return Agreement.of(np.array([one], np.float32), np.array([other], np.float32)).same
    return len(one) == len(other) and all(_agree(*pair) for pair in zip(one, other, strict=True))

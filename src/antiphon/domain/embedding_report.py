"""What an index knows about its embeddings: per vector field, how many documents, and what truncation took.

The counts are of writes: a document embedded twice counts twice. They are stored with the documents, in one commit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass(slots=True)
class FieldCounts:
    """Of one vector field since the index was made; a document with several counts all its texts for each of them."""

    documents: int = 0
    texts: int = 0
    truncated_documents: int = 0
    truncated_texts: int = 0
    tokens: int = 0
    lost_tokens: int = 0

    def add(self, other: FieldCounts) -> None:
        """Add up."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))


@dataclass(slots=True)
class EmbeddingCounts:
    """By path of the vector field."""

    fields: dict[str, FieldCounts] = field(default_factory=dict)

    @classmethod
    def read(cls, body: Mapping[str, Any] | None) -> EmbeddingCounts:
        """Return what ``write`` wrote; nothing for None."""
        known = {one.name for one in fields(FieldCounts)}
        return cls({
            path: FieldCounts(**{name: value for name, value in counts.items() if name in known})
            for path, counts in (body or {}).get("fields", {}).items()
        })  # fmt: skip

    def write(self) -> dict[str, Any]:
        """Return them as JSON."""
        return {"fields": {path: asdict(counts) for path, counts in self.fields.items()}}

    def of(self, path: str) -> FieldCounts:
        """Return the counts of a field, made when there are none."""
        return self.fields.setdefault(path, FieldCounts())

    def add(self, other: EmbeddingCounts) -> None:
        """Add up, field by field."""
        for path, counts in other.fields.items():
            self.of(path).add(counts)


@dataclass(frozen=True, slots=True)
class FieldReport:
    """One vector field: ``model_id`` and ``fingerprint`` (None when this server embedded nothing into it).

    ``present`` and ``missing`` count the index's documents with and without a value there, as of the last refresh.
    """

    path: str
    present: int
    missing: int
    counts: FieldCounts
    model_id: str | None = None
    fingerprint: Mapping[str, Any] | None = None

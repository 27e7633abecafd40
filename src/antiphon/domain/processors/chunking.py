"""``text_chunking``: lists of chunks beside their texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from antiphon.domain.chunking import UNLIMITED, ChunkBudget, Chunker
from antiphon.domain.embedding_fields import FieldMap, check_fields
from antiphon.domain.ingest_document import IngestDocument


@dataclass(frozen=True, slots=True)
class TextChunking:
    """A dotted name in ``field_map`` matches only a field that has the dot in its name."""

    field_map: FieldMap
    chunker: Chunker
    ignore_missing: bool = False

    def change(self, document: IngestDocument) -> None:
        """Write the chunks; IllegalArgument for values that are no texts."""
        check_fields(document.source, self.field_map, document.max_depth)
        strings = _count(document.source, self.field_map)
        budget = ChunkBudget(self.chunker.max_chunk_limit, strings, document.max_token_count)
        self._walk(document.source, self.field_map, budget)

    def _walk(self, holder: dict[str, Any], fields: FieldMap, budget: ChunkBudget) -> None:
        for key, target in fields.items():
            value = holder.get(key)
            if isinstance(target, str):
                if value is not None or not self.ignore_missing:
                    holder[target] = [chunk for text in _texts(value) for chunk in self._chunk(text, budget)]
            else:
                for item in value if isinstance(value, list) else [value]:
                    if isinstance(item, dict):
                        self._walk(item, target, budget)

    def _chunk(self, text: str, budget: ChunkBudget) -> list[str]:
        if not text.strip():
            return []
        chunks = self.chunker.chunk(text, budget)
        if budget.left != UNLIMITED:
            budget.left -= len(chunks)
        budget.strings -= 1
        return chunks


def _texts(value: Any) -> list[str]:
    if isinstance(value, list):
        return [item for item in value if isinstance(item, str)]
    return [value] if isinstance(value, str) else []


def _count(holder: dict[str, Any], fields: FieldMap) -> int:
    """Return how many strings there are to chunk."""
    count = 0
    for key, target in fields.items():
        value = holder.get(key)
        if isinstance(target, str):
            count += sum(1 for text in _texts(value) if text.strip())
        else:
            items = value if isinstance(value, list) else [value]
            count += sum(_count(item, target) for item in items if isinstance(item, dict))
    return count

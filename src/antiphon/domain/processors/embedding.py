"""``text_embedding``: asks for the vectors of mapped texts as passages, and writes them beside their sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from antiphon.domain.embedding_fields import FieldMap, Walk, check_fields, unflatten, walk
from antiphon.domain.ingest_document import IngestDocument
from antiphon.domain.pipeline import EmbedPassages, Run, Steps


@dataclass(frozen=True, slots=True)
class TextEmbedding:
    """``skip_existing`` takes vectors over from the stored document where the text is the same."""

    model_id: str
    field_map: FieldMap
    skip_existing: bool = False

    def apply(self, document: IngestDocument, run: Run) -> Steps:  # noqa: ARG002  it needs no other pipeline
        """Yield one EmbedPassages, unless there is nothing to embed; IllegalArgument for values that are no texts."""
        document.source = unflatten(document.source)
        check_fields(document.source, self.field_map, document.max_depth)
        existing = document.stored() if self.skip_existing and document.stored is not None else None
        found = walk(document.source, self.field_map, existing)
        texts = tuple(text for wanted in found.wanted if wanted.kept is None for text in wanted.texts)
        vectors: list[Any] = []
        if texts:
            embedded = yield EmbedPassages(self.model_id, texts)
            vectors = [as_json(row) for row in embedded.rows]
            document.account(embedded.tokens, embedded.lost)
        self._write(document, found, vectors)
        return True

    def _write(self, document: IngestDocument, found: Walk, vectors: list[Any]) -> None:
        fresh = iter(vectors)
        for wanted in found.wanted:
            wanted.write(wanted.kept if wanted.kept is not None else [next(fresh) for _ in wanted.texts])
            document.note_embedded(wanted.path, self.model_id)
        for empty in found.empties if found.wanted else ():
            empty.write([])


def as_json(row: NDArray[np.float32]) -> list[float]:
    """Return a float32 ``[dimension]`` vector as the shortest decimals that read back to the same float32."""
    values: list[float] = orjson.loads(orjson.dumps(np.ascontiguousarray(row), option=orjson.OPT_SERIALIZE_NUMPY))
    return values

"""What a write to one document answers: OpenSearch's delete and update results."""

from __future__ import annotations

from typing import Any

_SHARDS = {"total": 1, "successful": 1, "failed": 0}


def render_write(index: str, document_id: str, result: str, *, version: int, seq_no: int) -> dict[str, Any]:
    """Return the result body; ``result`` is ``updated``, ``deleted`` or ``not_found``, seen by the next search."""
    return {
        "_index": index,
        "_id": document_id,
        "_version": version,
        "result": result,
        "forced_refresh": True,
        "_shards": dict(_SHARDS),
        "_seq_no": seq_no,
        "_primary_term": 1,
    }

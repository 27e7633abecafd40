"""The answer of ``GET /{index}/_antiphon/embedding``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from antiphon.domain.embedding_report import FieldReport


def render_embedding_report(documents: int, fields: Sequence[FieldReport]) -> dict[str, Any]:
    """Return the report of one index: its searchable documents, and each vector field by path."""
    return {"documents": documents, "fields": {one.path: _field(one) for one in fields}}


def _field(one: FieldReport) -> dict[str, Any]:
    counts = one.counts
    return {
        "model_id": one.model_id,
        "fingerprint": one.fingerprint,
        "vectors_present": one.present,
        "vectors_missing": one.missing,
        "embedded": {
            "documents": counts.documents,
            "texts": counts.texts,
            "tokens": counts.tokens - counts.lost_tokens,
        },
        "truncation": {
            "documents": counts.truncated_documents,
            "texts": counts.truncated_texts,
            "lost_tokens": counts.lost_tokens,
            "share_of_texts": _share(counts.truncated_texts, counts.texts),
            "share_of_tokens": _share(counts.lost_tokens, counts.tokens),
        },
    }


def _share(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 0.0

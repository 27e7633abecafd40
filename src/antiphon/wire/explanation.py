"""Why a score is what it is, as JSON."""

from __future__ import annotations

from typing import Any

import numpy as np

from antiphon.query import Explanation


def render_explanation(explanation: Explanation) -> dict[str, Any]:
    """Return ``value`` (a 32-bit float), ``description`` and ``details``."""
    return {
        "value": np.float32(explanation.value),
        "description": explanation.description,
        "details": [render_explanation(detail) for detail in explanation.details],
    }


def render_explain(
    index: str, doc_id: str, explanation: Explanation | None, *, matched: bool, exists: bool
) -> dict[str, Any]:
    """Return the answer of ``_explain``: without an explanation when the document does not exist."""
    answer: dict[str, Any] = {"_index": index, "_id": doc_id, "matched": matched}
    if exists:
        shown = explanation or Explanation(0.0, "no matching clause")
        answer["explanation"] = render_explanation(shown)
    return answer

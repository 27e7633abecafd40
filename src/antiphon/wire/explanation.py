"""Why a score is what it is, as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from antiphon.errors import AntiphonError
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


def render_validation(checked: Sequence[tuple[str, AntiphonError | None]], *, explain: bool) -> dict[str, Any]:
    """Return the answer of ``_validate/query``: what is wrong on each index (None: nothing) when ``explain``."""
    shards = len(checked)
    shown: dict[str, Any] = {
        "_shards": {"total": shards, "successful": shards, "failed": 0},
        "valid": all(error is None for _, error in checked),
    }
    if explain:
        shown["explanations"] = [
            {"index": index, "valid": True} if error is None else {"index": index, "valid": False, "error": _why(error)}
            for index, error in checked
        ]
    return shown


def _why(error: AntiphonError) -> str:
    own = f"{error.type}: {error.reason}"
    return own if error.cause is None else f"{own}; caused by {error.cause.type}: {error.cause.reason}"

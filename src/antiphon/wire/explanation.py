"""Why a score is what it is, as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from antiphon.errors import AntiphonError, ParsingError
from antiphon.query import Explanation, is_shard_failure
from antiphon.wire.detailed_message import detailed_message


class Checked(Protocol):
    """A query on one index: its text in Lucene (None: it has none), or what is wrong with it."""

    @property
    def index(self) -> str:
        """The name of the index."""

    @property
    def text(self) -> str | None:
        """What the query means."""

    @property
    def error(self) -> AntiphonError | None:
        """Why it cannot run."""


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


def render_validation(checked: Sequence[Checked], *, explain: bool) -> dict[str, Any]:
    """Return the answer of ``_validate/query``; with ``explain``, what the query means on each index, or its error."""
    for one in checked:
        if one.error is not None and not is_shard_failure(one.error):
            return render_unreadable(one.error, explain=explain)
    shards = len(checked)
    shown: dict[str, Any] = {
        "_shards": {"total": shards, "successful": shards, "failed": 0},
        "valid": all(one.error is None for one in checked),
    }
    if explain:
        shown["explanations"] = [_explanation(one) for one in checked]
    return shown


def render_unreadable(error: AntiphonError, *, explain: bool) -> dict[str, Any]:
    """Return the answer of ``_validate/query`` to a body that cannot be read, whatever the index."""
    if not explain:
        return {"valid": False}
    outer = error if isinstance(error, ParsingError) else ParsingError("Failed to parse", cause=error)
    return {"valid": False, "error": detailed_message(outer)}


def _explanation(one: Checked) -> dict[str, Any]:
    shown: dict[str, Any] = {"index": one.index, "valid": one.error is None}
    if one.error is not None:
        shown["error"] = detailed_message(one.error)
    elif one.text is not None:
        shown["explanation"] = one.text
    return shown

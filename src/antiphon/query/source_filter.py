"""Which part of ``_source`` a hit carries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from antiphon.domain.source import SourceChoice
from antiphon.query.nodes import SourceFilter


def filter_source(source: Mapping[str, Any], wanted: SourceFilter) -> Mapping[str, Any] | None:
    """Return the wanted part of a document, itself when that is all of it; None when none is wanted."""
    if not wanted.enabled:
        return None
    return SourceChoice(True, wanted.includes, wanted.excludes).of(source)

"""Text analysis as ``_analyze`` shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Token:
    """One term: offsets count UTF-16 units, as Java does; ``position`` counts from 0 over all texts."""

    token: str
    start_offset: int
    end_offset: int
    type: str
    position: int


@dataclass(frozen=True, slots=True)
class AnalyzeRequest:
    """A named ``analyzer``, or ``tokenizer`` with filters (names or inline definitions), or ``normalizer``."""

    texts: tuple[str, ...]
    analyzer: str | None = None
    tokenizer: str | Mapping[str, Any] | None = None
    filters: tuple[str | Mapping[str, Any], ...] = ()
    char_filters: tuple[str | Mapping[str, Any], ...] = ()
    normalizer: str | None = None

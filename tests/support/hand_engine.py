"""An engine without documents: it keeps what it was told, for tests of what lies above it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from antiphon.domain.analysis import AnalyzeRequest, Token
from antiphon.domain.mapping import IndexMapping
from antiphon.domain.store import IndexStats
from antiphon.errors import IllegalArgument


class HandStore:
    """The mapping and settings it was given last, and the names of what was done to it."""

    def __init__(self, mapping: IndexMapping, settings: Mapping[str, Any]) -> None:
        self.mapping = mapping
        self.settings = settings
        self.done: list[str] = []

    def remap(self, mapping: IndexMapping) -> None:
        self.mapping = mapping

    def configure(self, settings: Mapping[str, Any]) -> None:
        self.settings = settings

    def stats(self) -> IndexStats:
        return IndexStats(
            documents=2, deleted=1, searchable=2, pending=0, segments=1, store_bytes=4608, max_seq_no=2, vectors=0
        )

    def refresh(self) -> None:
        self.done.append("refresh")

    def flush(self) -> None:
        self.done.append("flush")

    def force_merge(self) -> None:
        self.done.append("force_merge")

    def rebuild(self) -> None:
        self.done.append("rebuild")


class HandEngine:
    """Stores by uuid. The analyzers are standard, english and those that the settings define."""

    def __init__(self) -> None:
        self.stores: dict[str, HandStore] = {}

    def create(self, uuid: str, mapping: IndexMapping, settings: Mapping[str, Any]) -> HandStore:
        self.stores[uuid] = HandStore(mapping, settings)
        return self.stores[uuid]

    def open(self, uuid: str, mapping: IndexMapping, settings: Mapping[str, Any]) -> HandStore:
        return self.stores.get(uuid) or self.create(uuid, mapping, settings)

    def drop(self, uuid: str) -> None:
        self.stores.pop(uuid, None)

    def known(self) -> list[str]:
        return list(self.stores)

    def analyze(self, settings: Mapping[str, Any], request: AnalyzeRequest) -> list[Token]:
        self.check_analysis(settings, [request.analyzer or "standard"])
        words = " ".join(request.texts).lower().split()
        return [Token(word, 0, len(word), "<ALPHANUM>", place) for place, word in enumerate(words)]

    def check_analysis(self, settings: Mapping[str, Any], analyzers: Sequence[str]) -> None:
        for name in analyzers:
            if name not in ("standard", "english") and f"index.analysis.analyzer.{name}.type" not in settings:
                raise IllegalArgument(f"failed to find analyzer [{name}]")

    def close(self) -> None:
        self.stores.clear()

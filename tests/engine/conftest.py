"""An index with a bit of everything, on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from antiphon.domain.mapping import IndexMapping
from antiphon.domain.store import Write
from antiphon.engine import LocalEngine

PROPERTIES: Mapping[str, Any] = {
    "title": {"type": "text"},
    "tag": {"type": "keyword"},
    "year": {"type": "integer"},
    "vec": {"type": "knn_vector", "dimension": 3, "space_type": "l2"},
    "part": {"type": "nested", "properties": {"text": {"type": "text"}}},
}
MAPPING = IndexMapping.parse({"properties": PROPERTIES}, knn=True)
OFF = {"index.refresh_interval": "-1"}


def put(doc_id: str, body: Mapping[str, Any] | None = None, **options: Any) -> Write:
    """Return a write of a small document."""
    source = {"title": f"document {doc_id}", "vec": [1, 2, 3], **(body or {})}
    return Write(doc_id, orjson.dumps(source), MAPPING.typed(doc_id, source)[0], **options)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[LocalEngine]:
    """Return an engine over an empty folder."""
    made = LocalEngine(tmp_path / "indexes")
    yield made
    made.close()


@pytest.fixture
def reopened(engine: LocalEngine, tmp_path: Path) -> Iterator[Callable[[], LocalEngine]]:
    """Return what closes the engine and opens another over the same folder."""
    opened: list[LocalEngine] = []

    def reopen() -> LocalEngine:
        (opened or [engine])[-1].close()
        opened.append(LocalEngine(tmp_path / "indexes"))
        return opened[-1]

    yield reopen
    for one in opened:
        one.close()

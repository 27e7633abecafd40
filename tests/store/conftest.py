from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from antiphon.store import DocumentCatalog, MemoryCatalog, SqliteCatalog

Open = Callable[[], DocumentCatalog]


@pytest.fixture(params=["memory", "sqlite"])
def catalog(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DocumentCatalog]:
    opened: DocumentCatalog
    opened = MemoryCatalog() if request.param == "memory" else SqliteCatalog(tmp_path / "data" / "catalog.sqlite")
    yield opened
    opened.close()

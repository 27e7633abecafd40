"""A tiny model's zip with its manifest, as ``antiphon model build`` makes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from antiphon.app import build_package
from antiphon.domain.package import Overrides
from tests.support.tiny import tiny_folder


@pytest.fixture
def tiny_zip(tmp_path: Path) -> Path:
    folder = tiny_folder(tmp_path / "tiny")
    overrides = Overrides(name="tiny", query_prefix="query: ", passage_prefix="passage: ")
    return build_package(str(folder), tmp_path / "tiny.zip", overrides=overrides).path

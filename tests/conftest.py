"""Fixtures for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import e5


@pytest.fixture(scope="session")
def e5_package() -> Path:
    """The zip of multilingual-e5-small with its bundled weights; read it, never write to it."""
    return e5.e5_package()

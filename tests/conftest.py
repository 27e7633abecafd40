"""Fixtures for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from tests.support import e5

settings.register_profile("antiphon", deadline=None)
settings.load_profile("antiphon")  # no test asserts on a clock: other people's load decides there


@pytest.fixture(scope="session")
def e5_package() -> Path:
    """The zip of multilingual-e5-small with its bundled weights; read it, never write to it."""
    return e5.e5_package()

"""These tests run in .venv-clients, against the server that ANTIPHON_URL names."""

from __future__ import annotations

import math
import os
import uuid
from collections.abc import Iterator

import pytest
from opensearchpy import OpenSearch


@pytest.fixture(scope="session")
def url() -> str:
    return os.environ["ANTIPHON_URL"]


@pytest.fixture
def client(url: str) -> Iterator[OpenSearch]:
    client = OpenSearch(url)
    yield client
    client.close()


@pytest.fixture
def index_name(client: OpenSearch) -> Iterator[str]:
    name = f"t{uuid.uuid4().hex}"
    yield name
    client.indices.delete(index=name, ignore=404)


def embed(text: str) -> list[float]:
    """A unit vector in the plane: texts are near when their first letters are."""
    angle = (ord(text[0].lower()) - ord("a")) / 26 * math.pi / 2 if text else 0.0
    return [math.cos(angle), math.sin(angle), 0.0]

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opensearchpy import OpenSearch
from opensearchpy.plugins.ml import MlClient

from tests.support.contract import Zips
from tests.support.server import ProcessServer

collect_ignore = ["released"]
"""They run in another environment: test_released.py."""

SETTINGS = {
    "plugins.ml_commons.only_run_on_ml_node": "false",
    "plugins.ml_commons.allow_registering_model_via_url": "true",
    "plugins.ml_commons.allow_registering_model_via_local_file": "true",
    "plugins.ml_commons.native_memory_threshold": "99",
    "plugins.ml_commons.jvm_heap_memory_threshold": "100",
    "plugins.ml_commons.disk_free_space_threshold": "1mb",
}


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Base URL of one `antiphon serve` for all tests of this folder."""
    server = ProcessServer(tmp_path_factory.mktemp("clients"), {})
    try:
        yield server.url
    finally:
        server.close()


@pytest.fixture(scope="session")
def opensearch(url: str) -> Iterator[OpenSearch]:
    """opensearch-py, with the settings that OpenSearch's tutorials put first."""
    with OpenSearch(url, timeout=30, max_retries=0) as client:
        answer = client.cluster.put_settings(body={"persistent": SETTINGS})
        assert answer["acknowledged"] is True
        yield client


@pytest.fixture(scope="session")
def ml(opensearch: OpenSearch) -> MlClient:
    """``client.ml``."""
    client: MlClient = opensearch.ml  # type: ignore[attr-defined]  # set by name at run time
    return client


@pytest.fixture(scope="session")
def zips(tmp_path_factory: pytest.TempPathFactory) -> Zips:
    return Zips(tmp_path_factory.mktemp("zips"))

"""The servers that stories run on, and the option that names another one."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.support.contract import Zips
from tests.support.server import FileServer, RemoteServer, Server, running_server

URL_VARIABLE = "ANTIPHON_CONTRACT_URL"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--contract-url``; it works when pytest is given this folder, the environment variable always does."""
    parser.addoption(
        "--contract-url",
        help=f"run the stories on the server at this base URL too (or ${URL_VARIABLE}); it must be able to read "
        "this machine's files, and a real OpenSearch node is known by its banner",
    )


def contract_url(config: pytest.Config) -> str | None:
    """Return the base URL of the server to test besides our own, if one was named."""
    named: str | None = config.getoption("--contract-url", default=None)
    return named or os.environ.get(URL_VARIABLE)


@pytest.fixture(scope="session")
def zips(tmp_path_factory: pytest.TempPathFactory) -> Zips:
    """Crafted model packages by name."""
    return Zips(tmp_path_factory.mktemp("zips"))


@pytest.fixture(scope="session")
def files(zips: Zips) -> Iterator[FileServer]:
    """A file server of those packages."""
    with FileServer(zips.folder) as server:
        yield server


@pytest.fixture(scope="session")
def shared_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One ``antiphon serve`` for every story that can share it."""
    with running_server(tmp_path_factory.mktemp("shared"), process=True) as server:
        yield server


@pytest.fixture(scope="session")
def remote(request: pytest.FixtureRequest) -> Iterator[Server]:
    """The server that was named; real unless its banner says it is Antiphon's. Skipped before OpenSearch 3."""
    server = RemoteServer(contract_url(request.config) or "", real=True)
    try:
        version = server.client.get("/").json()["version"]
        server.real = "antiphon" not in version
        if int(version["number"].split(".")[0]) < 3:
            pytest.skip(f"stories tell how OpenSearch 3 answers, and this is {version['number']}")
        yield server
    finally:
        server.close()

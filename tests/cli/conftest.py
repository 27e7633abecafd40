"""The shell within this process, a tiny model's zip as ``antiphon model build`` makes it, a server that has it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from antiphon.app import build_package
from antiphon.cli import main
from antiphon.domain.package import Overrides
from tests.support.server import TIMEOUT_S, ProcessServer
from tests.support.tiny import tiny_folder

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run ``antiphon`` with arguments; return exit code, stdout, stderr."""

    def run_it(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["antiphon", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1
        said = capsys.readouterr()
        return code, said.out, said.err

    return run_it


@pytest.fixture
def tiny_zip(tmp_path: Path) -> Path:
    return build_tiny(tmp_path)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessServer]:
    """``antiphon serve --model tiny.zip``, shared by the tests of a module, which use indexes of their own."""
    folder = tmp_path_factory.mktemp("server")
    server = ProcessServer(folder, {"model": build_tiny(folder)})
    try:
        wait_for_model(server)
        yield server
    finally:
        server.close()


def build_tiny(folder: Path) -> Path:
    """Return the zip of the tiny model, built in ``folder``."""
    overrides = Overrides(name="tiny", query_prefix="query: ", passage_prefix="passage: ")
    return build_package(str(tiny_folder(folder / "tiny")), folder / "tiny.zip", overrides=overrides).path


def wait_for(holds: Callable[[], bool]) -> None:
    """Ask again and again until it holds; AssertionError when it does not in time."""
    deadline = time.monotonic() + TIMEOUT_S
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"


def wait_for_model(server: ProcessServer) -> None:
    """Wait until the model that a server was started with is deployed."""
    wait_for(lambda: server.client.get("/_plugins/_ml/models/tiny").json().get("model_state") == "DEPLOYED")

"""The shell: one clean line and a non-zero exit code for whatever goes wrong, never a traceback."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from antiphon.settings import Settings
from antiphon.store import SqliteCatalog
from tests.cli.conftest import Run


def test_version(run: Run) -> None:
    code, out, _ = run("--version")
    assert (code, out) == (0, "antiphon 0.1.0\n")


@pytest.mark.parametrize(
    "arguments", [["sing"], ["serve", "--nope"], ["embed", "--model", "x", "--role", "answer", "a"]]
)
def test_wrong_usage_is_exit_code_2(run: Run, arguments: list[str]) -> None:
    code, _, err = run(*arguments)
    assert code == 2
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["serve", "--data", ""],
        ["serve", "--cache", " "],
        ["serve", "--config", ""],
        ["serve", "--cluster-ca-cert", ""],
        ["model", "build", "x", "--output", ""],
        ["embed", "--model", "x", "--role", "query", "--output", "", "a"],
        ["index", "create", "x", "--body", ""],
        ["push", "x", "--to", "http://x", "--queries", ""],
        ["push", "x", "--to", "http://x", "--ca-cert", ""],
    ],
)
def test_an_empty_path_is_not_the_current_folder(run: Run, arguments: list[str]) -> None:
    code, out, err = run(*arguments)
    option = arguments[-2] if arguments[-1] != "a" else "--output"
    assert (code, out) == (2, "")
    assert f"Invalid value for '{option}'" in err
    assert "the path is empty" in " ".join(err.split())


def assert_one_line(result: tuple[int, str, str], *says: str) -> None:
    code, out, err = result
    lines = err.strip().splitlines()
    assert code == 1
    assert out == ""
    assert len(lines) == 1, err
    assert lines[0].startswith("antiphon: ")
    for word in says:
        assert word in lines[0]


def test_empty_names_of_files_and_models_are_one_line(run: Run, tmp_path: Path) -> None:
    assert_one_line(run("ingest", "x", ""), "a path is empty")
    assert_one_line(run("embed", "--model", "", "--role", "query", "a"), "the name of the model is empty")
    assert_one_line(run("model", "build", "", "-o", tmp_path / "x.zip"), "the name of the model is empty")


def test_a_missing_zip_is_one_line(run: Run, tmp_path: Path) -> None:
    missing = tmp_path / "none.zip"
    assert_one_line(run("model", "inspect", missing), str(missing))
    assert_one_line(run("embed", "--model", missing, "--role", "query", "a"), str(missing), "antiphon model build")


def test_a_zip_that_is_none_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_bytes(b"not a zip")
    assert_one_line(run("model", "inspect", tmp_path / "bad.zip"), "zip END header not found")


def test_a_source_that_is_not_there_is_one_line(run: Run, tmp_path: Path) -> None:
    result = run("model", "build", tmp_path / "nowhere", "-o", tmp_path / "out.zip")
    assert_one_line(result, "nowhere")
    assert list(tmp_path.iterdir()) == []


def test_a_taken_port_is_one_line(run: Run, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert_one_line(run("serve", "--port", port, "--data", tmp_path), f"127.0.0.1:{port}", "--port")


def test_a_data_folder_in_use_is_one_line(run: Run, tmp_path: Path) -> None:
    catalog = SqliteCatalog(tmp_path / "catalog.sqlite")
    try:
        assert_one_line(run("serve", "--port", 0, "--data", tmp_path), str(tmp_path))
    finally:
        catalog.close()


def test_a_bad_setting_names_its_source(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "antiphon.yaml"
    config.write_text("prot: 9200\n")
    assert_one_line(run("serve", "--config", config, "--data", tmp_path), "prot", "port")
    monkeypatch.setenv("ANTIPHON_PORT", "high")
    assert_one_line(run("serve", "--data", tmp_path), "ANTIPHON_PORT", "high")


def test_nothing_listening_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch, tiny_zip: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code, _, err = run("demo", "--url", f"http://127.0.0.1:{port}", "--model", tiny_zip)
    assert code == 1
    assert "nothing answers" in err
    assert "antiphon serve" in err


def test_the_defaults_listen_on_loopback_only() -> None:
    assert Settings().host == "127.0.0.1"


def test_an_interrupt_while_commands_are_imported_ends_without_a_word(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "antiphon", "serve", "--port", "0", "--data", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        maps = Path(f"/proc/{process.pid}/maps")
        while process.poll() is None and "numpy" not in maps.read_text():
            time.sleep(0.001)  # until it imports something large: only its memory map tells
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, said) == (130, "")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_may_be_closed(closed: str, tiny_zip: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.npy"
    command = [sys.executable, "-m", "antiphon", "embed", "-m", str(tiny_zip), "-r", "query", "-o", str(rows), "one"]
    done = subprocess.run(["sh", "-c", f'exec "$@" {closed}', "sh", *command], capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    assert done.returncode == 0
    assert len(np.load(rows)) == 1

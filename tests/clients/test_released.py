"""The released clients that search: LangChain, LlamaIndex and Haystack, each in its own environment."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.server import ProcessServer

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-clients" / "bin" / "python"
RELEASED = Path(__file__).parent / "released"


@pytest.mark.skipif(not PYTHON.exists(), reason="scripts/clients makes the environment of the released clients")
@pytest.mark.parametrize("client", ["langchain", "llama_index", "haystack", "async"])
def test_a_released_client_passes_its_tests(client: str, tmp_path: Path) -> None:
    server = ProcessServer(tmp_path, {})
    try:
        command = [str(PYTHON), "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto"]
        done = subprocess.run(
            [
                *command,
                "--rootdir",
                str(RELEASED),
                "--confcutdir",
                str(RELEASED),
                "-c",
                "/dev/null",
                str(RELEASED / f"test_{client}.py"),
            ],
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "ANTIPHON_URL": server.url},
            capture_output=True,
            text=True,
            timeout=300,
        )
    finally:
        server.close()
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]

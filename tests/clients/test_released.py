"""The released clients that search: LangChain, LlamaIndex and Haystack, each in its own environment."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.server import running_server

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-clients" / "bin" / "python"
RELEASED = Path(__file__).parent / "released"


@pytest.mark.skipif(not PYTHON.exists(), reason="scripts/clients makes the environment of the released clients")
@pytest.mark.parametrize("client", ["langchain", "llama_index", "haystack"])
def test_a_released_client_passes_its_tests(client: str, tmp_path: Path) -> None:
    with running_server(tmp_path, process=True) as server:
        command = [PYTHON, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto"]
        done = subprocess.run(
            [*command, "--rootdir", RELEASED, "-c", "/dev/null", RELEASED / f"test_{client}.py"],
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "ANTIPHON_URL": server.url},
            capture_output=True,
            text=True,
            timeout=300,
        )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]

"""``antiphon serve --model``: one command to a working server, or one line that says why not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx

from antiphon.app import build_package
from tests.support.tiny import tiny_folder


def serve(model: Path, data: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "antiphon", "serve", "--port", "0", "--data", str(data), "--model", str(model)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def test_the_model_is_served_and_served_again(tiny_zip: Path, tmp_path: Path) -> None:
    for _ in range(2):
        with serve(tiny_zip, tmp_path / "data") as process:
            assert process.stderr is not None
            said = ""
            while "model tiny is deployed" not in said or "listens on" not in said:
                line = process.stderr.readline()
                assert line, said
                said += line
            url = said.split("listens on ", 1)[1].split(",", 1)[0]
            body = {"parameters": {"content_type": "query"}, "text_docs": ["a"]}
            answer = httpx.post(f"{url}/_plugins/_ml/models/tiny/_predict", json=body, trust_env=False)
            assert answer.json()["inference_results"][0]["output"][0]["shape"] == [8]
            found = httpx.get(f"{url}/_plugins/_ml/stats/ml_model_count", trust_env=False).json()
            assert found["ml_model_count"] == 1
            process.terminate()
            assert process.wait(20) == 0


def test_a_model_that_cannot_be_deployed_ends_the_server_with_its_figure(tmp_path: Path) -> None:
    package = build_package(str(tiny_folder(tmp_path / "t", fault="ignores_mask")), tmp_path / "t.zip")
    with serve(package.path, tmp_path / "data") as process:
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "the model cannot be deployed" in said.splitlines()[-1]
    assert "limit 0.99999" in said.splitlines()[-1]

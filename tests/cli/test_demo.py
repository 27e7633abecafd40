"""The demo, whole, on the real model."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx


def demo(*arguments: object, cache: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "antiphon", "demo", *map(str, arguments)]
    env = os.environ | {"ANTIPHON_CACHE": str(cache), "TMPDIR": str(cache)}
    return subprocess.run(command, capture_output=True, text=True, timeout=180, env=env, check=False)


def test_the_demo_ranks_right_and_shows_what_roles_do(e5_package: Path, tmp_path: Path) -> None:
    result = demo("--model", e5_package, "--keep", cache=tmp_path)
    kept = re.search(r"keeps running at (\S+) \(process (\d+)\)", result.stdout)
    try:
        assert result.returncode == 0, result.stdout + result.stderr
        assert re.search(r"found / mean margin\s+5/5 \+0\.\d+\s+[0-4]/5 \S+\s+[0-4]/5 ", result.stdout)
        assert "-> 400 The embedding model chosen is asymmetric" in result.stdout
        assert "4-bit weights" in result.stdout
        assert kept is not None
        again = demo("--model", e5_package, "--url", kept[1], cache=tmp_path)
        assert again.returncode == 0, again.stdout + again.stderr
        stats = httpx.get(f"{kept[1]}/_plugins/_ml/stats/ml_model_count", trust_env=False).json()
        assert stats["ml_model_count"] == 2
    finally:
        if kept is not None:
            os.kill(int(kept[2]), 15)

"""The demo, whole, on the real model: roles, then search."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import httpx


def demo(*arguments: object, cache: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "antiphon", "demo", *map(str, arguments)]
    env = os.environ | {"ANTIPHON_CACHE": str(cache), "TMPDIR": str(cache)}
    return subprocess.run(command, capture_output=True, text=True, timeout=180, env=env, check=False)


def test_the_demo_ranks_right_shows_what_roles_do_and_searches(e5_package: Path, tmp_path: Path) -> None:
    result = demo("--model", e5_package, "--keep", cache=tmp_path)
    kept = re.search(r"keeps running at (\S+) \(process (\d+)\)", result.stdout)
    try:
        assert result.returncode == 0, result.stdout + result.stderr
        assert re.search(r"found / mean margin\s+5/5 \+0\.\d+\s+[0-4]/5 \S+\s+[0-4]/5 ", result.stdout)
        assert "-> 400 The embedding model chosen is asymmetric" in result.stdout
        assert "4-bit weights" in result.stdout
        assert re.search(r"query +words \(BM25\) +meaning \(neural\) +both \(hybrid\)\n", result.stdout)
        assert re.search(r"found +[0-4]/5 +5/5 +[0-5]/5\n", result.stdout)
        assert kept is not None
        (line,) = re.findall(r"^antiphon (search .*)$", result.stdout, re.MULTILINE)
        words = [sys.executable, "-m", "antiphon", *shlex.split(line)]
        found = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
        assert "protein (en)" in found.stdout.splitlines()[1], found.stderr
        again = demo("--model", e5_package, "--url", kept[1], cache=tmp_path)
        assert again.returncode == 0, again.stdout + again.stderr
        indices = httpx.get(f"{kept[1]}/_cat/indices/antiphon-demo-*?format=json", trust_env=False).json()
        assert len(indices) == 1  # the first run's, which was told to keep it; the second removed its own
        stats = httpx.get(f"{kept[1]}/_plugins/_ml/stats/ml_model_count", trust_env=False).json()
        assert stats["ml_model_count"] == 2
    finally:
        if kept is not None:
            os.kill(int(kept[2]), 15)

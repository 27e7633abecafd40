"""What a model's first load leaves on disk for the next one: derived, and safe to delete at any time."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_log = logging.getLogger(__name__)
_CONTENT_ADDRESS = re.compile(r"[0-9a-f]{64}")


def cache_folder(cache_dir: Path | None, package: Path) -> Path | None:
    """Return where to keep what belongs to ``package``; None when it is not content-addressed, or nothing is kept.

    Folders in ``cache_dir`` whose package is no longer beside ``package`` are deleted.
    """
    if cache_dir is None or not _CONTENT_ADDRESS.fullmatch(package.name):
        return None
    cache_dir.mkdir(parents=True, exist_ok=True)
    for kept in cache_dir.iterdir():
        if _CONTENT_ADDRESS.fullmatch(kept.name) and not (package.parent / kept.name).exists():
            shutil.rmtree(kept, ignore_errors=True)
    folder = cache_dir / package.name
    folder.mkdir(exist_ok=True)
    return folder


def remembered(folder: Path | None, key: str, compute: Callable[[], list[Floats]]) -> list[Floats]:
    """Return the arrays last computed for ``key``, or compute and keep them. Disk trouble only costs time."""
    if folder is None:
        return compute()
    path = folder / f"reference-{hashlib.sha256(key.encode()).hexdigest()[:16]}.npz"
    try:
        with np.load(path, allow_pickle=False) as saved:
            return [saved[f"arr_{i}"] for i in range(len(saved.files))]
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        _log.warning("%s is damaged and is made again: %s", path.name, error)
    rows = compute()
    try:
        _write(path, rows)
    except OSError as error:
        _log.warning("%s cannot be kept: %s", path.name, error)
    return rows


def _write(path: Path, rows: list[Floats]) -> None:
    handle, staged = tempfile.mkstemp(prefix=".reference-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, *rows)
        Path(staged).replace(path)
    except BaseException:
        Path(staged).unlink(missing_ok=True)
        raise

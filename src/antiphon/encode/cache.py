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
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Kind = TypeVar("Kind", bound=np.generic)

_log = logging.getLogger(__name__)
_USERS = "packages.txt"
_CONTENT_ADDRESS = re.compile(r"[0-9a-f]{64}")


def cache_folder(cache_dir: Path | None, package: Path) -> Path | None:
    """Return where to keep what belongs to ``package``; None when it is not content-addressed, or nothing is kept.

    Each folder remembers the packages that use it (a server's and another's may have the same content); those whose
    packages are all gone are deleted. Disk trouble is logged and means that nothing is kept.
    """
    if cache_dir is None or not _CONTENT_ADDRESS.fullmatch(package.name):
        return None
    folder = cache_dir / package.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        used = _packages(folder)
        if package.absolute() not in used:
            with (folder / _USERS).open("a", encoding="utf-8") as file:
                file.write(f"{package.absolute()}\n")
        _sweep(cache_dir)
    except OSError as error:
        _log.warning("Nothing is kept for the next load, because %s cannot be written: %s", folder, error)
        return None
    return folder


def _sweep(cache_dir: Path) -> None:
    for kept in cache_dir.iterdir():
        used = _packages(kept) if _CONTENT_ADDRESS.fullmatch(kept.name) else []
        if used and not any(package.exists() for package in used):
            shutil.rmtree(kept, ignore_errors=True)


def _packages(folder: Path) -> list[Path]:
    try:
        return [Path(line) for line in (folder / _USERS).read_text(encoding="utf-8").splitlines()]
    except FileNotFoundError:
        return []


def remembered(
    folder: Path | None, key: str, compute: Callable[[], list[NDArray[Kind]]], *, name: str
) -> list[NDArray[Kind]]:
    """Return the arrays last computed for ``key``, or compute and keep them. Disk trouble only costs time.

    ``name``: how their file's name begins; ``key``: all that decides them.
    """
    if folder is None:
        return compute()
    path = folder / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.npz"
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
            return [saved[f"arr_{i}"] for i in range(len(saved.files))]
    except FileNotFoundError:
        pass
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        _log.warning("%s is damaged and is made again: %s", path.name, error)
    rows = compute()
    try:
        _write(path, rows)
    except OSError as error:
        _log.warning("%s cannot be kept: %s", path.name, error)
    return rows


def _write(path: Path, rows: list[NDArray[Kind]]) -> None:
    handle, staged = tempfile.mkstemp(prefix=f".{path.stem}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, *rows)
        Path(staged).replace(path)
    except BaseException:
        Path(staged).unlink(missing_ok=True)
        raise

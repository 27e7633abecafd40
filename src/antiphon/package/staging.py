"""Bytes on their way in: written, counted, hashed and capped in one pass."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from antiphon.domain.package import StagedZip
from antiphon.errors import PackageError

BLOCK_BYTES = 1 << 20
"""How much is read or written at once."""

OPENSEARCH_MAX_BYTES = 4 * 1024**3
"""The largest zip that OpenSearch registers."""


def stage(blocks: Iterable[bytes], folder: Path, max_bytes: int, origin: str) -> StagedZip:
    """Write ``blocks`` to a fresh file in ``folder`` and return it; on any exception nothing stays behind.

    ``origin`` names the bytes in messages. Raises PackageError beyond ``max_bytes`` or when the disk refuses.
    """
    try:
        make_folder(folder)
        handle, name = tempfile.mkstemp(suffix=".zip", dir=folder)
    except OSError as error:
        raise _no_room(folder, origin, error) from error
    path = Path(name)
    try:
        with os.fdopen(handle, "wb", buffering=0) as file:
            size, digest = 0, hashlib.sha256()
            for block in blocks:
                size += len(block)
                if size > max_bytes:
                    raise too_large(f"more than {max_bytes} bytes arrived", max_bytes, origin)
                digest.update(block)
                _write(file.fileno(), block, folder, origin)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return StagedZip(path, size, digest.hexdigest())


def make_folder(folder: Path) -> None:
    """Make ``folder`` and what is missing above it, durably. Idempotent."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Force the names in ``folder`` to disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def too_large(size: str, max_bytes: int, origin: str) -> PackageError:
    """Return the error for a zip that is over the limit; ``size`` says by how much, as far as it is known."""
    words = "Model file size exceeds the limit of "
    limit = "4GB" if max_bytes == OPENSEARCH_MAX_BYTES else f"{max_bytes} bytes"
    return PackageError(f"{words}{limit}: {size} ({origin}). Store smaller weights in the zip, or raise the limit")


def _write(handle: int, block: bytes, folder: Path, origin: str) -> None:
    rest = memoryview(block)
    try:
        while rest:
            rest = rest[os.write(handle, rest) :]
    except OSError as error:
        raise _no_room(folder, origin, error) from error


def _no_room(folder: Path, origin: str, error: OSError) -> PackageError:
    return PackageError(
        f"cannot store {origin} in [{folder}]: {error.strerror}. Free some space there, or choose another data folder"
    )

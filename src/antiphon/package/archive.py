"""Writes a zip whose bytes depend on its files only: fixed order, times and attributes, nothing compressed.

Weights hardly compress, and what a compressor makes of them depends on its version.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

from antiphon.domain.package import StagedZip
from antiphon.errors import SourceError

Content = bytes | Path
"""A file's bytes, or where they are."""

_EPOCH = (1980, 1, 1, 0, 0, 0)
_UNIX, _PLAIN_FILE = 3, 0o100644 << 16


def write_archive(
    files: Mapping[str, Content], output: Path, on_bytes: Callable[[int], None] = lambda _: None
) -> StagedZip:
    """Write ``files`` in their order as the zip ``output``, replacing it in one step, and return its hash.

    ``on_bytes`` is told the growing number of bytes written. Raises SourceError when ``output`` cannot be written;
    then nothing is left behind.
    """
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{output.name}.", dir=output.parent)
    except OSError as error:
        raise _unwritable(output, error) from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w+b") as file:
            _write(files, file, on_bytes)
            file.flush()
            os.fsync(file.fileno())
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        temporary.chmod(0o644)
        temporary.replace(output)
    except OSError as error:
        raise _unwritable(output, error) from error
    finally:
        temporary.unlink(missing_ok=True)
    return StagedZip(output, size, digest)


def check_output(output: Path, source: Path | None = None) -> None:
    """Raise SourceError when ``output`` is no place for a zip: a folder, device, other file, or in ``source``."""
    if source is not None and output.resolve().is_relative_to(source.resolve()):
        raise SourceError(f"[{output}] is inside the model's folder [{source}]: choose another place with -o")
    if output.exists() and not output.is_file():
        raise SourceError(f"[{output}] is not a regular file: name a zip to write with -o")
    if output.is_file() and output.stat().st_size and not zipfile.is_zipfile(output):
        raise SourceError(f"[{output}] exists and is no zip: it is not replaced, choose another name with -o")


def _write(files: Mapping[str, Content], file: IO[bytes], on_bytes: Callable[[int], None]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system, entry.external_attr = _UNIX, _PLAIN_FILE
            entry.file_size = len(content) if isinstance(content, bytes) else content.stat().st_size
            with archive.open(entry, "w") as target:
                if isinstance(content, bytes):
                    target.write(content)
                else:
                    with content.open("rb") as source:
                        shutil.copyfileobj(source, target, 1 << 20)
            on_bytes(file.tell())


def _unwritable(output: Path, error: OSError) -> SourceError:
    return SourceError(f"Cannot write [{output}]: {error.strerror or error}. Choose another place with -o")

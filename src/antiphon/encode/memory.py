"""Gives memory back that only a load needed. It does nothing where the system has no such calls."""

from __future__ import annotations

import ctypes
import gc
import sys
from pathlib import Path

_DONTNEED = 4
"""``MADV_DONTNEED`` of madvise(2): pages of a file that is mapped come back from the page cache when they are read."""


def return_memory(kept: Path | None) -> None:
    """Return what was freed, and the pages below the folder ``kept`` that are mapped: weights that were read once.

    Together hundreds of MB after a load.
    """
    if sys.platform != "linux":
        return
    gc.collect()
    library = ctypes.CDLL(None)
    if kept is not None:
        for start, size in _mapped(kept):
            library.madvise(ctypes.c_void_p(start), ctypes.c_size_t(size), _DONTNEED)
    if hasattr(library, "malloc_trim"):  # not in musl
        library.malloc_trim(0)


def _mapped(folder: Path) -> list[tuple[int, int]]:
    """Return (address, bytes) of the files of ``folder`` that are mapped and cannot be written to."""
    inside = f"{folder.resolve()}/"
    found = []
    for line in Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines():
        parts = line.split(maxsplit=5)
        if len(parts) == 6 and parts[5].startswith(inside) and "w" not in parts[1]:
            start, end = (int(address, 16) for address in parts[0].split("-"))
            found.append((start, end - start))
    return found

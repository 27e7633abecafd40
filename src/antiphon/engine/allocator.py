"""The C library's allocator, told to give memory back to the system: glibc's keeps what it got, others have no need."""

from __future__ import annotations

import ctypes
import platform

_MAPPED_BYTES = 1 << 23
_M_MMAP_THRESHOLD = -3

_glibc = ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None


def map_large_arrays() -> None:
    """Map every array of 8 MiB or more by itself, so it goes back when it is freed; the limit grows otherwise."""
    if _glibc is not None:
        _glibc.mallopt(_M_MMAP_THRESHOLD, _MAPPED_BYTES)


def give_back() -> None:
    """Return what is free between smaller objects."""
    if _glibc is not None:
        _glibc.malloc_trim(0)

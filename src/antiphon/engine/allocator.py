"""The C library's allocator, told when to give memory back to the system: glibc's keeps what it got, or gives it back
and asks for it again many times a second; others have no need."""

from __future__ import annotations

import ctypes
import platform

_MAPPED_BYTES = 1 << 23
_FREE_BYTES = 1 << 26
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3

_glibc = ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None


def map_large_arrays() -> None:
    """Map every array of 8 MiB or more by itself, so it goes back when it is freed; keep up to 64 MiB of smaller ones
    for the next request until ``give_back``."""
    if _glibc is not None:
        _glibc.mallopt(_M_MMAP_THRESHOLD, _MAPPED_BYTES)
        _glibc.mallopt(_M_TRIM_THRESHOLD, _FREE_BYTES)


def give_back() -> None:
    """Return what is free between smaller objects."""
    if _glibc is not None:
        _glibc.malloc_trim(0)

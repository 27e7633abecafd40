"""What the machine has left: disk and memory."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

_FRESH_S = 1.0
_UNLIMITED = 1 << 60


class MachineGauges:
    """Reads the file system and ``/proc``; a reading is kept for one second. Fulfils ``Gauges``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._allowed = _allowed_bytes()
        self._read_at = -_FRESH_S
        self._free_disk = 0
        self._resident = 0

    def free_disk_bytes(self) -> int:
        """Free bytes on the file system of the data folder."""
        self._refresh()
        return self._free_disk

    def memory_percent(self) -> float:
        """Resident memory of this process as a percentage of the machine's, or of its cgroup's limit."""
        self._refresh()
        return 100.0 * self._resident / self._allowed

    def _refresh(self) -> None:
        now = time.monotonic()
        if now - self._read_at < _FRESH_S:
            return
        self._free_disk = shutil.disk_usage(self._folder).free
        self._resident = _resident_bytes()
        self._read_at = now


def _resident_bytes() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0  # no /proc here (not Linux): the breaker never opens
    return pages * os.sysconf("SC_PAGE_SIZE")


def _allowed_bytes() -> int:
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
    except OSError:
        limit = "max"  # no cgroup version 2 here
    return min(physical, int(limit) if limit.isdecimal() else _UNLIMITED)

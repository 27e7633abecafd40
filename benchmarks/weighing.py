"""What processes and folders weigh, in MiB (Linux)."""

from __future__ import annotations

from pathlib import Path


def resident_mib(pid: int) -> float:
    """Return the resident memory of a process."""
    return _status_mib(pid, "VmRSS")


def anonymous_mib(pid: int) -> float:
    """Return the part of its resident memory that no file backs."""
    return _status_mib(pid, "RssAnon")


def disk_mib(folder: Path) -> float:
    """Return what the files of a folder hold."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20


def _status_mib(pid: int, key: str) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(status.split(f"{key}:")[1].split()[0]) / 1024

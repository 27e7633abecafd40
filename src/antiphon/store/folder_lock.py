"""One process per data folder: an advisory lock that the kernel releases when its holder dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from antiphon.errors import AntiphonError

LOCK_NAME = "node.lock"


class FolderLock:
    """Held from construction to ``release``; the lock file carries the holder's process id as text."""

    def __init__(self, folder: Path) -> None:
        path = folder / LOCK_NAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._handle: int | None = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise AntiphonError(f"cannot use the data folder [{folder}]: {error.strerror}; choose another") from error
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._handle, 32, 0).decode(errors="replace").strip()
            os.close(self._handle)
            who = f"process {holder}" if holder else "another process"
            raise AntiphonError(
                f"the data folder [{folder}] is in use by {who}; stop it or choose another data folder"
            ) from error
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let another process in. Idempotent."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

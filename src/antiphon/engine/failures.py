"""Tells the log what fails again and again: once when it begins, again when it fails otherwise or after a while in
which it did not, and when it is over.
"""

from __future__ import annotations

import logging
import shutil
import time
from pathlib import Path

from antiphon.errors import is_disk_full

_LOG = logging.getLogger("antiphon.engine")
_FULL = "the disk of the data folder is full"
_NO_ROOM_BYTES = 64 * 1024
"""With less free, whatever fails fails for want of room: tantivy does not say why it does."""
_APART_S = 600.0
"""After so long without a failure the next one is told: what failed may have been done by a request in between."""


class Failures:
    """What fails now, by ``work`` in words. ``folder`` is on the disk that may be full, None: there is none."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._told: dict[str, tuple[str, float]] = {}

    def tell(self, work: str, error: Exception) -> None:
        """Log the failure unless the last of this work was lately, and of its kind; a full disk without a traceback."""
        kind = _FULL if self._full(error) else f"{type(error).__name__} {getattr(error, 'errno', '')}"
        now = time.monotonic()
        before, at = self._told.get(work, ("", now))
        self._told[work] = kind, now
        if before == kind and now - at < _APART_S:
            return
        if kind == _FULL:
            _LOG.error("%s failed: %s; make room, it is tried again every second", work, _FULL)
        else:
            _LOG.error("%s failed; it is tried again every second", work, exc_info=error)

    def over(self, work: str) -> None:
        """Say that it works again, when it failed."""
        if self._told.pop(work, None) is not None:
            _LOG.info("%s works again", work)

    def _full(self, error: Exception) -> bool:
        try:
            return is_disk_full(error) or (
                self._folder is not None and shutil.disk_usage(self._folder).free < _NO_ROOM_BYTES
            )
        except OSError:  # the folder is gone, which is not for want of room
            return False

"""The vectors of texts that came alone, for when they come again: people turn pages, and ask what others asked."""

from __future__ import annotations

import threading
from collections import OrderedDict

from antiphon.encode.encoding import Encoding

MOST = 1024
"""Texts that are kept: some 2 MiB of vectors with 384 dimensions."""
_LONGEST = 1000
"""Characters of a text that is kept."""
_LARGEST = 4096
"""Numbers of a vector that is kept; the vectors of single tokens never are."""


class Recent:
    """The last ``most`` texts with their encodings, by the whole text, so each role has its own. Thread-safe."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._kept: OrderedDict[str, Encoding] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, text: str) -> Encoding | None:
        """Return what was kept of ``text``; its row is not to be written to."""
        with self._lock:
            found = self._kept.get(text)
            if found is not None:
                self._kept.move_to_end(text)
            return found

    def put(self, text: str, encoding: Encoding) -> None:
        """Keep the encoding of one text, in place of the one that was not asked for the longest time."""
        (row,) = encoding.rows
        if len(text) > _LONGEST or row.ndim > 1 or row.size > _LARGEST:
            return
        row.setflags(write=False)
        with self._lock:
            self._kept[text] = encoding
            self._kept.move_to_end(text)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)

    def close(self) -> None:
        """Forget everything, and keep nothing more."""
        with self._lock:
            self._most = 0
            self._kept.clear()

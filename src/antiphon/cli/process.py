"""How a server's process is set up: the interpreter's own pauses are to be short."""

from __future__ import annotations

import gc
import sys

_SWITCH_S = 0.0002
"""How long a thread computes in Python before another that waits gets its turn: a search beside a bulk needs many."""
_YOUNG = 200_000
"""Objects made before the collector looks for cycles among them."""


def serve_well() -> None:
    """Prefer latency. Call it when most of what lasts is loaded."""
    sys.setswitchinterval(_SWITCH_S)
    gc.collect()
    gc.freeze()  # the collector passes over what is here to stay
    gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])

"""What a section of the suite is given."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Setting:
    """``model``: a package zip of multilingual-e5-small; ``scratch``: an empty folder that is deleted afterwards;
    ``threads`` for every contender; ``rounds`` of each comparison; ``versions`` collects what took part."""

    model: Path
    scratch: Path
    threads: int
    rounds: int
    versions: dict[str, str] = field(default_factory=dict)
    began: float = field(default_factory=time.perf_counter)

    def say(self, text: str) -> None:
        """Show on stderr how far it is."""
        print(f"{time.perf_counter() - self.began:7.0f} s  {text}", file=sys.stderr, flush=True)


class SkipSection(Exception):
    """A section cannot run on this machine; the text says why."""

"""What a transfer tells while it works, and what it remembers for the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Progress = Callable[[str, int, int], None]
"""What, done, total (0: unknown)."""


@dataclass(slots=True)
class Journal:
    """Says one line for each thing done; ``changes`` and ``failures`` are what the end is judged by.

    ``wait`` sleeps for so many seconds. ``facts`` is what a script may want to know: figures by name.
    """

    say: Callable[[str], None]
    on_progress: Progress
    wait: Callable[[float], None]
    dry_run: bool = False
    changes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def title(self, text: str) -> None:
        """Begin a step."""
        self.say(text)

    def note(self, text: str) -> None:
        """Tell something that is well, or only good to know."""
        self.say(f"  {text}")

    def fail(self, text: str) -> None:
        """Tell what must not be: the transfer ends with a failure."""
        self.failures.append(text)
        self.say(f"  FAILED: {text}")

    def change(self, text: str) -> bool:
        """Announce a change there, as a verb with what it is done to; False in a dry run, which leaves it."""
        self.changes.append(text)
        self.say(f"  {'would ' if self.dry_run else ''}{text}")
        return not self.dry_run

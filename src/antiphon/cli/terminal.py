"""What a person sees while waiting: a progress bar on a terminal, plain lines elsewhere. All on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn


def say(line: str) -> None:
    """Print one line to stderr, where it does not mix with results."""
    typer.echo(line, err=True)


class Steps:
    """Shows progress; fulfils the ``on_progress`` callbacks: (what, done, total)."""

    def __init__(self, bars: Progress | None) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, what: str, done: int, total: int) -> None:
        """Note that ``what`` is at ``done`` of ``total``; a total of 0 is unknown."""
        if self._bars is None:
            if what not in self._tasks:
                self._tasks[what] = TaskID(0)
                say(f"{what} ...")
            return
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what, total=total or None)
        self._bars.update(self._tasks[what], completed=done, total=total or None)


@contextmanager
def steps() -> Iterator[Steps]:
    """Progress for the work inside."""
    if not sys.stderr.isatty():
        yield Steps(None)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        yield Steps(bars)

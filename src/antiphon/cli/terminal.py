"""What a person sees while waiting: a progress bar on a terminal, plain lines elsewhere. All on stderr."""

from __future__ import annotations

import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


def path_option(*names: str, **more: Any) -> Any:
    """Return an option that is a path; an empty one is refused, since it would mean the current folder."""
    return typer.Option(*names, parser=_named_path, metavar="<path>", **more)


def _named_path(given: str) -> Path:
    """Return the path; BadParameter when it is empty."""
    if not given.strip():
        raise typer.BadParameter("the path is empty: name a file or a folder, [.] for the current one")
    return Path(given)


def say(line: str) -> None:
    """Print one line to stderr, where it does not mix with results; above the bars, when some are shown."""
    if _shown:
        _shown[-1].line(harmless(line))
    else:
        typer.echo(harmless(line), err=True)


def harmless(text: str) -> str:
    """Return the text with characters that would steer the terminal written as escapes."""
    return "".join(c.encode("unicode_escape").decode() if unicodedata.category(c)[0] == "C" else c for c in text)


def wrapped(text: str, *, first: str = "   ", later: str = "   ") -> str:
    """Return ``text`` wrapped to the screen, at most 120 columns; ``first`` and ``later`` lead its lines."""
    width = min(shutil.get_terminal_size((100, 24)).columns, 120)
    return textwrap.fill(text, width, initial_indent=first, subsequent_indent=later, break_long_words=False)


def columns(rows: Sequence[Sequence[str]], *, left: int) -> list[str]:
    """Return the rows as aligned lines, the first ``left`` columns flush left, the others flush right.

    Widths are those of the screen: a Chinese character takes two cells.
    """
    from rich.cells import cell_len

    widths = [max(cell_len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = []
    for row in rows:
        pads = [" " * (width - cell_len(word)) for word, width in zip(row, widths, strict=True)]
        cells = [w + pad if i < left else pad + w for i, (w, pad) in enumerate(zip(row, pads, strict=True))]
        lines.append("  ".join(cells).rstrip())
    return lines


class Steps:
    """Shows progress; fulfils the ``on_progress`` callbacks: (what, done, total)."""

    def __init__(self, bars: Progress | None) -> None:
        self._bars = bars
        self._said: set[str] = set()
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, what: str, done: int, total: int) -> None:
        """Note that ``what`` is at ``done`` of ``total``; a total of 0 is unknown."""
        if self._bars is None:
            if what not in self._said:
                self._said.add(what)
                say(f"{what} ...")
            return
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what, total=total or None)
        self._bars.update(self._tasks[what], completed=done, total=total or None)

    def line(self, text: str) -> None:
        """Print a line; bars that are done, and those whose end nobody knows, go: the line says what came of them."""
        if self._bars is None:
            typer.echo(text, err=True)
            return
        for task in self._bars.tasks:
            if task.finished or task.total is None:
                self._bars.remove_task(task.id)
        left = set(self._bars.task_ids)
        self._tasks = {what: task_id for what, task_id in self._tasks.items() if task_id in left}
        self._bars.console.print(text, markup=False, highlight=False, soft_wrap=True)


_shown: list[Steps] = []
"""Those on the screen, innermost last: their bars are drawn again below every line."""


@contextmanager
def steps() -> Iterator[Steps]:
    """Progress for the work inside."""
    if not sys.stderr.isatty():
        yield Steps(None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        _shown.append(Steps(bars))
        try:
            yield _shown[-1]
        finally:
            _shown.pop()

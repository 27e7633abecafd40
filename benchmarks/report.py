"""Writes ``docs/benchmarks.md`` from the last results."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.result import Column, Figure, Table
from benchmarks.stored import Stored

_HEAD = """# Benchmarks

This page is made by `scripts/bench` from `benchmarks/results/`, where each kind of machine it ran on has a file; the
machine that ran last comes first, and figures of different machines are not mixed. Contenders run in processes of
their own, in environments that the suite builds; within every round each gets the same new texts, one after the other,
with the same number of threads and the same weights. Figures are medians of the rounds. In brackets: how many times
better than the contender whose ratio is 1, as the median of the ratios of each round, and their quartiles. Absolute
figures move with the machine and with what else runs on it: read the ratios. Speed is never asserted in a test.

```text
scripts/bench                    everything, and this page: about {minutes} minutes the last time
scripts/bench --only passages    the section that has this table; the others stay as they are
scripts/bench --compare          what has become slower than this page says; exit code 1 when something has
```
"""


def render(results: Sequence[Stored]) -> str:
    """Return the page as Markdown."""
    parts = [_HEAD.format(minutes=round(sum(results[0].minutes.values())))]
    for one in results:
        parts += [f"## {_name(one)}", "", _facts(one), *(_table(table) for table in one.tables)]
    return "\n".join(parts)


def _name(stored: Stored) -> str:
    """The processor, and what its instructions multiply beyond float32."""
    fast = [name for name in ("amx_bf16", "avx512_bf16") if name in stored.machine["features"]]
    return f"{stored.machine['processor'].split(' (')[0].replace('(R)', '')}{f', {fast[0]}' if fast else ''}"


def _facts(stored: Stored) -> str:
    lines = [f"* {key}: {value}" for key, value in stored.machine.items()]
    lines.append("* versions: " + ", ".join(f"{name} {number}" for name, number in sorted(stored.versions.items())))
    lines.append(f"* last run: {stored.date}")
    return "\n".join(lines) + "\n"


def _table(table: Table) -> str:
    columns = [column for column in table.columns if any(column.name in row for row in table.rows.values())]
    lines = [f"### {table.title}", "", table.about, ""]
    lines.append("| | " + " | ".join(_heading(column) for column in columns) + " |")
    lines.append("|---" * (len(columns) + 1) + "|")
    for name, figures in table.rows.items():
        cells = [_cell(figures.get(column.name), name == table.baseline) for column in columns]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    if table.after:
        lines += ["", table.after]
    return "\n".join(lines) + "\n"


def _heading(column: Column) -> str:
    return f"{column.name}, {column.unit}" if column.unit else column.name


def _cell(figure: Figure | None, is_baseline: bool) -> str:
    if figure is None:
        return ""
    shown = number(figure.median)
    if figure.ratio is None:
        return shown
    if is_baseline:
        return f"{shown} (1)"
    spread = "" if figure.low == figure.high else f", {figure.low:.2g} to {figure.high:.2g}"
    return f"{shown} (**{figure.ratio:.2g}**{spread})"


def number(value: float) -> str:
    """Return a figure with three digits, more only where they are whole or a cosine."""
    if 0.99 < value < 1:
        return f"{value:.6f}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"

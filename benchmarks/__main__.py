"""The benchmark suite: ``scripts/bench [--only NAME] [--compare]``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from antiphon.package import build_package
from benchmarks import embedding, growing, ingesting, opensearch, searching, serving, tokenizing
from benchmarks.machine import describe
from benchmarks.report import render
from benchmarks.result import Table, compare
from benchmarks.setting import Setting, SkipSection
from benchmarks.stored import Stored, everything

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
SECTIONS: dict[str, tuple[Callable[[Setting], list[Table]], tuple[str, ...]]] = {
    "embedding": (embedding.run, ("queries", "passages", "lengths", "loads")),
    "tokenizing": (tokenizing.run, ("tokens",)),
    "serving": (serving.run, ("starts", "http")),
    "ingesting": (ingesting.run, ("ingest", "beside")),
    "searching": (searching.run, ("knn", "recall", "text", "search", "neural")),
    "growing": (growing.run, ("growth",)),
    "opensearch": (opensearch.run, ("opensearch",)),
}
"""Section -> what runs it, and the tables it makes."""
_TABLES = [name for _, tables in SECTIONS.values() for name in tables]


def main() -> int:
    """Run, store, render; 1 when ``--compare`` finds something slower than before."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description="Antiphon beside what its users could run instead."
    )
    names = [*SECTIONS, *_TABLES]
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help=f"one of {', '.join(names)}")
    parser.add_argument("--compare", action="store_true", help="tell what is slower than the stored results say")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--page", action="store_true", help="only write the page anew from the stored results")
    given = parser.parse_args()
    if given.page:
        _write_page()
        return 0
    stored = Stored.of(describe(given.threads), f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
    if given.compare and not stored.tables:
        parser.error("--compare: there are no results of a machine like this one: run `scripts/bench` first")
    sections = [name for name, (_, tables) in SECTIONS.items() if _wanted(given.only, name, tables)]
    slower: list[str] = []
    for now, versions, minutes in _run(sections, given.threads, given.rounds):
        for table in now:
            print(_plain(table))
        if given.compare:
            slower += compare(stored.tables, now)
        else:  # each section at once: a later one may fail
            stored = stored.with_run(now, versions, minutes, _TABLES)
            stored.write()
            _write_page()
    for line in slower:
        print(f"slower: {line}")
    return 1 if slower else 0


def _wanted(only: list[str] | None, section: str, tables: tuple[str, ...]) -> bool:
    return only is None or section in only or any(name in tables for name in only)


def _run(
    sections: list[str], threads: int, rounds: int
) -> Iterator[tuple[list[Table], dict[str, str], dict[str, float]]]:
    """Yield for each section its tables, the versions that took part, and its minutes."""
    versions: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="antiphon-bench-") as scratch:
        model = Path(scratch) / "e5.zip"
        build_package("bundled:multilingual-e5-small", model)
        for name in sections:
            folder = Path(scratch) / name
            folder.mkdir()
            setting = Setting(model, folder, threads, rounds, versions)
            began, found = time.perf_counter(), []
            try:
                found = SECTIONS[name][0](setting)
            except SkipSection as reason:
                print(f"SKIPPED: {name}: {reason}", file=sys.stderr)
            yield found, versions, {name: (time.perf_counter() - began) / 60}


def _write_page() -> None:
    PAGE.write_text(render(everything()), encoding="utf-8")


def _plain(table: Table) -> str:
    lines = [table.title]
    for row, figures in table.rows.items():
        cells = (
            f"{name} {one.median:.4g}" + (f" (x{one.ratio:.2f})" if one.ratio else "") for name, one in figures.items()
        )
        lines.append(f"  {row:32} " + "  ".join(cells))
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())

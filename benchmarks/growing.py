"""How does the cost of writing, searching and starting grow with the number of documents?"""

from __future__ import annotations

import os
import shutil
import time

from benchmarks.corpus import ABOUT, Corpus, bm25, hybrid, knn
from benchmarks.indexed import Asker, create, middle, settle, write
from benchmarks.result import Column, Rounds, Table
from benchmarks.server import server
from benchmarks.setting import Setting
from benchmarks.weighing import anonymous_mib, disk_mib

SIZES = (1_000, 10_000, 100_000)
LARGE = 1_000_000
"""Measured too where ``ANTIPHON_BENCH_LARGE`` is set."""
QUERIES = 200
TOGETHER = 25
"""Searches of a kind in a row."""


def run(setting: Setting) -> list[Table]:
    """Return the table ``growth``."""
    sizes = [*SIZES, LARGE] if os.environ.get("ANTIPHON_BENCH_LARGE") else list(SIZES)
    setting.say(f"making {max(sizes):,} documents")
    corpus = Corpus.make(max(sizes), QUERIES)
    rounds = Rounds()
    measured = {size: _measure(setting, corpus.first(size), rounds) for size in sizes}
    columns = [
        Column("ingest", "docs/s", less_is_better=False),
        Column("k-NN p50", "ms"),
        Column("BM25 p50", "ms"),
        Column("hybrid p50", "ms"),
        Column("restart", "s"),
        Column("disk", "MiB"),
        Column("memory", "MiB"),
    ]
    about = (
        f"The same server with more and more documents: {ABOUT}. Written in bulks of 500 with ready vectors on one "
        "connection; searched over HTTP once the background has come to rest and graphs are built. *Hybrid* is BM25 "
        "and k-NN with `_source`. *Restart*: from the start of the process to the first answer to a k-NN query. "
        "*Disk*: the whole data folder then. *Memory*: "
        f"anonymous memory after all searches. {setting.rounds} rounds of {TOGETHER} queries of each kind, in turn."
    )
    table = Table.of("growth", "Growth", about, columns, rounds, None)
    for size, (figures, _) in measured.items():
        table.put(_row(size), **figures)
    covered = ", ".join(f"{share:.0%} at {size:,}" for size, (_, share) in measured.items())
    table.after = f"Graphs cover {covered} of the vectors; the others are searched exactly."
    return [table]


def _row(size: int) -> str:
    return f"{size:,} documents"


def _measure(setting: Setting, corpus: Corpus, rounds: Rounds) -> tuple[dict[str, float], float]:
    """Add the rounds of one size; return what is measured once, and the share of vectors that graphs cover."""
    size = len(corpus.texts)
    data = setting.scratch / f"growth-{size}"
    with server(data, None, setting.threads) as running:
        setting.say(f"{size:,} documents: writing")
        create(running)
        figures = {"ingest": size / write(running, corpus.bulks())}
        waited_s, covered = settle(running, size)
        setting.say(f"{size:,} documents: at rest after {waited_s:.0f} s, graphs cover {covered:.0%}")
        running.connect()  # it closes a connection that is idle for long
        asker = Asker(running)
        for turn in range(setting.rounds + 1):
            numbers = range(turn * TOGETHER, (turn + 1) * TOGETHER)
            for column, body in (("k-NN p50", knn), ("BM25 p50", bm25), ("hybrid p50", hybrid)):
                times = asker.times(body(corpus, number) for number in numbers)
                if turn:  # the first round fills caches
                    rounds.add(_row(size), column, middle(times))
        figures["memory"] = anonymous_mib(running.pid)
    with server(data, None, setting.threads) as running:
        _, answer = Asker(running).search(knn(corpus, 0))
        figures["restart"] = time.perf_counter() - running.launched
        assert len(answer["hits"]["hits"]) == 10, answer
        figures["disk"] = disk_mib(data)
    shutil.rmtree(data)
    return figures, covered

"""How fast is search over 100k documents by HTTP, against libraries in process and against another small server?"""

from __future__ import annotations

import time
from typing import Any

from benchmarks.corpus import ABOUT, Corpus, bm25, fused, hybrid, knn
from benchmarks.indexed import Asker, create, high, middle, settle, write_beside_reader
from benchmarks.lexical import compare_text
from benchmarks.nearest import compare_knn
from benchmarks.result import Column, Rounds, Table
from benchmarks.server import Server, server
from benchmarks.setting import Setting
from benchmarks.texts import queries
from benchmarks.weighing import anonymous_mib

DOCUMENTS = 100_000
QUERIES = 200
"""Different query vectors."""
TOGETHER = 25
"""Searches of a kind in a row."""
_ROW = "Antiphon"


def run(setting: Setting) -> list[Table]:
    """Return the tables ``knn``, ``recall``, ``text``, ``search`` and ``neural``."""
    setting.say(f"making {DOCUMENTS:,} documents")
    corpus = Corpus.make(DOCUMENTS, QUERIES)
    data = setting.scratch / "search"
    rounds, once = Rounds(), {}
    with server(data, None, setting.threads) as running:
        create(running)
        once = _ingest(setting, running, corpus)
        running.connect()  # it closes a connection that is idle for long
        asker = Asker(running)
        for turn in range(setting.rounds + 1):
            times = asker.times(hybrid(corpus, turn * TOGETHER + place) for place in range(TOGETHER))
            if turn:  # the first round fills caches
                rounds.add(_ROW, "hybrid p50", middle(times))
                rounds.add(_ROW, "hybrid p95", high(times))
        near = Asker(running.again())
        tables = compare_knn(setting, near, corpus)
        tables.append(compare_text(setting, Asker(running.again()), corpus))
    with server(data, None, setting.threads) as running:
        Asker(running).search(knn(corpus, 0))
        once["restart"] = time.perf_counter() - running.launched
    tables.append(_search_table(setting, rounds, once))
    with server(data, setting.model, setting.threads) as running:
        tables.append(_neural(setting, running, corpus))
    return tables


def _ingest(setting: Setting, running: Server, corpus: Corpus) -> dict[str, float]:
    before = anonymous_mib(running.pid)
    setting.say("writing while a reader asks")
    took_s, latencies = write_beside_reader(running, corpus)
    setting.say("waiting for the graph")
    graphs_s, covered = settle(running, len(corpus.texts))
    if covered < 1:
        setting.say(f"graphs cover {covered:.0%} of the vectors: the others are searched exactly")
    return {
        "ingest": len(corpus.texts) / took_s,
        "reader_p50": middle(latencies),
        "reader_p95": high(latencies),
        "graph": graphs_s,
        "memory": anonymous_mib(running.pid) - before,
    }


def _search_table(setting: Setting, rounds: Rounds, once: dict[str, float]) -> Table:
    about = (
        f"{DOCUMENTS:,} documents: {ABOUT}. *Ingest*: bulks of 500 with ready vectors on one connection, "
        "while a reader on another asks 20 hybrid queries a second; *reader* is how long those take. *Graph*: from the "
        "last write until one graph covers every vector. *Memory*: anonymous memory added by all of that. *Hybrid*: "
        f"BM25 and k-NN, normalized and averaged, with `_source`; {setting.rounds} rounds of {TOGETHER} queries. "
        "*Restart*: from the start of the process to the first answer to a k-NN query."
    )
    columns = [
        Column("ingest", "docs/s", less_is_better=False),
        Column("reader p50", "ms"),
        Column("reader p95", "ms"),
        Column("graph", "s"),
        Column("memory", "MiB"),
        Column("hybrid p50", "ms"),
        Column("hybrid p95", "ms"),
        Column("restart", "s"),
    ]
    table = Table.of("search", "Ingest, hybrid search, restart", about, columns, rounds, None)
    table.put(_ROW, **once)
    return table


def _neural(setting: Setting, running: Server, corpus: Corpus) -> Table:
    """The query's text is new each time, and has its digits at the same place in every kind of request."""
    setting.say("waiting for the model")
    model_id = running.wait_for_vector()
    asker, rounds = Asker(running), Rounds()

    def leg(text: str) -> dict[str, Any]:
        return {"neural": {"vector": {"query_text": text, "model_id": model_id, "k": 10}}}

    def neural(text: str, _: int) -> float:
        return asker.search({"size": 10, "_source": False, "query": leg(text)})[0]

    def both(text: str, number: int) -> float:
        return asker.search(fused([bm25(corpus, number)["query"], leg(text)]))[0]

    def embedding(text: str, _: int) -> float:
        start = time.perf_counter()
        status, answer = running.predict(model_id, text)
        took_ms = (time.perf_counter() - start) * 1000
        assert status == 200, answer
        return took_ms

    kinds = {"embedding": embedding, "neural query": neural, "hybrid query": both}
    for turn in range(setting.rounds + 1):
        setting.say(f"neural queries, round {turn} of {setting.rounds}")
        found = {}
        for place, (kind, ask) in enumerate(kinds.items()):
            texts = queries(1000 + 10 * turn + place, TOGETHER)
            found[kind] = middle([ask(text, turn * TOGETHER + number) for number, text in enumerate(texts)])
        for kind in list(kinds)[1:] if turn else ():  # the first round warms up
            rounds.add(kind, "whole", found[kind])
            rounds.add(kind, "embedding alone", found["embedding"])
            rounds.add(kind, "above it", found[kind] - found["embedding"])
    about = (
        f"A query by its text over the same {DOCUMENTS:,} documents, on one connection; the model embeds it. The "
        "vectors of the index are not the model's, which does not matter for time. *Embedding alone* is a query of the "
        f"same kind by `_predict`. Each of {setting.rounds} rounds asks {TOGETHER} queries of each kind, in turn, all "
        "of them different, so that no cache can help; medians. *Above it* is what search adds; we want at most 6 ms."
    )
    columns = [
        Column("whole", "ms", compared=False),
        Column("embedding alone", "ms", compared=False),
        Column("above it", "ms", compared=False),
    ]
    return Table.of("neural", "Queries by meaning", about, columns, rounds, None)

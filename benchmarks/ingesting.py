"""What does ingest through a pipeline cost above embedding in process, and what does it cost a reader?"""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Sequence

import orjson

import antiphon
from benchmarks.corpus import BULK
from benchmarks.indexed import Asker, high, middle, write
from benchmarks.result import Column, Rounds, Table
from benchmarks.server import Server, server
from benchmarks.setting import Setting
from benchmarks.texts import passages, queries, short_passages

PASSAGES = 1000
"""Texts that each contender embeds in a round."""
DURING = 1000
"""Passages of the bulk beside which the reader asks."""
ALONE_S = 5.0
_PAUSE_S = 0.05
_DIMENSION = 384
IN_PROCESS, OVER_HTTP = "in process, `embed_passages`", "bulks over HTTP, through a pipeline"
ALONE, BESIDE = "a search alone", "a search beside a bulk"


def run(setting: Setting) -> list[Table]:
    """Return the tables ``ingest`` and ``beside``."""
    with server(setting.scratch / "ingest", setting.model, setting.threads) as running:
        model_id = running.wait_for_vector()
        create(running, "ingest", model_id)
        create(running, "beside", model_id)
        return [_ingest(setting, running), _beside(setting, running, model_id)]


def bulk(texts: Sequence[str]) -> bytes:
    """Return the bulk request of new documents."""
    lines = [b'{"index":{}}\n' + orjson.dumps({"text": text}) for text in texts]
    return b"\n".join([*lines, b""])


def create(running: Server, index: str, model_id: str) -> None:
    """Make an index whose default pipeline embeds."""
    processor = {"text_embedding": {"model_id": model_id, "field_map": {"text": "vector"}}}
    assert running.ask("PUT", f"/_ingest/pipeline/{index}", {"processors": [processor]})[0] == 200
    vector = {"type": "knn_vector", "dimension": _DIMENSION}
    body = {
        "settings": {"index.knn": True, "default_pipeline": index},
        "mappings": {"properties": {"text": {"type": "text"}, "vector": vector}},
    }
    status, answer = running.ask("PUT", f"/{index}", body)
    assert status == 200, answer


def _ingest(setting: Setting, running: Server) -> Table:
    rounds = Rounds()
    with antiphon.load(setting.model, threads=setting.threads) as model, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # some texts are truncated, and are meant to be
        for turn in range(setting.rounds + 1):
            setting.say(f"ingest, round {turn} of {setting.rounds}")
            texts = passages(turn, PASSAGES)
            start = time.perf_counter()
            model.embed_passages(texts)
            alone_s = time.perf_counter() - start
            running.connect()  # it closes a connection that is idle for long
            bodies = [bulk(texts[first : first + BULK]) for first in range(0, len(texts), BULK)]
            start = time.perf_counter()
            write(running, bodies, "/ingest")
            assert running.send("POST", "/ingest/_refresh", b"")[0] == 200
            whole_s = time.perf_counter() - start
            if turn:  # the first round warms up
                rounds.add(IN_PROCESS, "passages", PASSAGES / alone_s)
                rounds.add(OVER_HTTP, "passages", PASSAGES / whole_s)
    count = orjson.loads(running.ask("GET", "/ingest/_count")[1])["count"]
    assert count == (setting.rounds + 1) * PASSAGES, f"the index holds {count} documents"
    about = (
        f"The same {PASSAGES:,} passages of mixed lengths (log-normal around 50 tokens, one in thirty cut at 512), "
        f"once embedded by `antiphon.load(…).embed_passages`, once written in bulks of {BULK} on one connection to an "
        "index with a `text_embedding` pipeline, until they are searchable. Both use the same package, precision and "
        f"threads, in turn in each of {setting.rounds} rounds, with new texts in each. We want 90 % of "
        "the rate in process."
    )
    columns = [Column("passages", "texts/s", less_is_better=False)]
    return Table.of("ingest", "Ingest through a pipeline", about, columns, rounds, IN_PROCESS)


class Reader:
    """Asks neural queries with a pause between them."""

    def __init__(self, running: Server, model_id: str) -> None:
        self._server = running
        self._model_id = model_id
        self._asked = 0

    def ask(self, seconds: float, done: threading.Event) -> list[float]:
        """Return the milliseconds of each until ``done`` is set or ``seconds`` are over."""
        self._server.connect()
        asker, taken = Asker(self._server, "/beside"), list[float]()
        end = time.perf_counter() + seconds
        while time.perf_counter() < end and not done.wait(_PAUSE_S):
            (text,) = queries(10_000 + self._asked, 1)
            self._asked += 1
            query = {"neural": {"vector": {"query_text": text, "model_id": self._model_id, "k": 10}}}
            taken.append(asker.search({"_source": False, "query": query})[0])
        return taken

    def ask_beside(self, running: Server, body: bytes) -> tuple[list[float], float]:
        """Ask while a bulk is written; return the milliseconds of each, and the seconds of the bulk."""
        running.connect()
        done = threading.Event()
        taken: list[float] = []
        asking = threading.Thread(target=lambda: taken.extend(self.ask(600, done)))
        asking.start()
        try:
            took_s = write(running, [body], "/beside")
        finally:
            done.set()
            asking.join()
        return taken, took_s


def _beside(setting: Setting, running: Server, model_id: str) -> Table:
    running.connect()
    write(running, [bulk(short_passages(0, 200))], "/beside")
    reader, rounds = Reader(running.again(), model_id), Rounds()
    for turn in range(1, setting.rounds + 1):
        setting.say(f"beside a bulk, round {turn} of {setting.rounds}")
        quiet = reader.ask(ALONE_S, threading.Event())
        busy, took_s = reader.ask_beside(running, bulk(short_passages(turn * DURING + 1000, DURING)))
        for row, times in ((ALONE, quiet), (BESIDE, busy)):
            rounds.add(row, "p50", middle(times))
            rounds.add(row, "p95", high(times))
        rounds.add(BESIDE, "passages", DURING / took_s)
    about = (
        "A reader asks neural queries, a twentieth of a second after each answer, over one connection: "
        f"{ALONE_S:.0f} s alone, then while another connection sends a bulk of {DURING:,} passages of 12 to 60 words "
        f"to the same index, whose pipeline embeds them; {setting.rounds} rounds. *Passages* are those embedded "
        "meanwhile."
    )
    columns = [
        Column("p50", "ms"),
        Column("p95", "ms"),
        Column("passages", "texts/s", less_is_better=False, compared=False),
    ]
    return Table.of("beside", "Searches beside a long bulk", about, columns, rounds, ALONE)

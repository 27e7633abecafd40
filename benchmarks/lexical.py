"""BM25: Antiphon and osmem-server over HTTP, and the library tantivy in process."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import tantivy

from benchmarks.corpus import BULK, Corpus, K, bm25
from benchmarks.environments import python_of
from benchmarks.indexed import Asker, high, middle, write
from benchmarks.result import Column, Rounds, Table
from benchmarks.setting import Setting

TOGETHER = 50
"""Queries that one contender answers in a row."""
PATIENCE_S = 300.0
"""How long osmem-server may load."""
LIBRARY = "tantivy, in process"
OURS = "Antiphon, over HTTP"
_BINARY = "from osmem_server import resolve_binary; print(resolve_binary())"
Answers = list[tuple[float, list[str]]]
Contender = Callable[[Sequence[int]], Answers]
"""Answers queries by number: milliseconds and ids of each."""


class Library:
    """tantivy's own index with its default tokenizer; ``segments`` as they came."""

    def __init__(self, corpus: Corpus, folder: Path, threads: int) -> None:
        folder.mkdir()
        self._corpus = corpus
        schema = tantivy.SchemaBuilder()
        schema.add_integer_field("id", stored=True)
        schema.add_text_field("text")
        self._index = tantivy.Index(schema.build(), path=str(folder))
        writer = self._index.writer(num_threads=threads)
        for number, text in enumerate(corpus.texts):
            writer.add_document(tantivy.Document(id=number, text=text))
        writer.commit()
        writer.wait_merging_threads()
        self._index.reload()
        self.segments = self._index.searcher().num_segments

    def answer(self, numbers: Sequence[int]) -> Answers:
        """Return the answers; parsing the query and reading the ids are part of the time."""
        answers = []
        for number in numbers:
            text = self._corpus.terms(number)
            start = time.perf_counter()
            searcher = self._index.searcher()
            hits = searcher.search(self._index.parse_query(text, ["text"]), K).hits
            ids = [str(searcher.doc(address)["id"][0]) for _, address in hits]
            answers.append(((time.perf_counter() - start) * 1000, ids))
        return answers


class Osmem:
    """A connection to osmem-server."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=600)

    def send(self, method: str, path: str, content: bytes) -> tuple[int, bytes]:
        """Return status and body."""
        self._connection.request(method, path, content, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        return response.status, response.read()

    def load(self, corpus: Corpus) -> int:
        """Write the texts; return how many it took in ``PATIENCE_S``."""
        body = {"mappings": {"properties": {"text": {"type": "text"}}}}
        status, answer = self.send("PUT", "/bench", json.dumps(body).encode())
        assert status == 200, answer
        start, loaded = time.perf_counter(), 0
        for bulk in corpus.bulks(vectors=False):
            write(self, [bulk])
            loaded = min(loaded + BULK, len(corpus.texts))
            if time.perf_counter() - start > PATIENCE_S:
                break
        assert self.send("POST", "/bench/_refresh", b"")[0] == 200
        count = int(json.loads(self.send("GET", "/bench/_count", b"")[1])["count"])
        assert count == loaded, f"osmem-server holds {count} documents of {loaded}"
        return count


@contextmanager
def osmem() -> Iterator[Osmem]:
    """Yield a server that runs for as long; it ends with this process at the latest."""
    asked = subprocess.run([python_of("light"), "-c", _BINARY], check=True, capture_output=True, text=True)
    command = [asked.stdout.strip(), "-addr", "127.0.0.1:0", "-no-ja", "-parent-pid", str(os.getpid())]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Osmem(json.loads(process.stdout.readline())["url"])
    finally:
        process.terminate()
        process.communicate()


def over_http(asker: Asker, corpus: Corpus) -> Contender:
    """Return a contender that asks a server."""

    def answer(numbers: Sequence[int]) -> Answers:
        found = [asker.search(bm25(corpus, number)) for number in numbers]
        return [(took_ms, [hit["_id"] for hit in body["hits"]["hits"]]) for took_ms, body in found]

    return answer


def compare_text(setting: Setting, asker: Asker, corpus: Corpus) -> Table:
    """Return the table ``text``."""
    setting.say("BM25: tantivy and osmem-server load the texts")
    library = Library(corpus, setting.scratch / "tantivy", setting.threads)
    rounds = Rounds()
    with osmem() as other:
        loaded = other.load(corpus)
        whole = loaded == len(corpus.texts)
        name = "osmem-server, over HTTP" + ("" if whole else f", {loaded:,} documents")
        contenders: dict[str, Contender] = {
            LIBRARY: library.answer,
            name: over_http(Asker(other), corpus),
            OURS: over_http(asker, corpus),
        }
        for turn in range(setting.rounds + 1):
            setting.say(f"BM25, round {turn} of {setting.rounds}")
            numbers = range(turn * TOGETHER, (turn + 1) * TOGETHER)
            answers = {row: contender(numbers) for row, contender in contenders.items()}
            if turn:  # the first round fills caches
                _keep(rounds, answers)
    columns = [
        Column("p50", "ms"),
        Column("p95", "ms"),
    ]
    about = (
        f"The ten best of {len(corpus.texts):,} documents for two to four words, ids only. tantivy is the library that "
        f"Antiphon is built on, asked in process on its own index of the same texts ({library.segments} segments, "
        "default tokenizer): what is above it are HTTP, JSON and the query language. osmem-server holds everything in "
        "memory. Both hold only the texts, Antiphon the vectors too. "
        f"Each of {setting.rounds} rounds asks every contender the same {TOGETHER} "
        "queries, in turn."
    )
    if not whole:
        about += f" osmem-server loaded {loaded:,} documents in {PATIENCE_S:.0f} s, and is asked for those."
    return Table.of("text", "BM25", about, columns, rounds, LIBRARY)


def _keep(rounds: Rounds, answers: dict[str, Answers]) -> None:
    for row, found in answers.items():
        times = [took for took, _ in found]
        rounds.add(row, "p50", middle(times))
        rounds.add(row, "p95", high(times))

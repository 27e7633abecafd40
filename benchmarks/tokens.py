"""How fast are texts tokenized by ourselves, against the ``tokenizers`` library, and what do both weigh?

    python benchmarks/tokens.py MODEL [--rounds N]

MODEL is a package zip or its unpacked folder, with a Unigram tokenizer. Both read the same texts in turn, and the
medians are compared. Words follow Zipf's law over the pieces that begin a word; one in twenty is made of two pieces
at random, so that it has never been seen; every round has new ones. The ids are compared too.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from antiphon.domain.model import ModelConfig
from antiphon.encode.tokenize import TextTokenizer

CONFIG = ModelConfig("bert")
_WEIGH = """
import sys, time
from pathlib import Path
from antiphon.domain.model import ModelConfig
from antiphon.encode.load import _return_memory
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
_return_memory()
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


def compare(library: TextTokenizer, ours: TextTokenizer, texts: Sequence[Sequence[str]]) -> tuple[list[float], bool]:
    """Seconds of the library, of ours, and of ours once more; whether all ids are equal."""
    rows: list[list[float]] = [[], [], []]
    equal = True
    for some in texts:
        answers = []
        for row, tokenizer in zip(rows, (library, ours, ours), strict=True):
            started = time.perf_counter()
            answers.append(tokenizer(some))
            row.append(time.perf_counter() - started)
        first, *others = [[one.ids.tolist() for one in tokens] for tokens in answers]
        equal &= all(other == first for other in others)
    return [statistics.median(row) for row in rows], equal


def weigh(folder: Path, rounds: int) -> None:
    with tempfile.TemporaryDirectory(prefix="antiphon-benchmark-") as cache:
        for how in ("library", "ours, first", "ours, again"):
            command = [sys.executable, "-c", _WEIGH, how, str(folder), cache]
            times = 1 if how == "ours, first" else rounds
            rows = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(times)]
            seconds, mib = zip(*(map(float, row.split()) for row in rows), strict=True)
            print(f"{how:12} loads in {statistics.median(seconds):.2f} s, {statistics.median(mib):.0f} MiB")


def speed(folder: Path, rounds: int) -> None:
    library = TextTokenizer(Tokenizer.from_file(str(folder / "tokenizer.json")), CONFIG)
    ours = TextTokenizer.load(folder, CONFIG)
    texts = Texts(folder, seed=1)
    corpora = {
        "one query, us": [[query] for query in texts.queries(100 * rounds)],
        "2,000 passages, us": [texts.passages(2_000) for _ in range(rounds)],
        "2,000 Chinese passages, us": [texts.chinese(2_000) for _ in range(rounds)],
    }
    for name, corpus in corpora.items():
        (theirs, first, again), equal = compare(library, ours, corpus)
        figures = f"library {theirs * 1e6:9.0f}   ours {first * 1e6:9.0f}   the same texts again {again * 1e6:9.0f}"
        print(f"{name:28} {figures}   ids {'equal' if equal else 'DIFFER'}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="antiphon-benchmark-") as unpacked:
        folder = options.model
        if folder.is_file():
            with zipfile.ZipFile(folder) as archive:
                archive.extract("tokenizer.json", unpacked)
            folder = Path(unpacked)
        weigh(folder, options.rounds)
        speed(folder, options.rounds)


if __name__ == "__main__":
    main()

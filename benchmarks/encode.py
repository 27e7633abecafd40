"""How fast, how exact and how large is embedding in process, against plain ONNX Runtime fp32?

    python benchmarks/encode.py MODEL [--threads N] [--rounds N] [--precision auto|fp32|bf16|int8]

MODEL is a package zip or its unpacked folder. The contender is what one writes by hand at its best: one ONNX
Runtime session, texts sorted by length, batches of 512 padded tokens, mean pooling. Both use the same threads and
tokenizer file, run in turn within each round, and the medians are compared. Read the ratios.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from antiphon.domain.deployment import Precision
from antiphon.domain.model import ModelConfig
from antiphon.encode import Loader

Floats = NDArray[np.float32]
Embed = Callable[[Sequence[str]], Floats]

CONFIG = ModelConfig("bert", query_prefix="query: ", passage_prefix="passage: ")
QUERY = "query: how much protein should a female eat"
CLIENTS = 16
_WORDS = (
    "protein woman daily average requirement grams the of for and is 南瓜 的 做法 家常 semantische Suche Anfrage "
    "Antwort recherche sémantique requête vecteur поиск запрос ответ consulta respuesta búsqueda model passage"
)


class PlainOrt:
    """The contender: ONNX Runtime fp32 as one would write it, with the batching that suits it best."""

    def __init__(self, folder: Path, threads: int, budget: int = 512) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options)
        self._names = [item.name for item in self._session.get_inputs()]
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(512)
        self._tokenizer.no_padding()
        self._budget = budget

    def __call__(self, texts: Sequence[str]) -> Floats:
        """Return float32 [texts, dimension]."""
        rows = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts))]
        order = sorted(range(len(rows)), key=lambda i: -len(rows[i]))
        result: list[Floats | None] = [None] * len(rows)
        while order:
            count = max(1, self._budget // len(rows[order[0]]))
            batch, order = order[:count], order[count:]
            for i, vector in zip(batch, self._run([rows[i] for i in batch]), strict=True):
                result[i] = vector
        return np.stack([row for row in result if row is not None])

    def _run(self, rows: list[list[int]]) -> Floats:
        ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
        mask = np.zeros_like(ids)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = row
            mask[i, : len(row)] = 1
        known = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        hidden = self._session.run(None, {name: known[name] for name in self._names})[0]
        pooled: Floats = (mask.astype(np.float32)[:, None, :] @ hidden)[:, 0] / mask.sum(axis=1, keepdims=True)
        return pooled.astype(np.float32)


def antiphon(folder: Path, threads: int, precision: str, cache_dir: Path | None) -> Embed:
    encoder = Loader(threads=threads, cache_dir=cache_dir).load(folder, CONFIG, Precision(precision))
    return lambda texts: encoder.encode(texts).matrix()


def passages(seed: int, count: int = 120, longest: int = 4) -> list[str]:
    """Mixed lengths as in a real corpus: log-normal around 50 tokens, and a few that reach the limit."""
    random, words = np.random.default_rng(seed), _WORDS.split()
    sizes = [int(size) for size in np.clip(random.lognormal(3.5, 0.8, count), 3, 300)] + [600] * longest
    return ["passage: " + " ".join(random.choice(words, size)) for size in random.permutation(sizes)]


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def lowest_cosine(one: Floats, other: Floats) -> float:
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return float((np.sum(one.astype(np.float64) * other, axis=1) / lengths).min())


def one_by_one(embed: Embed, count: int) -> None:
    for i in range(count):
        embed([f"{QUERY} {i % 10}"])


def many_clients(embed: Embed, each: int) -> None:
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(lambda _: one_by_one(embed, each), range(CLIENTS)))


def compare(engines: dict[str, Embed], rounds: int) -> None:
    """Print the table; every round gives every engine fresh texts of the same kind."""
    times: dict[tuple[str, str], list[float]] = {}
    exact = dict.fromkeys(engines, 1.0)
    reference = next(iter(engines))
    for turn in range(rounds + 1):
        texts = passages(turn)
        vectors: dict[str, Floats] = {}
        for name, embed in engines.items():
            taken = {
                "query": seconds(lambda embed=embed: one_by_one(embed, 50)) / 50,  # type: ignore[misc]
                "clients": seconds(lambda embed=embed: many_clients(embed, 10)) / (10 * CLIENTS),  # type: ignore[misc]
            }
            started = time.perf_counter()
            vectors[name] = embed(texts)
            taken["passages"] = (time.perf_counter() - started) / len(texts)
            if turn:  # the first round warms up
                for question, value in taken.items():
                    times.setdefault((name, question), []).append(value)
        for name in engines:
            exact[name] = min(exact[name], lowest_cosine(vectors[name], vectors[reference]))
    print(f"{'':24}{'1 query ms':>14}{'passages/s':>18}{f'{CLIENTS} clients q/s':>20}{'lowest cosine':>16}")
    base = {question: statistics.median(times[reference, question]) for question in ("query", "passages", "clients")}
    for name in engines:
        query, passage, client = (statistics.median(times[name, q]) for q in ("query", "passages", "clients"))
        cells = [
            f"{query * 1e3:8.2f} x{base['query'] / query:4.2f}",
            f"{1 / passage:12.1f} x{base['passages'] / passage:4.2f}",
            f"{1 / client:14.1f} x{base['clients'] / client:4.2f}",
            f"{exact[name]:16.6f}",
        ]
        print(f"{name:24}{''.join(cells)}")


def resident_mib() -> dict[str, int]:
    """Resident memory, the private part of it and its highest value so far, in MiB (Linux)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return {key: int(fields[key].split()[0]) // 1024 for key in ("VmRSS", "RssAnon", "VmHWM")}


def load_alone(folder: Path, threads: int, engine: str, cache_dir: Path) -> None:
    """Load one engine in this process and print seconds and MiB as JSON."""
    before = resident_mib()["VmRSS"]
    started = time.perf_counter()
    embed: Embed
    embed = PlainOrt(folder, threads) if engine == "ort" else antiphon(folder, threads, engine, cache_dir)
    embed([QUERY])
    taken = time.perf_counter() - started
    loaded = resident_mib()
    embed(passages(1))
    print(json.dumps({"seconds": taken, "before": before, "loaded": loaded, "ran": resident_mib()}))


def compare_loads(folder: Path, threads: int, engines: Sequence[tuple[str, str]], cache_dir: Path) -> None:
    print(f"\n{'':24}{'load s':>8}{'loaded MiB (private)':>22}{'after runs (private)':>22}{'peak':>8}")
    for label, engine in engines:
        command = [sys.executable, __file__, str(folder), "--threads", str(threads), "--load-alone", engine]
        output = subprocess.run(
            [*command, "--cache", str(cache_dir)], check=True, capture_output=True, text=True
        ).stdout
        facts = json.loads(output)
        cells = [f"{facts[when]['VmRSS']} ({facts[when]['RssAnon']})" for when in ("loaded", "ran")]
        print(f"{label:24}{facts['seconds']:8.2f}{cells[0]:>22}{cells[1]:>22}{facts['ran']['VmHWM']:>8}")


def unpacked(model: Path, stack: ExitStack) -> Path:
    """Return a folder named like a content address, so that the cache is used as in a server."""
    root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    folder = root / "packages" / ("0" * 64)
    folder.parent.mkdir()
    if model.is_dir():
        folder.symlink_to(model.resolve(), target_is_directory=True)
    else:
        with zipfile.ZipFile(model) as archive:
            archive.extractall(folder)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--precision", action="append", choices=[one.value for one in Precision])
    parser.add_argument("--load-alone", help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.load_alone:
        load_alone(given.model, given.threads, given.load_alone, given.cache)
        return
    precisions = given.precision or ["auto", "fp32", "int8"]
    with ExitStack() as stack:
        folder = unpacked(given.model, stack)
        cache_dir = folder.parent.parent / "cache"
        engines: dict[str, Embed] = {"plain ORT fp32": PlainOrt(folder, given.threads)}
        for precision in precisions:
            engines[f"antiphon {precision}"] = antiphon(folder, given.threads, precision, cache_dir)
        compare(engines, given.rounds)
        loads = [("plain ORT fp32", "ort")]
        loads += [(f"antiphon {one} {when}", one) for one in precisions for when in ("first", "again")]
        fresh = folder.parent.parent / "cold"
        fresh.mkdir()
        compare_loads(folder, given.threads, loads, fresh)


if __name__ == "__main__":
    main()

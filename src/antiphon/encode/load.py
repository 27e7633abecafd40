"""An unpacked package becomes an encoder: choose engine and precision, load, probe."""

from __future__ import annotations

import logging
import os
import time
from dataclasses import replace
from pathlib import Path

from antiphon.domain.deployment import DeployReport, Precision
from antiphon.domain.model import ModelConfig
from antiphon.encode.backends import Backend, EngineFailure, OnnxRuntime, OpenVino, has_fast_bf16
from antiphon.encode.encoder import Floats, Graph, ModelEncoder
from antiphon.encode.probes import PrecisionFailure, Probes, check_precision
from antiphon.encode.tokenize import TextTokenizer
from antiphon.errors import InferenceError

_log = logging.getLogger(__name__)

MAX_QUEUE_TEXTS = 10_000
"""Default for texts that may wait for one model."""

MAX_BATCH_TOKENS = 1024
"""Default for padded tokens in one batch: larger ones are slower per token, and a single query waits for one."""


class Loader:
    """Fulfils ``EncoderLoader``.

    ``threads``: of the engine, 0 for all CPUs this process may use; ``max_queue_texts``: texts of all callers that
    may wait for one model before QueueFull; ``max_batch_tokens``: padded tokens of one batch.
    """

    def __init__(
        self,
        *,
        threads: int = 0,
        max_queue_texts: int = MAX_QUEUE_TEXTS,
        max_batch_tokens: int = MAX_BATCH_TOKENS,
        cache_dir: Path | None = None,
    ) -> None:
        self._threads = threads or len(os.sched_getaffinity(0))
        self._max_queue_texts = max_queue_texts
        self._max_batch_tokens = max_batch_tokens
        self._cache_dir = cache_dir

    def load(self, folder: Path, config: ModelConfig, precision: Precision) -> ModelEncoder:
        """Load ``folder`` (one .onnx file, tokenizer.json) and run the probes; InferenceError with the failing figure.

        ``auto`` is bf16 where the CPU has it in hardware and it agrees with fp32, else fp32.
        """
        started = time.perf_counter()
        model = _only_model(folder)
        tokenizer = TextTokenizer.load(folder, config)
        probes = Probes(tokenizer, config)
        try:
            graph, report = self._probed(model, config, probes, precision)
        except EngineFailure as error:
            raise InferenceError(str(error)) from error
        report = replace(report, max_tokens=tokenizer.max_tokens, load_seconds=time.perf_counter() - started)
        return ModelEncoder(
            graph,
            tokenizer,
            report,
            max_batch_tokens=self._max_batch_tokens,
            max_queue_texts=self._max_queue_texts,
        )

    def _probed(
        self, model: Path, config: ModelConfig, probes: Probes, precision: Precision
    ) -> tuple[Graph, DeployReport]:
        if precision is not Precision.AUTO:
            return self._attempt(model, config, probes, precision)
        if has_fast_bf16():
            try:
                return self._attempt(model, config, probes, Precision.BF16)
            except (EngineFailure, PrecisionFailure) as error:
                _log.warning("bf16 does not suit this model, trying fp32: %s", error)
        return self._attempt(model, config, probes, Precision.FP32)

    def _attempt(
        self, model: Path, config: ModelConfig, probes: Probes, precision: Precision
    ) -> tuple[Graph, DeployReport]:
        """Load in exactly this precision and probe; nothing stays loaded on failure."""
        reference = None if precision is Precision.FP32 else self._reference(model, config, probes)
        backend = self._backend(model, precision)
        try:
            graph = Graph(backend, config)
            figures, vectors = probes.check(graph.run)
            agreement = None if reference is None else check_precision(vectors, reference, precision)
        except BaseException:
            backend.close()
            raise
        return graph, DeployReport(
            engine=backend.name,
            engine_version=backend.version,
            precision=precision,
            lossy=precision is Precision.INT8,
            threads=self._threads,
            dimension=figures.dimension,
            max_tokens=0,
            batch_cosine=figures.batch_cosine,
            role_cosine=figures.role_cosine,
            precision_cosine=agreement,
            load_seconds=0.0,
        )

    def _backend(self, model: Path, precision: Precision) -> Backend:
        """OpenVINO; for fp32 ONNX Runtime where OpenVINO cannot read the graph."""
        try:
            return OpenVino(model, self._threads, precision)
        except EngineFailure as error:
            if precision is not Precision.FP32:
                raise
            _log.warning("%s; using ONNX Runtime", error)
            return OnnxRuntime(model, self._threads)

    def _reference(self, model: Path, config: ModelConfig, probes: Probes) -> list[Floats]:
        """The probe texts in ONNX Runtime's fp32, which is freed again."""
        backend = OnnxRuntime(model, self._threads, reference=True)
        try:
            graph = Graph(backend, config)
            return [graph.run([one])[0] for one in probes.tokens]
        finally:
            backend.close()


def _only_model(folder: Path) -> Path:
    found = sorted(folder.glob("*.onnx"))
    if len(found) != 1:
        raise InferenceError(
            f"A model package holds exactly one .onnx file at its root, this one holds {[one.name for one in found]}"
        )
    return found[0]

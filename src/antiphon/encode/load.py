"""An unpacked package becomes an encoder: choose engine and precision, load, probe."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from antiphon.domain.deployment import DeployReport, Precision
from antiphon.domain.model import ModelConfig
from antiphon.encode.backends import Backend, EngineFailure, OnnxRuntime, OpenVino, has_fast_bf16
from antiphon.encode.cache import cache_folder, remembered
from antiphon.encode.encoder import Graph, ModelEncoder
from antiphon.encode.encoding import Floats
from antiphon.encode.memory import return_memory
from antiphon.encode.probes import Figures, PrecisionFailure, Probes, check_precision
from antiphon.encode.reference import Reference
from antiphon.encode.tokenize import TextTokenizer, Tokens
from antiphon.errors import InferenceError

_log = logging.getLogger(__name__)

MAX_QUEUE_TEXTS = 10_000
"""Default for texts that may wait for one model."""

MAX_BATCH_TOKENS = 512
"""Default for padded tokens in one batch: the fastest per token as measured, and what a single query waits for."""

_WARM_TOKENS = 64
"""Single texts up to this length are run once at load, so that no query pays for a new shape."""


class Loader:
    """Fulfils ``EncoderLoader``.

    ``threads``: of the engine, 0 for all CPUs this process may use; ``max_queue_texts``: texts of all callers that
    may wait for one model before QueueFull; ``max_batch_tokens``: padded tokens of one batch; ``cache_dir``: where
    prepared graphs, vocabularies and reference vectors of content-addressed packages are kept, None for nowhere.
    """

    def __init__(
        self,
        *,
        threads: int = 0,
        max_queue_texts: int = MAX_QUEUE_TEXTS,
        max_batch_tokens: int = MAX_BATCH_TOKENS,
        cache_dir: Path | None = None,
    ) -> None:
        self._threads = threads or available_cpus()
        self._max_queue_texts = max_queue_texts
        self._max_batch_tokens = max_batch_tokens
        self._cache_dir = cache_dir

    def load(self, folder: Path, config: ModelConfig, precision: Precision) -> ModelEncoder:
        """Load ``folder`` (one .onnx file, tokenizer.json) and run the probes; InferenceError with the failing figure.

        ``auto`` is bf16 where the CPU has it in hardware and it agrees with fp32, else fp32. fp32 is OpenVINO's,
        ONNX Runtime's where the two disagree or OpenVINO cannot read the graph.
        """
        started = time.perf_counter()
        cache = cache_folder(self._cache_dir, folder)
        tokenizer = TextTokenizer.load(folder, config, cache)
        loading = _Loading(_only_model(folder), config, tokenizer, self._threads, cache)
        try:
            loaded = loading.run(precision)
        except EngineFailure as error:
            raise InferenceError(str(error)) from error
        return_memory(cache)
        return ModelEncoder(
            loaded.graph,
            tokenizer,
            loaded.report(tokenizer.max_tokens, self._threads, time.perf_counter() - started),
            max_batch_tokens=self._max_batch_tokens,
            max_queue_texts=self._max_queue_texts,
            widen=loaded.widen,
            fix=loaded.fix,
        )


def available_cpus() -> int:
    """Return how many CPUs this process may use: its affinity, and its container's quota rounded up."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return cpus
    return cpus if quota == "max" else max(1, min(cpus, -(-int(quota) // int(period))))


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A graph that passed its probes, and their figures.

    ``widen`` makes its lanes when they are wanted, ``fix`` the branches for single texts of some widths.
    """

    graph: Graph
    precision: Precision
    figures: Figures
    precision_cosine: float | None
    widen: Callable[[], bool] | None
    fix: Callable[[tuple[int, ...]], bool]

    def report(self, max_tokens: int, threads: int, load_seconds: float) -> DeployReport:
        return DeployReport(
            engine=self.graph.backend.name,
            engine_version=self.graph.backend.version,
            precision=self.precision,
            lossy=self.precision is Precision.INT8,
            threads=threads,
            dimension=self.figures.dimension,
            max_tokens=max_tokens,
            batch_cosine=self.figures.batch_cosine,
            role_cosine=self.figures.role_cosine,
            precision_cosine=self.precision_cosine,
            load_seconds=load_seconds,
        )


class _Loading:
    """One load: which engine and precision to try, in which order."""

    def __init__(
        self, model: Path, config: ModelConfig, tokenizer: TextTokenizer, threads: int, cache: Path | None
    ) -> None:
        self._model = model
        self._config = config
        self._max_tokens = tokenizer.max_tokens
        self._threads = threads
        self._cache = cache
        self._probes = Probes(tokenizer, config)
        self._known: list[Floats] | None = None

    def run(self, precision: Precision) -> _Loaded:
        """Return the first attempt that passes; PrecisionFailure or EngineFailure of the last one."""
        if precision is Precision.AUTO and has_fast_bf16():
            try:
                return self._openvino(Precision.BF16)
            except (EngineFailure, PrecisionFailure) as error:
                _log.warning("bf16 does not suit this model, using fp32: %s", error)
        if precision in (Precision.AUTO, Precision.FP32):
            return self._fp32()
        return self._openvino(precision)

    def _fp32(self) -> _Loaded:
        try:
            return self._openvino(Precision.FP32)
        except (EngineFailure, PrecisionFailure) as error:
            _log.warning("OpenVINO does not suit this model, using ONNX Runtime: %s", error)
        return self._attempt(OnnxRuntime(self._model, self._threads), Precision.FP32, None)

    def _openvino(self, precision: Precision) -> _Loaded:
        reference = self._reference()
        return self._attempt(OpenVino(self._model, self._threads, precision, self._cache), precision, reference)

    def _attempt(self, backend: Backend, precision: Precision, reference: list[Floats] | None) -> _Loaded:
        """Probe ``backend``; it is closed when it fails."""
        try:
            graph = Graph(backend, self._config, self._max_tokens)
            figures, vectors = self._probes.check(graph.run)
            widen = partial(self._widen, graph, vectors) if backend.lanes > 1 else None
            agreement = None if reference is None else check_precision(vectors, reference, precision)
            self._warm(graph)
        except BaseException:
            backend.close()
            raise
        return _Loaded(graph, precision, figures, agreement, widen, partial(self._fix, graph, vectors))

    def _widen(self, graph: Graph, vectors: list[Floats]) -> bool:
        """Make the lanes and prove them like the run on all threads; without them all runs are on all threads."""
        try:
            graph.backend.prepare_lanes()
            self._probes.batch_cosine(lambda tokens: graph.run(tokens, 0), vectors)
        except (EngineFailure, InferenceError) as error:
            _log.warning("Batches run one after the other, on all threads: %s", error)
            return False
        return_memory(self._cache)
        return True

    def _fix(self, graph: Graph, vectors: list[Floats], widths: tuple[int, ...]) -> bool:
        """Make the branches for single texts of ``widths`` and prove them like the graph of before, which they replace.

        Without them nothing changes.
        """
        try:
            run = graph.backend.fixed(widths)
            if run is None:
                return False
            for width in widths:
                self._probes.short_cosine(partial(graph.run, width=width, through=run), vectors, width)
            self._probes.batch_cosine(partial(graph.run, through=run), vectors)
        except (EngineFailure, InferenceError) as error:
            _log.warning("Single texts of %s tokens get no branches of their own: %s", list(widths), error)
            return False
        graph.backend.use(run)
        return_memory(self._cache)
        return True

    def _warm(self, graph: Graph) -> None:
        """Run one text of every padded length a query may have."""
        longest = self._probes.longest
        for width in sorted({graph.width(length) for length in range(1, _WARM_TOKENS + 1)}):
            if graph.backend.length_multiple > 1 and width <= len(longest.ids):
                graph.run([Tokens(longest.ids[:width], longest.type_ids[:width], 0)])

    def _reference(self) -> list[Floats]:
        """The probe texts in ONNX Runtime's fp32."""
        if self._known is None:
            work = Reference(self._model, self._config, self._max_tokens, self._threads, self._probes.tokens)
            key = f"{OnnxRuntime.version} {self._config!r} {[one.ids.tolist() for one in self._probes.tokens]}"
            self._known = remembered(self._cache, key, work.compute, name="reference")
        return self._known


def _only_model(folder: Path) -> Path:
    found = sorted(folder.glob("*.onnx"))
    if len(found) != 1:
        raise InferenceError(
            f"A model package holds exactly one .onnx file at its root, this one holds {[one.name for one in found]}"
        )
    return found[0]

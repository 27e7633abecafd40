"""The in-memory twin: vectors from hashes, so that everything around a model can be tested without one."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from antiphon.domain.deployment import DeployReport, EncoderStats, Precision
from antiphon.domain.model import ModelConfig
from antiphon.encode.encoding import Encoding, Floats
from antiphon.encode.pooling import normalize
from antiphon.errors import AntiphonError, QueueFull, TooLarge, Unavailable

_CEILING = 512


class FakeEncoder:
    """Deterministic: a text's vector is the sum of its words' hashed vectors, so shared words mean nearness.

    A token is a word between blanks, plus two special ones. The model's limit on tokens holds as in the real one.
    """

    def __init__(self, loader: FakeLoader, config: ModelConfig, report: DeployReport) -> None:
        self.report = report
        self._loader = loader
        self._config = config
        self._lock = threading.Lock()
        self._stats = EncoderStats()
        self._open = True

    def encode(self, texts: Sequence[str]) -> Encoding:
        """Embed; waits for the loader's ``gate``, raises the loader's ``fail_encode`` if one is set."""
        self._enter(len(texts))
        try:
            self._loader.gate.wait()
            if self._loader.fail_encode is not None:
                raise self._loader.fail_encode
            words = [text.split() for text in texts]
        finally:
            self._leave(len(texts))
        room = self.report.max_tokens - 2
        lost = [max(0, len(one) - room) for one in words]
        self._count(words, lost)
        rows = [self._vector(one[:room]) for one in words]
        kept = tuple(len(one) + 2 - gone for one, gone in zip(words, lost, strict=True))
        return Encoding(rows, kept, tuple(lost))

    def stats(self) -> EncoderStats:
        """Counters since the deploy."""
        with self._lock:
            return self._stats

    def close(self) -> None:
        """Refuse further texts. Idempotent."""
        self._open = False

    def _enter(self, count: int) -> None:
        with self._lock:
            if not self._open:
                raise Unavailable("This model is being undeployed: deploy it again to use it")
            queued = self._stats.queued_texts
            if count > self._loader.max_queue_texts:
                raise TooLarge(f"{count} texts in one request are over the limit of {self._loader.max_queue_texts}")
            if queued + count > self._loader.max_queue_texts:
                self._stats = replace(self._stats, rejected_requests=self._stats.rejected_requests + 1)
                raise QueueFull(f"{queued} texts are waiting and {count} more do not fit: send the request again later")
            self._stats = replace(self._stats, queued_texts=queued + count)

    def _leave(self, count: int) -> None:
        with self._lock:
            self._stats = replace(self._stats, queued_texts=self._stats.queued_texts - count)

    def _count(self, words: list[list[str]], lost: list[int]) -> None:
        with self._lock:
            self._stats = replace(
                self._stats,
                texts=self._stats.texts + len(words),
                tokens=self._stats.tokens + sum(len(one) + 2 for one in words) - sum(lost),
                truncated_texts=self._stats.truncated_texts + sum(n > 0 for n in lost),
                truncated_tokens=self._stats.truncated_tokens + sum(lost),
                batches=self._stats.batches + 1,
            )

    def _vector(self, words: list[str]) -> Floats:
        total = sum((self._word(word) for word in words), self._word(""))
        row = total.astype(np.float32)
        return normalize(row) if self._config.normalize_result else row

    def _word(self, word: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        seed = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest())
        return np.random.default_rng(seed).standard_normal(self.report.dimension)


class FakeLoader:
    """Fulfils ``EncoderLoader``; set ``fail_load`` or ``fail_encode`` to an error, clear ``gate`` to hold encoders.

    ``loaded`` lists the folders given to ``load``. The dimension is the configuration's, else ``dimension``.
    """

    def __init__(self, *, dimension: int = 8, max_queue_texts: int = 10_000) -> None:
        self.dimension = dimension
        self.max_queue_texts = max_queue_texts
        self.fail_load: AntiphonError | None = None
        self.fail_encode: AntiphonError | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.loaded: list[Path] = []

    def load(self, folder: Path, config: ModelConfig, precision: Precision) -> FakeEncoder:
        """Return a twin; ``auto`` becomes fp32. Nothing is read from ``folder``."""
        if self.fail_load is not None:
            raise self.fail_load
        self.loaded.append(folder)
        chosen = Precision.FP32 if precision is Precision.AUTO else precision
        exact = chosen is Precision.FP32
        report = DeployReport(
            engine="fake",
            engine_version="1",
            precision=chosen,
            lossy=chosen is Precision.INT8,
            threads=1,
            dimension=config.embedding_dimension or self.dimension,
            max_tokens=min(config.model_max_length or _CEILING, _CEILING),
            batch_cosine=1.0,
            role_cosine=0.9 if config.asymmetric else None,
            precision_cosine=None if exact else 1.0,
            load_seconds=0.0,
        )
        return FakeEncoder(self, config, report)

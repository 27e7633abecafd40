"""Texts and a role in, vectors out: the only caller of a model."""

from __future__ import annotations

import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.domain.model import ModelConfig
from antiphon.domain.prediction import Prediction, PredictRequest, decide_role
from antiphon.domain.role import DoublePrefix, Prefixed, Role, put_prefix
from antiphon.errors import (
    AntiphonError,
    CircuitBreaking,
    Forbidden,
    IllegalArgument,
    NotFound,
    QueueFull,
    TooLarge,
    Unavailable,
)
from antiphon.flows.configure import Configurator
from antiphon.flows.loaded import LoadedModel, LoadedModels
from antiphon.flows.ports import Encoder, Ports

_NOT_READY = "Model not ready yet. Please deploy the model first."
SLICE_TEXTS = 512
"""Texts of a long call that are handed to the encoder at once: its queue keeps room for others meanwhile."""

_WAIT_S = 0.02
_WAIT_MOST_S = 60.0
"""How soon, and how long, a call without a place in the queue asks again."""


class Predictor:
    """Answers predict requests; counts what it saw."""

    def __init__(self, ports: Ports, configurator: Configurator, loaded: LoadedModels) -> None:
        self._ports = ports
        self._configurator = configurator
        self._loaded = loaded
        self._lock = threading.Lock()
        self.requests: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()

    def predict(
        self, model_id: str, read: Callable[[], PredictRequest], body: object, render: Callable[[Prediction], Any]
    ) -> tuple[Prediction, Any]:
        """Return the prediction and its rendered body.

        Checks in ML Commons' order: exists, enabled, rate limit, input schema, deployed, breaker, run, output
        schema. ``read`` types the body, ``render`` makes the answer that the output schema is checked against.
        Raises NotFound, Forbidden, Throttled, StatusError, IllegalArgument, CircuitBreaking, RoleError, QueueFull,
        InferenceError.
        """
        with self._asked(model_id) as loaded:
            loaded.interface.check("input", body)
            self._check_machine()
            prediction = self._run(loaded, read())
            answer = render(prediction)
            loaded.interface.check("output", answer)
        return prediction, answer

    def embed_texts(self, model_id: str, texts: Sequence[str], role: Role) -> Prediction:
        """Return one float32 ``[dimension]`` row per text, in order, whatever their number.

        The checks, counts and errors are those of ``predict`` with a role; a symmetric model ignores it. Texts go to
        the encoder in slices, and a slice that finds no place in the queue waits for one, at most a minute, before
        QueueFull. Blocks until all are done.
        """
        with self._asked(model_id, f"Failed to find model with the provided model id: {model_id}") as loaded:
            self._check_machine()
            slices = (texts[begin : begin + SLICE_TEXTS] for begin in range(0, len(texts), SLICE_TEXTS))
            return joined([self._embed_slice(loaded, part, role) for part in slices])

    @contextmanager
    def _asked(self, model_id: str, missing: str = "Failed to find model") -> Iterator[LoadedModel]:
        """Admit a request to a model, count it, and take its time when it is answered."""
        loaded = self._find(model_id, missing)
        self._count(self.requests, model_id)
        start = self._ports.monotonic()
        try:
            if loaded.model.is_enabled is False:
                raise Forbidden("Model is disabled.")
            self._loaded.admit(loaded)
            yield loaded
        except AntiphonError as error:
            self._count(self.failures, model_id, int(error.status >= 500))
            raise
        loaded.request_ms.append((self._ports.monotonic() - start) * 1000)

    def _embed_slice(self, loaded: LoadedModel, texts: Sequence[str], role: Role) -> Prediction:
        """Embed a slice as soon as the queue has room; one that never fits is halved."""
        pause = threading.Event()
        for _ in range(int(_WAIT_MOST_S / _WAIT_S)):
            try:
                return self._in_role(loaded, texts, role if loaded.config.asymmetric else None)
            except TooLarge:
                if len(texts) < 2:
                    raise
                half = len(texts) // 2
                return joined([self._embed_slice(loaded, part, role) for part in (texts[:half], texts[half:])])
            except QueueFull:
                pause.wait(_WAIT_S)
        return self._in_role(loaded, texts, role if loaded.config.asymmetric else None)

    def _find(self, model_id: str, missing: str) -> LoadedModel:
        loaded = self._loaded.get(model_id)
        if loaded is not None:
            return loaded
        if self._ports.catalog.model(model_id) is None:
            raise NotFound(missing)
        self._configurator.check_local_models()
        raise IllegalArgument(_NOT_READY)

    def _check_machine(self) -> None:
        self._configurator.check_local_models()
        try:
            self._configurator.check_breakers()
        except CircuitBreaking:
            self._count(self.counts, "breaker_trips")
            raise

    def _run(self, loaded: LoadedModel, request: PredictRequest) -> Prediction:
        role = decide_role(loaded.model.model_id, loaded.config, request.parameters)
        return self._in_role(loaded, request.text_docs, role)

    def _in_role(self, loaded: LoadedModel, texts: Sequence[str], role: Role | None) -> Prediction:
        double = DoublePrefix(self._configurator.current.text("antiphon.double_prefix"))
        start = self._ports.monotonic()
        try:
            prediction = embed(loaded.encoder, loaded.config, role, texts, double)
        except Unavailable as error:  # undeployed since it was looked up
            raise IllegalArgument(f"Model not ready to be used: {loaded.model.model_id}", cause=error) from error
        loaded.inference_ms.append((self._ports.monotonic() - start) * 1000)
        if prediction.doubled or prediction.truncated:
            with self._lock:
                self.counts["doubled_prefixes"] += len(prediction.doubled)
                self.counts["truncated_texts"] += len(prediction.truncated)
                self.counts["truncated_tokens"] += prediction.lost_tokens
        return prediction

    def _count(self, counter: Counter[str], key: str, more: int = 1) -> None:
        with self._lock:
            counter[key] += more


def embed(
    encoder: Encoder,
    config: ModelConfig,
    role: Role | None,
    texts: Sequence[str],
    double: DoublePrefix = DoublePrefix.WARN,
) -> Prediction:
    """Embed ``texts`` in ``role`` (None only for a symmetric model); one float32 row per text, in order."""
    if role is None:
        prefixed = Prefixed(list(texts))
    else:
        prefixed = put_prefix(texts, config.prefix(role), config.prefixes, double)
    encoded = encoder.encode(prefixed.texts)
    return Prediction(encoded.rows, prefixed.doubled, encoded.tokens, encoded.lost)


def joined(parts: Sequence[Prediction]) -> Prediction:
    """Return predictions of slices, in order, as one."""
    if len(parts) == 1:
        return parts[0]
    rows: list[NDArray[np.float32]] = []
    doubled: list[int] = []
    tokens: list[int] = []
    lost: list[int] = []
    for part in parts:
        doubled.extend(len(rows) + position for position in part.doubled)
        tokens.extend(part.tokens)
        lost.extend(part.lost)
        rows.extend(part.rows)
    return Prediction(rows, tuple(doubled), tuple(tokens), tuple(lost))


def _checked(texts: Iterable[str]) -> list[str]:
    """Return the texts as a list; IllegalArgument names the first that is no text."""
    if isinstance(texts, str):
        raise IllegalArgument("texts must be a list of strings, but was one string: wrap it in a list")
    checked = list(texts)
    for position, text in enumerate(checked):
        if not isinstance(text, str):
            raise IllegalArgument(f"texts[{position}] must be a string, but was {type(text).__name__}")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise IllegalArgument(f"texts[{position}] is not valid Unicode: {error.reason}") from None
    return checked


class TextEmbedder:
    """A model in this process, without a server. Use as a context manager, or call ``close``.

    ``SLICE_TEXTS`` are handed to the encoder at once, so that any number of texts fits its bounded queue.
    """

    SLICE_TEXTS = 4096

    def __init__(self, encoder: Encoder, config: ModelConfig, notes: Sequence[str] = ()) -> None:
        self._encoder = encoder
        self.config = config
        self.notes = tuple(notes)

    @property
    def dimension(self) -> int:
        """Length of every vector."""
        return self._encoder.report.dimension

    def embed_queries(self, texts: Iterable[str]) -> NDArray[np.float32]:
        """Return float32 ``[len(texts), dimension]``, each text in the query role."""
        return self.embed(texts, Role.QUERY)

    def embed_passages(self, texts: Iterable[str]) -> NDArray[np.float32]:
        """Return float32 ``[len(texts), dimension]``, each text in the passage role."""
        return self.embed(texts, Role.PASSAGE)

    def embed(self, texts: Iterable[str], role: Role) -> NDArray[np.float32]:
        """Return float32 ``[len(texts), dimension]``; a symmetric model embeds both roles alike.

        A UserWarning tells of texts that were truncated or that already carried a prefix.
        """
        prediction = self.predict(texts, role)
        for notice in prediction.notices("texts"):
            warnings.warn(notice, stacklevel=3)
        return self._stack(prediction)

    def predict(self, texts: Iterable[str], role: Role) -> Prediction:
        """Return the vectors with what was noticed about the texts: doubled prefixes, truncation."""
        texts = _checked(texts)
        wanted = role if self.config.asymmetric else None
        slices = [texts[start : start + self.SLICE_TEXTS] for start in range(0, len(texts), self.SLICE_TEXTS)]
        return joined([embed(self._encoder, self.config, wanted, part) for part in slices])

    def close(self) -> None:
        """Free the memory. Idempotent."""
        self._encoder.close()

    def __enter__(self) -> TextEmbedder:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _stack(self, prediction: Prediction) -> NDArray[np.float32]:
        if not prediction.rows:
            return np.empty((0, self.dimension), np.float32)
        return np.stack(prediction.rows)

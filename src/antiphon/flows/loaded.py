"""The models that are in memory now: encoder, document snapshot, rate limit, latency windows.

Nothing here closes an encoder but ``close``: closing waits for its work, and belongs outside any transaction.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from antiphon.domain.limits import TokenBucket
from antiphon.domain.model import Model, ModelConfig, RateLimiter
from antiphon.domain.monitoring import Latency, summarise
from antiphon.domain.schema import Interface
from antiphon.errors import InferenceError, Throttled
from antiphon.flows.ports import Encoder


@dataclass(slots=True)
class LoadedModel:
    """One model in memory. ``loaded_config`` is what the encoder was built with, ``model`` the newest document."""

    model: Model
    loaded_config: ModelConfig
    encoder: Encoder
    last_access: float
    interface: Interface
    bucket: TokenBucket | None = None
    inference_ms: deque[float] = field(default_factory=lambda: deque(maxlen=100))
    request_ms: deque[float] = field(default_factory=lambda: deque(maxlen=100))

    @property
    def config(self) -> ModelConfig:
        """The newest configuration; its prefixes act at once."""
        return self.model.model_config or self.loaded_config

    def latencies(self) -> tuple[Latency | None, Latency | None]:
        """Return (inference, request) latencies in milliseconds over the window; None before the first call."""
        return summarise(list(self.inference_ms)), summarise(list(self.request_ms))


class LoadedModels:
    """The registry of loaded models. ``monotonic`` counts seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._models: dict[str, LoadedModel] = {}
        self._loading: set[str] = set()

    def get(self, model_id: str) -> LoadedModel | None:
        """Return the loaded model, or None."""
        return self._models.get(model_id)

    def all(self) -> dict[str, LoadedModel]:
        """Return a snapshot of everything loaded."""
        with self._lock:
            return dict(self._models)

    def begin_loading(self, model_id: str, limit: float) -> None:
        """Reserve a place; InferenceError when the model is being loaded already or the node is full."""
        with self._lock:
            if model_id in self._loading:
                raise InferenceError("Duplicate deploy model task")
            others = (self._models.keys() | self._loading) - {model_id}
            if len(others) >= limit:
                raise InferenceError("Exceed max local model per node limit")
            self._loading.add(model_id)

    def end_loading(self, model_id: str) -> None:
        """Give the place back. Idempotent."""
        with self._lock:
            self._loading.discard(model_id)

    def loading(self, model_id: str) -> bool:
        """True while a place is reserved for the model."""
        with self._lock:
            return model_id in self._loading

    def put(self, model: Model, config: ModelConfig, encoder: Encoder, window: int) -> LoadedModel | None:
        """Make ``encoder`` serve ``model`` from the next request on; return what served it before, not closed."""
        loaded = LoadedModel(
            model=model,
            loaded_config=config,
            encoder=encoder,
            last_access=self._monotonic(),
            interface=Interface.of(model.interface),
            bucket=self._bucket(model.rate_limiter),
            inference_ms=deque(maxlen=window),
            request_ms=deque(maxlen=window),
        )
        with self._lock:
            before = self._models.get(model.model_id)
            self._models[model.model_id] = loaded
        return before

    def put_back(self, model_id: str, before: LoadedModel | None) -> None:
        """Undo a ``put`` that returned ``before``."""
        with self._lock:
            if before is None:
                self._models.pop(model_id, None)
            else:
                self._models[model_id] = before

    def refresh(self, model: Model) -> None:
        """Let a changed document act at once: switch, rate limit, interface, prefixes."""
        with self._lock:
            loaded = self._models.get(model.model_id)
            if loaded is None:
                return
            changed = replace(loaded, model=model, interface=Interface.of(model.interface))
            if loaded.model.rate_limiter != model.rate_limiter:
                changed.bucket = self._bucket(model.rate_limiter)
            self._models[model.model_id] = changed

    def take_out(self, model_id: str) -> LoadedModel | None:
        """Stop serving the model and return what served it, not closed; None when it was not loaded."""
        with self._lock:
            return self._models.pop(model_id, None)

    def resize_windows(self, window: int) -> None:
        """Let the latencies look back on ``window`` calls from now on."""
        for loaded in self.all().values():
            if loaded.request_ms.maxlen != window:
                loaded.inference_ms = deque(loaded.inference_ms, maxlen=window)
                loaded.request_ms = deque(loaded.request_ms, maxlen=window)

    def admit(self, loaded: LoadedModel) -> None:
        """Take one token of the model's rate limit and note the access; Throttled when there is none."""
        now = self._monotonic()
        if loaded.bucket is not None and not loaded.bucket.take(now):
            raise Throttled("Request is throttled at model level.")
        loaded.last_access = now

    def expired(self) -> list[str]:
        """Return the ids of models whose ``model_ttl_minutes`` has run out without a predict."""
        now = self._monotonic()
        return [
            model_id
            for model_id, loaded in self.all().items()
            if (setting := loaded.model.deploy_setting) is not None
            and setting.model_ttl_minutes >= 0
            and now - loaded.last_access > setting.model_ttl_minutes * 60
        ]

    def close(self) -> None:
        """Unload everything."""
        for model_id in list(self.all()):
            loaded = self.take_out(model_id)
            if loaded is not None:
                loaded.encoder.close()

    def _bucket(self, limiter: RateLimiter | None) -> TokenBucket | None:
        if limiter is None or not limiter.limit:
            return None
        return TokenBucket.full(limiter.per_second, max(limiter.limit, 1.0), self._monotonic())

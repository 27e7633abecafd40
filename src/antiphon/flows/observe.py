"""What a running node tells about itself."""

from __future__ import annotations

import threading
from collections import Counter

from antiphon.domain.model import Model
from antiphon.domain.monitoring import ModelProfile, NodeProfile, NodeStats
from antiphon.flows.embed import Predictor
from antiphon.flows.loaded import LoadedModels
from antiphon.flows.ports import Ports
from antiphon.flows.tasks import TaskRunner


class Observer:
    """Reads counters; changes nothing but its own count of actions."""

    def __init__(self, ports: Ports, loaded: LoadedModels, tasks: TaskRunner, predictor: Predictor) -> None:
        self._ports = ports
        self._loaded = loaded
        self._tasks = tasks
        self._predictor = predictor
        self._lock = threading.Lock()
        self._actions: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()

    def stats(self) -> NodeStats:
        """Return this node's counters since start."""
        catalog, predictor = self._ports.catalog, self._predictor
        models = list(catalog.models())
        predicts, failures = predictor.requests.total(), predictor.failures.total()
        actions: dict[str, tuple[int, int | None]] = {"predict": (predicts, failures or None)} if predicts else {}
        for action in ("deploy", "register", "undeploy"):
            if self._actions[action]:
                actions[action] = (self._actions[action], self._failures[action] or None)
        return NodeStats(
            node_id=catalog.node_id(),
            model_count=len(models),
            task_count=sum(1 for _ in catalog.tasks()),
            controller_count=sum(1 for model, _ in models if model.is_controller_enabled),
            memory_percent=round(self._ports.gauges.memory_percent()),
            executing_tasks=self._tasks.running(),
            requests=sum(count for count, _ in actions.values()),
            failures=sum(count or 0 for _, count in actions.values()),
            deployed_models=len(self._loaded.all()),
            breaker_trips=predictor.counts["breaker_trips"],
            doubled_prefixes=predictor.counts["doubled_prefixes"],
            truncated_texts=predictor.counts["truncated_texts"],
            truncated_tokens=predictor.counts["truncated_tokens"],
            actions=actions,
            models={
                model_id: {"predict": (count, predictor.failures.get(model_id))}
                for model_id, count in predictor.requests.items()
            },
        )

    def count(self, action: str, *, failed: bool = False) -> None:
        """Count one register, deploy or undeploy request."""
        with self._lock:
            self._actions[action] += 1
            self._failures[action] += failed

    def profile(
        self,
        *,
        model_ids: frozenset[str] | None = frozenset(),
        task_ids: frozenset[str] | None = frozenset(),
    ) -> NodeProfile:
        """Return loaded models and running tasks; None means all, the empty set none."""
        catalog = self._ports.catalog
        models = tuple(
            self._profile(model)
            for model, _ in catalog.models()
            if (model_ids is None and self._loaded.get(model.model_id) is not None)
            or model.model_id in (model_ids or ())
        )
        tasks = tuple(
            task
            for task, _ in catalog.tasks()
            if not task.state.done and (task_ids is None or task.task_id in task_ids)
        )
        return NodeProfile(catalog.node_id(), models, tasks)

    def _profile(self, model: Model) -> ModelProfile:
        loaded = self._loaded.get(model.model_id)
        if loaded is None:
            return ModelProfile(model, loaded=False)
        inference, request = loaded.latencies()
        return ModelProfile(
            model, loaded=True, inference=inference, request=request,
            report=loaded.encoder.report, encoder=loaded.encoder.stats(),
        )  # fmt: skip

"""Loads registered models into memory, unloads them, and brings them back after a restart.

The document and the memory are two stores that must agree. They change together inside a catalog transaction, which
serialises deploys and undeploys; encoders, whose closing waits for their work, are closed after it. A model that is
DEPLOYING always has an open task here, and the last one to end settles what the model is.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from antiphon.domain.model import Model, ModelConfig, ModelState
from antiphon.domain.registration import loaded_differently
from antiphon.domain.task import Task, TaskType
from antiphon.errors import AntiphonError, Conflict, NotFound, PackageError
from antiphon.flows.configure import Configurator
from antiphon.flows.loaded import LoadedModel, LoadedModels
from antiphon.flows.ports import Encoder, Ports
from antiphon.flows.tasks import Outcome, TaskRunner

_log = logging.getLogger("antiphon.deploy")


class Deployer:
    """The only owner of the transitions between REGISTERED, DEPLOYING, DEPLOYED and UNDEPLOYED."""

    def __init__(self, ports: Ports, configurator: Configurator, tasks: TaskRunner, loaded: LoadedModels) -> None:
        self._ports = ports
        self._configurator = configurator
        self._tasks = tasks
        self._loaded = loaded
        self._lock = threading.Lock()
        self._open: dict[str, int] = {}  # deploy tasks per model that have not ended

    def deploy(self, model_id: str, node_ids: Sequence[str] = ()) -> Task:
        """Return the DEPLOY_MODEL task that loads the model; the document is DEPLOYING at once.

        Raises NotFound, IllegalArgument for a node list that is not allowed, StatusError when local models are
        off. The task fails when the machine is full.
        """
        self._configurator.check_local_models()
        self._configurator.check_nodes(node_ids)
        return self._start(model_id, to_all=not node_ids)

    def undeploy(self, model_ids: Sequence[str], node_ids: Sequence[str] = ()) -> dict[str, str]:
        """Unload and return ``undeployed`` or ``not_found`` (it was not in memory) for each id.

        NotFound when a single id names no model; among several an unknown one is ``not_found``. IllegalArgument for
        a node list that is not allowed.
        """
        self._configurator.check_nodes(node_ids)
        if len(model_ids) == 1 and self._ports.catalog.model(model_ids[0]) is None:
            raise NotFound("Failed to find model")
        return {model_id: self._undeploy(model_id) for model_id in model_ids}

    def undeploy_idle(self, model_id: str) -> None:
        """Unload a model whose time to live is over; it may be gone by now."""
        self._undeploy(model_id)

    def restore(self) -> list[Task]:
        """At start: deploy again what was deployed (or being deployed) when the process ended, one after the other.

        A model whose ``lifetime_retry_times`` automatic attempts never succeeded is left DEPLOY_FAILED.
        """
        settings = self._configurator.current
        wanted = [
            model
            for model, _ in self._ports.catalog.models()
            if model.model_state in (ModelState.DEPLOYED, ModelState.DEPLOYING)
        ]
        switches = ("plugins.ml_commons.model_auto_redeploy.enable", "plugins.ml_commons.local_model.enabled")
        if not all(settings.flag(switch) for switch in switches):
            for model in wanted:
                self._fail(model.model_id)
            return []
        limit = settings.number("plugins.ml_commons.model_auto_redeploy.lifetime_retry_times")
        tasks = []
        for model in sorted(wanted, key=lambda item: item.last_deployed_time or 0):
            attempt = (model.auto_redeploy_retry_times or 0) + 1
            if attempt > limit:
                _log.warning("model %s was not deployed again: %d attempts failed", model.model_id, attempt - 1)
                self._fail(model.model_id)
            else:
                tasks.append(self._start(model.model_id, to_all=True, attempt=attempt))
        return tasks

    def _start(self, model_id: str, *, to_all: bool, attempt: int = 0) -> Task:
        node = self._ports.catalog.node_id()
        with self._ports.catalog.transaction():
            model = self._ports.catalog.model(model_id)
            if model is None:
                raise NotFound("Failed to find model")
            if model.model_state is not ModelState.REGISTERING:
                changed = replace(
                    model if model.model_state is ModelState.DEPLOYING else model.to(ModelState.DEPLOYING),
                    planning_worker_node_count=1,
                    planning_worker_nodes=(node,),
                    deploy_to_all_nodes=to_all,
                    auto_redeploy_retry_times=attempt,
                    last_updated_time=self._ports.clock(),
                )
                self._ports.catalog.put_model(changed)
            with self._lock:
                self._open[model_id] = self._open.get(model_id, 0) + 1
        return self._tasks.start(
            TaskType.DEPLOY_MODEL, self._load, self._failed, model_id=model_id, in_turn=attempt > 0
        )

    def _load(self, task: Task) -> Outcome:
        model = self._ports.catalog.model(task.model_id or "")
        if model is None:
            raise AntiphonError("Failed to find model")
        if model.model_state is ModelState.REGISTERING:
            missing = set(range(model.total_chunks or 1)) - self._ports.packages.chunks(model.model_id)
            raise PackageError(f"Fail to find model chunk {model.model_id}_{min(missing, default=0)}")
        self._loaded.begin_loading(
            model.model_id, self._configurator.current.number("plugins.ml_commons.max_model_on_node")
        )
        try:
            return self._encoder_of(model)
        except BaseException:
            self._loaded.end_loading(model.model_id)
            raise

    def _encoder_of(self, model: Model) -> _Deployed:
        config = model.to_deploy()
        before = self._loaded.get(model.model_id)
        if before is not None and not loaded_differently(before.loaded_config, config):
            return _Deployed(self, model.model_id, before.loaded_config, before.encoder, fresh=False)
        if not model.auto_redeploy_retry_times:  # a start brings back what was there, however full the machine is
            self._configurator.check_breakers()
        folder = self._ports.packages.folder(model.model_content_hash_value or "")
        encoder = self._ports.loader.load(folder, config, self._ports.precision)
        return _Deployed(self, model.model_id, config, encoder, fresh=True)

    def write_deployed(
        self, model_id: str, config: ModelConfig, encoder: Encoder, *, fresh: bool
    ) -> LoadedModel | None:
        """In the transaction of a deploy's end: document and memory change; return what served the model before."""
        model = self._ports.catalog.model(model_id)
        before = self._loaded.get(model_id)
        gone = not fresh and (before is None or before.encoder is not encoder)
        if gone or model is None or model.model_state not in (ModelState.DEPLOYING, ModelState.DEPLOYED):
            raise Conflict("the model was undeployed or deleted while it was being deployed")
        now = self._ports.clock()
        deployed = replace(
            model,
            model_state=ModelState.DEPLOYED,
            current_worker_node_count=1,
            auto_redeploy_retry_times=0,
            last_deployed_time=now,
            last_updated_time=now,
        )
        self._ports.catalog.put_model(deployed)
        window = int(self._configurator.current.number("plugins.ml_commons.monitoring_request_count"))
        return self._loaded.put(deployed, config, encoder, window)

    def take_back(self, model_id: str, before: LoadedModel | None) -> None:
        """Undo the memory's side of a deploy's end whose transaction did not happen."""
        self._loaded.put_back(model_id, before)

    def end_loading(self, model_id: str) -> None:
        """Give back the place that a load had reserved."""
        self._loaded.end_loading(model_id)

    def settle(self, model_id: str) -> None:
        """A deploy task has ended. After the last one a document that is still DEPLOYING becomes what memory holds."""
        with self._ports.catalog.transaction():
            with self._lock:
                left = self._open.get(model_id, 0) - 1
                if left > 0:
                    self._open[model_id] = left
                    return
                self._open.pop(model_id, None)
            model = self._ports.catalog.model(model_id)
            if model is None or model.model_state is not ModelState.DEPLOYING:
                return
            if self._loaded.get(model_id) is None:
                self._fail(model_id)
            else:
                self._ports.catalog.put_model(
                    model.to(ModelState.DEPLOYED, current_worker_node_count=1, last_updated_time=self._ports.clock())
                )

    def _failed(self, task: Task) -> None:
        self.settle(task.model_id or "")

    def _fail(self, model_id: str) -> None:
        model = self._ports.catalog.model(model_id)
        if model is None or model.model_state not in (ModelState.DEPLOYING, ModelState.DEPLOYED):
            return
        now = self._ports.clock()
        self._ports.catalog.put_model(
            model.to(
                ModelState.DEPLOY_FAILED, current_worker_node_count=0, last_deployed_time=now, last_updated_time=now
            )
        )

    def _undeploy(self, model_id: str) -> str:
        with self._ports.catalog.transaction():
            model = self._ports.catalog.model(model_id)
            if model is not None and model.model_state is not ModelState.REGISTERING:
                now = self._ports.clock()
                self._ports.catalog.put_model(
                    model.to(
                        ModelState.UNDEPLOYED,
                        planning_worker_node_count=0,
                        current_worker_node_count=0,
                        planning_worker_nodes=(),
                        last_undeployed_time=now,
                        last_updated_time=now,
                    )
                )
            loaded = self._loaded.take_out(model_id)
        if loaded is None:
            return "not_found"
        loaded.encoder.close()
        return "undeployed"


class _Deployed:
    """The outcome of a load; fulfils ``Outcome``. Not ``fresh``: the encoder was serving the model before."""

    def __init__(
        self, deployer: Deployer, model_id: str, config: ModelConfig, encoder: Encoder, *, fresh: bool
    ) -> None:
        self._deployer = deployer
        self._model_id = model_id
        self._config = config
        self._encoder = encoder
        self._fresh = fresh
        self._written = False
        self._before: LoadedModel | None = None

    def write(self) -> dict[str, Any]:
        self._before = self._deployer.write_deployed(self._model_id, self._config, self._encoder, fresh=self._fresh)
        self._written = True
        return {}

    def kept(self) -> None:
        self._deployer.end_loading(self._model_id)
        self._deployer.settle(self._model_id)
        if self._fresh and self._before is not None:
            self._before.encoder.close()

    def lost(self) -> None:
        if self._written:
            self._deployer.take_back(self._model_id, self._before)
        self._deployer.end_loading(self._model_id)
        if self._fresh:
            self._encoder.close()

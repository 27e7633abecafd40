"""Loads registered models into memory, unloads them, and brings them back after a restart."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from antiphon.domain.model import Model, ModelConfig, ModelState
from antiphon.domain.registration import loaded_differently
from antiphon.domain.task import Task, TaskType
from antiphon.errors import AntiphonError, Conflict, IllegalArgument, NotFound, PackageError
from antiphon.flows.configure import Configurator
from antiphon.flows.loaded import LoadedModels
from antiphon.flows.ports import Encoder, Ports
from antiphon.flows.tasks import Commit, TaskRunner

_log = logging.getLogger("antiphon.deploy")


class Deployer:
    """The only owner of the transitions between REGISTERED, DEPLOYING, DEPLOYED and UNDEPLOYED."""

    def __init__(self, ports: Ports, configurator: Configurator, tasks: TaskRunner, loaded: LoadedModels) -> None:
        self._ports = ports
        self._configurator = configurator
        self._tasks = tasks
        self._loaded = loaded

    def deploy(self, model_id: str, node_ids: Sequence[str] = ()) -> Task:
        """Return the DEPLOY_MODEL task that loads the model; the document is DEPLOYING at once.

        Raises NotFound, IllegalArgument for a node list that is not allowed, StatusError when local models are
        off, CircuitBreaking when the machine is full.
        """
        self._configurator.check_local_models()
        if node_ids:
            if not self._configurator.current.flag("plugins.ml_commons.allow_custom_deployment_plan"):
                raise IllegalArgument("Don't allow custom deployment plan")
            if self._ports.catalog.node_id() not in node_ids:
                raise IllegalArgument("no eligible node found")
        self._configurator.check_breakers()
        return self._start(model_id, to_all=not node_ids, attempt=0)

    def undeploy(self, model_ids: Sequence[str]) -> dict[str, str]:
        """Unload and return ``undeployed`` or ``not_found`` (it was not in memory) for each id.

        NotFound when a single id names no model; among several an unknown one is ``not_found``.
        """
        if len(model_ids) == 1 and self._ports.catalog.model(model_ids[0]) is None:
            raise NotFound("Failed to find model")
        return {model_id: self._undeploy(model_id) for model_id in model_ids}

    def restore(self) -> list[Task]:
        """At start: deploy again what was deployed (or being deployed) when the process ended, oldest first.

        A model whose ``lifetime_retry_times`` automatic attempts never succeeded is left DEPLOY_FAILED.
        """
        settings = self._configurator.current
        wanted = [
            model
            for model, _ in self._ports.catalog.models()
            if model.model_state in (ModelState.DEPLOYED, ModelState.DEPLOYING)
        ]
        if not settings.flag("plugins.ml_commons.model_auto_redeploy.enable"):
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

    def _start(self, model_id: str, *, to_all: bool, attempt: int) -> Task:
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
        return self._tasks.start(TaskType.DEPLOY_MODEL, self._load, self._failed, model_id=model_id)

    def _load(self, task: Task) -> Commit:
        model = self._model_of(task)
        if model.model_state is ModelState.REGISTERING:
            missing = set(range(model.total_chunks or 1)) - self._ports.packages.chunks(model.model_id)
            raise PackageError(f"Fail to find model chunk {model.model_id}_{min(missing, default=0)}")
        self._loaded.begin_loading(
            model.model_id, self._configurator.current.number("plugins.ml_commons.max_model_on_node")
        )
        try:
            return self._load_reserved(model)
        finally:
            self._loaded.end_loading(model.model_id)

    def _load_reserved(self, model: Model) -> Commit:
        config = model.to_deploy()
        before = self._loaded.get(model.model_id)
        if before is not None and not loaded_differently(before.loaded_config, config):
            encoder, fresh = before.encoder, False
        else:
            folder = self._ports.packages.folder(model.model_content_hash_value or "")
            encoder, fresh = self._ports.loader.load(folder, config, self._ports.precision), True
        return lambda: self._commit(model.model_id, config, encoder, fresh=fresh)

    def _commit(self, model_id: str, config: ModelConfig, encoder: Encoder, *, fresh: bool) -> dict[str, Any]:
        model = self._ports.catalog.model(model_id)
        if model is None or model.model_state is not ModelState.DEPLOYING:
            if fresh:
                encoder.close()
            raise Conflict("the model was undeployed or deleted while it was being deployed")
        now = self._ports.clock()
        deployed = model.to(
            ModelState.DEPLOYED,
            current_worker_node_count=1,
            auto_redeploy_retry_times=0,
            last_deployed_time=now,
            last_updated_time=now,
        )
        self._ports.catalog.put_model(deployed)
        window = int(self._configurator.current.number("plugins.ml_commons.monitoring_request_count"))
        self._loaded.put(deployed, config, encoder, window)
        controller = self._ports.catalog.controller(model_id)
        if controller is not None:
            self._loaded.set_user_limits(model_id, controller)
        return {}

    def _failed(self, task: Task) -> None:
        """A failed deploy leaves DEPLOY_FAILED, unless another deploy of the model is still at work or loaded it."""
        if task.model_id is not None and self._loaded.get(task.model_id) is None:
            self._fail(task.model_id)

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
                        deploy_to_all_nodes=False,
                        last_undeployed_time=now,
                        last_updated_time=now,
                    )
                )
        return "undeployed" if self._loaded.remove(model_id) else "not_found"

    def _model_of(self, task: Task) -> Model:
        model = self._ports.catalog.model(task.model_id or "")
        if model is None:
            raise AntiphonError("Failed to find model")
        return model

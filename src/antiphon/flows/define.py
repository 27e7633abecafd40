"""Creates, changes and deletes what is only a document: groups, model fields, controllers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from antiphon.domain.model import Model, ModelConfig, ModelState, RateLimiter
from antiphon.domain.model_group import ModelGroup
from antiphon.domain.registration import GroupChange, GroupRegistration, ModelChange, loaded_differently
from antiphon.domain.schema import Interface
from antiphon.errors import Conflict, IllegalArgument, NotFound, StatusError
from antiphon.flows.configure import Configurator
from antiphon.flows.forget import forget_package
from antiphon.flows.loaded import LoadedModels
from antiphon.flows.ports import Ports, Stored

_IN_USE = (ModelState.DEPLOYING, ModelState.DEPLOYED)
_CONTROLLER_OFF = (
    "Controller is currently disabled. To enable it, update the setting "
    '"plugins.ml_commons.controller_enabled" to true.'
)


class Definer:
    """Documents in, documents out."""

    def __init__(self, ports: Ports, configurator: Configurator, loaded: LoadedModels) -> None:
        self._ports = ports
        self._configurator = configurator
        self._loaded = loaded

    def create_group(self, asked: GroupRegistration) -> ModelGroup:
        """Create a group; IllegalArgument when the name is taken, Conflict when the chosen id is."""
        catalog = self._ports.catalog
        with catalog.transaction():
            taken = catalog.group_named(asked.name)
            if taken is not None:
                raise IllegalArgument(
                    f"The name you provided is already being used by a model group with ID: {taken.model_group_id}."
                )
            if asked.model_group_id is not None and catalog.group(asked.model_group_id) is not None:
                raise Conflict(f"model group id '{asked.model_group_id}' already exists")
            now = self._ports.clock()
            group = ModelGroup(
                asked.model_group_id or self._ports.new_id(),
                asked.name,
                created_time=now,
                last_updated_time=now,
                description=asked.description,
            )
            catalog.put_group(group)
        return group

    def group(self, model_group_id: str) -> ModelGroup:
        """Return the group; NotFound."""
        group = self._ports.catalog.group(model_group_id)
        if group is None:
            raise NotFound(f"Failed to find model group with the provided model group id: {model_group_id}")
        return group

    def change_group(self, model_group_id: str, change: GroupChange) -> None:
        """Change a group; NotFound, or IllegalArgument when the new name is taken."""
        catalog = self._ports.catalog
        with catalog.transaction():
            group = self.group(model_group_id)
            taken = catalog.group_named(change.name) if change.name is not None else None
            if taken is not None and taken.model_group_id != model_group_id:
                raise IllegalArgument(
                    "The name you provided is already being used by another model with ID: "
                    f"{taken.model_group_id}. Please provide a different name"
                )
            catalog.put_group(
                replace(
                    group,
                    name=change.name or group.name,
                    description=group.description if change.description is None else change.description,
                    last_updated_time=self._ports.clock(),
                )
            )

    def delete_group(self, model_group_id: str) -> Stored | None:
        """Delete a group without models; None when there is no such group, Conflict while models point at it."""
        catalog = self._ports.catalog
        with catalog.transaction():
            if any(model.model_group_id == model_group_id for model, _ in catalog.models()):
                raise Conflict("Cannot delete the model group when it has associated model versions")
            return catalog.delete_group(model_group_id)

    def model(self, model_id: str) -> Model:
        """Return the model; NotFound."""
        model = self._ports.catalog.model(model_id)
        if model is None:
            raise NotFound(f"Failed to find model with the provided model id: {model_id}")
        return model

    def package(self, model_id: str) -> Path:
        """Return the zip that the model was registered with; NotFound, or IllegalArgument while it is REGISTERING."""
        model = self.model(model_id)
        if model.model_state is ModelState.REGISTERING or model.model_content_hash_value is None:
            raise IllegalArgument(f"model [{model_id}] has no package yet, it is {model.model_state}: try again later")
        return self._ports.packages.zip(model.model_content_hash_value)

    def change_model(self, model_id: str, change: ModelChange) -> tuple[Stored, list[str]]:
        """Change a model and return where it was stored, and notices about what waits for the next deploy."""
        catalog = self._ports.catalog
        with catalog.transaction():
            model = catalog.model(model_id)
            if model is None:
                raise NotFound(f"Failed to find model to update with the provided model id: {model_id}")
            if model.model_state is ModelState.DEPLOYING:
                raise Conflict(
                    f"Model is deploying. Please wait for the model to complete deployment. model ID {model_id}"
                )
            changed = replace(model, last_updated_time=self._ports.clock(), **self._new_fields(model, change))
            changed = self._move(changed, change.model_group_id)
            stored = catalog.put_model(changed)
            self._loaded.refresh(changed)
        return stored, self._notices(changed)

    def delete_model(self, model_id: str) -> Stored | None:
        """Delete a model, its package if no other model has it, and its controller; StatusError while deployed."""
        catalog = self._ports.catalog
        with catalog.transaction():
            model = catalog.model(model_id)
            if model is None:
                raise NotFound("Failed to find model")
            if model.model_state in _IN_USE:
                raise StatusError(
                    "Model cannot be deleted in deploying or deployed state. Try undeploy model first then delete",
                    status=400,
                )
            catalog.delete_controller(model_id)
            stored = catalog.delete_model(model_id)
        self._ports.packages.drop_chunks(model_id)
        forget_package(self._ports, model.model_content_hash_value)
        return stored

    def controller(self, model_id: str) -> dict[str, Any]:
        """Return the per-user rate limits of a model; NotFound."""
        self._check_controllers()
        controller = self._ports.catalog.controller(model_id)
        if controller is None:
            raise NotFound("Failed to find model controller with the provided model ID")
        return controller

    def put_controller(self, model_id: str, controller: dict[str, Any], *, create: bool) -> Stored:
        """Set the per-user rate limits of a model; NotFound without the model, Conflict to update what is not there."""
        self._check_controllers()
        catalog = self._ports.catalog
        with catalog.transaction():
            model = catalog.model(model_id)
            if model is None:
                raise NotFound(
                    "Failed to find model to create the corresponding model controller with the provided model ID"
                )
            limits = dict(controller["user_rate_limiter"])
            before = None if create else catalog.controller(model_id)
            if before is not None:
                limits = before["user_rate_limiter"] | limits
            elif not create:
                raise Conflict(
                    "Model controller haven't been created for the model. Consider calling create model controller "
                    f"api instead. Model ID: {model_id}"
                )
            changed = replace(model, is_controller_enabled=True, last_updated_time=self._ports.clock())
            catalog.put_model(changed)
            stored = catalog.put_controller(model_id, {"model_id": model_id, "user_rate_limiter": limits})
            self._loaded.refresh(changed)
        return stored

    def delete_controller(self, model_id: str) -> Stored | None:
        """Delete the per-user rate limits; NotFound when there are none."""
        self._check_controllers()
        with self._ports.catalog.transaction():
            if self._ports.catalog.controller(model_id) is None:
                raise NotFound("Failed to find model controller")
            model = self._ports.catalog.model(model_id)
            if model is not None:
                self._ports.catalog.put_model(replace(model, is_controller_enabled=False))
            return self._ports.catalog.delete_controller(model_id)

    def _check_controllers(self) -> None:
        if not self._configurator.current.flag("plugins.ml_commons.controller_enabled"):
            raise StatusError(_CONTROLLER_OFF, status=400)

    def _new_fields(self, model: Model, change: ModelChange) -> dict[str, Any]:
        Interface.of(change.interface)
        plain = ("name", "description", "is_enabled", "deploy_setting")
        fields = {key: getattr(change, key) for key in plain if getattr(change, key) is not None}
        if change.interface is not None:
            fields["interface"] = (model.interface or {}) | change.interface
        if change.rate_limiter is not None:
            limiter, sent = model.rate_limiter, change.rate_limiter
            fields["rate_limiter"] = RateLimiter.of(sent) if limiter is None else replace(limiter, **sent)
        if change.model_config is not None:
            before = model.model_config or ModelConfig(change.model_config["model_type"])
            fields["model_config"] = replace(before, **change.model_config)
            if fields["model_config"].embedding_dimension is None:
                raise IllegalArgument("Embedding dimension is null")
            if fields["model_config"].framework_type is None:
                raise IllegalArgument("Framework type is null")
        return fields

    def _move(self, model: Model, model_group_id: str | None) -> Model:
        """Give the model the next version of another group."""
        if model_group_id is None or model_group_id == model.model_group_id:
            return model
        group = self._ports.catalog.group(model_group_id)
        if group is None:
            raise NotFound(
                "Failed to find the model group with the provided model group id in the update model input, "
                f"MODEL_GROUP_ID: {model_group_id}"
            )
        version = group.latest_version + 1
        self._ports.catalog.put_group(replace(group, latest_version=version, last_updated_time=self._ports.clock()))
        return replace(model, model_group_id=model_group_id, model_version=str(version))

    def _notices(self, model: Model) -> list[str]:
        loaded = self._loaded.get(model.model_id)
        if loaded is None or model.model_config is None:
            return []
        if loaded_differently(loaded.loaded_config, model.model_config):
            return ["the new pooling, normalisation, length or dimension acts after the next _deploy of this model"]
        return []

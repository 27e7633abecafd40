"""Registers models: from a URL as a task, or from uploaded chunks."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from antiphon.domain.model import CHUNK_BYTES, Model, ModelState, chunk_count
from antiphon.domain.model_group import ModelGroup
from antiphon.domain.registration import ModelRegistration, registering
from antiphon.domain.schema import Interface
from antiphon.domain.task import Task, TaskType
from antiphon.errors import AntiphonError, Conflict, IllegalArgument, NotFound, PackageError, ResourceNotFound
from antiphon.flows.configure import Configurator
from antiphon.flows.forget import forget_package
from antiphon.flows.ports import Ports, StagedZip
from antiphon.flows.tasks import Outcome, TaskRunner

_URL_OFF = (
    "To upload custom model user needs to enable allow_registering_model_via_url settings. "
    "Otherwise please use OpenSearch pre-trained models."
)
_FILE_OFF = (
    "To upload custom model from local file, user needs to enable allow_registering_model_via_local_file settings. "
    "Otherwise please use opensearch pre-trained models"
)
_NO_HASH = "Model content Hash code need to be provided when register via url. Please calculate sha 256 Hash code."
_NOT_PRETRAINED = (
    "This model is not in the pre-trained model list, please check your parameters. Antiphon offers no pretrained "
    "list: build a zip with `antiphon model build SOURCE -o FILE.zip`, then send its [url] and "
    "[model_content_hash_value]"
)

_log = logging.getLogger("antiphon.register")

Deploy = Callable[[str, Sequence[str]], Task]
"""Starts a deploy of a model on nodes; no nodes means all."""


class Registrar:
    """Carries out registrations; ``deploy`` is what ``?deploy=true`` starts afterwards."""

    def __init__(self, ports: Ports, configurator: Configurator, tasks: TaskRunner, deploy: Deploy) -> None:
        self._ports = ports
        self._configurator = configurator
        self._tasks = tasks
        self._deploy = deploy

    def register(self, registration: ModelRegistration) -> Task:
        """Check what can be checked at once, then return the REGISTER_MODEL task that does the rest.

        Raises IllegalArgument when URLs are not allowed or not trusted, StatusError when local models are off. The
        task fails when the machine is full.
        """
        settings = self._configurator.current
        self._configurator.check_local_models()
        Interface.of(registration.interface)
        if registration.url is not None:
            if not settings.flag("plugins.ml_commons.allow_registering_model_via_url"):
                raise IllegalArgument(_URL_OFF)
            if not re.search(settings.text("plugins.ml_commons.trusted_url_regex"), registration.url):
                raise IllegalArgument("URL can't match trusted url regex")
        if registration.deploy:
            self._configurator.check_nodes(registration.model_node_ids)
        return self._start(registration, settings.text("plugins.ml_commons.trusted_url_regex"))

    def adopt(self, registration: ModelRegistration) -> Task | None:
        """Register and deploy the operator's own package from a ``file:`` URL; None when that is done already.

        The URL gates do not apply: whoever starts the process may read its disk. A model of the same id and
        content is kept and deployed again if need be; another content under the same id gets an id of its own.
        """
        wanted = replace(registration, deploy=True)
        taken = self._ports.catalog.model(registration.model_id or "")
        if taken is not None and taken.model_content_hash_value != registration.model_content_hash_value:
            model_id = f"{registration.model_id}-{(registration.model_content_hash_value or '')[:8]}"
            wanted = replace(wanted, model_id=model_id)
            taken = self._ports.catalog.model(model_id)
        if taken is None:
            return self._start(wanted, "^file:///")
        if taken.model_state in (ModelState.DEPLOYED, ModelState.DEPLOYING):
            return None
        return self._deploy(taken.model_id, ())

    def _start(self, registration: ModelRegistration, trusted_url_regex: str) -> Task:
        attempt = _Attempt(registration.model_id or self._ports.new_id())
        return self._tasks.start(
            TaskType.REGISTER_MODEL,
            lambda _: self._carry_out(registration, attempt, trusted_url_regex),
            lambda _: self._undo(attempt),
        )

    def register_meta(self, registration: ModelRegistration) -> Model:
        """Begin a chunked upload: return the model in state REGISTERING."""
        self._configurator.check_local_models()
        if not self._configurator.current.flag("plugins.ml_commons.allow_registering_model_via_local_file"):
            raise IllegalArgument(_FILE_OFF)
        self._configurator.check_breakers()
        Interface.of(registration.interface)
        model_id = registration.model_id or self._ports.new_id()
        return self._begin(registration, _Attempt(model_id))

    def upload_chunk(self, model_id: str, number: int, content: bytes) -> list[int]:
        """Keep one chunk; the one that completes the set turns the model REGISTERED. Return what is missing.

        Raises PackageError (400) when the joined zip is not what the meta call announced; the chunks are then
        dropped and can be sent again.
        """
        if not self._configurator.current.flag("plugins.ml_commons.allow_registering_model_via_local_file"):
            raise IllegalArgument(_FILE_OFF + ".")
        model = self._ports.catalog.model(model_id)
        if model is None:
            raise ResourceNotFound("Failed to find model")
        if model.model_state is not ModelState.REGISTERING:
            raise Conflict(f"Model [{model_id}] is {model.model_state}, its chunks have all been uploaded")
        total = model.total_chunks or 0
        if not 0 <= number < total:
            raise AntiphonError("Chunk number exceeds total chunks")
        if not content:
            raise AntiphonError("Chunk size either 0 or null")
        if len(content) > CHUNK_BYTES:
            raise AntiphonError("Chunk size exceeds 10MB")
        packages = self._ports.packages
        packages.put_chunk(model_id, number, content)
        missing = sorted(set(range(total)) - packages.chunks(model_id))
        if not missing:
            self._finish_upload(model, total)
        return missing

    def drop_abandoned(self) -> int:
        """At start: undo URL registrations that died halfway, and remove files that belong to no model.

        A chunked upload survives: its remaining chunks can still be sent. Return how many models went.
        """
        catalog = self._ports.catalog
        kept, uploading, dropped = set(), set(), 0
        for model, _ in list(catalog.models()):
            if model.model_state is not ModelState.REGISTERING:
                kept.add(model.model_content_hash_value or "")
            elif model.total_chunks is not None:
                uploading.add(model.model_id)
            else:
                dropped += 1
                with catalog.transaction():
                    self._undo(_Attempt.of(model, catalog.group(model.model_group_id)))
        self._ports.packages.sweep(frozenset(kept), frozenset(uploading))
        return dropped

    def _finish_upload(self, model: Model, total: int) -> None:
        packages = self._ports.packages
        try:
            staged = packages.join_chunks(model.model_id, total)
            packages.admit(staged, model.model_content_hash_value or "", model.model_format)
        except PackageError:
            packages.drop_chunks(model.model_id)
            raise
        with self._ports.catalog.transaction():
            current = self._ports.catalog.model(model.model_id)
            if current is not None:
                now = self._ports.clock()
                self._ports.catalog.put_model(
                    current.to(
                        ModelState.REGISTERED,
                        model_content_size_in_bytes=staged.size_bytes,
                        last_updated_time=now,
                        last_registered_time=now,
                    )
                )
        packages.drop_chunks(model.model_id)
        if current is None:
            forget_package(self._ports, model.model_content_hash_value)
            raise ResourceNotFound("Failed to find model")

    def _carry_out(self, registration: ModelRegistration, attempt: _Attempt, trusted_url_regex: str) -> Outcome:
        if registration.url is None:
            raise PackageError(_NOT_PRETRAINED)
        if not registration.model_content_hash_value:
            raise PackageError(_NO_HASH)
        self._configurator.check_breakers()
        self._begin(registration, attempt)
        within_s = self._configurator.current.number("plugins.ml_commons.ml_task_timeout_in_seconds")
        staged = self._ports.packages.fetch(registration.url, trusted_url_regex, within_s)
        self._ports.packages.admit(staged, registration.model_content_hash_value, registration.model_format)
        return _Registered(self, registration, attempt.model_id, staged)

    def registered(self, model_id: str, staged: StagedZip) -> dict[str, Any]:
        """Write the end of a registration whose package is in place; return what its task gains."""
        model = self._ports.catalog.model(model_id)
        if model is None:
            raise AntiphonError("the model was deleted while it was being registered")
        now = self._ports.clock()
        self._ports.catalog.put_model(
            model.to(
                ModelState.REGISTERED,
                model_content_size_in_bytes=staged.size_bytes,
                total_chunks=chunk_count(staged.size_bytes),
                last_updated_time=now,
                last_registered_time=now,
            )
        )
        return {"model_id": model_id}

    def deploy_registered(self, model_id: str, node_ids: Sequence[str]) -> None:
        """Deploy after a registration, which stays as it is when the deploy cannot start, as in ML Commons."""
        try:
            self._deploy(model_id, node_ids)
        except AntiphonError as error:
            _log.warning("model %s is registered, but was not deployed: %s", model_id, error.reason)

    def forget(self, sha256: str | None) -> None:
        """Delete the package of a registration that came to nothing."""
        forget_package(self._ports, sha256)

    def _begin(self, registration: ModelRegistration, attempt: _Attempt) -> Model:
        """Take the group's next version and write the model document in state REGISTERING."""
        catalog = self._ports.catalog
        with catalog.transaction():
            if registration.model_id is not None and catalog.model(attempt.model_id) is not None:
                raise Conflict(f"model id '{attempt.model_id}' already exists")
            now = self._ports.clock()
            group = self._group(registration, attempt, now)
            version = group.latest_version + 1
            catalog.put_group(replace(group, latest_version=version, last_updated_time=now))
            attempt.group_id, attempt.version = group.model_group_id, version
            fields = registering(
                registration,
                model_id=attempt.model_id,
                model_group_id=group.model_group_id,
                model_version=str(version),
                model_state=ModelState.REGISTERING,
                created_time=now,
                last_updated_time=now,
            )
            model = Model(**fields)
            catalog.put_model(model)
        return model

    def _group(self, registration: ModelRegistration, attempt: _Attempt, now: int) -> ModelGroup:
        catalog = self._ports.catalog
        if registration.model_group_id is not None:
            group = catalog.group(registration.model_group_id)
            if group is None:
                raise NotFound("Model group not found")
            return group
        group = catalog.group_named(registration.name)
        if group is not None:
            return group
        attempt.made_group = True
        return ModelGroup(self._ports.new_id(), registration.name, created_time=now, last_updated_time=now)

    def _undo(self, attempt: _Attempt) -> None:
        """Remove what a failed registration wrote: document and package, the group it made or the version it took."""
        version, attempt.version = attempt.version, None
        if version is None:
            return
        catalog = self._ports.catalog
        model = catalog.model(attempt.model_id)
        catalog.delete_model(attempt.model_id)
        if model is not None:
            self.forget(model.model_content_hash_value)
        group = catalog.group(attempt.group_id)
        if group is None or group.latest_version != version:
            return
        if attempt.made_group:
            catalog.delete_group(group.model_group_id)
        else:
            catalog.put_group(replace(group, latest_version=version - 1))


class _Registered:
    """The outcome of a registration by URL; fulfils ``Outcome``."""

    def __init__(self, registrar: Registrar, registration: ModelRegistration, model_id: str, staged: StagedZip) -> None:
        self._registrar = registrar
        self._registration = registration
        self._model_id = model_id
        self._staged = staged

    def write(self) -> dict[str, Any]:
        return self._registrar.registered(self._model_id, self._staged)

    def kept(self) -> None:
        if self._registration.deploy:
            self._registrar.deploy_registered(self._model_id, self._registration.model_node_ids)

    def lost(self) -> None:
        self._registrar.forget(self._registration.model_content_hash_value)


class _Attempt:
    """What one registration has written so far, for its undoing."""

    def __init__(self, model_id: str) -> None:
        self.model_id = model_id
        self.group_id = ""
        self.version: int | None = None
        self.made_group = False

    @classmethod
    def of(cls, model: Model, group: ModelGroup | None) -> _Attempt:
        """Return what the registration of ``model`` wrote; a group of its own was created in the same moment."""
        attempt = cls(model.model_id)
        attempt.group_id, attempt.version = model.model_group_id, int(model.model_version)
        attempt.made_group = group is not None and (group.name, group.created_time) == (model.name, model.created_time)
        return attempt

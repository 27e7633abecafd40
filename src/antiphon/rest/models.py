"""Handlers of ``/_plugins/_ml/models``: everything but predict."""

from __future__ import annotations

from antiphon.domain.catalog_mappings import MODELS
from antiphon.errors import AntiphonError, EmptyBody, IllegalArgument
from antiphon.rest.call import Call, Reply
from antiphon.rest.search import search_documents
from antiphon.rest.writes import delete_reply, update_reply
from antiphon.wire.fields import Fields
from antiphon.wire.model import read_change, read_meta, read_registration, render_model

INDEX = ".plugins-ml-model"


def register(call: Call) -> Reply:
    """Register from a URL, as a task."""
    registration, notices = read_registration(call.json(), deploy=call.flag("deploy"))
    with _counted(call, "register"):
        task = call.node.registrar.register(registration)
    return Reply({"task_id": task.task_id, "status": "CREATED"}, notices=notices)


def register_meta(call: Call) -> Reply:
    """Begin a chunked upload."""
    if not call.body.strip():
        raise EmptyBody("Model meta request has empty body")
    registration, notices = read_meta(call.json())
    with _counted(call, "register"):
        model = call.node.registrar.register_meta(registration)
    return Reply({"model_id": model.model_id, "status": "CREATED"}, notices=notices)


def upload_chunk(call: Call) -> Reply:
    """Take one chunk as raw bytes, whatever the content type says."""
    word = call.params["chunk_number"]
    if not word.isdecimal():
        raise IllegalArgument(f"the chunk number must be an integer from 0, but was [{word}]")
    missing = call.node.registrar.upload_chunk(call.params["model_id"], int(word), call.body)
    return Reply({"status": "Uploaded"} | ({"missing_chunks": missing} if missing else {}))


def get(call: Call) -> Reply:
    """Read a model."""
    return Reply(render_model(call.node.definer.model(call.params["model_id"])))


def package(call: Call) -> Reply:
    """Send the zip that a model was registered with, byte for byte."""
    path = call.node.definer.package(call.params["model_id"])
    return Reply(None, media_type="application/zip", file=path)


def update(call: Call) -> Reply:
    """Change a model."""
    change, notices = read_change(call.json("Update model request has empty body"))
    model_id = call.params["model_id"]
    stored, waiting = call.node.definer.change_model(model_id, change)
    return update_reply(INDEX, model_id, stored, notices + waiting)


def delete(call: Call) -> Reply:
    """Delete a model that is not deployed."""
    model_id = call.params["model_id"]
    return delete_reply(INDEX, model_id, call.node.definer.delete_model(model_id))


def search(call: Call) -> Reply:
    """Search models; hidden ones are left out."""
    models = (
        (model.model_id, render_model(model), stored)
        for model, stored in call.node.catalog.models()
        if not model.is_hidden
    )
    return search_documents(call, INDEX, MODELS, models)


def deploy(call: Call) -> Reply:
    """Load a model into memory, as a task."""
    fields = Fields(call.json_or({}), "deploy")
    node_ids = fields.words("node_ids") or ()
    with _counted(call, "deploy"):
        task = call.node.deployer.deploy(call.params["model_id"], node_ids)
    body = {"task_id": task.task_id, "task_type": task.task_type, "status": "CREATED"}
    return Reply(body, notices=fields.notices())


def undeploy(call: Call) -> Reply:
    """Unload one model (id in the path) or several (ids in the body)."""
    fields = Fields(call.json_or({}), "undeploy")
    one = call.params.get("model_id")
    model_ids = (one,) if one is not None else fields.words("model_ids") or ()
    fields.skip("model_ids")
    if not model_ids:
        raise IllegalArgument("Must set specific model ids to undeploy")
    node_ids = fields.words("node_ids") or ()
    with _counted(call, "undeploy"):
        words = call.node.deployer.undeploy(model_ids, node_ids)
    return Reply({call.node.catalog.node_id(): {"stats": words}}, notices=fields.notices())


class _counted:  # noqa: N801  reads as a verb where it is used
    """Counts one action for the stats, and its failure when it is the server's."""

    def __init__(self, call: Call, action: str) -> None:
        self._observer = call.node.observer
        self._action = action

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        failed = isinstance(error, AntiphonError) and error.status >= 500
        self._observer.count(self._action, failed=failed)

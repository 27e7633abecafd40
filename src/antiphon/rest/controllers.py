"""Handlers of ``/_plugins/_ml/controllers``: per-user rate limits."""

from __future__ import annotations

from antiphon.rest.call import Call, Reply
from antiphon.rest.writes import delete_reply, update_reply
from antiphon.wire.controller import read_controller

INDEX = ".plugins-ml-controller"


def create(call: Call) -> Reply:
    """Create or replace."""
    controller, notices = read_controller(call.json("Create model controller request has empty body"))
    model_id = call.params["model_id"]
    stored = call.node.definer.put_controller(model_id, controller, create=True)
    status = "CREATED" if stored.version == 1 else "UPDATED"
    return Reply({"model_id": model_id, "status": status}, notices=notices)


def update(call: Call) -> Reply:
    """Change the limits of the users named."""
    controller, notices = read_controller(call.json("Update model controller request has empty body"))
    model_id = call.params["model_id"]
    stored = call.node.definer.put_controller(model_id, controller, create=False)
    return update_reply(INDEX, model_id, stored, notices)


def get(call: Call) -> Reply:
    """Read."""
    return Reply(call.node.definer.controller(call.params["model_id"]))


def delete(call: Call) -> Reply:
    """Delete."""
    model_id = call.params["model_id"]
    return delete_reply(INDEX, model_id, call.node.definer.delete_controller(model_id))

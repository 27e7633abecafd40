"""Handlers of ``/_plugins/_ml/model_groups``."""

from __future__ import annotations

from antiphon.domain.catalog_mappings import GROUPS
from antiphon.errors import EmptyBody
from antiphon.rest.call import Call, Reply
from antiphon.rest.search import search_documents
from antiphon.rest.writes import delete_reply
from antiphon.wire.model_group import read_group_change, read_group_registration, render_group

INDEX = ".plugins-ml-model-group"
_EMPTY = "Model group request has empty body"


def register(call: Call) -> Reply:
    """Create a group."""
    asked, notices = read_group_registration(call.json(_EMPTY))
    group = call.node.definer.create_group(asked)
    return Reply({"model_group_id": group.model_group_id, "status": "CREATED"}, notices=notices)


def get(call: Call) -> Reply:
    """Read a group."""
    return Reply(render_group(call.node.definer.group(call.params["model_group_id"])))


def update(call: Call) -> Reply:
    """Change a group."""
    if not call.body.strip():
        raise EmptyBody(_EMPTY)
    change, notices = read_group_change(call.json())
    call.node.definer.change_group(call.params["model_group_id"], change)
    return Reply({"status": "Updated"}, notices=notices)


def delete(call: Call) -> Reply:
    """Delete a group without models; an unknown id is 200 ``not_found``."""
    model_group_id = call.params["model_group_id"]
    return delete_reply(INDEX, model_group_id, call.node.definer.delete_group(model_group_id))


def search(call: Call) -> Reply:
    """Search groups."""
    groups = ((group.model_group_id, render_group(group), stored) for group, stored in call.node.catalog.groups())
    return search_documents(call, INDEX, GROUPS, groups)

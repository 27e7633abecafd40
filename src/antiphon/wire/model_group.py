"""Model groups: register and update bodies, and the group document."""

from __future__ import annotations

from typing import Any

from antiphon.domain.model_group import ModelGroup
from antiphon.domain.names import check_custom_id, text_problems
from antiphon.domain.registration import GroupChange, GroupRegistration
from antiphon.errors import IllegalArgument, MissingArgument, ValidationError
from antiphon.wire.fields import Fields, without_nulls

_NO_ACCESS_CONTROL = (
    "You cannot specify model access control parameters because the Security plugin or model access control is "
    "disabled on your cluster."
)


def read_group_registration(body: object) -> tuple[GroupRegistration, list[str]]:
    """Return the group asked for, and notices about fields that were ignored."""
    fields = Fields(body, "model group")
    name = fields.text("name")
    if name is None:
        raise MissingArgument("model group name must not be null")
    description = fields.text("description")
    model_group_id = fields.text("model_group_id")
    fields.skip("tenant_id")
    refuse_access_fields(fields)
    problems = text_problems("Model group name", name, required=True)
    problems += text_problems("Model group description", description)
    if problems:
        raise ValidationError(*problems)
    if model_group_id is not None:
        check_custom_id("model group id", model_group_id)
    return GroupRegistration(name, description, model_group_id), fields.notices()


def read_group_change(body: object) -> tuple[GroupChange, list[str]]:
    """Return what to change, and notices about fields that were ignored."""
    fields = Fields(body, "model group")
    change = GroupChange(fields.text("name"), fields.text("description"))
    refuse_access_fields(fields)
    problems = text_problems("Model group name", change.name, required=change.name is not None)
    problems += text_problems("Model group description", change.description)
    if problems:
        raise ValidationError(*problems)
    return change, fields.notices()


def refuse_access_fields(fields: Fields) -> None:
    """Accept the access fields that mean nothing without users; IllegalArgument for those that would.

    opensearch-py-ml always sends ``access_mode`` and ``add_all_backend_roles: false``; both are accepted. An
    unknown ``access_mode`` counts as absent, as in ML Commons.
    """
    mode = (fields.text("access_mode") or "").lower()
    if fields.words("backend_roles") or fields.boolean("add_all_backend_roles") or mode == "restricted":
        raise IllegalArgument(_NO_ACCESS_CONTROL)


def render_group(group: ModelGroup) -> dict[str, Any]:
    """Return the group document: written as ``access_mode``, read back as ``access``."""
    return without_nulls(
        [
            ("name", group.name),
            ("latest_version", group.latest_version),
            ("description", group.description),
            ("access", group.access),
            ("created_time", group.created_time),
            ("last_updated_time", group.last_updated_time),
        ]
    )

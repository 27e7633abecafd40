"""Handlers of index templates, component templates and legacy ones."""

from __future__ import annotations

from antiphon.errors import IllegalArgument, IndexTemplateMissing, MissingResource, ValidationError
from antiphon.rest.call import Call, Reply, Route
from antiphon.rest.index_options import ACKNOWLEDGED, WAITS
from antiphon.wire.template import (
    read_component_template,
    read_index_template,
    read_legacy_template,
    write_component_template,
    write_index_template,
    write_legacy_template,
    write_simulated,
)

_GET = WAITS | {"local", "flat_settings"}
_PUT = WAITS | {"create", "cause", "order"}
_UNNAMED = "simulate_template"
"""What a template is called that is sent without a name."""


def put_index(call: Call) -> Reply:
    """Write an index template."""
    indices = call.node.indices
    template = read_index_template(call.json())
    indices.templates.put_index(call.params["name"], template, indices.check_body, create=call.flag("create"))
    return ACKNOWLEDGED


def get_index(call: Call) -> Reply:
    """Index templates by name or pattern; 404 for a name that is not there."""
    name = call.params.get("name", "*")
    found = call.node.indices.templates.indexes(name)
    _check_found("index template", name, found)
    listed = [{"name": key, "index_template": write_index_template(value)} for key, value in found.items()]
    return Reply({"index_templates": listed})


def delete_index(call: Call) -> Reply:
    """Delete index templates; IndexTemplateMissing when there are none of that name or pattern, other than ``*``."""
    name = call.params["name"]
    if not call.node.indices.templates.delete_index(name) and name != "*":
        raise IndexTemplateMissing(f"index_template [{name}] missing")
    return ACKNOWLEDGED


def simulate_index(call: Call) -> Reply:
    """What an index of a name would be made of, with the template of the body if there is one; an empty object when
    no index template is for it.
    """
    indices = call.node.indices
    body = call.json_or(None)
    added = {} if body is None else {_UNNAMED: read_index_template(body)}
    for name, template in added.items():
        indices.templates.check_index(name, template, indices.check_body, create=call.flag("create"))
    found = indices.templates.simulate_index(call.params["name"], added)
    return Reply({} if found is None else write_simulated(found.body, found.overlapping))


def simulate_template(call: Call) -> Reply:
    """What a template, held or sent, comes to with its components."""
    indices = call.node.indices
    name, body = call.params.get("name", _UNNAMED), call.json_or(None)
    if body is None and "name" not in call.params:
        raise ValidationError("either index name or index template body must be specified for simulation")
    if body is not None:
        template = read_index_template(body)
        indices.templates.check_index(name, template, indices.check_body, create=call.flag("create"))
    elif (held := indices.templates.indexes().get(name)) is not None:
        template = held
    else:
        raise IllegalArgument(f"unable to simulate template [{name}] that does not exist")
    found = indices.templates.simulate(name, template)
    return Reply(write_simulated(found.body, found.overlapping))


def put_component(call: Call) -> Reply:
    """Write a component template."""
    indices = call.node.indices
    component = read_component_template(call.json())
    indices.templates.put_component(call.params["name"], component, indices.check_body, create=call.flag("create"))
    return ACKNOWLEDGED


def get_component(call: Call) -> Reply:
    """Component templates by name or pattern; 404 for a name that is not there."""
    name = call.params.get("name", "*")
    found = call.node.indices.templates.components(name)
    _check_found("component template", name, found)
    listed = [{"name": key, "component_template": write_component_template(value)} for key, value in found.items()]
    return Reply({"component_templates": listed})


def delete_component(call: Call) -> Reply:
    """Delete component templates that no index template uses; IndexTemplateMissing as for index templates."""
    name = call.params["name"]
    if not call.node.indices.templates.delete_component(name) and name != "*":
        raise IndexTemplateMissing(f"index_template [{name}] missing")
    return ACKNOWLEDGED


def put_legacy(call: Call) -> Reply:
    """Write a legacy template."""
    indices = call.node.indices
    template = read_legacy_template(call.json())
    indices.templates.put_legacy(call.params["name"], template, indices.check_body, create=call.flag("create"))
    return ACKNOWLEDGED


def get_legacy(call: Call) -> Reply:
    """Legacy templates by name; 404 with an empty body for a name that is not there."""
    name = call.params.get("name", "*")
    found = call.node.indices.templates.legacy(name)
    shown = {key: write_legacy_template(value) for key, value in found.items()}
    return Reply(shown, 404 if not shown and "*" not in name else 200)


def delete_legacy(call: Call) -> Reply:
    """Delete legacy templates; IndexTemplateMissing as for index templates."""
    name = call.params["name"]
    if not call.node.indices.templates.delete_legacy(name) and name != "*":
        raise IndexTemplateMissing(f"index_template [{name}] missing")
    return ACKNOWLEDGED


def _check_found(what: str, name: str, found: object) -> None:
    if not found and "*" not in name:
        raise MissingResource(f"{what} matching [{name}] not found")


TEMPLATE_ROUTES: tuple[Route, ...] = (
    Route("GET", "/_index_template", get_index, _GET),
    Route("GET", "/_index_template/{name}", get_index, _GET),
    Route("PUT POST", "/_index_template/{name}", put_index, _PUT),
    Route("DELETE", "/_index_template/{name}", delete_index, WAITS),
    Route("POST", "/_index_template/_simulate_index/{name}", simulate_index, _PUT),
    Route("POST", "/_index_template/_simulate", simulate_template, _PUT),
    Route("POST", "/_index_template/_simulate/{name}", simulate_template, _PUT),
    Route("GET", "/_component_template", get_component, _GET),
    Route("GET", "/_component_template/{name}", get_component, _GET),
    Route("PUT POST", "/_component_template/{name}", put_component, _PUT),
    Route("DELETE", "/_component_template/{name}", delete_component, WAITS),
    Route("GET", "/_template", get_legacy, _GET),
    Route("GET", "/_template/{name}", get_legacy, _GET),
    Route("PUT POST", "/_template/{name}", put_legacy, _PUT),
    Route("DELETE", "/_template/{name}", delete_legacy, WAITS),
)

"""Handlers of index templates, component templates and legacy ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from antiphon.errors import IllegalArgument, IndexTemplateMissing, MissingResource, ValidationError
from antiphon.flows import Templates
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


@dataclass(frozen=True, slots=True)
class _Kind:
    """One sort of template: what reads and writes its JSON, and the methods of ``Templates`` that hold it.

    ``member`` is its name in a list; None where answers are by name, and a missing one is an empty answer.
    """

    member: str | None
    read: Callable[[Any], Any]
    write: Callable[[Any], Any]
    put: Callable[..., None]
    held: Callable[[Templates, str], Mapping[str, Any]]
    delete: Callable[[Templates, str], bool]

    def routes(self, path: str) -> tuple[Route, ...]:
        """Return its routes, the simulations apart."""
        named = f"{path}/{{name}}"
        return (
            Route("GET", path, self.get, _GET),
            Route("GET", named, self.get, _GET),
            Route("PUT POST", named, self.store, _PUT),
            Route("DELETE", named, self.remove, WAITS),
        )

    def store(self, call: Call) -> Reply:
        """Write one."""
        indices, template = call.node.indices, self.read(call.json())
        self.put(indices.templates, call.params["name"], template, indices.check_body, create=call.flag("create"))
        return ACKNOWLEDGED

    def get(self, call: Call) -> Reply:
        """Those of a name or pattern; 404 for a name that is not there."""
        name = call.params.get("name", "*")
        found = {key: self.write(value) for key, value in self.held(call.node.indices.templates, name).items()}
        missing = not found and "*" not in name
        if self.member is None:
            return Reply(found, 404 if missing else 200)
        if missing:
            raise MissingResource(f"{self.member.replace('_', ' ')} matching [{name}] not found")
        return Reply({f"{self.member}s": [{"name": key, self.member: value} for key, value in found.items()]})

    def remove(self, call: Call) -> Reply:
        """Delete those of a name or pattern; IndexTemplateMissing when there are none, other than for ``*``.

        Components that an index template uses stay.
        """
        name = call.params["name"]
        if not self.delete(call.node.indices.templates, name) and name != "*":
            raise IndexTemplateMissing(f"index_template [{name}] missing")
        return ACKNOWLEDGED


_INDEX = _Kind(
    "index_template", read_index_template, write_index_template,
    Templates.put_index, Templates.indexes, Templates.delete_index,
)  # fmt: skip
_COMPONENT = _Kind(
    "component_template", read_component_template, write_component_template,
    Templates.put_component, Templates.components, Templates.delete_component,
)  # fmt: skip
_LEGACY = _Kind(
    None, read_legacy_template, write_legacy_template,
    Templates.put_legacy, Templates.legacy, Templates.delete_legacy,
)  # fmt: skip


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


TEMPLATE_ROUTES: tuple[Route, ...] = (
    *_INDEX.routes("/_index_template"),
    Route("POST", "/_index_template/_simulate_index/{name}", simulate_index, _PUT),
    Route("POST", "/_index_template/_simulate", simulate_template, _PUT),
    Route("POST", "/_index_template/_simulate/{name}", simulate_template, _PUT),
    *_COMPONENT.routes("/_component_template"),
    *_LEGACY.routes("/_template"),
)

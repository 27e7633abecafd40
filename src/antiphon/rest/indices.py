"""Handlers of indices: create, get, delete, mappings, settings, open and close."""

from __future__ import annotations

from typing import Any

from antiphon.domain.index_settings import find_setting
from antiphon.errors import IllegalArgument, IndexNotFound, ParseError, ValidationError
from antiphon.rest.call import Call, Reply, Route
from antiphon.rest.index_options import ACKNOWLEDGED, INDICES, SETTINGS, WAITS, index_options, resolved
from antiphon.wire.index import read_create, read_settings, write_field_mappings, write_index, write_settings


def create(call: Call) -> Reply:
    """Make an index; a body is optional."""
    body = read_create(call.json_or({}))
    name = call.node.indices.create(call.params["index"], body).name
    return Reply({"acknowledged": True, "shards_acknowledged": True, "index": name})


def get(call: Call) -> Reply:
    """Whole definitions of the indices of an expression."""
    flat, defaults = call.flag("flat_settings"), call.flag("include_defaults")
    found = resolved(call, expand_wildcards="open,closed")
    return Reply({index.name: write_index(index, flat=flat, include_defaults=defaults) for index in found})


def exists(call: Call) -> Reply:
    """200 or 404 without a body; aliases count."""
    try:
        found = resolved(call, allow_no_indices=False, expand_wildcards="open,closed")
    except IndexNotFound:
        found = []
    return Reply({}, 200 if found else 404)


def delete(call: Call) -> Reply:
    """Delete the indices of an expression, all or none."""
    call.node.indices.delete(call.params["index"], **index_options(call))
    return ACKNOWLEDGED


def get_mapping(call: Call) -> Reply:
    """Mappings by index."""
    found = resolved(call, expand_wildcards="open,closed")
    return Reply({index.name: {"mappings": index.mapping.body} for index in found})


def put_mapping(call: Call) -> Reply:
    """Add to the mappings of the indices of an expression, all or none."""
    body = call.json()
    if not isinstance(body, dict):
        raise ParseError("the body of put mapping must be a JSON object: properties, dynamic, ...")
    only = call.flag("write_index_only")
    call.node.indices.put_mapping(call.params["index"], body, write_index_only=only, **index_options(call))
    return ACKNOWLEDGED


def get_field_mapping(call: Call) -> Reply:
    """Mappings of single fields by index."""
    found = resolved(call, expand_wildcards="open,closed")
    return Reply({index.name: write_field_mappings(index, call.words("fields")) for index in found})


def get_settings(call: Call) -> Reply:
    """Settings by index; a name pattern picks some."""
    flat, defaults = call.flag("flat_settings"), call.flag("include_defaults")
    names = call.params.get("name", "*")
    found = resolved(call, expand_wildcards="open,closed")
    return Reply(
        {index.name: write_settings(index, names=names, flat=flat, include_defaults=defaults) for index in found}
    )


def put_settings(call: Call) -> Reply:
    """Change settings of the indices of an expression, all or none."""
    changes = read_settings(call.json())
    if not changes:
        raise ValidationError("no settings to update")
    preserve = call.flag("preserve_existing")
    call.node.indices.put_settings(call.params.get("index", ""), changes, preserve, **index_options(call))
    return ACKNOWLEDGED


def close(call: Call) -> Reply:
    """Close indices; nothing reads or writes them until they are opened."""
    closed = call.node.indices.set_closed(call.params["index"], closed=True, **index_options(call))
    shown: dict[str, Any] = {index.name: {"closed": True} for index in closed}
    return Reply({"acknowledged": True, "shards_acknowledged": True, "indices": shown})


def open_(call: Call) -> Reply:
    """Open indices again."""
    call.node.indices.set_closed(call.params["index"], closed=False, **index_options(call))
    return Reply({"acknowledged": True, "shards_acknowledged": True})


def block(call: Call) -> Reply:
    """Set one of the ``index.blocks``; IllegalArgument for one that there is not."""
    indices = call.node.indices
    name = call.params["block"]
    if find_setting(f"index.blocks.{name}") is None:
        raise IllegalArgument(f"No block found with name {name}")
    found = resolved(call)
    indices.put_settings(call.params["index"], {f"index.blocks.{name}": "true"}, **index_options(call))
    shown = [{"name": index.name, "blocked": True} for index in found]
    return Reply({"acknowledged": True, "shards_acknowledged": True, "indices": shown})


_PUT_SETTINGS = SETTINGS | {"preserve_existing"}

INDEX_ROUTES: tuple[Route, ...] = (
    Route("PUT", "/{index}", create, WAITS, heavy=True),
    Route("GET", "/{index}", get, SETTINGS),
    Route("HEAD", "/{index}", exists, SETTINGS),
    Route("DELETE", "/{index}", delete, INDICES, heavy=True),
    Route("GET", "/_mapping", get_mapping, INDICES),
    Route("GET", "/{index}/_mapping", get_mapping, INDICES),
    Route("GET", "/{index}/_mappings", get_mapping, INDICES),
    Route("PUT POST", "/{index}/_mapping", put_mapping, INDICES | {"write_index_only"}, heavy=True),
    Route("PUT POST", "/{index}/_mappings", put_mapping, INDICES | {"write_index_only"}, heavy=True),
    Route("GET", "/_mapping/field/{fields}", get_field_mapping, SETTINGS),
    Route("GET", "/{index}/_mapping/field/{fields}", get_field_mapping, SETTINGS),
    Route("GET", "/_settings", get_settings, SETTINGS),
    Route("GET", "/_settings/{name}", get_settings, SETTINGS),
    Route("GET", "/{index}/_settings", get_settings, SETTINGS),
    Route("GET", "/{index}/_settings/{name}", get_settings, SETTINGS),
    Route("PUT", "/_settings", put_settings, _PUT_SETTINGS, heavy=True),
    Route("PUT", "/{index}/_settings", put_settings, _PUT_SETTINGS, heavy=True),
    Route("POST", "/{index}/_close", close, INDICES, heavy=True),
    Route("POST", "/{index}/_open", open_, INDICES, heavy=True),
    Route("PUT", "/{index}/_block/{block}", block, INDICES),
)

"""Handlers of definitions in front of a cluster: semantic fields become plain ones, pipelines are tried out here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from antiphon.domain.processors.embeds import embeds
from antiphon.domain.processors.reading import read_pipeline
from antiphon.domain.semantic_meta import shown_mapping
from antiphon.domain.setting import setting_leaves
from antiphon.errors import IllegalArgument, MissingResource
from antiphon.rest import cluster, pipelines
from antiphon.rest.call import Call, Reply, Route
from antiphon.rest.relay_call import asking, engine_of, forward, reply_of, sent_on, without_form
from antiphon.wire.cluster_settings import read_changes, write_section
from antiphon.wire.pipeline import read_simulation

_JSON = "application/json"
_OURS = ("plugins.ml_commons.", "antiphon.")
"""Settings of the models, which are here."""


def banner(call: Call) -> Reply:
    """Who is there, and who stands in front."""
    engine = engine_of(call)
    answer = engine.forward("GET", "/", b"", asking(call))
    found = _object(answer.body) if answer.status < 300 else None
    if found is None:
        return reply_of(answer)
    return Reply({**found, "antiphon": {"version": call.identity.version, "cluster": engine.cluster.url}})


def put_index(call: Call) -> Reply:
    """Create an index."""
    return _defined(call, _created(call), b"knn_vector")


def put_mapping(call: Call) -> Reply:
    """Let the mapping of indices grow."""
    engine = engine_of(call)
    index = call.params["index"]
    return _defined(call, lambda body: engine.mappings.grown(index, body, asking(call)), b"_meta")


def put_template(call: Call) -> Reply:
    """Create or replace a composable template or one of its parts."""
    return _defined(call, _at("template", _created(call)), b"knn_vector")


def put_legacy_template(call: Call) -> Reply:
    """Create or replace a template of the old kind."""
    return put_index(call)


def get_definition(call: Call) -> Reply:
    """Return indices or their mappings, with semantic fields as they were defined."""
    reply = forward(call)
    found = _object(reply.body) if reply.status < 300 and b'"semantic"' in reply.body else None
    if found is None:
        return reply
    shown = _at("mappings", shown_mapping)
    body = {name: shown(one) if isinstance(one, dict) else one for name, one in found.items()}
    return Reply(body, reply.status, headers=reply.headers, warnings=reply.warnings)


def simulate(call: Call) -> Reply:
    """Try a pipeline out: here when it embeds, else where it will run."""
    pipeline_id = call.params.get("pipeline_id")
    view = engine_of(call).book.seen_by(asking(call))
    body = call.json()
    inline = body.get("pipeline") if isinstance(body, dict) else None
    here = (
        view.embeds(pipeline_id) if pipeline_id is not None else isinstance(inline, dict) and embeds(inline, view.raw)
    )
    if not here:
        return forward(call)
    request = read_simulation(body, stored=pipeline_id is not None)
    found = view.find(pipeline_id) if pipeline_id is not None else read_pipeline("_simulate_pipeline", request.pipeline)
    if found is None:
        raise MissingResource(f"pipeline [{pipeline_id}] is missing")
    return pipelines.simulated(engine_of(call).runner(asking(call)), found, request, verbose=call.flag("verbose"))


def get_settings(call: Call) -> Reply:
    """The cluster's settings, with those of the models as they are here."""
    engine = engine_of(call)
    answer = engine.forward("GET", without_form(call.target), b"", asking(call))
    found = _object(answer.body) if answer.status < 300 else None
    if found is None:
        return reply_of(answer)
    flat = call.flag("flat_settings")
    current = call.node.configurator.current
    own = {"persistent": current.persistent, "transient": current.transient, "defaults": current.defaults()}
    return Reply({name: _laid_over(one, own[name], flat) if name in own else one for name, one in found.items()})


def put_settings(call: Call) -> Reply:
    """Change settings: those of the models here, all others there; not both in one request."""
    changes = read_changes(call.json())
    keys = [key for section in changes.values() for key in section]
    ours = [key for key in keys if key.startswith(_OURS)]
    if not ours:
        return forward(call)
    if len(ours) < len(keys):
        there = next(key for key in keys if key not in ours)
        raise IllegalArgument(
            f"[{ours[0]}] is a setting of the models, which run here, [{there}] one of the cluster: change them in two "
            "requests"
        )
    return cluster.put_settings(call)


def _defined(call: Call, change: Callable[[dict[str, Any]], dict[str, Any]], *marks: bytes) -> Reply:
    """Send a definition on, changed where a semantic field (or another of ``marks``) may be in it."""
    engine = engine_of(call)
    changed = None
    if any(mark in call.body for mark in (b"semantic", b"\\u", *marks)):
        body = call.json()
        new = change(body) if isinstance(body, dict) else body
        changed = None if new == body else orjson.dumps(new)
    try:
        return forward(call) if changed is None else sent_on(call, call.target, changed, _JSON)
    finally:
        engine.book.forget()


def _created(call: Call) -> Callable[[dict[str, Any]], dict[str, Any]]:
    mappings, headers = engine_of(call).mappings, asking(call)
    return lambda body: mappings.created(body, headers)


def _at(key: str, change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return what applies ``change`` to the value of a key, where that is an object."""
    return lambda body: {**body, key: change(body[key])} if isinstance(body.get(key), dict) else body


def _object(content: bytes) -> dict[str, Any] | None:
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _laid_over(there: dict[str, Any], here: Mapping[str, Any], flat: bool) -> dict[str, Any]:
    """Return a section of settings with those of the models in place of the cluster's; ``here`` is flat."""
    held = {key: value for key, value in setting_leaves(there) if not key.startswith(_OURS)}
    return write_section(held | {key: value for key, value in here.items() if key.startswith(_OURS)}, flat)


RELAY_DEFINITION_ROUTES: tuple[Route, ...] = (
    Route("GET", "/", banner, far=True),
    Route("PUT", "/{index}", put_index, any_query=True, far=True),
    *(
        Route("GET", path, get_definition, any_query=True, far=True)
        for path in ("/{index}", "/_mapping", "/_mappings", "/{index}/_mapping", "/{index}/_mappings")
    ),
    *(
        Route("PUT POST", f"/{{index}}/{word}", put_mapping, any_query=True, far=True)
        for word in ("_mapping", "_mappings")
    ),
    *(
        Route("PUT POST", f"/{kind}/{{name}}", put_template, any_query=True, far=True)
        for kind in ("_index_template", "_component_template")
    ),
    Route("PUT POST", "/_template/{name}", put_legacy_template, any_query=True, far=True),
    Route("GET POST", "/_ingest/pipeline/_simulate", simulate, any_query=True, far=True),
    Route("GET POST", "/_ingest/pipeline/{pipeline_id}/_simulate", simulate, any_query=True, far=True),
    Route("GET", "/_cluster/settings", get_settings, any_query=True, far=True),
    Route("PUT", "/_cluster/settings", put_settings, any_query=True, far=True),
)

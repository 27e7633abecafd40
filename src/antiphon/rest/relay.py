"""The API in front of a cluster as one table: models are answered here, texts are embedded here, the rest goes on."""

from __future__ import annotations

from antiphon.rest.call import Call, Reply, Route
from antiphon.rest.errors import no_handler
from antiphon.rest.relay_call import engine_of, forward
from antiphon.rest.relay_definitions import RELAY_DEFINITION_ROUTES
from antiphon.rest.relay_search import RELAY_SEARCH_ROUTES
from antiphon.rest.relay_writes import RELAY_WRITE_ROUTES
from antiphon.rest.routes import ROUTES

_ML = "/_plugins/_ml"
_EVERY = "GET HEAD POST PUT DELETE PATCH OPTIONS"
_DEFINING = frozenset({
    "_aliases", "_alias", "_rollover", "_restore", "_template", "_index_template", "_component_template", "_settings",
    "_mapping",
})  # fmt: skip
"""Parts of a path whose POST changes definitions, as every PUT and DELETE may, but for those of ``_PASSING``."""
_PASSING = frozenset({"_doc", "scroll", "point_in_time"})


def forward_any(call: Call) -> Reply:
    """Send anything on; what changes definitions has the kept ones forgotten."""
    parts = set(call.path.split("/"))
    try:
        return forward(call)
    finally:
        changes = call.method in ("PUT", "DELETE") or (call.method == "POST" and not parts.isdisjoint(_DEFINING))
        if changes and parts.isdisjoint(_PASSING):
            engine_of(call).book.forget()


def unknown(call: Call) -> Reply:
    """Say that nobody serves a path of the models."""
    return no_handler(call.path, call.method)


_BOUND = (*RELAY_DEFINITION_ROUTES, *RELAY_SEARCH_ROUTES, *RELAY_WRITE_ROUTES)

RELAY_ROUTES: tuple[Route, ...] = (
    *(row for row in ROUTES if row.path.startswith(_ML)),
    Route(_EVERY, f"{_ML}/{{rest:path}}", unknown, any_query=True, any_media=True),
    *_BOUND,
    *(Route(_EVERY, path, forward_any, any_query=True, any_media=True, far=True) for path in
      dict.fromkeys(row.path for row in _BOUND if row.path != "/")),
    Route(_EVERY, "/{rest:path}", forward_any, any_query=True, any_media=True, far=True),
)  # fmt: skip

"""Searches over the documents of the catalog."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from antiphon.errors import ParsingError
from antiphon.flows import Listed
from antiphon.query import PageHit, SearchHit
from antiphon.rest.call import Call, Reply
from antiphon.rest.errors import describe_item
from antiphon.wire.search import render_page
from antiphon.wire.search_hits import render_hit


def search_documents(call: Call, index: str, properties: Mapping[str, Any], listed: Iterable[Listed]) -> Reply:
    """Answer ``_search`` over these."""
    body = call.json("request body or source parameter is required")
    if not isinstance(body, dict):
        raise ParsingError(f"a search body must be a JSON object, but was [{type(body).__name__}]")
    page = call.node.catalog_searcher.search(index, properties, listed, body, _render)
    return Reply(render_page(page, describe_item, node_id=call.node.catalog.node_id()))


def _render(index: str, hit: SearchHit) -> dict[str, Any]:
    return render_hit(PageHit(index, hit))

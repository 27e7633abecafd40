"""Searches over the documents of the catalog."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from antiphon.flows import Listed
from antiphon.rest.call import Call, Reply
from antiphon.rest.errors import describe_item
from antiphon.rest.searches import rendering, search_body
from antiphon.wire.search import render_page


def search_documents(call: Call, index: str, properties: Mapping[str, Any], listed: Iterable[Listed]) -> Reply:
    """Answer ``_search`` over these."""
    body = search_body(call.json("request body or source parameter is required"))
    page = call.node.catalog_searcher.search(index, properties, listed, body, rendering(call))
    return Reply(render_page(page, describe_item, node_id=call.node.catalog.node_id()))

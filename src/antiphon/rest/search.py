"""Searches over the documents of the catalog."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from antiphon.flows import Stored
from antiphon.query import Document, parse_catalog_search, run_catalog_search
from antiphon.rest.call import Call, Reply
from antiphon.wire.hits import render_found


def search_documents(call: Call, index: str, documents: Iterable[tuple[str, dict[str, Any], Stored]]) -> Reply:
    """Answer ``_search`` over (id, source, where it is stored); ``from`` and ``size`` may come as parameters."""
    start = time.perf_counter()
    body = call.json("request body or source parameter is required")
    if isinstance(body, dict):
        body = body | {name: call.number(name, 0) for name in ("from", "size") if name in call.query}
    search = parse_catalog_search(body)
    found = run_catalog_search(search, [Document(id_, source, at.version, at.seq_no) for id_, source, at in documents])
    took_ms = int((time.perf_counter() - start) * 1000)
    return Reply(render_found(found, index, took_ms=took_ms))

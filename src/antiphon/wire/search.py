"""The answers of ``_search``, ``_count``, scrolls and points in time."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Any

import numpy as np

from antiphon.domain.source import token
from antiphon.errors import AntiphonError, IllegalArgument, ParsingError
from antiphon.query import Page
from antiphon.wire.search_hits import render_hit

ShowError = Callable[[AntiphonError], dict[str, Any]]


def render_page(
    page: Page, show: ShowError, *, node_id: str, total_as_int: bool = False, bare: bool = False
) -> dict[str, Any]:
    """Return the response of a search; ``show`` makes JSON of an index's failure, ``bare`` drops the hits' ids."""
    shown: dict[str, Any] = {}
    if page.scroll_id is not None:
        shown["_scroll_id"] = page.scroll_id
    if page.pit_id is not None:
        shown["pit_id"] = page.pit_id
    shown |= {"took": page.took_ms, "timed_out": False}
    if page.terminated_early is not None:
        shown["terminated_early"] = page.terminated_early
    shown["_shards"] = _shards_of(page, show, node_id)
    hits: dict[str, Any] = {}
    if page.total is not None:
        hits["total"] = page.total if total_as_int else {"value": page.total, "relation": "eq" if page.exact else "gte"}
    hits["max_score"] = None if page.max_score is None else np.float32(page.max_score)
    hits["hits"] = [render_hit(hit, node_id, bare=bare) for hit in page.hits]
    shown["hits"] = hits
    if page.aggregations is not None:
        shown["aggregations"] = page.aggregations
    return shown


def render_shards(count: int) -> dict[str, int]:
    """Return the ``_shards`` of an operation that worked on ``count`` indices."""
    return {"total": count, "successful": count, "skipped": 0, "failed": 0}


def render_count(page: Page) -> dict[str, Any]:
    """Return the response of ``_count``."""
    early = {} if page.terminated_early is None else {"terminated_early": page.terminated_early}
    return {**early, "count": page.total or 0, "_shards": render_shards(page.shards)}


def an_object(body: Any) -> dict[str, Any]:
    """Return a body that is a JSON object; ParsingError when it is none."""
    if not isinstance(body, dict):
        raise ParsingError(f"Expected [START_OBJECT] but found [{token(body)}]")
    return body


def check_nulls(body: Mapping[str, Any], besides: Container[str] = ()) -> None:
    """ParsingError for a null in a search body, ``besides`` these keys: it would search as if it were not sent."""
    for key, value in body.items():
        if value is None and key not in besides:
            raise ParsingError(f"Unknown key for a VALUE_NULL in [{key}].")


def check_count_body(body: Mapping[str, Any]) -> None:
    """ParsingError for a key other than ``query``: counts take nothing else."""
    for key in body:
        if key != "query":
            raise ParsingError(f"request does not support [{key}]")


def read_scroll(body: object) -> tuple[list[str], str | None]:
    """Return the ids and the keep-alive of a scroll request's body; a lone id may be a string."""
    if not isinstance(body, dict):
        raise IllegalArgument("Malformed content, must start with an object")
    for key in body:
        if key not in ("scroll_id", "scroll"):
            raise IllegalArgument(f"Unknown parameter [{key}] in request body or parameter is of the wrong type")
    keep = body.get("scroll")
    return _ids("scroll_id", body.get("scroll_id")), None if keep is None else str(keep)


def read_pit_ids(body: object) -> list[str]:
    """Return the ids of a request that deletes points in time."""
    if not isinstance(body, dict):
        raise IllegalArgument("Malformed content, must start with an object")
    for key in body:
        if key != "pit_id":
            raise IllegalArgument(f"Unknown parameter [{key}] in request body or parameter is of the wrong type")
    return _ids("pit_id", body.get("pit_id"))


def _ids(key: str, value: object) -> list[str]:
    items = value if isinstance(value, list) else [] if value is None else [value]
    for item in items:
        if not isinstance(item, str):
            raise IllegalArgument(f"{key} array element should only contain {key}")
    return [str(item) for item in items]


def _shards_of(page: Page, show: ShowError, node_id: str) -> dict[str, Any]:
    failed = len(page.failures)
    shards: dict[str, Any] = {
        "total": page.shards, "successful": page.shards - failed, "skipped": 0, "failed": failed,
    }  # fmt: skip
    if failed:
        shards["failures"] = [
            {"shard": 0, "index": index, "node": node_id, "reason": show(error)} for index, error in page.failures
        ]
    return shards

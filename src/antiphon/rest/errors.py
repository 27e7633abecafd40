"""Our errors as OpenSearch's envelope: the only place that makes JSON of them."""

from __future__ import annotations

from typing import Any

from antiphon.errors import AntiphonError, CircuitBreaking
from antiphon.rest.call import Reply


def render_error(error: AntiphonError) -> Reply:
    """Return the envelope: ``error`` with ``root_cause``, ``type``, ``reason``, ``caused_by``; and ``status``."""
    described = _describe(error)
    causes = {} if error.cause is None else {"caused_by": _chain(error.cause)}
    return Reply({"error": {"root_cause": [described], **described, **causes}, "status": error.status}, error.status)


def no_handler(uri: str, method: str) -> Reply:
    """Return OpenSearch's answer for a path nobody serves."""
    return Reply({"error": f"no handler found for uri [{uri}] and method [{method}]"}, 400)


def wrong_method(uri: str, method: str, allowed: str) -> Reply:
    """Return OpenSearch's answer for a path that is served with other methods."""
    text = f"Incorrect HTTP method for uri [{uri}] and method [{method}], allowed: [{allowed}]"
    return Reply({"error": text, "status": 405}, 405)


def _describe(error: AntiphonError) -> dict[str, Any]:
    described: dict[str, Any] = {"type": error.type, "reason": error.reason}
    if isinstance(error, CircuitBreaking):
        described |= {"bytes_wanted": 0, "bytes_limit": 0, "durability": "TRANSIENT"}
    return described


def _chain(error: AntiphonError) -> dict[str, Any]:
    return _describe(error) | ({} if error.cause is None else {"caused_by": _chain(error.cause)})

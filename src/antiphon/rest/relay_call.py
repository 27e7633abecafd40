"""What the handlers share that stand between a client and its cluster."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

from antiphon.errors import AntiphonError
from antiphon.flows import Answer, ClusterEngine
from antiphon.rest.call import Call, Reply

_SENT = ("content-type", "accept", "authorization", "x-opaque-id")
_ASKING = ("authorization", "x-opaque-id")
_BACK = ("location", "x-opaque-id", "www-authenticate", "retry-after", "allow", "x-opensearch-version")
_READING = frozenset({"filter_path", "pretty", "human", "format", "source", "source_content_type"})
"""Parameters about the form of an answer (or of the request), which must not change one that is read here."""


def engine_of(call: Call) -> ClusterEngine:
    """Return the cluster's flows."""
    if call.cluster is None:
        raise AntiphonError("a request for a cluster came to a server without one")
    return call.cluster


def asking(call: Call) -> Mapping[str, str]:
    """Return the headers of requests that are made for the client, and whose answers are read here."""
    return {name: call.headers[name] for name in _ASKING if name in call.headers}


def forward(call: Call) -> Reply:
    """Send the request on as it came."""
    return sent_on(call, call.target, call.body)


def sent_on(call: Call, target: str, body: bytes, media_type: str | None = None) -> Reply:
    """Send a request on with another target or body, of ``media_type`` when it is a new one."""
    headers = {name: call.headers[name] for name in _SENT if name in call.headers}
    if media_type is not None:
        headers["content-type"] = media_type
    return reply_of(engine_of(call).forward(call.method, target, body, headers))


def reply_of(answer: Answer) -> Reply:
    """Return the cluster's answer as ours: status, bytes, and the headers that matter."""
    named = dict(answer.headers)
    return Reply(
        answer.body,
        answer.status,
        media_type=named.get("content-type", ""),
        headers={name: named[name] for name in _BACK if name in named},
        warnings=tuple(value for name, value in answer.headers if name == "warning"),
    )


def without_form(target: str, *more: str) -> str:
    """Return a target without the parameters that shape the answer, and without those named."""
    path, _, query = target.partition("?")
    kept = [
        (name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name not in _READING.union(more)
    ]
    return f"{path}?{urlencode(kept)}" if kept else path


def without_source(target: str) -> str:
    """Return a target without the body that it carries as a parameter."""
    path, _, query = target.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    kept = [(name, value) for name, value in pairs if name not in ("source", "source_content_type")]
    return f"{path}?{urlencode(kept)}" if kept else path

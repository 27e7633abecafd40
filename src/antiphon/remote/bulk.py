"""Bulk requests to a server that may be too busy for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from antiphon.errors import AntiphonError, reason_of
from antiphon.remote.rest_client import RestClient, ndjson

_BUSY = 429


@dataclass(frozen=True, slots=True)
class Patience:
    """How a busy server is asked again: ``wait`` sleeps for so many seconds, ``pauses_s`` before each further try."""

    wait: Callable[[float], None]
    pauses_s: Sequence[float] = (0.5, 1.0, 2.0, 4.0, 8.0)


def send_bulk(
    client: RestClient, path: str, lines: Iterable[Any], what: str, patience: Patience
) -> tuple[list[Any], list[str]]:
    """Send a bulk request, again while the server is too busy; return the outcomes and the texts of its warnings.

    ``what`` says what the request holds, for the AntiphonError of one that is refused as a whole.
    """
    body = ndjson(lines)
    for pause in (*patience.pauses_s, None):
        status, answer, warnings = client.send("POST", path, body)
        items = answer["items"] if status < 300 else []
        busy = status == _BUSY or any(outcome_status(item) == _BUSY for item in items)
        if not busy or pause is None:
            break
        patience.wait(pause)
    if status >= 300:
        raise AntiphonError(f"{what}: the bulk request was answered with {status}: {reason_of(answer)}")
    return items, warnings


def outcome_status(outcome: dict[str, Any]) -> int:
    """Return the status of one action of a bulk request."""
    return int(next(iter(outcome.values())).get("status", 200))

"""What the store reads of an index's flat settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from antiphon.errors import IllegalArgument

_UNITS = {"nanos": 1e-9, "micros": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def refresh_seconds(settings: Mapping[str, Any]) -> float | None:
    """Return ``index.refresh_interval`` in seconds; None when it is off."""
    text = str(settings.get("index.refresh_interval", "1s"))
    if text in {"-1", "-1ms", "-1s"}:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(nanos|micros|ms|s|m|h|d)", text)
    if found is None:
        raise IllegalArgument(f"failed to parse setting [index.refresh_interval] with value [{text}] as a time value")
    return float(found[1]) * _UNITS[found[2]] or 1.0


def durable(settings: Mapping[str, Any]) -> bool:
    """Return whether a write is on disk when it is acknowledged."""
    return str(settings.get("index.translog.durability", "request")).lower() != "async"

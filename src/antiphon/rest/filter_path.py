"""``filter_path``: keep (or with a leading ``-`` drop) parts of an answer by dotted paths with ``*`` and ``**``."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

_GONE = object()


def filter_body(body: Any, filter_path: str) -> Any:
    """Return the parts of ``body`` that the comma-separated paths name; ``{}`` when nothing is left."""
    paths = [path.strip() for path in filter_path.split(",") if path.strip()]
    drops = [path[1:].split(".") for path in paths if path.startswith("-")]
    keeps = [path.split(".") for path in paths if not path.startswith("-")]
    if keeps:
        body = _keep(body, keeps)
    for path in drops:
        body = _drop(body, path)
    return {} if body is _GONE else body


def _keep(value: Any, paths: list[list[str]]) -> Any:
    if any(not path or path == ["**"] for path in paths):
        return value
    if isinstance(value, list):
        kept = [item for item in (_keep(item, paths) for item in value) if item is not _GONE]
        return kept or _GONE
    if not isinstance(value, dict):
        return _GONE
    result = {}
    for key, item in value.items():
        below = [rest for path in paths for rest in _step(path, key)]
        kept_item = _keep(item, below) if below else _GONE
        if kept_item is not _GONE:
            result[key] = kept_item
    return result or _GONE


def _drop(value: Any, path: list[str]) -> Any:
    if isinstance(value, list):
        return [_drop(item, path) for item in value]
    if not isinstance(value, dict):
        return value
    result = {}
    for key, item in value.items():
        below = _step(path, key)
        if any(not rest for rest in below):
            continue
        for rest in below:
            item = _drop(item, rest)
        result[key] = item
    return result


def _step(path: list[str], key: str) -> list[list[str]]:
    """Return what remains of ``path`` below ``key``: nothing, one way, or with ``**`` several."""
    if path[0] == "**":
        return [path, *(_step(path[1:], key) if len(path) > 1 else [])]
    return [path[1:]] if fnmatchcase(key, path[0]) else []

"""The spellings of a source filter outside of search bodies."""

from __future__ import annotations

from collections.abc import Mapping

from antiphon.domain.source import SourceFilter


def read_source_parameters(query: Mapping[str, str]) -> SourceFilter | None:
    """Return the choice of the parameters ``_source``, ``_source_includes``, ``_source_excludes``; None without any."""
    word = query.get("_source")
    includes = _words(query.get("_source_includes") or query.get("_source_include"))
    excludes = _words(query.get("_source_excludes") or query.get("_source_exclude"))
    if word is None and not includes and not excludes:
        return None
    if word in ("true", "false", ""):
        return SourceFilter(word != "false", includes, excludes)
    return SourceFilter(True, _words(word) + includes, excludes)


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(word for word in (text or "").split(",") if word)

"""An index: its name, settings, mapping and aliases. Data lives in the engine, under ``uuid``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from antiphon.domain.mapping import IndexMapping


@dataclass(frozen=True, slots=True)
class Alias:
    """``filter`` is a query body that is ANDed to every search through the alias."""

    filter: Mapping[str, Any] | None = None
    index_routing: str | None = None
    search_routing: str | None = None
    is_write_index: bool | None = None


@dataclass(frozen=True, slots=True)
class Index:
    """The definition of one index. ``settings`` are flat, with the ``index.`` prefix, values as strings or lists.

    ``created_ms`` is epoch milliseconds; ``closed`` after ``_close``.
    """

    name: str
    uuid: str
    created_ms: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    mapping: IndexMapping = field(default_factory=lambda: IndexMapping())
    aliases: Mapping[str, Alias] = field(default_factory=dict)
    closed: bool = False


@dataclass(frozen=True, slots=True)
class IndexBody:
    """What a create request or a template says: flat settings, the mapping's JSON as sent, and aliases by name."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    mappings: Mapping[str, Any] = field(default_factory=dict)
    aliases: Mapping[str, Alias] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Target:
    """One index that an expression stands for; ``filter`` is what the alias that was named adds to searches."""

    index: Index
    filter: Mapping[str, Any] | None = None

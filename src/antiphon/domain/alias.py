"""One action on aliases, as ``POST /_aliases`` lists them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from antiphon.domain.index import Alias


class AliasVerb(StrEnum):
    """What an action does."""

    ADD = "add"
    REMOVE = "remove"
    REMOVE_INDEX = "remove_index"


@dataclass(frozen=True, slots=True)
class AliasAction:
    """``indices`` and ``aliases`` may hold patterns (aliases only to remove). ``must_exist`` is for remove."""

    verb: AliasVerb
    indices: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    value: Alias = field(default_factory=Alias)
    must_exist: bool | None = None

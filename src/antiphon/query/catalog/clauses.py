"""What a catalog can be asked: one frozen type per query clause, closed by ``Query``; some are those of any search."""

from __future__ import annotations

from dataclasses import dataclass

from antiphon.query.leaves import Exists, Ids, MatchAll, MatchNone, Pattern, TextMatch, TextPhrase
from antiphon.query.reading import Scalar as Scalar


@dataclass(frozen=True, slots=True)
class Term:
    """One exact value; on a text field, one of its analysed terms."""

    field: str
    value: Scalar
    case_insensitive: bool = False
    boost: float = 1.0


@dataclass(frozen=True, slots=True)
class Terms:
    """Any of the values; constant score."""

    field: str
    values: tuple[Scalar, ...]
    boost: float = 1.0


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers, dates (bounds in epoch milliseconds) or texts between bounds; None leaves a side open."""

    field: str
    gt: Scalar | None = None
    gte: Scalar | None = None
    lt: Scalar | None = None
    lte: Scalar | None = None
    boost: float = 1.0


@dataclass(frozen=True, slots=True)
class Bool:
    """All of ``must`` and ``filter``, none of ``must_not``, enough of ``should``; scores add up, filters give none."""

    must: tuple[Query, ...] = ()
    filter: tuple[Query, ...] = ()
    should: tuple[Query, ...] = ()
    must_not: tuple[Query, ...] = ()
    minimum_should_match: str | None = None
    boost: float = 1.0


Query = MatchAll | MatchNone | TextMatch | TextPhrase | Term | Terms | Ids | Exists | Pattern | Range | Bool
"""Every clause this room knows."""

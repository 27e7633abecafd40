"""What a catalog can be asked: one frozen type per query clause, closed by ``Query``; some are those of any search."""

from __future__ import annotations

from dataclasses import dataclass

from antiphon.query.leaves import Ids, MatchAll, MatchNone, Operator
from antiphon.query.reading import Scalar as Scalar


@dataclass(frozen=True, slots=True)
class Match:
    """Analysed text on a text field, a ``term`` on any other; ``zero_terms_all`` decides when no term is left."""

    field: str
    query: Scalar
    operator: Operator = Operator.OR
    minimum_should_match: str | None = None
    zero_terms_all: bool = False
    boost: float = 1.0


@dataclass(frozen=True, slots=True)
class MatchPhrase:
    """The analysed terms next to each other, in order."""

    field: str
    query: Scalar
    zero_terms_all: bool = False
    boost: float = 1.0


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
class Exists:
    """Documents with a value in the field or, for an object, in any field below it."""

    field: str
    boost: float = 1.0


@dataclass(frozen=True, slots=True)
class Prefix:
    """Values, or terms of a text field, that begin like this."""

    field: str
    value: str
    case_insensitive: bool = False
    boost: float = 1.0


@dataclass(frozen=True, slots=True)
class Wildcard:
    """Values, or terms of a text field, of this shape: ``*`` any text, ``?`` one character, ``\\`` quotes."""

    field: str
    value: str
    case_insensitive: bool = False
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


Query = (
    MatchAll | MatchNone | Match | MatchPhrase | Term | Terms | Ids | Exists | Prefix | Wildcard | Range | Bool
)  # fmt: skip
"""Every clause this room knows."""

"""The nodes of a query that hold no other node: what one field, or a document as such, must be like. See ``nodes``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from antiphon.query.script import Expression


class Operator(StrEnum):
    """How the terms of a text combine."""

    OR = "or"
    AND = "and"


@dataclass(frozen=True, slots=True)
class Fuzziness:
    """Allowed edits. ``edits`` is None for AUTO: none below ``low`` characters, 1 below ``high``, else 2."""

    edits: int | None = None
    low: int = 3
    high: int = 6

    def edits_for(self, length: int) -> int:
        """Return how many edits a term of ``length`` characters may have."""
        if self.edits is not None:
            return self.edits
        return 0 if length < self.low else 1 if length < self.high else 2


@dataclass(frozen=True, slots=True)
class MatchAll:
    """Every document, score ``boost``."""

    boost: float = 1.0


@dataclass(frozen=True, slots=True)
class MatchNone:
    """No document."""


@dataclass(frozen=True, slots=True)
class TextMatch:
    """Analysed terms of ``text`` on a text field, BM25 added up; ``analyzer`` None means the field's search analyzer.

    ``last_prefix`` takes the last term as a prefix (match_bool_prefix). ``zero_terms_all``: no term left matches all.
    """

    field: str
    text: str
    operator: Operator = Operator.OR
    minimum_should_match: str | None = None
    fuzziness: Fuzziness | None = None
    prefix_length: int = 0
    max_expansions: int = 50
    transpositions: bool = True
    analyzer: str | None = None
    zero_terms_all: bool = False
    last_prefix: bool = False
    boost: float = 1.0


@dataclass(frozen=True, slots=True)
class TextCross:
    """Each term of ``text`` on the best of several text fields (path, boost) of one analyzer and nested level.

    A term counts as about as frequent in each field as in the one where it is most frequent.
    """

    fields: tuple[tuple[str, float], ...]
    text: str
    operator: Operator = Operator.OR
    minimum_should_match: str | None = None
    tie_breaker: float = 0.0
    analyzer: str | None = None
    zero_terms_all: bool = False
    boost: float = 1.0

    @property
    def field(self) -> str:
        """The first of the fields, which stands for all where their analyzer or level is asked."""
        return self.fields[0][0]


@dataclass(frozen=True, slots=True)
class TextPhrase:
    """The terms of ``text`` in order, at most ``slop`` moves apart; ``prefix`` takes the last as a prefix."""

    field: str
    text: str
    slop: int = 0
    prefix: bool = False
    max_expansions: int = 50
    analyzer: str | None = None
    zero_terms_all: bool = False
    boost: float = 1.0


@dataclass(frozen=True, slots=True)
class TextTerms:
    """Any of these terms of a text field, not analysed; ``scored`` (one term): BM25, else the constant ``boost``."""

    field: str
    terms: tuple[str, ...]
    scored: bool = True
    boost: float = 1.0


class PatternKind(StrEnum):
    """How a pattern is written."""

    PREFIX = "prefix"
    WILDCARD = "wildcard"
    REGEXP = "regexp"
    FUZZY = "fuzzy"
    EXACT = "exact"
    """The text itself; only of use with ``case_insensitive``."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """Terms of a text or keyword field of this shape; constant score, except FUZZY: BM25 of the expanded terms.

    WILDCARD: ``*`` any text, ``?`` one character, ``\\`` quotes. REGEXP: Lucene syntax, anchored at both ends.
    """

    field: str
    kind: PatternKind
    value: str
    case_insensitive: bool = False
    fuzziness: Fuzziness = Fuzziness()
    prefix_length: int = 0
    max_expansions: int = 50
    transpositions: bool = True
    boost: float = 1.0


@dataclass(frozen=True, slots=True)
class KeywordTerms:
    """Any of these exact strings; ``scored`` (one value): BM25, else the constant ``boost``.

    ``listed``: asked for by ``terms``, else by ``term``.
    """

    field: str
    values: tuple[str, ...]
    scored: bool = False
    listed: bool = True
    boost: float = 1.0


@dataclass(frozen=True, slots=True)
class KeywordRange:
    """Strings between bounds, by code point (ip: by address); None leaves a side open. Works on text fields as well."""

    field: str
    low: str | None = None
    high: str | None = None
    include_low: bool = True
    include_high: bool = True
    boost: float = 1.0


@dataclass(frozen=True, slots=True)
class NumberTerms:
    """Any of these numbers, on a WHOLE (ints) or REAL (floats) field; ``scored`` (a boolean): BM25, else constant."""

    field: str
    values: tuple[int | float, ...]
    scored: bool = False
    boost: float = 1.0


@dataclass(frozen=True, slots=True)
class NumberRange:
    """Numbers between bounds on a WHOLE or REAL field; None leaves a side open; constant score."""

    field: str
    low: int | float | None = None
    high: int | float | None = None
    include_low: bool = True
    include_high: bool = True
    boost: float = 1.0


@dataclass(frozen=True, slots=True)
class Exists:
    """Documents with a value in any of these fields of the same nested level (all leaves below an object)."""

    fields: tuple[str, ...]
    boost: float = 1.0


@dataclass(frozen=True, slots=True)
class Ids:
    """Documents by ``_id``."""

    values: tuple[str, ...]
    boost: float = 1.0


@dataclass(frozen=True, slots=True)
class ScriptFilter:
    """Documents for which the script is true (not 0)."""

    script: Expression
    boost: float = 1.0


@dataclass(frozen=True, slots=True)
class Sparse:
    """Dot product of these token weights with a rank_features field (neural_sparse with ``query_tokens``)."""

    field: str
    tokens: tuple[tuple[str, float], ...]
    boost: float = 1.0

"""What can be asked of an index: one frozen type per node, closed by ``Query``.

``query.parse`` makes them against an index's mapping, so that a node is already bound: its field exists, its values
are of the field's family (dates in epoch milliseconds, booleans 0 and 1), several fields have become a ``DisMax`` or a
``Bool``, and an unmapped field a ``MatchNone``. Text is still text: the engine that indexed it analyses it.
Vectors are numbered slots. Everything is hashable, so that an engine may keep a filter's answer. What a hit shows is
here too, because inner hits belong to a node. Nodes that hold no other are in ``leaves``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from antiphon.domain.source import SourceFilter
from antiphon.query.leaves import (
    Exists,
    Ids,
    KeywordRange,
    KeywordTerms,
    MatchAll,
    MatchNone,
    NumberRange,
    NumberTerms,
    Pattern,
    ScriptFilter,
    Sparse,
    TextCross,
    TextMatch,
    TextPhrase,
    TextTerms,
)
from antiphon.query.script import Expression

_ALL = SourceFilter()


@dataclass(frozen=True, slots=True)
class Bool:
    """All of ``must`` and ``filter``, none of ``must_not``, enough of ``should``; scores of must and should add up.

    ``minimum_should_match`` as written (``75%``, ``2<-25%``), None for the default: 1 without must and filter, else 0.
    No clause at all matches everything with score ``boost``; only filters or must_not score 0.
    """

    must: tuple[Query, ...] = ()
    filter: tuple[Query, ...] = ()
    should: tuple[Query, ...] = ()
    must_not: tuple[Query, ...] = ()
    minimum_should_match: str | None = None
    boost: float = 1.0


@dataclass(frozen=True, slots=True)
class DisMax:
    """Any of the queries: the best score plus ``tie_breaker`` times the others."""

    queries: tuple[Query, ...]
    tie_breaker: float = 0.0
    boost: float = 1.0


@dataclass(frozen=True, slots=True)
class ConstantScore:
    """What the filter matches, score ``boost``."""

    filter: Query
    boost: float = 1.0


@dataclass(frozen=True, slots=True)
class Boosting:
    """What ``positive`` matches; its score times ``negative_boost`` where ``negative`` matches too."""

    positive: Query
    negative: Query
    negative_boost: float
    boost: float = 1.0


class ScoreMode(StrEnum):
    """How several scores become one. FIRST is for function_score, NONE for nested."""

    AVG = "avg"
    SUM = "sum"
    MIN = "min"
    MAX = "max"
    MULTIPLY = "multiply"
    FIRST = "first"
    NONE = "none"


class BoostMode(StrEnum):
    """How the functions' score joins the query's."""

    MULTIPLY = "multiply"
    REPLACE = "replace"
    SUM = "sum"
    AVG = "avg"
    MAX = "max"
    MIN = "min"


@dataclass(frozen=True, slots=True)
class FieldValueFactor:
    """modifier(factor * value); ``missing`` None: a document without the field is an error."""

    field: str
    factor: float = 1.0
    modifier: str = "none"
    missing: float | None = None


@dataclass(frozen=True, slots=True)
class RandomScore:
    """Uniform in [0, 1), the same for the same seed and document."""

    seed: int = 0


@dataclass(frozen=True, slots=True)
class Decay:
    """gauss, exp or linear decay of a number or date (scale and offset in its unit, milliseconds for dates)."""

    kind: str
    field: str
    origin: float
    scale: float
    offset: float = 0.0
    decay: float = 0.5
    multi_value_mode: str = "min"


@dataclass(frozen=True, slots=True)
class ScoreFunction:
    """One function of a function_score: its value (None: 1) times ``weight``, for documents that pass ``filter``."""

    function: FieldValueFactor | RandomScore | Decay | Expression | None
    weight: float = 1.0
    filter: Query | None = None


@dataclass(frozen=True, slots=True)
class FunctionScore:
    """The query's score, changed by functions."""

    query: Query
    functions: tuple[ScoreFunction, ...]
    score_mode: ScoreMode = ScoreMode.MULTIPLY
    boost_mode: BoostMode = BoostMode.MULTIPLY
    max_boost: float | None = None
    min_score: float | None = None
    boost: float = 1.0


@dataclass(frozen=True, slots=True)
class ScriptScore:
    """Every document of ``query``, scored by ``script`` (an exact vector search among others) times ``boost``."""

    query: Query
    script: Expression
    min_score: float | None = None
    boost: float = 1.0


@dataclass(frozen=True, slots=True)
class TermsSet:
    """At least ``minimum`` (evaluated per document) of ``terms``; their scores add up."""

    terms: tuple[Query, ...]
    minimum: Expression
    boost: float = 1.0


@dataclass(frozen=True, slots=True)
class SortKey:
    """One key: a field, ``_score``, ``_doc``, ``_id``, ``_seq_no`` or ``_index``.

    ``missing`` is ``_first``, ``_last`` or a typed value; ``mode`` min, max, avg, sum or median (None: min ascending,
    max descending). ``nested`` and ``nested_filter`` choose the objects whose values count. ``mapped`` is False for
    an unmapped field with ``unmapped_type``. ``format`` renders dates.
    """

    field: str
    descending: bool = False
    missing: str | int | float = "_last"
    mode: str | None = None
    nested: str = ""
    nested_filter: Query | None = None
    mapped: bool = True
    format: str | None = None


@dataclass(frozen=True, slots=True)
class FieldRequest:
    """One entry of ``fields`` or ``docvalue_fields``: a name or pattern, and how to render dates."""

    pattern: str
    format: str | None = None


@dataclass(frozen=True, slots=True)
class HighlightField:
    """How one field (or pattern) is highlighted. ``fragments`` 0 returns the whole text.

    ``by_word`` cuts at words in place of sentences; ``by_score`` puts the best fragment first. ``html`` escapes
    the text, but not the tags.
    """

    pattern: str
    pre_tag: str = "<em>"
    post_tag: str = "</em>"
    fragment_size: int = 100
    fragments: int = 5
    no_match_size: int = 0
    require_field_match: bool = True
    query: Query | None = None
    by_word: bool = False
    by_score: bool = False
    html: bool = False


@dataclass(frozen=True, slots=True)
class InnerHits:
    """The objects that made a nested query match, or the best documents of a collapsed group or a bucket.

    ``track_scores`` shows scores although ``sort`` decides.
    """

    name: str
    size: int = 3
    from_: int = 0
    sort: tuple[SortKey, ...] = ()
    fetch: Fetch | None = None
    track_scores: bool = False


@dataclass(frozen=True, slots=True)
class Fetch:
    """What a hit shows besides index, id and score."""

    source: SourceFilter = _ALL
    fields: tuple[FieldRequest, ...] = ()
    docvalue_fields: tuple[FieldRequest, ...] = ()
    no_stored: bool = False
    highlight: tuple[HighlightField, ...] = ()
    explain: bool = False
    version: bool = False
    seq_no_primary_term: bool = False


@dataclass(frozen=True, slots=True)
class Nested:
    """Documents with objects at ``path`` that match ``query``, which is evaluated on those objects."""

    path: str
    query: Query
    score_mode: ScoreMode = ScoreMode.AVG
    inner_hits: InnerHits | None = None
    boost: float = 1.0


@dataclass(frozen=True, slots=True)
class Knn:
    """The k nearest of those that pass ``filter``; or all within ``max_distance``, or above ``min_score``.

    The filter asks documents; one that is ``Nested`` on the field's own path asks the objects themselves.
    Exactly one of the three is given. ``slot`` numbers the query vector in the plan. On a nested field k counts
    parents, each by its best object, all of whose objects match with ``expand_nested``.
    """

    field: str
    slot: int
    k: int | None = None
    max_distance: float | None = None
    min_score: float | None = None
    filter: Query | None = None
    expand_nested: bool = False
    ef_search: int | None = None
    boost: float = 1.0


@dataclass(frozen=True, slots=True)
class Named:
    """A query with a ``_name``, reported per hit as ``matched_queries``."""

    name: str
    query: Query


Query = (
    MatchAll | MatchNone | TextMatch | TextCross | TextPhrase | TextTerms | Pattern | KeywordTerms | KeywordRange
    | NumberTerms | NumberRange | Exists | Ids | Bool | DisMax | ConstantScore | Boosting | FunctionScore | ScriptScore
    | ScriptFilter | TermsSet | Nested | Knn | Sparse | Named
)  # fmt: skip
"""Every node an engine answers."""

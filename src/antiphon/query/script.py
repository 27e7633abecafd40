"""The scripts this server recognises, as expressions. There is no Painless: other sources are refused by name.

An expression is evaluated for many documents at once; truth is 1.0 and falsehood 0.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from antiphon.domain.space import Space


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, from the source or from ``params``."""

    value: float


@dataclass(frozen=True, slots=True)
class Score:
    """``_score`` of the inner query."""


@dataclass(frozen=True, slots=True)
class DocValue:
    """``doc['f'].value``: the smallest value of the field; a document without one is an error."""

    field: str


@dataclass(frozen=True, slots=True)
class DocSize:
    """``doc['f'].size()``: how many values the document has (0 for a field that is not mapped)."""

    field: str


@dataclass(frozen=True, slots=True)
class VectorFunction:
    """A comparison of a vector field with a fixed vector.

    ``published`` returns k-NN's ``_score`` formula and 0.0 where the vector is missing (``knn_score``); without it the
    raw quantity of ``domain.space.raw_distance``, and a missing vector is an error (Painless functions).
    """

    space: Space
    field: str
    vector: tuple[float, ...]
    published: bool


class BinaryOperator(StrEnum):
    """Arithmetic and comparison."""

    ADD = "+"
    SUBTRACT = "-"
    MULTIPLY = "*"
    DIVIDE = "/"
    EQUAL = "=="
    NOT_EQUAL = "!="
    LESS = "<"
    LESS_EQUAL = "<="
    GREATER = ">"
    GREATER_EQUAL = ">="
    MAXIMUM = "max"
    MINIMUM = "min"


@dataclass(frozen=True, slots=True)
class Binary:
    """``left operator right``; max and min are ``Math.max`` and ``Math.min``."""

    operator: BinaryOperator
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Choice:
    """``condition ? then : otherwise``; only the side that a document takes is evaluated for it."""

    condition: Expression
    then: Expression
    otherwise: Expression


@dataclass(frozen=True, slots=True)
class ContainsText:
    """True when the lower-cased value of a keyword or number field contains ``text`` (Haystack's substring test)."""

    field: str
    text: str


@dataclass(frozen=True, slots=True)
class NgramSimilarity:
    """Jaccard similarity of character n-grams, lower-cased (Haystack's metadata retriever; docs/compatibility.md)."""

    field: str
    text: str
    n: int


Expression = (
    Literal | Score | DocValue | DocSize | VectorFunction | Binary | Choice | ContainsText | NgramSimilarity
)  # fmt: skip
"""Everything an engine evaluates."""

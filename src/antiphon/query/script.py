"""The scripts this server recognises, as expressions. There is no Painless: other sources are refused by name.

An expression is evaluated for many documents at once; truth is 1.0 and falsehood 0.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from antiphon.domain.space import Space


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, from the source or from ``params``; ``whole`` ones are of a type of Java's integers."""

    value: float
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Score:
    """``_score`` of the inner query."""


@dataclass(frozen=True, slots=True)
class DocValue:
    """``doc['f'].value``: the smallest value of the field; a document without one is an error."""

    field: str
    whole: bool = False


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
    QUOTIENT = "//"
    REMAINDER = "%"
    EQUAL = "=="
    NOT_EQUAL = "!="
    LESS = "<"
    LESS_EQUAL = "<="
    GREATER = ">"
    GREATER_EQUAL = ">="
    MAXIMUM = "max"
    MINIMUM = "min"
    POWER = "pow"


class MathFunction(StrEnum):
    """Functions of one number, by their names in ``Math``."""

    ABS = "abs"
    CBRT = "cbrt"
    CEIL = "ceil"
    EXP = "exp"
    FLOOR = "floor"
    LOG = "log"
    LOG10 = "log10"
    LOG1P = "log1p"
    ROUND = "round"
    SIGNUM = "signum"
    SQRT = "sqrt"


@dataclass(frozen=True, slots=True)
class Applied:
    """``Math.function(argument)``."""

    function: MathFunction
    argument: Expression


@dataclass(frozen=True, slots=True)
class Binary:
    """``left operator right``; max, min and pow are those of ``Math``. QUOTIENT is Java's division of whole numbers,
    which cuts towards zero."""

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
    Literal | Score | DocValue | DocSize | VectorFunction | Applied | Binary | Choice | ContainsText | NgramSimilarity
)  # fmt: skip
"""Everything an engine evaluates."""

_COUNTING = frozenset({
    BinaryOperator.ADD, BinaryOperator.SUBTRACT, BinaryOperator.MULTIPLY, BinaryOperator.REMAINDER,
})  # fmt: skip


def is_whole(expression: Expression) -> bool:
    """True when Painless gives the expression a type of whole numbers, so that dividing by another cuts."""
    match expression:
        case Literal() | DocValue():
            return expression.whole
        case DocSize() | Binary(BinaryOperator.QUOTIENT, _, _) | Applied(MathFunction.ROUND, _):
            return True
        case Binary(operator, left, right):
            return operator in _COUNTING and is_whole(left) and is_whole(right)
        case Choice(_, then, otherwise):
            return is_whole(then) and is_whole(otherwise)
        case _:
            return False

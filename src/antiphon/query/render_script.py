"""An expression becomes a script that parses to the same expression."""

from __future__ import annotations

from typing import Any, assert_never

from antiphon.domain.space import Space
from antiphon.query.script import (
    Binary,
    BinaryOperator,
    Choice,
    ContainsText,
    DocSize,
    DocValue,
    Expression,
    Literal,
    NgramSimilarity,
    Score,
    VectorFunction,
)

_FUNCTIONS = {
    Space.COSINESIMIL: "cosineSimilarity", Space.L2: "l2Squared", Space.L1: "l1Norm", Space.LINF: "lInfNorm",
    Space.INNERPRODUCT: "innerProduct", Space.HAMMING: "hamming",
}  # fmt: skip
_STRENGTH = {"+": 2, "-": 2, "*": 3, "/": 3}
_SUBSTRING = (
    "def v = doc[params.field]; if (v.size() == 0) { return false; } "
    "return v.value.toString().toLowerCase().contains(params.term)"
)
_NGRAMS = (
    "if (doc[params.field].size() == 0) { return 0.0; } String v = doc[params.field].value.toString().toLowerCase(); "
    "String q = params.q.toLowerCase(); int n = params.n; if (v.length() < n || q.length() < n) { return v.equals(q) ? "
    "1.0 : (v.contains(q) || q.contains(v)) ? 0.5 : 0.0; } Set a = new HashSet(); Set b = new HashSet(); "
    "for (int i = 0; i <= v.length() - n; i++) { a.add(v.substring(i, i + n)); } "
    "for (int i = 0; i <= q.length() - n; i++) { b.add(q.substring(i, i + n)); } "
    "Set both = new HashSet(a); both.retainAll(b); Set all = new HashSet(a); all.addAll(b); "
    "return all.size() == 0 ? 0.0 : (double) both.size() / all.size();"
)


def render_script(expression: Expression) -> dict[str, Any]:
    """Return ``source``, ``params`` and, for k-NN's own script, ``lang``."""
    match expression:
        case VectorFunction(_, _, _, True):
            return _knn_score(expression)
        case Binary(BinaryOperator.MULTIPLY, Literal(2.0), VectorFunction(Space.COSINESIMIL, _, _, True) as inner):
            # byte fields score 1 + c
            return _knn_score(inner)
        case ContainsText(field, text):
            return {"source": _SUBSTRING, "params": {"field": field, "term": text}}
        case NgramSimilarity(field, text, n):
            return {"source": _NGRAMS, "params": {"field": field, "q": text, "n": n}}
        case _:
            params: dict[str, Any] = {}
            source = _source(expression, params)[0]
            return {"source": source, "params": params} if params else {"source": source}


def _knn_score(function: VectorFunction) -> dict[str, Any]:
    params = {"field": function.field, "query_value": list(function.vector), "space_type": function.space.value}
    return {"lang": "knn", "source": "knn_score", "params": params}


def _source(expression: Expression, params: dict[str, Any]) -> tuple[str, int]:
    """Return the source and how strongly it binds: 0 for a choice, 9 for what needs no brackets."""
    match expression:
        case Literal(value):
            return repr(value), 9 if value >= 0 else 4
        case Score():
            return "_score", 9
        case DocValue(field):
            return f"doc['{field}'].value", 9
        case DocSize(field):
            return f"doc['{field}'].size()", 9
        case VectorFunction(space, field, vector, _):
            name = f"v{len(params)}"
            params[name] = list(vector)
            return f"{_FUNCTIONS[space]}(params.{name}, doc['{field}'])", 9
        case Choice(condition, then, otherwise):
            parts = [_inside(condition, 1, params), _inside(then, 0, params), _inside(otherwise, 0, params)]
            return f"{parts[0]} ? {parts[1]} : {parts[2]}", 0
        case Binary((BinaryOperator.MAXIMUM | BinaryOperator.MINIMUM) as operator, left, right):
            return f"Math.{operator.value}({_inside(left, 0, params)}, {_inside(right, 0, params)})", 9
        case Binary(operator, left, right):
            strength = _STRENGTH.get(operator.value, 1)
            return (
                f"{_inside(left, strength, params)} {operator.value} {_inside(right, strength + 1, params)}",
                strength,
            )
        case ContainsText() | NgramSimilarity():
            raise AssertionError("recognised as whole scripts only")
        case _:
            assert_never(expression)


def _inside(expression: Expression, needed: int, params: dict[str, Any]) -> str:
    source, strength = _source(expression, params)
    return source if strength >= needed else f"({source})"

"""Recognised script sources become expressions: a small arithmetic over fields, scores and vector functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from antiphon.domain.field import DataType, Family, Field
from antiphon.domain.space import Space
from antiphon.errors import AntiphonError, IllegalArgument, ScriptError
from antiphon.query import reading
from antiphon.query.parse.reasons import unbound
from antiphon.query.scope import Scope
from antiphon.query.script import (
    Applied,
    Binary,
    BinaryOperator,
    Choice,
    ContainsText,
    DocSize,
    DocValue,
    Expression,
    Literal,
    MathFunction,
    NgramSimilarity,
    Score,
    VectorFunction,
    is_whole,
)
from antiphon.query.script_tokens import Token, tokens

SUPPORTED = (
    "arithmetic (+ - * / % comparisons && || ! ?: saturation sigmoid and functions of Math) over numbers, _score, "
    "params.x, doc['f'].value, doc['f'].size() and the vector functions cosineSimilarity, l2Squared, l1Norm, lInfNorm, "
    "innerProduct and hamming; "
    "the k-NN script knn_score (lang knn); the substring and n-gram scripts of Haystack's document store"
)
_FUNCTIONS = {
    "cosineSimilarity": Space.COSINESIMIL, "l2Squared": Space.L2, "l1Norm": Space.L1, "lInfNorm": Space.LINF,
    "innerProduct": Space.INNERPRODUCT, "hamming": Space.HAMMING,
}  # fmt: skip
_CONSTANTS = {"E": math.e, "PI": math.pi}
_LEVELS: tuple[tuple[str, ...], ...] = (
    ("||",), ("&&",), ("==", "!="), ("<", "<=", ">", ">="), ("+", "-"), ("*", "/", "%"),
)  # fmt: skip
_MAX_DEPTH = 50
_MAX_OPERATIONS = 200


def parse_script(body: Any, scope: Scope, extra: Mapping[str, float] | None = None) -> Expression:
    """Return the expression of a script (an object, or its source alone); ``extra`` adds to ``params``.

    ScriptError for a source that is not recognised; it lists those that are.
    """
    script = {"source": body} if isinstance(body, str) else reading.an_object("script", body)
    reading.only("[script]", script, ("source", "inline", "lang", "params", "id", "options"))
    if script.get("id") is not None:
        raise unsupported(f"stored script [{script['id']}]")
    source = script.get("source", script.get("inline"))
    if not isinstance(source, str):
        raise IllegalArgument("must specify either [source] for an inline script or [id] for a stored script")
    params = reading.an_object("params", script.get("params") or {}) | dict(extra or {})
    language = script.get("lang", "painless")
    if language == "knn":
        return _knn_score(source, params, scope)
    if language not in ("painless", "expression"):
        raise unsupported(f"script_lang not supported [{language}]")
    return _haystack(source, params, scope) or Parser(source, params, scope).expression()


def unsupported(what: str) -> ScriptError:
    """Return the refusal of a script, with what is supported."""
    reason = f"{what} is not supported by Antiphon, which runs {SUPPORTED}"
    return ScriptError("compile error", cause=IllegalArgument(reason))


def vector_of(name: str, values: Any, scope: Scope) -> tuple[Field, tuple[float, ...]]:
    """Return the vector field and the query vector, checked against it."""
    field = scope.field(name)
    if field is None or field.vector is None:
        raise unbound(f"Field '{name}' is not knn_vector type.")
    if not isinstance(values, list) or not all(reading.as_number(value) is not None for value in values):
        raise unbound("query_value must be an array of numbers")
    binary = field.vector.data_type is DataType.BINARY
    width = field.vector.dimension // 8 if binary else field.vector.dimension
    if len(values) != width:
        raise unbound(f"Object's length={len(values)} does not match the expected length={width}.")
    return field, tuple(float(value) for value in values)


def _knn_score(source: str, params: Mapping[str, Any], scope: Scope) -> Expression:
    if source != "knn_score":
        raise unbound(f"Unknown script name {source}")
    for key in ("field", "query_value", "space_type"):
        if params.get(key) is None:
            raise unbound(f"Missing parameter [{key}]")
    spelled = str(params["space_type"]).lower()
    if spelled == "hammingbit":
        raise unsupported("space type [hammingbit]")
    if spelled not in set(Space):
        raise unbound("Invalid space type. Please refer to the available space types.")
    name = str(params["field"])
    field = scope.field(name)
    if field is None or field.vector is None:
        raise unbound(f"Incompatible field_type for {spelled} space. The field type must be knn_vector.")
    field, vector = vector_of(name, params["query_value"], scope)
    score = VectorFunction(Space(spelled), field.path, vector, published=True)
    if Space(spelled) is Space.COSINESIMIL and field.vector is not None and field.vector.data_type is DataType.BYTE:
        return Binary(BinaryOperator.MULTIPLY, Literal(2.0), score)
    return score


def _haystack(source: str, params: Mapping[str, Any], scope: Scope) -> Expression | None:
    """Return Haystack's substring or n-gram test, recognised by its words and parameters; None for another script."""
    if {"field", "term"} <= params.keys() and ".toLowerCase().contains(params.term)" in "".join(source.split()):
        return ContainsText(_value_path(str(params["field"]), scope), str(params["term"]))
    if {"field", "q", "n"} <= params.keys() and "HashSet" in source and "substring" in source:
        size = reading.integer("n", params["n"])
        if size < 1:
            raise IllegalArgument(f"[n] must be at least 1, but was [{size}]")
        return NgramSimilarity(_value_path(str(params["field"]), scope), str(params["q"]), size)
    return None


def _value_path(name: str, scope: Scope) -> str:
    """Return the path of a field whose values scripts may read."""
    field = scope.field(name)
    if field is None:
        raise ScriptError("runtime error", cause=IllegalArgument(f"No field found for [{name}] in mapping"))
    if field.family not in (Family.KEYWORD, Family.WHOLE, Family.REAL):
        raise ScriptError(
            "runtime error",
            cause=IllegalArgument(
                f"scripts cannot read [{name}] of type [{field.type.value}], use a keyword, number or date field"
            ),
        )
    return field.path


class Parser:
    """Reads one source by recursive descent."""

    def __init__(self, source: str, params: Mapping[str, Any], scope: Scope) -> None:
        self._source = source
        self._params = params
        self._scope = scope
        self._tokens: Sequence[Token] = tokens(source)
        self._next = 0
        self._depth = 0
        self._operations = 0

    def expression(self) -> Expression:
        """Return the whole source as an expression; ScriptError when it is not one."""
        self._take("return")
        found = self._ternary()
        self._take(";")
        if self._next < len(self._tokens):
            raise self._wrong()
        return found

    def _wrong(self) -> AntiphonError:
        return unsupported(f"script [{self._source}]")

    def _peek(self) -> Token:
        return self._tokens[self._next] if self._next < len(self._tokens) else Token("end", "")

    def _take(self, text: str) -> bool:
        found = self._peek()
        if found.kind in ("name", "operator") and found.text == text:
            self._next += 1
            return True
        return False

    def _need(self, *texts: str) -> None:
        for text in texts:
            if not self._take(text):
                raise self._wrong()

    def _pop(self, kind: str) -> str:
        found = self._peek()
        if found.kind != kind:
            raise self._wrong()
        self._next += 1
        return found.text

    def _ternary(self) -> Expression:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self._wrong()
        condition = self._level(0)
        if self._take("?"):
            then = self._ternary()
            self._need(":")
            condition = Choice(condition, then, self._ternary())
        self._depth -= 1
        return condition

    def _level(self, level: int) -> Expression:
        if level == len(_LEVELS):
            return self._unary()
        left = self._level(level + 1)
        while self._peek().kind == "operator" and self._peek().text in _LEVELS[level]:
            operator = self._pop("operator")
            self._operations += 1
            if self._operations > _MAX_OPERATIONS:
                raise self._wrong()
            left = _joined(operator, left, self._level(level + 1))
        return left

    def _unary(self) -> Expression:
        if self._take("!"):
            return Binary(BinaryOperator.EQUAL, self._unary(), Literal(0.0))
        negative = False
        while self._take("-"):
            negative = not negative
        found = self._primary()
        if not negative:
            return found
        if isinstance(found, Literal):
            return Literal(-found.value, found.whole)
        return Binary(BinaryOperator.MULTIPLY, Literal(-1.0, whole=True), found)

    def _primary(self) -> Expression:
        if self._peek().kind == "number":
            return _number(self._pop("number"))
        if self._take("("):
            found = self._ternary()
            self._need(")")
            return found
        name = self._pop("name")
        reader: Callable[[], Expression] | None = {
            "_score": Score, "doc": self._document, "params": self._parameter_number, "Math": self._math,
        }.get(name)  # fmt: skip
        if reader is not None:
            return reader()
        if name in _FUNCTIONS:
            return self._vector_function(_FUNCTIONS[name])
        if name == "saturation":
            value, pivot = self._arguments(2)
            return _saturated(value, pivot)
        if name == "sigmoid":
            value, pivot, power = self._arguments(3)
            return _saturated(*(Binary(BinaryOperator.POWER, base, power) for base in (value, pivot)))
        raise self._wrong()

    def _parameter(self) -> Any:
        if self._take("["):
            key = self._pop("text")
            self._need("]")
        else:
            self._need(".")
            key = self._pop("name")
        if key not in self._params:
            raise ScriptError("runtime error", cause=IllegalArgument(f"params has no [{key}]"))
        return self._params[key]

    def _parameter_number(self) -> Expression:
        found = self._parameter()
        number = float(found) if isinstance(found, bool) else reading.as_number(found)
        if number is None:
            raise ScriptError(
                "runtime error",
                cause=IllegalArgument(f"a script parameter must be a number, but found [{reading.token(found)}]"),
            )
        return Literal(number, isinstance(found, int))

    def _field_name(self) -> str:
        self._need("[")
        found = str(self._parameter()) if self._take("params") else self._pop("text")
        self._need("]")
        return found

    def _document(self) -> Expression:
        name = self._field_name()
        self._need(".")
        member = self._pop("name")
        if member in ("size", "isEmpty"):
            self._need("(", ")")
        if member in ("size", "length", "isEmpty", "empty"):
            field = self._scope.field(name)
            size = DocSize(name if field is None else field.path)
            return (
                size if member in ("size", "length") else Binary(BinaryOperator.EQUAL, size, Literal(0.0, whole=True))
            )
        if member != "value":
            raise self._wrong()
        field = self._scope.field(name)
        if field is not None and field.family is Family.KEYWORD:
            raise self._wrong()
        return DocValue(_value_path(name, self._scope), field is not None and field.family is Family.WHOLE)

    def _math(self) -> Expression:
        self._need(".")
        name = self._pop("name")
        if name in _CONSTANTS:
            return Literal(_CONSTANTS[name])
        if name in set(MathFunction):
            return Applied(MathFunction(name), *self._arguments(1))
        if name not in (BinaryOperator.MAXIMUM, BinaryOperator.MINIMUM, BinaryOperator.POWER):
            raise self._wrong()
        return Binary(BinaryOperator(name), *self._arguments(2))

    def _arguments(self, count: int) -> list[Expression]:
        self._need("(")
        found = [self._ternary()]
        while len(found) < count:
            self._need(",")
            found.append(self._ternary())
        self._need(")")
        return found

    def _vector_function(self, space: Space) -> Expression:
        self._need("(")
        values = self._parameter() if self._take("params") else self._literal_vector()
        self._need(",")
        name = self._pop("text") if self._peek().kind == "text" else self._doc_key()
        if space is Space.COSINESIMIL and self._take(","):
            self._ternary()
        self._need(")")
        field, vector = vector_of(name, values, self._scope)
        return VectorFunction(space, field.path, vector, published=False)

    def _doc_key(self) -> str:
        self._need("doc")
        return self._field_name()

    def _literal_vector(self) -> list[float]:
        self._need("[")
        found: list[float] = []
        while not self._take("]"):
            sign = -1.0 if self._take("-") else 1.0
            found.append(sign * float(self._pop("number")))
            if self._peek().text != "]":
                self._need(",")
        return found


def _number(text: str) -> Literal:
    """Return a literal, whole as Java's: without a point, an exponent or the suffix of a real type."""
    return Literal(float(text.rstrip("fFdDlL")), not set(text.lower()) & set(".efd"))


def _joined(operator: str, left: Expression, right: Expression) -> Expression:
    """Return two operands as one expression; the right one of ``&&`` and ``||`` is looked at only where it matters."""
    if operator in ("&&", "||"):
        truth = Binary(BinaryOperator.NOT_EQUAL, right, Literal(0.0))
        return Choice(left, truth, Literal(0.0)) if operator == "&&" else Choice(left, Literal(1.0), truth)
    if operator == "/" and is_whole(left) and is_whole(right):
        return Binary(BinaryOperator.QUOTIENT, left, right)
    return Binary(BinaryOperator(operator), left, right)


def _saturated(value: Expression, pivot: Expression) -> Expression:
    """Return ``value / (value + pivot)`` of real numbers."""
    real = Binary(BinaryOperator.MULTIPLY, Literal(1.0), value)
    return Binary(BinaryOperator.DIVIDE, real, Binary(BinaryOperator.ADD, value, pivot))

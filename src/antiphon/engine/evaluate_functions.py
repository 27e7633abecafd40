"""Scores that are computed: scripts, and the functions of function_score."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from antiphon.domain.field import DataType
from antiphon.domain.space import Space, score_of
from antiphon.engine.columns import KeywordColumn, NumberColumn, TextColumn
from antiphon.engine.matches import Evaluator, Floats, Mask, Matches
from antiphon.engine.ordering import numbers_per_row, one_per_row
from antiphon.engine.table import Table
from antiphon.engine.vectors import exact_raw
from antiphon.errors import AntiphonError, DivisionByZero, IllegalArgument, QueryShardError, ScriptError
from antiphon.query import (
    Applied,
    Binary,
    BinaryOperator,
    BoostMode,
    Choice,
    ContainsText,
    Decay,
    DocSize,
    DocValue,
    Expression,
    FieldValueFactor,
    FunctionScore,
    Literal,
    MathFunction,
    NgramSimilarity,
    RandomScore,
    Score,
    ScoreFunction,
    ScoreMode,
    VectorFunction,
    is_whole,
)

Doubles = NDArray[np.float64]


def script_values(table: Table, script: Expression, mask: Mask, inner: Matches | None) -> Doubles:
    """Return the script's value per row, float64 ``[size]``; only rows of ``mask`` are evaluated (and may fail)."""
    return _Script(table, mask, inner).value(script, mask)


class _Script:
    def __init__(self, table: Table, mask: Mask, inner: Matches | None) -> None:
        self._table = table
        self._mask = mask
        self._inner = inner

    def value(self, script: Expression, mask: Mask) -> Doubles:  # noqa: C901  one case per kind
        match script:
            case Literal():
                return np.full(self._table.size, script.value)
            case Score():
                if self._inner is None:
                    raise ScriptError("compile error", cause=IllegalArgument("_score is not known in this context"))
                return self._inner.dense().astype(np.float64)
            case DocValue():
                return _smallest(self._table, script.field, mask)
            case DocSize():
                return _sizes(self._table, script.field)
            case VectorFunction():
                return self._vector(script, mask)
            case Applied():
                with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                    return _APPLIED[script.function](self.value(script.argument, mask))
            case Binary():
                left, right = self.value(script.left, mask), self.value(script.right, mask)
                if _divides_whole(script) and bool((mask & (right == 0)).any()):
                    raise ScriptError("runtime error", cause=DivisionByZero("/ by zero"))
                return _binary(script.operator, left, right)
            case Choice():
                condition = self.value(script.condition, mask) != 0
                then = self.value(script.then, mask & condition)
                return np.where(condition, then, self.value(script.otherwise, mask & ~condition))
            case ContainsText():
                return _by_text(self._table, script.field, lambda text: float(script.text in text.lower()))
            case NgramSimilarity():
                return _by_text(self._table, script.field, lambda text: _similarity(text, script.text, script.n))
            case _:
                assert_never(script)

    def _vector(self, script: VectorFunction, mask: Mask) -> Doubles:
        field = self._table.mapping.field(script.field)
        if field is None or field.vector is None:
            reason = f"Incompatible field_type for {script.space} space. The field type must be knn_vector."
            raise QueryShardError(f"failed to create query: {reason}", cause=IllegalArgument(reason))
        expected = field.vector.dimension // (8 if field.vector.data_type is DataType.BINARY else 1)
        if len(script.vector) != expected:
            reason = f"Object's length={len(script.vector)} does not match the expected length={expected}."
            raise QueryShardError(f"failed to create query: {reason}", cause=IllegalArgument(reason))
        vector = np.asarray(script.vector, np.float32)
        values = np.zeros(self._table.size)
        present = np.zeros(self._table.size, np.bool_)
        for base, part in zip(self._table.bases.tolist(), self._table.parts, strict=True):
            column = part.vectors.get(script.field)
            if column is None:
                continue
            wanted = mask[base + column.rows]
            raw = exact_raw(script.space, column.vectors[wanted], vector)
            rows = base + column.rows[wanted]
            present[rows] = True
            values[rows] = self._published(script.space, field.vector.data_type, raw) if script.published else raw
        if not script.published and bool((mask & ~present).any()):
            raise ScriptError(
                "runtime error",
                cause=IllegalArgument(
                    f"One of the document doesn't have a value for field '{script.field}'. This can be avoided by "
                    "checking if a document has a value for the field or not by "
                    f"doc['{script.field}'].size() == 0 ? 0 : {{your script}}"
                ),
            )
        return values

    @staticmethod
    def _published(space: Space, data_type: DataType, raw: Floats) -> Floats:
        if space is Space.COSINESIMIL and data_type is DataType.BYTE:
            return (1 + raw).astype(np.float32)
        return score_of(space, raw)


def _divides_whole(script: Binary) -> bool:
    if script.operator is BinaryOperator.REMAINDER:
        return is_whole(script)
    return script.operator is BinaryOperator.QUOTIENT


def _binary(operator: BinaryOperator, left: Doubles, right: Doubles) -> Doubles:  # noqa: C901  one case per kind
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        match operator:
            case BinaryOperator.ADD:
                return left + right
            case BinaryOperator.SUBTRACT:
                return left - right
            case BinaryOperator.MULTIPLY:
                return left * right
            case BinaryOperator.DIVIDE:
                return np.asarray(left / right)
            case BinaryOperator.QUOTIENT:
                return np.trunc(left / right)
            case BinaryOperator.REMAINDER:
                return np.fmod(left, right)
            case BinaryOperator.EQUAL:
                return np.asarray(left == right, np.float64)
            case BinaryOperator.NOT_EQUAL:
                return np.asarray(left != right, np.float64)
            case BinaryOperator.LESS:
                return np.asarray(left < right, np.float64)
            case BinaryOperator.LESS_EQUAL:
                return np.asarray(left <= right, np.float64)
            case BinaryOperator.GREATER:
                return np.asarray(left > right, np.float64)
            case BinaryOperator.GREATER_EQUAL:
                return np.asarray(left >= right, np.float64)
            case BinaryOperator.MAXIMUM:
                return np.maximum(left, right)
            case BinaryOperator.MINIMUM:
                return np.minimum(left, right)
            case BinaryOperator.POWER:
                return np.power(left, right)
            case _:
                assert_never(operator)


_APPLIED: Mapping[MathFunction, Callable[[Doubles], Doubles]] = {
    MathFunction.ABS: np.abs,
    MathFunction.CBRT: np.cbrt,
    MathFunction.CEIL: np.ceil,
    MathFunction.EXP: np.exp,
    MathFunction.FLOOR: np.floor,
    MathFunction.LOG: np.log,
    MathFunction.LOG10: np.log10,
    MathFunction.LOG1P: np.log1p,
    MathFunction.ROUND: lambda values: np.floor(values + 0.5),
    MathFunction.SIGNUM: np.sign,
    MathFunction.SQRT: np.sqrt,
}


def _sizes(table: Table, field: str) -> Doubles:
    sizes = np.zeros(table.size)
    for base, part in zip(table.bases.tolist(), table.parts, strict=True):
        column = part.columns.get(field)
        here = slice(base, base + part.rows)
        if isinstance(column, TextColumn):
            sizes[here] = column.present
        elif column is not None:
            sizes[here] = 1 if column.starts is None else np.diff(column.starts)
        if (vectors := part.vectors.get(field)) is not None:
            sizes[base + vectors.rows] = 1
    return sizes


def _smallest(table: Table, field: str, mask: Mask) -> Doubles:
    """The smallest number of the field per row; ScriptError when a row of ``mask`` has none."""
    values, present = first_numbers(table, field)
    if bool((mask & ~present).any()):
        raise ScriptError(
            "runtime error",
            cause=IllegalArgument(
                f"A document doesn't have a value for field [{field}]! Use doc['{field}'].size()==0 to check if a "
                "document is missing a field!"
            ),
        )
    return values


def first_numbers(table: Table, field: str) -> tuple[Doubles, Mask]:
    """Return (the smallest number per row, which rows have one)."""
    values = np.zeros(table.size)
    present = np.zeros(table.size, np.bool_)
    for base, part in zip(table.bases.tolist(), table.parts, strict=True):
        column = part.columns.get(field)
        if not isinstance(column, NumberColumn):
            continue
        if column.starts is None:
            values[base : base + part.rows] = column.values
            present[base : base + part.rows] = True
            continue
        having = np.flatnonzero(np.diff(column.starts) > 0)
        values[base + having] = column.values[column.starts[having]]
        present[base + having] = True
    return values, present


def _by_text(table: Table, field: str, judge: object) -> Doubles:
    """The best judgement over the values of a keyword (or number) field per row, 0 without one."""
    assert callable(judge)
    values = np.zeros(table.size)
    for base, part in zip(table.bases.tolist(), table.parts, strict=True):
        column = part.columns.get(field)
        if isinstance(column, KeywordColumn):
            judged = np.array([judge(term) for term in column.terms.all()], np.float64)[column.codes]
        elif isinstance(column, NumberColumn):
            judged = np.array([judge(str(number)) for number in column.values.tolist()], np.float64)
        else:
            continue
        if column.starts is None:
            values[base : base + part.rows] = judged
        else:
            owners = np.repeat(np.arange(part.rows), np.diff(column.starts))
            np.maximum.at(values, base + owners, judged)
    return values


def _similarity(value: str, text: str, n: int) -> float:
    """Haystack's n-gram score: Jaccard of character n-grams, with shortcuts for short texts."""
    one, other = value.lower(), text.lower()
    if len(one) < n or len(other) < n:
        return 1.0 if one == other else 0.5 if one in other or other in one else 0.0
    grams = [{word[at : at + n] for at in range(len(word) - n + 1)} for word in (one, other)]
    return len(grams[0] & grams[1]) / len(grams[0] | grams[1])


def function_score(evaluator: Evaluator, table: Table, query: FunctionScore) -> Matches:
    """Return the matches of a function_score query."""
    inner = evaluator.matches(table, query.query)
    own = inner.dense().astype(np.float64)
    if not query.functions:
        return _cut(Matches(inner.mask, own.astype(np.float32)), query)
    combined, touched = _combined(evaluator, table, query, inner)
    if query.max_boost is not None:
        combined = np.minimum(combined, query.max_boost)
    combined = np.where(touched, np.minimum(combined, np.finfo(np.float32).max), 1.0)
    match query.boost_mode:
        case BoostMode.MULTIPLY:
            scores = own * combined
        case BoostMode.REPLACE:
            scores = combined
        case BoostMode.SUM:
            scores = own + combined
        case BoostMode.AVG:
            scores = (own + combined) / 2
        case BoostMode.MAX:
            scores = np.maximum(own, combined)
        case BoostMode.MIN:
            scores = np.minimum(own, combined)
        case _:
            assert_never(query.boost_mode)
    wrong = np.flatnonzero(inner.mask & ~(scores >= 0))
    if len(wrong):
        got = "NaN" if np.isnan(scores[wrong[0]]) else scores[wrong[0]]
        raise AntiphonError(f"function score query returned an invalid score: {got} for doc: {wrong[0]}")
    return _cut(Matches(inner.mask, scores.astype(np.float32)), query)


def _cut(found: Matches, query: FunctionScore) -> Matches:
    found = found.boosted(query.boost)
    if query.min_score is None:
        return found
    return Matches(found.mask & (found.dense() >= np.float32(query.min_score)), found.scores)


def _combined(evaluator: Evaluator, table: Table, query: FunctionScore, inner: Matches) -> tuple[Doubles, Mask]:
    """The functions' values as one, and which rows any function applies to."""
    size = table.size
    count = np.zeros(size)
    result = np.ones(size) if query.score_mode is ScoreMode.MULTIPLY else np.zeros(size)
    touched = np.zeros(size, np.bool_)
    for function in query.functions:
        applies = inner.mask if function.filter is None else inner.mask & evaluator.mask(table, function.filter)
        values = _function(table, function, applies, inner) * function.weight
        fresh = applies & ~touched
        match query.score_mode:
            case ScoreMode.MULTIPLY:
                result[applies] *= values[applies]
            case ScoreMode.SUM | ScoreMode.AVG:
                result[applies] += values[applies]
            case ScoreMode.MAX:
                result = np.where(fresh, values, np.where(applies, np.maximum(result, values), result))
            case ScoreMode.MIN:
                result = np.where(fresh, values, np.where(applies, np.minimum(result, values), result))
            case ScoreMode.FIRST:
                result[fresh] = values[fresh]
            case ScoreMode.NONE:
                raise AssertionError("not a mode of function_score")
        count[applies] += function.weight
        touched |= applies
    if query.score_mode is ScoreMode.AVG:
        result = np.divide(result, count, out=result, where=count > 0)
    return result, touched


def _function(table: Table, function: ScoreFunction, applies: Mask, inner: Matches) -> Doubles:
    match function.function:
        case None:
            return np.ones(table.size)
        case FieldValueFactor() as factor:
            return _field_value(table, factor, applies)
        case RandomScore() as random:
            mixed = (table.keys.astype(np.uint64) + np.uint64(random.seed & 0xFFFFFFFF)) * np.uint64(0x9E3779B97F4A7C15)
            return np.asarray((mixed >> np.uint64(11)).astype(np.float64) / float(1 << 53))
        case Decay() as decay:
            return _decay(table, decay)
        case script:
            scores = script_values(table, script, applies, inner)
            wrong = np.flatnonzero(applies & (scores < 0))
            if len(wrong):
                raise IllegalArgument(
                    f"script score function must not produce negative scores, but got: [{scores[wrong[0]]}]"
                )
            return scores


def _field_value(table: Table, factor: FieldValueFactor, applies: Mask) -> Doubles:
    values, present = first_numbers(table, factor.field)
    if factor.missing is not None:
        values = np.where(present, values, factor.missing)
    elif bool((applies & ~present).any()):
        raise QueryShardError(f"Missing value for field [{factor.field}]")
    with np.errstate(divide="ignore", invalid="ignore"):
        modified = _MODIFIERS[factor.modifier](values * factor.factor)
    wrong = np.flatnonzero(applies & (modified < 0))
    if len(wrong):
        got = "-Infinity" if np.isinf(modified[wrong[0]]) else modified[wrong[0]]
        name = factor.modifier
        advice = f"; consider using {name}1p or {name}2p instead of {name} to avoid negative scores"
        raise IllegalArgument(
            f"field value function must not produce negative scores, but got: [{got}] for field value: "
            f"[{values[wrong[0]]}]{advice if name in ('ln', 'log') else ''}"
        )
    return np.asarray(np.where(applies, modified, 0.0))


_MODIFIERS: Mapping[str, Callable[[Doubles], Doubles]] = {
    "none": lambda values: values,
    "log": np.log10,
    "log1p": lambda values: np.log10(values + 1),
    "log2p": lambda values: np.log10(values + 2),
    "ln": np.log,
    "ln1p": np.log1p,
    "ln2p": lambda values: np.log(values + 2),
    "square": np.square,
    "sqrt": np.sqrt,
    "reciprocal": np.reciprocal,
}


def _decay(table: Table, decay: Decay) -> Doubles:
    values, owners = numbers_per_row(table, decay.field, np.arange(table.size), np.float64)
    distances = np.maximum(0.0, np.abs(values - decay.origin) - decay.offset)
    distance, present = one_per_row(distances, owners, decay.multi_value_mode, table.size)
    with np.errstate(over="ignore"):  # beyond all numbers is far enough
        scales = distance / decay.scale
        match decay.kind:
            case "gauss":
                result = np.exp(math.log(decay.decay) * scales**2)
            case "exp":
                result = np.exp(math.log(decay.decay) * scales)
            case _:
                result = np.maximum(0.0, 1 - (1 - decay.decay) * scales)
    return np.where(present, result, 1.0)

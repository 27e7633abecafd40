"""The few Painless sources that are understood: expressions over ``ctx`` and ``params``, and assignments.

    expression := or-chain of comparisons of sums of products of  literal | path | ! x | - x | ( x )
    path       := (ctx | params | name) then any of  .name  ?.name  [expression]  .method(expression, ...)
    statement  := path = expression ; | path += expression ; | path.remove('x') ; | path ++ ;
                  | if (expression) { ... } else { ... } | for (name in path) { ... }

Numbers follow Java: whole numbers divide to whole numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from antiphon.errors import ScriptError


@dataclass(frozen=True, slots=True)
class Literal:
    """A string, number, boolean or null."""

    value: Any


@dataclass(frozen=True, slots=True)
class Name:
    """``ctx``, ``params`` or the variable of a loop."""

    name: str


@dataclass(frozen=True, slots=True)
class Member:
    """``holder.key`` or ``holder[key]``; ``safe`` (``?.``) gives null where the holder is null."""

    holder: Expression
    key: Expression
    safe: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """``holder.method(arguments)``."""

    holder: Expression
    method: str
    arguments: tuple[Expression, ...]
    safe: bool = False


@dataclass(frozen=True, slots=True)
class Unary:
    """``!x`` or ``-x``."""

    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary:
    """``left operator right``; ``&&`` and ``||`` stop early."""

    operator: str
    left: Expression
    right: Expression


Expression = Literal | Name | Member | Call | Unary | Binary


@dataclass(frozen=True, slots=True)
class Assign:
    """``target operator= value``; ``operator`` is empty, or one of ``+ - * /``."""

    target: Member
    operator: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Do:
    """A call for its effect: remove, add, put, putAll, addAll, clear."""

    call: Call


@dataclass(frozen=True, slots=True)
class If:
    """``if (condition) {then} else {otherwise}``."""

    condition: Expression
    then: tuple[Statement, ...]
    otherwise: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class For:
    """``for (name in items) {body}``; items are an array, or ``map.entrySet()``."""

    name: str
    items: Expression
    body: tuple[Statement, ...]


Statement = Assign | Do | If | For
Scope = Mapping[str, Any]
QUESTIONS = frozenset({
    "containsKey", "contains", "size", "isEmpty", "length", "entrySet", "keySet", "getKey", "getValue", "get", "equals",
    "startsWith", "endsWith", "toLowerCase", "toUpperCase", "toString", "indexOf",
})  # fmt: skip
"""Methods that an expression may call."""
EFFECTS = frozenset({"remove", "add", "addAll", "put", "putAll", "clear"})
"""Methods that a statement may call."""


def evaluate(expression: Expression, scope: Scope) -> Any:  # noqa: C901  one case per kind of expression
    """Return the value of an expression; ScriptError where Painless would throw."""
    match expression:
        case Literal(value):
            return value
        case Name(name):
            return scope[name]
        case Member(holder, key, safe):
            return _member(evaluate(holder, scope), evaluate(key, scope), safe=safe)
        case Call(holder, method, arguments, safe):
            target = evaluate(holder, scope)
            if target is None and safe:
                return None
            return _ask(target, method, [evaluate(argument, scope) for argument in arguments])
        case Unary("!", operand):
            return not truth(evaluate(operand, scope))
        case Unary(_, operand):
            return -_number(evaluate(operand, scope))
        case Binary("&&", left, right):
            return truth(evaluate(left, scope)) and truth(evaluate(right, scope))
        case Binary("||", left, right):
            return truth(evaluate(left, scope)) or truth(evaluate(right, scope))
        case Binary(operator, left, right):
            return calculate(operator, evaluate(left, scope), evaluate(right, scope))
        case _:
            assert_never(expression)


def execute(statements: tuple[Statement, ...], scope: Scope) -> None:
    """Run statements; ``scope`` values are changed in place."""
    for statement in statements:
        match statement:
            case Assign(target, operator, value):
                holder, key = evaluate(target.holder, scope), evaluate(target.key, scope)
                result = evaluate(value, scope)
                if operator:
                    result = calculate(operator, _member(holder, key, safe=False), result)
                _store(holder, key, result)
            case Do(call):
                target_value = evaluate(call.holder, scope)
                _do(target_value, call.method, [evaluate(argument, scope) for argument in call.arguments])
            case If(condition, then, otherwise):
                execute(then if truth(evaluate(condition, scope)) else otherwise, scope)
            case For(name, items, body):
                for item in list(evaluate(items, scope)):
                    execute(body, {**scope, name: item})
            case _:
                assert_never(statement)


def truth(value: Any) -> bool:
    """Return a boolean; ScriptError for any other value."""
    if isinstance(value, bool):
        return value
    raise _runtime(f"Cannot cast [{value}] to [boolean]")


def calculate(operator: str, left: Any, right: Any) -> Any:
    """Return ``left operator right``; ScriptError where the values do not fit."""
    if operator in ("==", "!="):
        return _equal(left, right) == (operator == "==")
    if operator == "+" and (isinstance(left, str) or isinstance(right, str)):
        return _text(left) + _text(right)
    first, second = _number(left), _number(right)
    match operator:
        case "+":
            return first + second
        case "-":
            return first - second
        case "*":
            return first * second
        case "/" | "%":
            return _divide(operator, first, second)
        case "<":
            return first < second
        case "<=":
            return first <= second
        case ">":
            return first > second
        case _:
            return first >= second


def _divide(operator: str, first: float, second: float) -> float:
    if isinstance(first, int) and isinstance(second, int):
        if second == 0:
            raise _runtime("/ by zero")
        whole = abs(first) // abs(second) * (1 if (first < 0) == (second < 0) else -1)
        return whole if operator == "/" else first - whole * second
    if second == 0:
        return math.nan if operator == "%" or first == 0 else math.copysign(math.inf, first)
    return first / second if operator == "/" else math.fmod(first, second)


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, bool) != isinstance(right, bool):
        return False
    return bool(left == right)


def _text(value: Any) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _number(value: Any) -> Any:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    raise _runtime("Cannot apply the operation to null" if value is None else f"Cannot use [{value}] as a number")


def _member(holder: Any, key: Any, *, safe: bool) -> Any:
    if holder is None:
        if safe:
            return None
        raise _runtime(f"cannot access method/field [{key}] from a null def reference")
    if isinstance(holder, dict):
        return holder.get(key)
    if isinstance(holder, tuple) and key in ("key", "value"):
        return holder[key == "value"]
    if isinstance(holder, (list, str)) and key in ("length", "size"):
        return len(holder)
    if isinstance(holder, list) and isinstance(key, int):
        return holder[_place(holder, key)]
    raise _runtime(f"dynamic getter [{key}] not found")


def _ask(holder: Any, method: str, arguments: list[Any]) -> Any:
    if holder is None:
        raise _runtime(f"cannot access method/field [{method}] from a null def reference")
    try:
        return _answer(holder, method, arguments)
    except (TypeError, IndexError, AttributeError, ValueError):
        raise _runtime(f"dynamic method [{method}/{len(arguments)}] not found or its arguments do not fit") from None


def _answer(holder: Any, method: str, arguments: list[Any]) -> Any:  # noqa: C901  one case per method
    match method:
        case "containsKey":
            return arguments[0] in holder.keys()  # noqa: SIM118  an array has no keys and is refused
        case "contains":
            return arguments[0] in holder
        case "size" | "length":
            return len(holder)
        case "isEmpty":
            return len(holder) == 0
        case "entrySet":
            return list(holder.items())
        case "keySet":
            return list(holder.keys())
        case "getKey" | "getValue":
            return holder[method == "getValue"]
        case "get":
            return holder.get(arguments[0]) if isinstance(holder, dict) else holder[_place(holder, arguments[0])]
        case "equals":
            return _equal(holder, arguments[0])
        case "startsWith":
            return holder.startswith(arguments[0])
        case "endsWith":
            return holder.endswith(arguments[0])
        case "toLowerCase":
            return holder.lower()
        case "toUpperCase":
            return holder.upper()
        case "indexOf":
            return holder.find(arguments[0]) if isinstance(holder, str) else holder.index(arguments[0])
        case _:
            return _text(holder)


def _store(holder: Any, key: Any, value: Any) -> None:
    if isinstance(holder, dict):
        holder[key] = value
    elif isinstance(holder, list) and isinstance(key, int):
        holder[_place(holder, key)] = value
    elif holder is None:
        raise _runtime(f"cannot access method/field [{key}] from a null def reference")
    else:
        raise _runtime(f"dynamic setter [{key}] not found")


def _do(holder: Any, method: str, arguments: list[Any]) -> None:
    if holder is None:
        raise _runtime(f"cannot access method/field [{method}] from a null def reference")
    match holder, method, arguments:
        case dict(), "remove", [key]:
            holder.pop(key, None)
        case list(), "remove", [int() as position]:
            del holder[_place(holder, position)]
        case dict(), "put", [key, value]:
            holder[key] = value
        case dict(), "putAll", [dict() as values]:
            holder.update(values)
        case list(), "add", [value]:
            holder.append(value)
        case list(), "addAll", [list() as values]:
            holder.extend(values)
        case ((dict() | list()), "clear", []):
            holder.clear()
        case _:
            raise _runtime(f"dynamic method [{method}/{len(arguments)}] not found or its arguments do not fit")


def _place(holder: list[Any], position: int) -> int:
    if not 0 <= position < len(holder):
        raise _runtime(f"Index {position} out of bounds for length {len(holder)}")
    return position


def _runtime(reason: str) -> ScriptError:
    return ScriptError("runtime error", cause=ScriptError(reason))

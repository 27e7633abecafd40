"""The few Painless sources that are understood: expressions over ``ctx`` and ``params``, and assignments.

    expression := or-chain of comparisons of sums of products of  literal | path | ! x | - x | ( x )
    path       := (ctx | params | name) then any of  .name  ?.name  [expression]  .method(expression, ...)
    statement  := path = expression ; | path += expression ; | path.remove('x') ; | path ++ ;
                  | if (expression) { ... } else { ... } | for (name in path) { ... }

Numbers, texts and methods follow Java: see ``script_values``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from antiphon.domain.script_values import EFFECTS, ask, calculate, do, member, negative, store, truth


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
    """A call for its effect, one of ``EFFECTS``."""

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


def evaluate(expression: Expression, scope: Scope) -> Any:  # noqa: C901  one case per kind of expression
    """Return the value of an expression; ScriptError where Painless would throw."""
    match expression:
        case Literal(value):
            return value
        case Name(name):
            return scope[name]
        case Member(holder, key, safe):
            return member(evaluate(holder, scope), evaluate(key, scope), safe=safe)
        case Call(holder, method, arguments, safe):
            target = evaluate(holder, scope)
            if target is None and safe:
                return None
            values = [evaluate(argument, scope) for argument in arguments]
            return (do if method in EFFECTS else ask)(target, method, values)
        case Unary("!", operand):
            return not truth(evaluate(operand, scope))
        case Unary(_, operand):
            return negative(evaluate(operand, scope))
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
                    result = calculate(operator, member(holder, key, safe=False), result)
                store(holder, key, result)
            case Do(call):
                evaluate(call, scope)
            case If(condition, then, otherwise):
                execute(then if truth(evaluate(condition, scope)) else otherwise, scope)
            case For(name, items, body):
                for item in list(evaluate(items, scope)):
                    execute(body, {**scope, name: item})
            case _:
                assert_never(statement)

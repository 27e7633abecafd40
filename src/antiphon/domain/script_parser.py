"""Reads the sources of ``script_language``; anything else is refused with what is understood."""

from __future__ import annotations

import json
import re

from antiphon.domain.script_language import (
    Assign,
    Binary,
    Call,
    Do,
    Expression,
    For,
    If,
    Literal,
    Member,
    Name,
    Statement,
    Unary,
)
from antiphon.domain.script_values import EFFECTS, QUESTIONS, Long
from antiphon.errors import IllegalArgument, ScriptError

_TOKEN = re.compile(
    r"""\s*(?:(?P<number>(?:\d+\.\d+|\d+)(?:[eE][+-]?\d+)?[lLfFdD]?)(?![\w])|(?P<word>[A-Za-z_]\w*)
    |(?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    |(?P<sign>\+\+|--|\+=|-=|\*=|/=|==|!=|<=|>=|&&|\|\||\?\.|[-+*/%<>=!()\[\]{}.,;:]))""",
    re.VERBOSE,
)
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_LEVELS = (("||",), ("&&",), ("==", "!="), ("<", "<=", ">", ">="), ("+", "-"), ("*", "/", "%"))
_WORDS = {"true": True, "false": False, "null": None}
_DEPTH = 50


def parse_condition(source: str) -> Expression:
    """Return the condition of a processor; IllegalArgument for what is not understood."""
    try:
        parser = _Parser(source, {"ctx"})
        parser.skip("return")
        expression = parser.expression()
        parser.skip(";")
        parser.end()
    except _NotUnderstood as error:
        raise IllegalArgument(
            f"[if] condition [{source}] is not supported by Antiphon: {error}. Use ctx.f == null, ctx.f != null, "
            "ctx.f == 'x', ctx.containsKey('f'), &&, ||, !"
        ) from None
    return expression


def parse_script(source: str) -> tuple[Statement, ...]:
    """Return the statements of an update or ingest script; ScriptError (compile error) for what is not understood."""
    try:
        parser = _Parser(source, {"ctx", "params"})
        statements = parser.statements()
        parser.end()
    except _NotUnderstood as error:
        raise ScriptError(
            "compile error",
            cause=IllegalArgument(
                f"[script] [{source}] is not supported by Antiphon: {error}. Painless is not included; recognised are "
                "ctx._source.K = params.K; ctx._source.x += params.y; ctx._source.remove('x'); "
                "ctx.op = 'noop' or 'delete'; for (entry in params.entrySet()) "
                "{ ctx._source[entry.getKey()] = entry.getValue() }; if (condition) { ... }"
            ),
        ) from None
    return statements


class _NotUnderstood(Exception):
    pass


class _Parser:
    def __init__(self, source: str, names: set[str]) -> None:
        self._tokens = _tokens(source)
        self._at = 0
        self._names = set(names)
        self._depth = 0

    def end(self) -> None:
        if self._at < len(self._tokens):
            raise _NotUnderstood(f"unexpected [{self._tokens[self._at][1]}]")

    def skip(self, text: str) -> bool:
        if self._peek() == text:
            self._at += 1
            return True
        return False

    def expression(self, level: int = 0) -> Expression:
        if level == len(_LEVELS):
            return self._unary()
        left = self.expression(level + 1)
        while (operator := self._peek()) in _LEVELS[level]:
            self._at += 1
            left = Binary(str(operator), left, self.expression(level + 1))
        return left

    def statements(self) -> tuple[Statement, ...]:
        found: list[Statement] = []
        while self._peek() not in (None, "}"):
            if not self.skip(";"):
                found.append(self._statement())
        return tuple(found)

    def _statement(self) -> Statement:
        if self.skip("if"):
            return self._if()
        if self.skip("for"):
            return self._for()
        target = self._unary()
        operator = self._peek()
        if isinstance(target, Member) and operator in ("=", "+=", "-=", "*=", "/="):
            self._at += 1
            statement: Statement = Assign(target, str(operator)[:-1], self.expression())
        elif isinstance(target, Member) and operator in ("++", "--"):
            self._at += 1
            statement = Assign(target, str(operator)[0], Literal(1))
        elif isinstance(target, Call) and target.method in EFFECTS:
            statement = Do(target)
        else:
            raise _NotUnderstood(f"expected an assignment before [{operator or 'the end'}]")
        if self._peek() not in (None, "}"):
            self._want(";")
        return statement

    def _if(self) -> If:
        self._want("(")
        condition = self.expression()
        self._want(")")
        then = self._block()
        if not self.skip("else"):
            return If(condition, then, ())
        otherwise = (self._if(),) if self.skip("if") else self._block()
        return If(condition, then, otherwise)

    def _for(self) -> For:
        self._want("(")
        words = [self._word()]
        while self._peek() not in ("in", ":"):  # a type may stand in front, with its parameters
            if self.skip("."):
                words.append(self._word())
            else:
                words = [self._word()]
        self._at += 1
        items = self.expression()
        self._want(")")
        self._names.add(words[-1])
        return For(words[-1], items, self._block())

    def _block(self) -> tuple[Statement, ...]:
        self._depth += 1
        if self._depth > _DEPTH:
            raise _NotUnderstood("it is nested too deeply")
        if self.skip("{"):
            statements = self.statements()
            self._want("}")
        else:
            statements = (self._statement(),)
        self._depth -= 1
        return statements

    def _unary(self) -> Expression:
        self._depth += 1
        if self._depth > _DEPTH:
            raise _NotUnderstood("it is nested too deeply")
        operator = self._peek()
        if operator in ("!", "-"):
            self._at += 1
            least = operator == "-" and self.skip("2147483648")
            found: Expression = Literal(-(1 << 31)) if least else Unary(str(operator), self._unary())
        elif self.skip("("):
            inner = self.expression()
            self._want(")")
            found = self._path(inner)
        else:
            found = self._path(self._primary())
        self._depth -= 1
        return found

    def _primary(self) -> Expression:
        kind, text = self._next()
        if kind == "number":
            return Literal(_number(text))
        if kind == "string":
            return Literal(_unquote(text))
        if kind == "word" and text in _WORDS:
            return Literal(_WORDS[text])
        if kind == "word" and text in self._names:
            return Name(text)
        raise _NotUnderstood(f"unexpected [{text}]")

    def _path(self, holder: Expression) -> Expression:
        while self._peek() in (".", "?.", "["):
            sign = self._next()[1]
            if sign == "[":
                holder = Member(holder, self.expression())
                self._want("]")
                continue
            name = self._word()
            if self.skip("("):
                holder = Call(holder, name, self._arguments(name), sign == "?.")
            else:
                holder = Member(holder, Literal(name), sign == "?.")
        return holder

    def _arguments(self, method: str) -> tuple[Expression, ...]:
        if method not in QUESTIONS | EFFECTS:
            raise _NotUnderstood(f"unknown method [{method}]")
        found: list[Expression] = []
        while not self.skip(")"):
            found.append(self.expression())
            if self._peek() != ")":
                self._want(",")
        return tuple(found)

    def _peek(self) -> str | None:
        if self._at == len(self._tokens):
            return None
        kind, text = self._tokens[self._at]
        return None if kind == "string" else text

    def _next(self) -> tuple[str, str]:
        if self._at == len(self._tokens):
            raise _NotUnderstood("it ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def _word(self) -> str:
        kind, text = self._next()
        if kind not in ("word", "number"):
            raise _NotUnderstood(f"expected a name, found [{text}]")
        return text

    def _want(self, sign: str) -> None:
        if not self.skip(sign):
            found = self._tokens[self._at][1] if self._at < len(self._tokens) else "the end"
            raise _NotUnderstood(f"expected [{sign}], found [{found}]")


def _tokens(source: str) -> list[tuple[str, str]]:
    text = _without_comments(source).strip()
    tokens, at = [], 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise _NotUnderstood(f"unexpected [{text[at : at + 10].strip()}]")
        tokens.append((str(found.lastgroup), found[str(found.lastgroup)]))
        at = found.end()
    return tokens


def _without_comments(source: str) -> str:
    """Drop comments, but not what looks like one inside a string."""
    parts = re.split(r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""", source)
    return "".join(part if number % 2 else _COMMENT.sub(" ", part) for number, part in enumerate(parts))


def _number(text: str) -> float:
    bare, kind = (text[:-1], text[-1].lower()) if text[-1].isalpha() else (text, "")
    if kind == "f":
        raise _NotUnderstood(f"a number of 32 bits [{text}]; write {bare} or {bare}d")
    if kind == "d" or not bare.isdigit():
        return float(bare)
    if int(bare) >= 1 << (63 if kind else 31):
        raise _NotUnderstood(f"[{text}] is no {'long' if kind else f'int; a long is {bare}L'}")
    return Long(bare) if kind else int(bare)


def _unquote(text: str) -> str:
    inner = text[1:-1].replace("\\'", "'")
    if text[0] == "'":
        inner = re.sub(r'(?<!\\)"', '\\"', inner)
    try:
        return str(json.loads(f'"{inner}"', strict=False))
    except ValueError:
        raise _NotUnderstood(f"unreadable string [{text}]") from None

"""``simple_query_string``: the forgiving query language, ``+ | - "..." * ~n ( )``, which has no syntax errors."""

from __future__ import annotations

import re
from dataclasses import replace

from antiphon.errors import ParsingError
from antiphon.query import reading
from antiphon.query.leaves import MatchAll, MatchNone, Operator
from antiphon.query.nodes import Bool, Query
from antiphon.query.parse.fulltext import TextOptions, field_boosts
from antiphon.query.parse.options import Body, flag, operator, whole
from antiphon.query.parse.reasons import only, refused, unbound
from antiphon.query.query_string import MAX_DEPTH, Target, boosted, leaf
from antiphon.query.query_string_lexer import Lexeme, unescape
from antiphon.query.scope import Scope

_OPTIONS = reading.words(
    "query fields default_operator analyzer lenient analyze_wildcard minimum_should_match flags quote_field_suffix "
    "fuzzy_prefix_length fuzzy_max_expansions fuzzy_transpositions auto_generate_synonyms_phrase_query"
)
_WORD = re.compile(
    r'"(?P<phrase>(?:[^"\\]|\\.)*)"(?:~(?P<slop>\d+|(?=.)))?'
    r"|(?P<sign>[+|()-])"
    r'|(?P<term>(?:[^\s+|()"~*\\]|\\.)+)(?P<star>\*)?(?:~(?P<edits>[^\s"|+()]*))?'
    r"|(?P<other>\S)",
    re.DOTALL,
)


def parse_simple_query_string(body: Body, scope: Scope) -> Query:
    """Return the query that the text spells; what cannot be read is taken as far as it can."""
    only("simple_query_string", body, _OPTIONS)
    if body.get("query") is None:
        raise ParsingError("[simple_query_string] query text missing")
    if body.get("quote_field_suffix"):
        raise refused("quote_field_suffix of simple_query_string", "use [match_phrase] on that field")
    if str(body.get("flags", "ALL")).upper() not in ("ALL", "-1"):
        raise refused("flags of simple_query_string", "leave them out, or use [match]")
    given = reading.texts("fields", body["fields"]) if body.get("fields") else ()
    fields, lenient = field_boosts(given, scope)
    how = TextOptions(
        operator=operator("simple_query_string", body.get("default_operator", "or")),
        minimum_should_match=reading.minimum("simple_query_string", body.get("minimum_should_match")),
        prefix_length=whole("simple_query_string", body, "fuzzy_prefix_length", 0),
        max_expansions=whole("simple_query_string", body, "fuzzy_max_expansions", 50),
        transpositions=flag(body, "fuzzy_transpositions", True),
        analyzer=None if body.get("analyzer") is None else str(body["analyzer"]),
        lenient=flag(body, "lenient", lenient),
    )
    text = reading.text("query", body["query"])
    if text.strip() == "*":
        return MatchAll(reading.boost("simple_query_string", body))
    found = _Reader(list(_WORD.finditer(text)), Target(tuple(fields), how, 0, 1.0, True), scope).group(0) or MatchNone()
    if how.minimum_should_match is not None and isinstance(found, Bool):
        found = replace(found, minimum_should_match=how.minimum_should_match)
    return boosted(found, reading.boost("simple_query_string", body))


class _Reader:
    """Reads groups left to right: ``+`` and ``|`` say how the next clause joins those before it.

    Of several signs between two clauses the first counts; ``-`` stands right before its clause, and two cancel out.
    """

    def __init__(self, words: list[re.Match[str]], target: Target, scope: Scope) -> None:
        self._words = words
        self._target = target
        self._scope = scope
        self._next = 0

    def group(self, depth: int) -> Query | None:
        """Return the query up to the closing bracket or the end; None when there is no term."""
        joint: Operator | None = None
        current: Operator | None = None
        found: Query | None = None
        turns, minus = 0, -1
        while self._next < len(self._words):
            word = self._words[self._next]
            self._next += 1
            sign = word["sign"]
            if sign == ")" and depth:
                break
            if sign in ("+", "|"):
                if found is not None and joint is None:
                    joint = Operator.AND if sign == "+" else Operator.OR
                continue
            if sign == "-":
                minus = -1 if minus == word.start() else word.end()
                continue
            query = self._inside(depth) if sign == "(" else self._leaf(word)
            if query is None:
                continue
            if minus == word.start():
                query = Bool(should=(MatchAll(),), must_not=(query,))  # scores 1, as Lucene's
            if found is None:
                found = query
                continue
            joint = joint or self._target.how.operator
            turns += current is not None and joint is not current
            if turns > MAX_DEPTH:
                raise unbound(f"[simple_query_string] changes between + and | more than [{MAX_DEPTH}] times")
            found = _joined(found, query, joint, apart=joint is not current)
            joint, current = None, joint
        return found

    def _inside(self, depth: int) -> Query | None:
        return self.group(depth + 1) if depth < MAX_DEPTH else None

    def _leaf(self, word: re.Match[str]) -> Query | None:
        if word["phrase"] is not None:
            slop = None if word["slop"] is None else float(word["slop"] or 2)
            return leaf(Lexeme("phrase", unescape(word["phrase"]), slop), self._target, self._scope)
        if word["term"] is None:
            return None
        spelled = word["edits"] if word["edits"] != "" else "2"
        edits = float(min(int(spelled), 2)) if spelled and spelled.isdecimal() else None
        if word["star"]:
            prefix = re.sub(r"([*?\\])", r"\\\1", unescape(word["term"]))
            return leaf(Lexeme("term", prefix + "*", wild=True), self._target, self._scope)
        escaped = re.sub(r"([\\])", r"\\\1", unescape(word["term"]))
        return leaf(Lexeme("term", escaped, edits or None), self._target, self._scope)


def _joined(before: Query, query: Query, joint: Operator, *, apart: bool) -> Query:
    """Return the clauses so far with one more; ``apart``: what came before becomes one clause of its own."""
    if joint is Operator.AND:
        earlier = (before,) if apart or not isinstance(before, Bool) else before.must
        return Bool(must=(*earlier, query))
    earlier = (before,) if apart or not isinstance(before, Bool) else before.should
    return Bool(should=(*earlier, query))

"""``simple_query_string``: the forgiving query language, ``+ | - "..." * ~n ( )``, which has no syntax errors."""

from __future__ import annotations

import re
from dataclasses import replace

from antiphon.errors import ParsingError
from antiphon.query import reading
from antiphon.query.leaves import MatchAll, MatchNone, Operator
from antiphon.query.nodes import Bool, Query
from antiphon.query.parse.fields import scored_in_must
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
    r'"(?P<phrase>(?:[^"\\]|\\.)*)"(?:~(?P<slop>\d+))?'
    r"|(?P<sign>[+|()-])"
    r'|(?P<term>(?:[^\s+|()"~*\\]|\\.)+)(?P<star>\*)?(?:~(?P<edits>\d+)?)?'
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
    fields, _ = field_boosts(given, scope)
    how = TextOptions(
        operator=operator("simple_query_string", body.get("default_operator", "or")),
        minimum_should_match=reading.minimum("simple_query_string", body.get("minimum_should_match")),
        prefix_length=whole("simple_query_string", body, "fuzzy_prefix_length", 0),
        max_expansions=whole("simple_query_string", body, "fuzzy_max_expansions", 50),
        transpositions=flag(body, "fuzzy_transpositions", True),
        analyzer=None if body.get("analyzer") is None else str(body["analyzer"]),
        lenient=flag(body, "lenient", True),
    )
    words = list(_WORD.finditer(reading.text("query", body["query"])))
    found = _Reader(words, Target(tuple(fields), how, 0, 0.0, True), scope).group(0) or MatchNone()
    if how.minimum_should_match is not None and isinstance(found, Bool) and found.should and not found.must_not:
        found = replace(found, minimum_should_match=how.minimum_should_match)
    return boosted(found, reading.boost("simple_query_string", body))


class _Reader:
    """Reads groups left to right: ``+`` and ``|`` say how the next clause joins those before it."""

    def __init__(self, words: list[re.Match[str]], target: Target, scope: Scope) -> None:
        self._words = words
        self._target = target
        self._scope = scope
        self._next = 0

    def group(self, depth: int) -> Query | None:
        """Return the query up to the closing bracket or the end; None when there is no term."""
        default = self._target.how.operator
        joint, negative = default, False
        found: Query | None = None
        current, turns = default, 0
        while self._next < len(self._words):
            word = self._words[self._next]
            self._next += 1
            sign = word["sign"]
            if sign == ")" and depth:
                break
            if sign in ("+", "|"):
                joint = Operator.AND if sign == "+" else Operator.OR
                continue
            if sign == "-":
                negative = True
                continue
            query = self._inside(depth) if sign == "(" else self._leaf(word)
            if query is None:
                continue
            if negative:
                query = Bool(should=(MatchAll(),), must_not=(query,))  # scores 1, as Lucene's
            turns += found is not None and joint is not current
            if turns > MAX_DEPTH:
                raise unbound(f"[simple_query_string] changes between + and | more than [{MAX_DEPTH}] times")
            found, current = _joined(found, query, current, joint)
            joint, negative = default, False
        return found

    def _inside(self, depth: int) -> Query | None:
        return self.group(depth + 1) if depth < MAX_DEPTH else None

    def _leaf(self, word: re.Match[str]) -> Query | None:
        if word["phrase"] is not None:
            slop = None if word["slop"] is None else float(word["slop"])
            return leaf(Lexeme("phrase", unescape(word["phrase"]), slop), self._target, self._scope)
        if word["term"] is None:
            return None
        edits = None if word["edits"] is None else float(min(int(word["edits"]), 2))
        if word["star"]:
            prefix = re.sub(r"([*?\\])", r"\\\1", unescape(word["term"]))
            return leaf(Lexeme("term", prefix + "*", wild=True), self._target, self._scope)
        escaped = re.sub(r"([\\])", r"\\\1", unescape(word["term"]))
        return leaf(Lexeme("term", escaped, edits or None), self._target, self._scope)


def _joined(before: Query | None, query: Query, current: Operator, joint: Operator) -> tuple[Query, Operator]:
    """Return the clauses so far with one more; a change of operator closes what came before into one clause."""
    if before is None:
        return query, joint
    open_ = isinstance(before, Bool) and current is joint and not before.must_not and before.boost == 1.0
    query = scored_in_must(query) if joint is Operator.AND else query
    if joint is Operator.AND:
        earlier = before.must if open_ and isinstance(before, Bool) and before.must else (scored_in_must(before),)
        return Bool(must=(*earlier, query)), joint
    earlier = before.should if open_ and isinstance(before, Bool) and before.should else (before,)
    return Bool(should=(*earlier, query)), joint

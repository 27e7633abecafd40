"""``query_string``: Lucene's query language over one or several fields, read into bound queries."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

from antiphon.domain.field import Family
from antiphon.errors import AntiphonError, IllegalArgument, ParseError, ParsingError, QueryShardError
from antiphon.query import reading
from antiphon.query.leaves import (
    MatchAll,
    MatchNone,
    Operator,
    PatternKind,
)
from antiphon.query.nodes import (
    Bool,
    Boosting,
    ConstantScore,
    DisMax,
    Query,
)
from antiphon.query.parse.fulltext import TYPES, TextOptions, best_of, field_boosts, text_query
from antiphon.query.parse.options import ANY_REWRITE, CONSTANT, Body, flag, fuzziness, operator, rewrite, whole
from antiphon.query.parse.reasons import Refused, only, refused
from antiphon.query.parse.terms import field_exists, fuzzy_query, parse_range, pattern_query
from antiphon.query.query_string_lexer import Lexeme, QuerySyntaxError, lexemes, unescape
from antiphon.query.scope import Scope

_OPTIONS = reading.words(
    "query fields default_field default_operator analyzer quote_analyzer allow_leading_wildcard analyze_wildcard "
    "lenient fuzziness fuzzy_prefix_length fuzzy_max_expansions fuzzy_transpositions phrase_slop minimum_should_match "
    "tie_breaker type time_zone enable_position_increments auto_generate_synonyms_phrase_query escape "
    "quote_field_suffix max_determinized_states rewrite fuzzy_rewrite"
)
_BOOSTED = 1.0
MAX_DEPTH = 50


@dataclass(frozen=True, slots=True)
class Target:
    """The fields a term without a field is looked for in, and how."""

    fields: tuple[tuple[str, float], ...]
    how: TextOptions
    slop: int
    tie_breaker: float
    leading_wildcard: bool
    time_zone: str | None = None


def parse_query_string(body: Body, scope: Scope) -> Query:
    """Return the query that a text in Lucene's syntax spells; QueryShardError for a syntax error."""
    only("query_string", body, _OPTIONS)
    if body.get("query") is None:
        raise ParsingError("[query_string] must be provided with a [query]")
    for key in ("quote_analyzer", "quote_field_suffix", "escape"):
        if body.get(key):
            raise refused(f"{key} of query_string", "write a [bool] of [match_phrase] and [match] clauses")
    kind = str(body.get("type", "best_fields")).lower()
    if kind not in ("best_fields", "most_fields"):
        if kind in TYPES:
            raise refused(f"type: {kind} of query_string", "use [multi_match] for it")
        raise ParseError(f"failed to parse [multi_match] query type [{kind}]. unknown type.")
    rewrite(body, "rewrite", CONSTANT)
    rewrite(body, "fuzzy_rewrite", ANY_REWRITE)
    text = reading.text("query", body["query"])
    if "fields" in body:
        given = reading.texts("fields", body["fields"])
    else:
        given = (str(body["default_field"]),) if body.get("default_field") else ()
    fields, lenient = field_boosts(given, scope)
    how = TextOptions(
        operator=operator("query_string", body.get("default_operator", "or")),
        minimum_should_match=reading.minimum("query_string", body.get("minimum_should_match")),
        fuzziness=fuzziness(body.get("fuzziness", "AUTO")),
        prefix_length=whole("query_string", body, "fuzzy_prefix_length", 0),
        max_expansions=whole("query_string", body, "fuzzy_max_expansions", 50),
        transpositions=flag(body, "fuzzy_transpositions", True),
        analyzer=None if body.get("analyzer") is None else str(body["analyzer"]),
        lenient=flag(body, "lenient", lenient),
    )
    tie = reading.number("tie_breaker", body.get("tie_breaker", 1.0 if kind == "most_fields" else 0.0))
    zone = None if body.get("time_zone") is None else str(body["time_zone"])
    leading = flag(body, "allow_leading_wildcard", True)
    target = Target(tuple(fields), how, whole("query_string", body, "phrase_slop", 0), tie, leading, zone)
    try:
        found = _Reader(lexemes(text), target, scope).whole()
    except QuerySyntaxError as error:
        cause = QuerySyntaxError(f"Cannot parse '{text}': {error.reason}")
        raise QueryShardError(f"Failed to parse query [{text}]", cause=cause) from error
    boost = reading.boost("query_string", body)
    if (
        how.minimum_should_match is not None
        and isinstance(found, Bool)
        and len(found.should + found.must + found.must_not) > 1
    ):
        found = replace(found, minimum_should_match=how.minimum_should_match)
    return boosted(found, boost)


def boosted(query: Query, factor: float) -> Query:
    """Return the query with its score multiplied."""
    if factor == _BOOSTED or isinstance(query, MatchNone):
        return query
    if isinstance(query, (Bool, DisMax, ConstantScore, Boosting)):
        return replace(query, boost=query.boost * factor)
    return Bool(must=(query,), boost=factor)


class _Reader:
    """Reads clauses by recursive descent; AND and OR bind as in Lucene's classic parser."""

    def __init__(self, words: list[Lexeme], target: Target, scope: Scope) -> None:
        self._words = words
        self._target = target
        self._scope = scope
        self._next = 0
        self._depth = 0

    def whole(self) -> Query:
        """Return the query of the whole text; nothing matches an empty one."""
        if not self._words:
            return MatchNone()
        found = self._clauses(self._target)
        if self._next < len(self._words):
            raise QuerySyntaxError(f'Encountered " "{self._words[self._next].text}"')
        return found

    def _kind(self) -> str:
        return self._words[self._next].kind if self._next < len(self._words) else "end"

    def _clauses(self, target: Target) -> Query:
        """Return the combination up to a closing bracket."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise QuerySyntaxError(f"brackets nest deeper than [{MAX_DEPTH}]")
        found: list[tuple[str, Query]] = []
        while self._kind() not in ("end", ")"):
            joint = ""
            if self._kind() in ("and", "or"):
                joint = self._words[self._next].kind
                if not found:
                    raise QuerySyntaxError(f'Encountered " <{joint.upper()}>"')
                self._next += 1
            elif run := self._run(target):
                self._next += len(run)
                words = Lexeme("term", " ".join(word.text for word in run))
                found.append(("+" if target.how.operator is Operator.AND else "", leaf(words, target, self._scope)))
                continue
            sign = ""
            if self._kind() in ("+", "-", "not"):
                sign = "+" if self._kind() == "+" else "-"
                self._next += 1
            _add(found, joint, sign, self._clause(target), target.how.operator)
        self._depth -= 1
        return _combined(found)

    def _run(self, target: Target) -> list[Lexeme]:
        """Return the bare words from here on that every field is asked for as one text: Lucene's ``MultiTerm``.

        None of them where only a text field is asked, which cuts a text itself; a word before an operator binds to it.
        """
        field = self._scope.field(target.fields[0][0]) if len(target.fields) == 1 else None
        if field is not None and field.family is Family.TEXT:
            return []
        run = list(itertools.takewhile(_is_bare, self._words[self._next :]))
        end = self._next + len(run)
        if run and end < len(self._words) and self._words[end].kind in ("and", "or"):
            run.pop()
        return run if len(run) > 1 else []

    def _clause(self, target: Target) -> Query:
        if self._next >= len(self._words):
            raise QuerySyntaxError('Encountered "<EOF>"')
        word = self._words[self._next]
        self._next += 1
        if word.kind == "field":
            return self._on_field(word.text, target)
        if word.kind == "(":
            found = self._clauses(target)
            if self._kind() != ")":
                raise QuerySyntaxError('Encountered "<EOF>", was expecting ")"')
            factor = self._words[self._next].boost
            self._next += 1
            return boosted(found, factor)
        if word.kind not in ("term", "phrase", "range", "regexp"):
            raise QuerySyntaxError(f'Encountered " "{word.text}"')
        return boosted(leaf(word, target, self._scope), word.boost)

    def _on_field(self, name: str, target: Target) -> Query:
        if name == "_exists_":
            word = self._words[self._next] if self._next < len(self._words) else None
            if word is None or word.kind != "term":
                raise QuerySyntaxError("_exists_ must be followed by a field")
            self._next += 1
            return ConstantScore(field_exists(unescape(word.text), self._scope))
        if name == "*" and self._kind() == "term" and self._words[self._next].text == "*":
            self._next += 1
            return MatchAll()
        fields, _ = field_boosts((name,), self._scope)
        return self._clause(replace(target, fields=tuple(fields)))


def _is_bare(word: Lexeme) -> bool:
    return word.kind == "term" and not word.wild and word.edits is None and word.boost == _BOOSTED


def _add(found: list[tuple[str, Query]], joint: str, sign: str, query: Query, default: Operator) -> None:
    """Add a clause as Lucene's ``addClause`` does: AND also requires the clause before it."""
    if found and joint == "and" and found[-1][0] == "":
        found[-1] = ("+", found[-1][1])
    if found and default is Operator.AND and joint == "or" and found[-1][0] == "+":
        found[-1] = ("", found[-1][1])
    if not sign and (joint == "and" or (default is Operator.AND and joint != "or")):
        sign = "+"
    found.append((sign, query))


def _combined(found: list[tuple[str, Query]]) -> Query:
    if not found:
        return MatchNone()
    if len(found) == 1 and found[0][0] != "-":
        return found[0][1]
    must, should, must_not = (tuple(query for sign, query in found if sign == wanted) for wanted in ("+", "", "-"))
    return Bool(must=must, should=should, must_not=must_not)


def leaf(word: Lexeme, target: Target, scope: Scope) -> Query:
    """Return the query of one term, phrase or range on the target's fields: the best of them."""
    queries: list[Query] = []
    for name, factor in target.fields:
        try:
            found = _on_one(word, name, factor, target, scope)
        except AntiphonError as error:
            if isinstance(error, Refused) or not target.how.lenient:
                raise
            continue
        if not isinstance(found, MatchNone):
            queries.append(found)
    return best_of(queries, target.tie_breaker, 1.0)


def _on_one(word: Lexeme, name: str, factor: float, target: Target, scope: Scope) -> Query:
    plain = replace(target.how, fuzziness=None, minimum_should_match=None)
    match word.kind:
        case "phrase":
            slop = target.slop if word.edits is None else int(word.edits)
            return text_query(name, word.text, replace(plain, kind="phrase", slop=slop), scope, factor)
        case "range":
            return _range(word, name, factor, target, scope)
        case "regexp":
            return pattern_query(name, PatternKind.REGEXP, _lowered(word.text, name, scope), scope, factor)
        case _ if word.text == "*":
            return boosted(ConstantScore(field_exists(name, scope)), factor)
        case _ if word.wild:
            return _wildcard(word.text, name, factor, target, scope)
        case _ if word.edits is not None:
            edits = (
                target.how.fuzziness if word.edits < 0 else fuzziness(int(word.edits) if word.edits >= 1 else "AUTO")
            )
            return fuzzy_query(
                name,
                _lowered(unescape(word.text), name, scope),
                edits,
                scope,
                factor,
                prefix_length=target.how.prefix_length,
                max_expansions=target.how.max_expansions,
                transpositions=target.how.transpositions,
            )
        case _:
            return text_query(name, unescape(word.text), plain, scope, factor)


def _wildcard(text: str, name: str, factor: float, target: Target, scope: Scope) -> Query:
    if text[0] in "*?" and not target.leading_wildcard:
        raise QuerySyntaxError("'*' or '?' not allowed as first character in WildcardQuery")
    lowered = _lowered(text, name, scope)
    if lowered.endswith("*") and not any(letter in "*?\\" for letter in lowered[:-1]):
        return pattern_query(name, PatternKind.PREFIX, lowered[:-1], scope, factor)
    return pattern_query(name, PatternKind.WILDCARD, lowered, scope, factor)


def _lowered(text: str, name: str, scope: Scope) -> str:
    """Return a pattern as most analyzers leave the words of a text field; other fields have their normalizer."""
    field = scope.field(name)
    kept = field is None or field.family is not Family.TEXT or field.search_analyzer in ("whitespace", "keyword")
    return text if kept else text.lower()


def _range(word: Lexeme, name: str, factor: float, target: Target, scope: Scope) -> Query:
    options: dict[str, Any] = {"boost": factor} | {key: value for key, value in word.bounds if value != "*"}
    if target.time_zone is not None:
        options["time_zone"] = target.time_zone
    try:
        return parse_range({name: options}, scope)
    except IllegalArgument as error:
        if isinstance(error, Refused):
            raise
        raise QuerySyntaxError(error.reason) from error

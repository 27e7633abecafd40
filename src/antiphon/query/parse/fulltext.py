"""Full-text clauses: match, match_phrase, match_phrase_prefix, match_bool_prefix, multi_match."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from antiphon.domain.field import Family, Field, FieldType
from antiphon.domain.values import normalized
from antiphon.errors import AntiphonError, ParsingError
from antiphon.query import reading
from antiphon.query.leaves import (
    Fuzziness,
    MatchNone,
    Operator,
    Pattern,
    PatternKind,
    TextCross,
    TextMatch,
    TextPhrase,
)
from antiphon.query.nodes import DisMax, Query
from antiphon.query.parse.fields import METADATA, field_term, one_term, searchable, worded
from antiphon.query.parse.options import (
    ANY_REWRITE,
    BLENDED,
    Body,
    flag,
    fuzziness,
    needed,
    one_field,
    operator,
    rewrite,
    whole,
    zero_terms_all,
)
from antiphon.query.parse.reasons import Refused, only, unbound
from antiphon.query.scope import Scope

_MATCH = reading.words(
    "query operator minimum_should_match fuzziness prefix_length max_expansions fuzzy_transpositions analyzer "
    "zero_terms_query lenient auto_generate_synonyms_phrase_query fuzzy_rewrite"
)
_MULTI = _MATCH | {"fields", "type", "tie_breaker", "slop"}
TYPES = ("best_fields", "most_fields", "cross_fields", "phrase", "phrase_prefix", "bool_prefix")
"""How ``multi_match`` combines fields."""
_DEFAULT_TYPES = frozenset(FieldType) - {
    FieldType.BOOLEAN, FieldType.KNN_VECTOR, FieldType.BINARY, FieldType.RANK_FEATURE, FieldType.RANK_FEATURES,
    FieldType.OBJECT, FieldType.NESTED, FieldType.ALIAS,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TextOptions:
    """How a text is matched on a field; ``kind`` is match, phrase, phrase_prefix or bool_prefix."""

    kind: str = "match"
    operator: Operator = Operator.OR
    minimum_should_match: str | None = None
    fuzziness: Fuzziness | None = None
    prefix_length: int = 0
    max_expansions: int = 50
    transpositions: bool = True
    analyzer: str | None = None
    zero_terms_all: bool = False
    slop: int = 0
    lenient: bool = False


def text_options(query: str, options: Body, kind: str = "match") -> TextOptions:
    """Return the options that the match family shares."""
    fuzzy = options.get("fuzziness") is not None
    expansions = rewrite(options, "fuzzy_rewrite", BLENDED if fuzzy else ANY_REWRITE)
    return TextOptions(
        kind,
        operator(query, options.get("operator", "or")),
        reading.minimum(query, options.get("minimum_should_match")),
        fuzziness(options.get("fuzziness")),
        whole(query, options, "prefix_length", 0),
        expansions or whole(query, options, "max_expansions", 50),
        flag(options, "fuzzy_transpositions", True),
        None if options.get("analyzer") is None else str(options["analyzer"]),
        zero_terms_all(query, options),
        whole(query, options, "slop", 0),
        flag(options, "lenient", False),
    )


def parse_match(body: Body, scope: Scope) -> Query:
    """Return the query for an analysed text on one field."""
    return _on_one_field("match", body, scope, _MATCH, "match")


def parse_match_phrase(body: Body, scope: Scope) -> Query:
    """Return the query for a phrase on one field."""
    allowed = ("query", "slop", "analyzer", "zero_terms_query")
    return _on_one_field("match_phrase", body, scope, allowed, "phrase")


def parse_match_phrase_prefix(body: Body, scope: Scope) -> Query:
    """Return the query for a phrase whose last term is a prefix."""
    allowed = ("query", "slop", "analyzer", "zero_terms_query", "max_expansions")
    return _on_one_field("match_phrase_prefix", body, scope, allowed, "phrase_prefix")


def parse_match_bool_prefix(body: Body, scope: Scope) -> Query:
    """Return the query for terms of which the last is a prefix."""
    return _on_one_field("match_bool_prefix", body, scope, _MATCH, "bool_prefix")


def _on_one_field(query: str, body: Body, scope: Scope, allowed: Any, kind: str) -> Query:
    name, options = one_field(query, body, "query")
    only(query, options, allowed)
    value = needed(query, options, "query")
    return text_query(name, value, text_options(query, options, kind), scope, reading.boost(query, options))


def text_query(name: str, value: Any, how: TextOptions, scope: Scope, boost: float) -> Query:
    """Return the query for a text (or value) on a field; other than text fields look for the value itself."""
    if name in METADATA:
        return one_term(name, value, scope, boost)
    try:
        field = searchable(name, scope)
        return MatchNone() if field is None else _on_field(field, value, how, scope, boost)
    except AntiphonError as error:
        if isinstance(error, Refused) or not how.lenient:
            raise
        return MatchNone()


def _on_field(field: Field, value: Any, how: TextOptions, scope: Scope, boost: float) -> Query:
    if field.family is not Family.TEXT:
        return _exact(field, value, how, scope, boost)
    text = reading.as_text(value)
    if how.kind in ("phrase", "phrase_prefix"):
        return TextPhrase(
            field.path,
            text,
            how.slop,
            how.kind == "phrase_prefix",
            how.max_expansions,
            how.analyzer,
            how.zero_terms_all,
            boost,
        )
    return TextMatch(
        field.path,
        text,
        how.operator,
        how.minimum_should_match,
        how.fuzziness,
        how.prefix_length,
        how.max_expansions,
        how.transpositions,
        how.analyzer,
        how.zero_terms_all,
        how.kind == "bool_prefix",
        boost,
    )


def _exact(field: Field, value: Any, how: TextOptions, scope: Scope, boost: float) -> Query:
    if how.fuzziness is not None and worded(field):
        return Pattern(
            field.path,
            PatternKind.FUZZY,
            normalized(field, reading.as_text(value)),
            False,
            how.fuzziness,
            how.prefix_length,
            how.max_expansions,
            how.transpositions,
            boost,
        )
    if how.kind in ("phrase_prefix", "bool_prefix"):
        if how.kind == "bool_prefix" and worded(field) and field.type is not FieldType.FLAT_OBJECT:
            return Pattern(field.path, PatternKind.PREFIX, normalized(field, reading.as_text(value)), boost=boost)
        if how.kind == "phrase_prefix":
            raise unbound(
                "Can only use phrase prefix queries on text fields - not on "
                f"[{field.path}] which is of type [{field.type.value}]"
            )
    if how.fuzziness is not None and not how.lenient:
        raise unbound(
            f"Can only use fuzzy queries on keyword and text fields - not on [{field.path}] which is of "
            f"type [{field.type.value}]"
        )
    return field_term(field, value, scope, boost)


def parse_multi_match(body: Body, scope: Scope) -> Query:
    """Return the query for a text on several fields."""
    only("multi_match", body, _MULTI)
    if "query" not in body:
        raise ParsingError("No text specified for multi_match query")
    kind = str(body.get("type", "best_fields")).lower()
    if kind not in TYPES:
        raise ParsingError(f"failed to parse [multi_match] query type [{kind}]. unknown type.")
    value = needed("multi_match", body, "query")
    how = text_options(
        "multi_match",
        body,
        {"phrase": "phrase", "phrase_prefix": "phrase_prefix", "bool_prefix": "bool_prefix"}.get(kind, "match"),
    )
    if body.get("fuzziness") is not None and kind in ("cross_fields", "phrase", "phrase_prefix"):
        raise ParsingError(f"Fuzziness not allowed for type [{kind}]")
    if "slop" in body and kind == "bool_prefix":
        raise ParsingError("slop not allowed for type [bool_prefix]")
    fields = reading.texts("fields", body["fields"]) if body.get("fields") else ()
    targets, lenient = field_boosts(fields, scope)
    how = replace(how, lenient=flag(body, "lenient", lenient))
    tie = None if body.get("tie_breaker") is None else reading.number("tie_breaker", body["tie_breaker"])
    return across_fields(targets, value, how, kind, tie, scope, reading.boost("multi_match", body))


def field_boosts(fields: tuple[str, ...], scope: Scope) -> tuple[list[tuple[str, float]], bool]:
    """Return field names with their boosts, patterns expanded, and whether unfit values should be overlooked.

    Without fields those of ``index.query.default_field`` are taken.
    """
    given = fields or scope.default_field
    found: dict[str, float] = {}
    for entry in given:
        name, _, boost = entry.partition("^")
        factor = reading.boost(f"field {name}", {"boost": boost}) if boost else 1.0
        if "*" not in name:
            found[name] = found.get(name, 1.0) * factor
            continue
        for field in scope.mapping.matching(name):
            if scope.sees(field) and _by_default(field):
                found[field.path] = factor
    return list(found.items()), not fields or any(entry.partition("^")[0] == "*" for entry in given)


def _by_default(field: Field) -> bool:
    return (
        field.type in _DEFAULT_TYPES
        and field.family not in (Family.NONE, Family.VECTOR, Family.FEATURES)
        and (field.indexed or field.doc_values)
    )


def across_fields(
    targets: list[tuple[str, float]],
    value: Any,
    how: TextOptions,
    kind: str,
    tie_breaker: float | None,
    scope: Scope,
    boost: float,
) -> Query:
    """Return a text's query on several fields: their best, their sum, or (cross_fields) the best field of each word."""
    if kind == "cross_fields":
        return _cross_fields(targets, value, how, tie_breaker or 0.0, scope, boost)
    queries = _on_each(targets, value, how, scope)
    default_tie = 1.0 if kind in ("most_fields", "bool_prefix") else 0.0
    return best_of(queries, default_tie if tie_breaker is None else tie_breaker, boost)


def best_of(queries: list[Query], tie_breaker: float, boost: float) -> Query:
    """Return the combination of one text's queries on several fields."""
    if not queries:
        return MatchNone()
    if len(queries) == 1 and boost == 1.0:
        return queries[0]
    return DisMax(tuple(queries), tie_breaker, boost)


def _on_each(targets: list[tuple[str, float]], value: Any, how: TextOptions, scope: Scope) -> list[Query]:
    found = [text_query(name, value, how, scope, factor) for name, factor in targets]
    return [query for query in found if not isinstance(query, MatchNone)]


def _cross_fields(
    targets: list[tuple[str, float]], value: Any, how: TextOptions, tie_breaker: float, scope: Scope, boost: float
) -> Query:
    """cross_fields: every word is looked for in every text field of one analyzer, the value itself in the others."""
    groups: dict[tuple[str, str], list[tuple[str, float]]] = {}
    alone: list[tuple[str, float]] = []
    for name, factor in targets:
        field = searchable(name, scope) if name not in METADATA else None
        if field is not None and field.family is Family.TEXT:
            groups.setdefault((field.search_analyzer, field.nested), []).append((field.path, factor))
        else:
            alone.append((name, factor))
    alone += [group[0] for group in groups.values() if len(group) == 1]
    queries = _on_each(alone, value, how, scope)
    crossed = [tuple(group) for group in groups.values() if len(group) > 1]
    shared = 1.0 if queries or len(crossed) > 1 else boost
    queries += [
        TextCross(
            group,
            reading.as_text(value),
            how.operator,
            how.minimum_should_match,
            tie_breaker,
            how.analyzer,
            how.zero_terms_all,
            shared,
        )
        for group in crossed
    ]
    return best_of(queries, tie_breaker, boost / shared)

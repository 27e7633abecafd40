"""A bound query becomes a body again, which parses to the same query: for clusters elsewhere, and for the curious."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, assert_never

from antiphon.domain.field import FieldType
from antiphon.domain.mapping import IndexMapping
from antiphon.errors import IllegalArgument
from antiphon.query.leaves import (
    Exists,
    Fuzziness,
    Ids,
    KeywordRange,
    KeywordTerms,
    MatchAll,
    MatchNone,
    NumberRange,
    NumberTerms,
    Operator,
    Pattern,
    PatternKind,
    ScriptFilter,
    Sparse,
    TextCross,
    TextMatch,
    TextPhrase,
    TextTerms,
)
from antiphon.query.nodes import (
    Bool,
    Boosting,
    ConstantScore,
    DisMax,
    FunctionScore,
    Knn,
    Named,
    Nested,
    Query,
    ScriptScore,
    TermsSet,
)
from antiphon.query.render_fetch import field_value, render_inner_hits
from antiphon.query.render_function import render_function
from antiphon.query.render_script import render_script
from antiphon.query.script import DocValue
from antiphon.query.search import EmbedText, Slot

Json = dict[str, Any]

_BY_FIELD = frozenset(
    {
        "match", "match_phrase", "match_phrase_prefix", "match_bool_prefix", "term", "range", "prefix", "wildcard",
        "regexp", "fuzzy", "terms_set", "knn", "neural", "neural_sparse",
    }
)  # fmt: skip
"""Clauses whose options lie under the field's name."""


def render_query(query: Query, mapping: IndexMapping, slots: Sequence[Slot]) -> Json:
    """Return the body of a query bound to ``mapping``; ``slots`` are those it was parsed with."""
    return _Renderer(mapping, slots).query(query)


class _Renderer:
    def __init__(self, mapping: IndexMapping, slots: Sequence[Slot]) -> None:
        self._mapping = mapping
        self._slots = slots

    def query(self, query: Query) -> Json:
        match query:
            case Named(name, inner):
                return _named(name, self.query(inner))
            case MatchAll() | MatchNone() | Ids():
                return _plain(query)
            case Exists():
                return self._exists(query)
            case TextMatch() | TextCross() | TextPhrase() | TextTerms() | Pattern() | KeywordTerms():
                return _text(query)
            case KeywordRange() | NumberRange() | NumberTerms():
                return self._numbers(query)
            case Bool() | DisMax() | ConstantScore() | Boosting():
                return _compound(query, self.query)
            case FunctionScore() | ScriptScore() | ScriptFilter() | TermsSet():
                return self._scored(query)
            case Nested() | Knn() | Sparse():
                return self._special(query)
            case _:
                assert_never(query)

    def _exists(self, query: Exists) -> Json:
        if len(query.fields) == 1:
            return {"exists": {"field": query.fields[0]} | _boosted(query.boost)}
        holder = query.fields[0]
        while "." in holder:
            holder = holder.rpartition(".")[0]
            if tuple(leaf.path for leaf in self._mapping.leaves_below(holder)) == query.fields:
                return {"exists": {"field": holder} | _boosted(query.boost)}
        each = [{"exists": {"field": field}} for field in query.fields]
        return {"constant_score": {"filter": {"bool": {"should": each}}} | _boosted(query.boost)}

    def _numbers(self, query: KeywordRange | NumberRange | NumberTerms) -> Json:
        field = self._mapping.field(query.field)
        boost = _boosted(query.boost)
        if isinstance(query, NumberTerms):
            values = [field_value(field, value) for value in query.values]
            if len(values) == 1:
                return {"term": {query.field: {"value": values[0]} | boost}}
            return {"terms": {query.field: values} | boost}
        date = field is not None and field.type is FieldType.DATE
        shown: Json = {}
        for value, included, name in ((query.low, query.include_low, "gt"), (query.high, query.include_high, "lt")):
            if value is not None:
                shown[name + "e" * included] = str(value) if date else field_value(field, value)
        return {"range": {query.field: shown | ({"format": "epoch_millis"} if date else {}) | boost}}

    def _scored(self, query: FunctionScore | ScriptScore | ScriptFilter | TermsSet) -> Json:
        boost = _boosted(query.boost)
        match query:
            case ScriptFilter(script):
                return {"script": {"script": render_script(script)} | boost}
            case ScriptScore(inner, script, min_score):
                shown = {"query": self.query(inner), "script": render_script(script)}
                return {"script_score": shown | _given(min_score=min_score) | boost}
            case TermsSet():
                return {"terms_set": self._terms_set(query)}
            case FunctionScore():
                return {
                    "function_score": {
                        "query": self.query(query.query),
                        "functions": [render_function(one, self._mapping, self.query) for one in query.functions],
                        "score_mode": query.score_mode.value,
                        "boost_mode": query.boost_mode.value,
                    }
                    | _given(max_boost=query.max_boost, min_score=query.min_score)
                    | boost
                }

    def _terms_set(self, query: TermsSet) -> Json:
        field, values = "", []
        for term in query.terms:
            match term:
                case KeywordTerms(path, (value,)) | TextTerms(path, (value,)) | NumberTerms(path, (value,)):
                    field = path
                    values.append(field_value(self._mapping.field(path), value))
                case MatchNone():
                    # a fraction, which no whole number equals
                    values.append(0.5)
                case _:
                    raise IllegalArgument("[terms_set] on dates that are not instants cannot be written as a body")
        shown: Json = {"terms": values} | _boosted(query.boost)
        if isinstance(query.minimum, DocValue):
            return {field: shown | {"minimum_should_match_field": query.minimum.field}}
        return {field: shown | {"minimum_should_match_script": render_script(query.minimum)}}

    def _special(self, query: Nested | Knn | Sparse) -> Json:
        boost = _boosted(query.boost)
        match query:
            case Nested():
                shown: Json = {
                    "path": query.path, "query": self.query(query.query), "score_mode": query.score_mode.value,
                }  # fmt: skip
                if query.inner_hits is not None:
                    shown["inner_hits"] = render_inner_hits(query.inner_hits, self._mapping, self.query)
                return {"nested": shown | boost}
            case Knn():
                return self._knn(query)
            case Sparse(field, tokens):
                return {"neural_sparse": {field: {"query_tokens": dict(tokens)} | boost}}

    def _knn(self, query: Knn) -> Json:
        slot = self._slots[query.slot]
        shown: Json
        if isinstance(slot, EmbedText):
            kind, shown = "neural", {"query_text": slot.text, "model_id": slot.model_id}
        else:
            kind, shown = "knn", {"vector": list(slot.values)}
        shown |= _given(k=query.k, max_distance=query.max_distance, min_score=query.min_score)
        if query.filter is not None:
            shown["filter"] = self.query(query.filter)
        if query.expand_nested:
            shown["expand_nested_docs"] = True
        if query.ef_search is not None:
            shown["method_parameters"] = {"ef_search": query.ef_search}
        return {kind: {query.field: shown | _boosted(query.boost)}}


def _boosted(boost: float) -> Json:
    return {} if boost == 1.0 else {"boost": boost}


def _plain(query: MatchAll | MatchNone | Ids) -> Json:
    match query:
        case MatchAll(boost):
            return {"match_all": _boosted(boost)}
        case MatchNone():
            return {"match_none": {}}
        case Ids(values, boost):
            return {"ids": {"values": list(values)} | _boosted(boost)}


def _given(**options: Any) -> Json:
    return {name: value for name, value in options.items() if value is not None}


def _named(name: str, body: Json) -> Json:
    ((kind, options),) = body.items()
    if kind in _BY_FIELD:
        ((field, inner),) = options.items()
        return {kind: {field: inner | {"_name": name}}}
    return {kind: options | {"_name": name}}


def _compound(query: Bool | DisMax | ConstantScore | Boosting, render: Callable[[Query], Json]) -> Json:
    boost = _boosted(query.boost)
    match query:
        case Bool():
            lists = {"must": query.must, "filter": query.filter, "should": query.should, "must_not": query.must_not}
            shown: Json = {name: [render(clause) for clause in clauses] for name, clauses in lists.items() if clauses}
            return {"bool": shown | _given(minimum_should_match=query.minimum_should_match) | boost}
        case DisMax(queries, tie_breaker):
            return {"dis_max": {"queries": [render(one) for one in queries], "tie_breaker": tie_breaker} | boost}
        case ConstantScore(inner):
            return {"constant_score": {"filter": render(inner)} | boost}
        case Boosting(positive, negative, factor):
            shown = {"positive": render(positive), "negative": render(negative), "negative_boost": factor}
            return {"boosting": shown | boost}


def _text(query: TextMatch | TextCross | TextPhrase | TextTerms | Pattern | KeywordTerms) -> Json:
    boost = _boosted(query.boost)
    match query:
        case TextMatch():
            kind = "match_bool_prefix" if query.last_prefix else "match"
            return {kind: {query.field: _match(query) | boost}}
        case TextCross():
            fields = [f"{path}^{factor}" for path, factor in query.fields]
            how = {"fields": fields, "type": "cross_fields", "tie_breaker": query.tie_breaker}
            return {"multi_match": _words(query) | how | boost}
        case TextPhrase():
            kind = "match_phrase_prefix" if query.prefix else "match_phrase"
            shown: Json = {"query": query.text, "slop": query.slop} | _given(analyzer=query.analyzer)
            if query.zero_terms_all:
                shown["zero_terms_query"] = "all"
            if query.prefix:
                shown["max_expansions"] = query.max_expansions
            return {kind: {query.field: shown | boost}}
        case TextTerms(field, values, scored) | KeywordTerms(field, values, scored):
            if scored:
                return {"term": {field: {"value": values[0]} | boost}}
            return {"terms": {field: list(values)} | boost}
        case Pattern():
            return _pattern(query)


def _words(query: TextMatch | TextCross) -> Json:
    shown: Json = {"query": query.text} | _given(
        minimum_should_match=query.minimum_should_match, analyzer=query.analyzer
    )
    if query.operator is Operator.AND:
        shown["operator"] = "and"
    if query.zero_terms_all:
        shown["zero_terms_query"] = "all"
    return shown


def _match(query: TextMatch) -> Json:
    shown = _words(query)
    if query.fuzziness is not None:
        shown["fuzziness"] = _fuzziness(query.fuzziness)
    return shown | {
        "prefix_length": query.prefix_length,
        "max_expansions": query.max_expansions,
        "fuzzy_transpositions": query.transpositions,
    }


def _pattern(query: Pattern) -> Json:
    shown: Json = {"value": query.value} | _boosted(query.boost)
    if query.kind is PatternKind.FUZZY:
        shown |= {
            "fuzziness": _fuzziness(query.fuzziness),
            "prefix_length": query.prefix_length,
            "max_expansions": query.max_expansions,
            "transpositions": query.transpositions,
        }
    if query.case_insensitive:
        shown["case_insensitive"] = True
    kind = "term" if query.kind is PatternKind.EXACT else query.kind.value
    return {kind: {query.field: shown}}


def _fuzziness(allowed: Fuzziness) -> str:
    return f"AUTO:{allowed.low},{allowed.high}" if allowed.edits is None else str(allowed.edits)

"""The text that Lucene gives a query (``+t:a #k:b``), as ``_validate/query`` explains it. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from antiphon.domain.field import Family, Field, FieldType
from antiphon.domain.mapping import IndexMapping
from antiphon.query.leaves import (
    Exists,
    KeywordRange,
    KeywordTerms,
    MatchAll,
    MatchNone,
    NumberRange,
    NumberTerms,
    Operator,
    Pattern,
    PatternKind,
    TextCross,
    TextMatch,
    TextPhrase,
    TextTerms,
)
from antiphon.query.minimum import required_matches
from antiphon.query.nodes import (
    Bool,
    Boosting,
    ConstantScore,
    DisMax,
    Named,
    Query,
)

Words = Sequence[tuple[int, Sequence[str]]]
"""(position, terms at it)."""
Analyse = Callable[[str, str, str | None], Words]
"""The words of (field, text, analyzer or None for the field's search analyzer)."""

_INTS = frozenset({FieldType.INTEGER, FieldType.SHORT, FieldType.BYTE})
_LONGS = frozenset({FieldType.LONG, FieldType.DATE})
_NO_TERMS = 'MatchNoDocsQuery("Matching no documents because no terms present")'
_NONE = 'MatchNoDocsQuery("User requested "match_none" query.")'


class _NoText(Exception):
    """A query whose text in Lucene says nothing, or an address in memory."""


def lucene_text(query: Query, mapping: IndexMapping, analyse: Analyse) -> str | None:
    """Return the text; None when the query has a part without one (scripts, functions, vectors, addresses ...)."""
    try:
        return _Teller(mapping, analyse).text(query)
    except _NoText:
        return None


class _Teller:
    def __init__(self, mapping: IndexMapping, analyse: Analyse) -> None:
        self._mapping, self._analyse = mapping, analyse

    def text(self, query: Query) -> str:
        """Return the text with its boost: ``(t:a t:b)^2.0``."""
        boost = getattr(query, "boost", 1.0)
        return self._plain(query) if boost == 1.0 else f"({self._plain(query)})^{float(boost)}"

    def _plain(self, query: Query) -> str:  # noqa: C901  one case per node
        match query:
            case MatchAll():
                return _approximated("*:*", "*:*")
            case MatchNone():
                return _NONE
            case Named():
                return self.text(query.query)
            case Bool():
                return self._bool(query)
            case DisMax():
                parts = " | ".join(map(self._inner, query.queries))
                return f"({parts})" + (f"~{float(query.tie_breaker)}" if query.tie_breaker else "")
            case ConstantScore():
                return f"ConstantScore({self.text(query.filter)})"
            case Boosting():
                negative = f"boost(queryboost(score({self.text(query.negative)}))^{query.negative_boost})"
                return f"FunctionScoreQuery({self.text(query.positive)}, scored by {negative})"
            case TextMatch() | TextCross():
                return self._match(query)
            case TextPhrase():
                return self._phrase(query)
            case TextTerms(field, values, scored):
                return f"{field}:{values[0]}" if scored else _set_of(field, values)
            case KeywordTerms():
                return self._keywords(query)
            case Pattern():
                return _pattern(query)
            case KeywordRange():
                return self._texts_between(query)
            case NumberTerms():
                return self._numbers(query)
            case NumberRange():
                return self._numbers_between(query)
            case Exists():
                return f"ConstantScore({' '.join(map(self._exists, query.fields))})"
            case _:
                raise _NoText

    def _inner(self, query: Query) -> str:
        """Return a clause's text; what is a boolean query itself stands in brackets."""
        text = self.text(query)
        return f"({text})" if self._is_boolean(query) else text

    def _is_boolean(self, query: Query) -> bool:
        match query:
            case Named():
                return self._is_boolean(query.query)
            case Bool(boost=1.0):
                return bool(query.must or query.filter or query.should or query.must_not)
            case TextMatch(boost=1.0) | TextCross(boost=1.0):
                return len(self._analyse(query.field, query.text, query.analyzer)) > 1
            case _:
                return False

    def _bool(self, query: Bool) -> str:
        signed = (("+", query.must), ("-", query.must_not), ("", query.should), ("#", query.filter))
        parts = [sign + self._inner(clause) for sign, clauses in signed for clause in clauses]
        if not parts:
            return _approximated("*:*", "*:*")
        if len(parts) == len(query.must_not):
            parts.append("#*:*")
        needed = required_matches(query.minimum_should_match, len(query.should), 0)
        return _at_least(needed, parts)

    def _match(self, query: TextMatch | TextCross) -> str:
        words = self._analyse(query.field, query.text, query.analyzer)
        if not words:
            return "*:*" if query.zero_terms_all else _NO_TERMS
        parts = [_word(query, terms) for _, terms in words]
        if isinstance(query, TextMatch) and query.last_prefix:
            parts[-1] = f"{query.field}:{words[-1][1][-1]}*"
        if len(parts) == 1:
            return parts[0]
        optional = len(parts)
        if query.operator is Operator.AND:
            optional, parts = 0, [f"+{part}" for part in parts]
        return _at_least(required_matches(query.minimum_should_match, optional, 0), parts)

    def _phrase(self, query: TextPhrase) -> str:
        words = self._analyse(query.field, query.text, query.analyzer)
        if not words:
            return "*:*" if query.zero_terms_all else _NO_TERMS
        if len(words) == 1 and not query.prefix:
            return _any_of(query.field, words[0][1])
        shown: list[str] = []
        for position, terms in words:
            shown += ["?"] * (position - words[0][0] - len(shown))
            shown.append(terms[0] if len(terms) == 1 else f"({' '.join(terms)})")
        star, slop = "*" if query.prefix else "", f"~{query.slop}" if query.slop else ""
        return f'{query.field}:"{" ".join(shown)}{star}"{slop}'

    def _keywords(self, query: KeywordTerms) -> str:
        if self._field(query.field).type is not FieldType.KEYWORD:
            raise _NoText
        if query.listed:
            return _set_of(query.field, query.values)
        text = f"{query.field}:{query.values[0]}"
        return text if query.scored else f"ConstantScore({text})"

    def _texts_between(self, query: KeywordRange) -> str:
        if self._field(query.field).type is FieldType.IP:
            raise _NoText
        low, high = ("*" if end is None else end for end in (query.low, query.high))
        text = f"{query.field}:{'[' if query.include_low else '{'}{low} TO {high}{']' if query.include_high else '}'}"
        return _twice(text, text) if self._has_columns(query.field) else text

    def _numbers(self, query: NumberTerms) -> str:
        field = self._field(query.field)
        if field.type is FieldType.BOOLEAN:
            if len(query.values) > 1:
                return f"FieldExistsQuery [field={field.path}]"
            return f"{field.path}:{'T' if query.values[0] else 'F'}"
        if len(query.values) == 1:
            return self._between(field, query.values[0], query.values[0])
        shown = f"{field.path}:{{{' '.join(_number(field, value) for value in query.values)}}}"
        columns = f"{field.path}: [{', '.join(str(_sortable(field, value)) for value in query.values)}]"
        return _twice(shown, columns) if self._has_columns(field.path) else shown

    def _numbers_between(self, query: NumberRange) -> str:
        field = self._field(query.field)
        low, high = _ends(field)
        low = low if query.low is None else _first(field, query.low, included=query.include_low)
        high = high if query.high is None else -_first(field, -query.high, included=query.include_high)
        text = self._between(field, low, high)
        return _approximated(text, _span(field, low, high)) if field.indexed else text

    def _between(self, field: Field, low: float, high: float) -> str:
        shown = _span(field, low, high)
        columns = f"{field.path}:[{_sortable(field, low)} TO {_sortable(field, high)}]"
        return _twice(shown, columns) if self._has_columns(field.path) and field.indexed else shown

    def _exists(self, path: str) -> str:
        field = self._field(path)
        known = self._has_columns(path) or (field.family is Family.TEXT and field.norms)
        return f"FieldExistsQuery [field={path}]" if known else f"_field_names:{path}"

    def _has_columns(self, path: str) -> bool:
        field = self._field(path)
        return field.doc_values and field.family is not Family.TEXT

    def _field(self, path: str) -> Field:
        field = self._mapping.fields.get(path)
        if field is None:
            raise _NoText
        return field


def _at_least(needed: int, parts: Sequence[str]) -> str:
    text = " ".join(parts)
    return f"({text})~{needed}" if needed > 0 else text


def _set_of(field: str, values: Sequence[str]) -> str:
    return f"{field}:({' '.join(sorted(values))})"


def _any_of(field: str, terms: Sequence[str]) -> str:
    shown = " ".join(f"{field}:{term}" for term in terms)
    return shown if len(terms) == 1 else f"Synonym({shown})"


def _word(query: TextMatch | TextCross, terms: Sequence[str]) -> str:
    if isinstance(query, TextCross):
        fields = [(path, "" if boost == 1.0 else f"^{boost}") for path, boost in query.fields]
        return f"blended(terms:[{', '.join(f'{path}:{term}{boost}' for path, boost in fields for term in terms)}])"
    if query.fuzziness is None:
        return _any_of(query.field, terms)
    return " ".join(f"{query.field}:{term}~{query.fuzziness.edits_for(len(term))}" for term in terms)


def _pattern(query: Pattern) -> str:
    if query.case_insensitive or query.kind is PatternKind.EXACT:
        raise _NoText
    shown = {
        PatternKind.PREFIX: f"{query.value}*",
        PatternKind.WILDCARD: query.value,
        PatternKind.REGEXP: f"/{query.value}/",
        PatternKind.FUZZY: f"{query.value}~{query.fuzziness.edits_for(len(query.value))}",
    }
    return f"{query.field}:{shown[query.kind]}"


def _span(field: Field, low: float, high: float) -> str:
    return f"{field.path}:[{_number(field, low)} TO {_number(field, high)}]"


def _approximated(exact: str, approximate: str) -> str:
    return f"ApproximateScoreQuery(originalQuery={exact}, approximationQuery=Approximate({approximate}))"


def _twice(by_index: str, by_columns: str) -> str:
    return f"IndexOrDocValuesQuery(indexQuery={by_index}, dvQuery={by_columns})"


def _ends(field: Field) -> tuple[float, float]:
    """The bounds that stand for an open side."""
    if field.type in _INTS:
        return -(2**31), 2**31 - 1
    return (-(2**63), 2**63 - 1) if field.type in _LONGS else (-math.inf, math.inf)


def _first(field: Field, low: float, *, included: bool) -> float:
    """The least number that is at least ``low``, or above it."""
    if field.family is Family.WHOLE:
        return math.ceil(low) if included else math.floor(low) + 1
    if field.type is FieldType.FLOAT:
        return float(np.float32(low) if included else np.nextafter(np.float32(low), np.float32(math.inf)))
    return low if included else math.nextafter(low, math.inf)


def _number(field: Field, value: float) -> str:
    """A number as Java writes it."""
    if field.type in _INTS or field.type in _LONGS:
        return str(int(value))
    if field.type not in (FieldType.FLOAT, FieldType.DOUBLE):
        raise _NoText
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value and not 1e-3 <= abs(value) < 1e7:  # Java changes to its own powers of ten here
        raise _NoText
    return str(np.float32(value)) if field.type is FieldType.FLOAT else repr(float(value))


def _sortable(field: Field, value: float) -> int:
    """A number as a column keeps it: the bits of a real one, so that they sort as it does."""
    if field.family is Family.WHOLE:
        return int(value)
    single = field.type is FieldType.FLOAT
    bits = int(np.float32(value).view(np.int32) if single else np.float64(value).view(np.int64))
    return bits if bits >= 0 else bits ^ (0x7FFFFFFF if single else 0x7FFFFFFFFFFFFFFF)

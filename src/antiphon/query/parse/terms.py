"""Term-level clauses: term, terms, terms_set, range, exists, ids, prefix, wildcard, regexp, fuzzy."""

from __future__ import annotations

import re
from typing import Any

from antiphon.domain.field import IGNORED, Family, Field, FieldType
from antiphon.domain.values import normalized, scalar_text
from antiphon.errors import IllegalArgument, ParsingError, QueryShardError
from antiphon.query import reading
from antiphon.query.leaves import (
    Exists,
    Fuzziness,
    Ids,
    KeywordRange,
    MatchAll,
    MatchNone,
    NumberRange,
    Pattern,
    PatternKind,
)
from antiphon.query.nodes import Query, TermsSet
from antiphon.query.parse.fields import (
    OTHER_METADATA,
    any_term,
    bound_of,
    date_of,
    index_matches,
    is_beyond,
    one_term,
    searchable,
    worded,
)
from antiphon.query.parse.options import BLENDED, CONSTANT, Body, flag, fuzziness, needed, one_field, rewrite, whole
from antiphon.query.parse.reasons import only, refused, unbound
from antiphon.query.pattern import compiled_pattern
from antiphon.query.scope import Scope
from antiphon.query.script import DocValue, Expression
from antiphon.query.script_parse import parse_script

_ALL_FLAGS = 255
_FLAGS = {"INTERSECTION": (1, "&"), "COMPLEMENT": (2, "~"), "EMPTY": (4, "#"), "ANYSTRING": (8, "@")}
_FLAGS |= {"INTERVAL": (32, "<"), "NONE": (0, ""), "ALL": (_ALL_FLAGS, "")}
_REGEXP_PART = re.compile(r'\\.|"[^"]*"|\[(?:\\.|[^\]])*\]|[&~#@<]', re.DOTALL)
_RANGE = ("gt", "gte", "lt", "lte", "from", "to", "include_lower", "include_upper", "format", "time_zone", "relation")


def parse_term(body: Body, scope: Scope) -> Query:
    """Return the query for one exact value."""
    if any(isinstance(value, list) for key, value in body.items() if key not in ("boost", "_name")):
        raise ParsingError("[term] query does not support array of values")
    name, options = one_field("term", body, "value")
    only("term", options, ("value", "case_insensitive"))
    value = needed("term", options, "value")
    boost = reading.boost("term", options)
    if flag(options, "case_insensitive", False):
        field = searchable(name, scope)
        if field is not None and not worded(field):
            kind = f"[{name}] field which is of type [{field.type.value}]"
            raise QueryShardError(f"{kind}, does not support case insensitive term queries")
        if field is not None:
            return Pattern(field.path, PatternKind.EXACT, scalar_text(value), case_insensitive=True, boost=boost)
    return one_term(name, value, scope, boost)


def parse_terms(body: Body, scope: Scope) -> Query:
    """Return the query for any of several exact values."""
    names = [key for key in body if key not in ("boost", "_name", "value_type")]
    if len(names) > 1:
        raise ParsingError(f"[terms] query does not support multiple fields, found [{names[0]}] and [{names[1]}]")
    if not names:
        raise ParsingError(
            "[terms] query requires a field name, followed by array of terms or a document lookup specification"
        )
    values = body[names[0]]
    if isinstance(values, dict):
        raise refused("terms lookup", "fetch the document first and list its values")
    if not isinstance(values, list):
        raise ParsingError(f"[terms] query does not support [{names[0]}]")
    if any(value is None for value in values):
        raise IllegalArgument("No value specified for terms query")
    if len(values) > scope.max_terms:
        raise unbound(
            f"The number of terms [{len(values)}] used in the Terms Query request has exceeded the allowed maximum of "
            f"[{scope.max_terms}]. This maximum can be set by changing the [index.max_terms_count] index level setting."
        )
    return any_term(names[0], [reading.scalar("terms", value) for value in values], scope, reading.boost("terms", body))


def parse_terms_set(body: Body, scope: Scope) -> Query:
    """Return a query for enough of several values, how many a field or a script says per document."""
    name, options = one_field("terms_set", body, None)
    only("terms_set", options, ("terms", "minimum_should_match_field", "minimum_should_match_script"))
    values = options.get("terms")
    if not isinstance(values, list):
        raise ParsingError(f"[terms_set] unknown token [{reading.token(values)}] after [terms]")
    by_field, by_script = options.get("minimum_should_match_field"), options.get("minimum_should_match_script")
    if (by_field is None) == (by_script is None):
        raise IllegalArgument(
            "No minimum should match has been specified"
            if by_field is None
            else "[terms_set] needs either [minimum_should_match_field] or [minimum_should_match_script], not both"
        )
    minimum: Expression
    if by_field is not None:
        counted = scope.field(reading.text("minimum_should_match_field", by_field))
        if counted is None:
            return MatchNone()
        minimum = DocValue(counted.path)
    else:
        minimum = parse_script(by_script, scope, extra={"num_terms": len(values)})
    terms = tuple(one_term(name, reading.scalar("terms_set", value), scope, 1.0) for value in values)
    return TermsSet(terms, minimum, reading.boost("terms_set", options)) if terms else MatchNone()


def parse_range(body: Body, scope: Scope) -> Query:
    """Return the query for values between bounds."""
    name, options = one_field("range", body, None)
    only("range", options, _RANGE)
    low, include_low = _side(options, "gt", "gte", "from", "include_lower")
    high, include_high = _side(options, "lt", "lte", "to", "include_upper")
    relation = str(options.get("relation", "intersects")).lower()
    if relation not in ("intersects", "contains", "within"):
        raise IllegalArgument(f"{relation} is not a valid relation")
    boost = reading.boost("range", options)
    if name == "_id":
        raise unbound("Field [_id] of type [_id] does not support range queries")
    field = searchable(name, scope)
    if field is None:
        return MatchNone()
    if low is None and high is None:
        return Exists((field.path,), boost)
    if field.type is FieldType.DATE:
        return _date_range(field, (low, include_low), (high, include_high), options, scope, boost)
    ends = [None if value is None else bound_of(field, value, scope) for value in (low, high)]
    if field.family in (Family.TEXT, Family.KEYWORD):
        texts = [None if end is None else str(end) for end in ends]
        return KeywordRange(field.path, texts[0], texts[1], include_low, include_high, boost)
    if field.type is FieldType.BOOLEAN:
        inside = [
            value for value in (0, 1) if _above(ends[0], value, include_low) and _above(value, ends[1], include_high)
        ]
        return any_term(name, ["true" if value else "false" for value in inside], scope, boost)
    if is_beyond(field, ends[0]):
        return MatchNone()
    numbers = [end if isinstance(end, (int, float)) and not is_beyond(field, end) else None for end in ends]
    if numbers == [None, None]:
        return Exists((field.path,), boost)
    return NumberRange(field.path, numbers[0], numbers[1], include_low, include_high, boost)


def _side(options: Body, open_key: str, closed_key: str, old_key: str, include_key: str) -> tuple[Any, bool]:
    """Return a bound (None: open) and whether it is included; the key written last counts, as upstream."""
    value, included = None, flag(options, include_key, True)
    for key in options:
        if key in (open_key, closed_key, old_key):
            value = options[key]
            included = included if key == old_key else key == closed_key
            if isinstance(value, (dict, list)):
                raise ParsingError(f"[range] query does not support [{key}] of {reading.token(value)}")
    return value, included or value is None


def _above(low: Any, value: Any, included: bool) -> bool:
    """True for a value above an open (None), included or excluded bound; either side may be the bound."""
    return low is None or value is None or low < value or (included and low == value)


def _date_range(
    field: Field, low: tuple[Any, bool], high: tuple[Any, bool], options: Body, scope: Scope, boost: float
) -> Query:
    format_ = None if options.get("format") is None else str(options["format"])
    zone = None if options.get("time_zone") is None else str(options["time_zone"])
    first = (
        None if low[0] is None else date_of(field, low[0], scope, format_=format_, time_zone=zone, round_up=not low[1])
    )
    last = (
        None if high[0] is None else date_of(field, high[0], scope, format_=format_, time_zone=zone, round_up=high[1])
    )
    return NumberRange(field.path, first, last, low[1], high[1], boost)


def parse_exists(body: Body, scope: Scope) -> Query:
    """Return the query for documents with a value in a field, or in any field below an object."""
    only("exists", body, ("field",))
    if "field" not in body:
        raise ParsingError("[exists] must be provided with a [field]")
    return field_exists(reading.text("field", body["field"]), scope, reading.boost("exists", body))


def field_exists(pattern: str, scope: Scope, boost: float = 1.0) -> Query:
    """Return the query for documents with a value in a field (or pattern), or below an object."""
    if pattern in ("_id", "_index", "_source", "_seq_no", "_version", "*"):
        return MatchAll(boost)
    if pattern in OTHER_METADATA:
        raise refused(f"exists on {pattern}", "ask for [_id], [_index] or a field of the mapping")
    if pattern == IGNORED.path and not scope.level:
        return Exists((pattern,), boost)
    found = scope.mapping.matching(pattern) if "*" in pattern else scope.mapping.leaves_below(pattern)
    paths = tuple(dict.fromkeys(field.path for field in found if scope.sees(field)))
    return Exists(paths, boost) if paths else MatchNone()


def parse_ids(body: Body, _scope: Scope) -> Query:
    """Return the query for documents by id."""
    only("ids", body, ("values",))
    values = tuple(dict.fromkeys(reading.texts("ids", body.get("values", []))))
    return Ids(values, reading.boost("ids", body)) if values else MatchNone()


def parse_prefix(body: Body, scope: Scope) -> Query:
    """Return the query for values that begin like this."""
    return _pattern("prefix", PatternKind.PREFIX, body, scope, "value")


def parse_wildcard(body: Body, scope: Scope) -> Query:
    """Return the query for values of a pattern with ``*`` and ``?``."""
    return _pattern("wildcard", PatternKind.WILDCARD, body, scope, "wildcard")


def parse_regexp(body: Body, scope: Scope) -> Query:
    """Return the query for values that fit a regular expression."""
    return _pattern("regexp", PatternKind.REGEXP, body, scope, "value")


def _pattern(query: str, kind: PatternKind, body: Body, scope: Scope, alias: str) -> Query:
    name, options = one_field(query, body, "value")
    syntax = ("flags", "flags_value", "max_determinized_states") if kind is PatternKind.REGEXP else ()
    only(query, options, ("value", alias, "case_insensitive", "rewrite", *syntax))
    value = str(needed(query, {"value": options.get("value", options.get(alias))}, "value"))
    value = _with_flags(value, options) if syntax else value
    rewrite(options, "rewrite", CONSTANT)
    return pattern_query(
        name,
        kind,
        value,
        scope,
        reading.boost(query, options),
        case_insensitive=flag(options, "case_insensitive", False),
    )


def _with_flags(value: str, options: Body) -> str:
    """Return the expression with the operators quoted that ``flags``, or their number, leave out."""
    number = reading.integer("flags_value", options.get("flags_value", _ALL_FLAGS))
    if options.get("flags"):
        number = 0
        for name in str(options["flags"]).split("|"):
            if name.upper() not in _FLAGS:
                raise IllegalArgument(f"Unknown regexp flag [{name}]")
            number |= _FLAGS[name.upper()][0]
    plain = "".join(sign for bit, sign in _FLAGS.values() if not number & bit)
    return _REGEXP_PART.sub(lambda part: f"\\{part[0]}" if part[0] in plain else part[0], value) if plain else value


def pattern_query(
    name: str, kind: PatternKind, value: str, scope: Scope, boost: float, *, case_insensitive: bool = False
) -> Query:
    """Return the query for a pattern on a text or keyword field; another kind of field is a failed query."""
    if name == "_index":
        star = value + "*" if kind is PatternKind.PREFIX else value
        return MatchAll(boost) if index_matches(star, scope) else MatchNone()
    field = searchable(name, scope) if name != "_id" else None
    if name == "_id" or (field is not None and not worded(field)):
        of_type = "_id" if field is None else field.type.value
        reason = f"queries on keyword and text fields - not on [{name}] which is of type [{of_type}]"
        raise QueryShardError(f"Can only use {kind.value} {reason}")
    if field is None:
        return MatchNone()
    pattern = Pattern(field.path, kind, normalized(field, value), case_insensitive=case_insensitive, boost=boost)
    if kind is PatternKind.REGEXP:
        compiled_pattern(pattern)  # an expression that cannot be read is the query's fault, not a document's
    return pattern


def parse_fuzzy(body: Body, scope: Scope) -> Query:
    """Return the query for terms a few edits away."""
    name, options = one_field("fuzzy", body, "value")
    only("fuzzy", options, ("value", "fuzziness", "prefix_length", "max_expansions", "transpositions", "rewrite"))
    value = str(needed("fuzzy", options, "value"))
    return fuzzy_query(
        name,
        value,
        fuzziness(options.get("fuzziness", "AUTO")),
        scope,
        reading.boost("fuzzy", options),
        prefix_length=whole("fuzzy", options, "prefix_length", 0),
        max_expansions=rewrite(options, "rewrite", BLENDED) or whole("fuzzy", options, "max_expansions", 50),
        transpositions=flag(options, "transpositions", True),
    )


def fuzzy_query(
    name: str,
    value: str,
    edits: Fuzziness | None,
    scope: Scope,
    boost: float,
    *,
    prefix_length: int = 0,
    max_expansions: int = 50,
    transpositions: bool = True,
) -> Query:
    """Return the query for terms within ``edits`` of a value; a number field is a failed query."""
    field = searchable(name, scope)
    if field is None:
        return MatchNone()
    if not worded(field):
        raise unbound(
            f"Can only use fuzzy queries on keyword and text fields - not on [{name}] which is of type "
            f"[{field.type.value}]"
        )
    return Pattern(
        field.path,
        PatternKind.FUZZY,
        normalized(field, value),
        False,
        edits or Fuzziness(0),
        prefix_length,
        max_expansions,
        transpositions,
        boost,
    )

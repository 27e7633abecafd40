"""Clauses that change scores or test scripts: function_score, script_score, script."""

from __future__ import annotations

import re
from typing import Any

from antiphon.domain.field import Family, Field, FieldType
from antiphon.errors import IllegalArgument, ParsingError
from antiphon.query import reading
from antiphon.query.leaves import MatchAll, ScriptFilter
from antiphon.query.nodes import (
    BoostMode,
    Decay,
    FieldValueFactor,
    FunctionScore,
    Query,
    RandomScore,
    ScoreFunction,
    ScoreMode,
    ScriptScore,
)
from antiphon.query.parse.fields import date_of
from antiphon.query.parse.options import Body, Parse
from antiphon.query.parse.reasons import only, unbound
from antiphon.query.scope import Scope
from antiphon.query.script import Expression
from antiphon.query.script_parse import parse_script

_DECAYS = ("gauss", "exp", "linear")
_FUNCTIONS = ("field_value_factor", "random_score", "script_score", *_DECAYS)
_TOP = ("query", "functions", "weight", "score_mode", "boost_mode", "max_boost", "min_score", *_FUNCTIONS)
_MODIFIERS = reading.words("none log log1p log2p ln ln1p ln2p square sqrt reciprocal")
_SPAN = re.compile(r"(-?\d+(?:\.\d+)?)\s*(nanos|micros|ms|s|m|h|d)")
_UNIT_MS = {"nanos": 1e-6, "micros": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4, "h": 3.6e6, "d": 8.64e7}

Function = FieldValueFactor | RandomScore | Decay | Expression | None


def parse_function_score(body: Body, scope: Scope, parse: Parse) -> Query:
    """Return a query whose score functions change."""
    only("function_score", body, _TOP)
    query = parse(body["query"], scope) if "query" in body else MatchAll()
    single = [key for key in _FUNCTIONS if key in body]
    if "functions" in body and (single or "weight" in body):
        raise ParsingError(
            f"failed to parse [function_score] query. already found [functions] array, now encountering "
            f"[{(single or ['weight'])[0]}]."
        )
    listed = body.get("functions")
    if listed is None:
        listed = [{key: body[key] for key in (*single, "weight") if key in body}] if single or "weight" in body else []
    if not isinstance(listed, list):
        raise ParsingError("failed to parse [function_score] query. [functions] must be an array")
    score_mode = str(body.get("score_mode", "multiply")).lower()
    boost_mode = str(body.get("boost_mode", "multiply")).lower()
    if score_mode not in set(ScoreMode) - {ScoreMode.NONE}:
        raise IllegalArgument(f"No enum constant ScoreMode.{score_mode.upper()}")
    if boost_mode not in set(BoostMode):
        raise IllegalArgument(f"No enum constant CombineFunction.{boost_mode.upper()}")
    limits = [None if body.get(key) is None else reading.number(key, body[key]) for key in ("max_boost", "min_score")]
    functions = tuple(_function(reading.an_object("functions", entry), scope, parse) for entry in listed)
    return FunctionScore(
        query,
        functions,
        ScoreMode(score_mode),
        BoostMode(boost_mode),
        limits[0],
        limits[1],
        reading.boost("function_score", body),
    )


def _function(entry: Body, scope: Scope, parse: Parse) -> ScoreFunction:
    reading.only("[function_score]", entry, ("filter", "weight", "_name", *_FUNCTIONS))
    kinds = [key for key in _FUNCTIONS if key in entry]
    if len(kinds) > 1:
        raise ParsingError(
            f"failed to parse function_score functions. already found [{kinds[0]}], now encountering [{kinds[1]}]."
        )
    if not kinds and "weight" not in entry:
        raise ParsingError("an entry in functions list is missing a function.")
    kept = parse(entry["filter"], scope) if "filter" in entry else None
    weight = reading.number("weight", entry.get("weight", 1.0))
    if weight < 0:
        raise IllegalArgument("[weight] cannot be negative for a filtering function")
    found = _kind(kinds[0], reading.an_object(kinds[0], entry[kinds[0]]), scope) if kinds else None
    return ScoreFunction(found, weight, kept)


def _kind(kind: str, body: Body, scope: Scope) -> Function:
    match kind:
        case "field_value_factor":
            return _field_value_factor(body, scope)
        case "random_score":
            reading.only("[random_score]", body, ("seed", "field"))
            return RandomScore(_seed(body.get("seed", scope.now_ms)))
        case "script_score":
            reading.only("[script_score]", body, ("script",))
            return parse_script(body.get("script"), scope)
        case _:
            return _decay(kind, body, scope)


def _seed(value: Any) -> int:
    if isinstance(value, str) and reading.as_number(value) is None:
        hashed = 0
        for letter in value:
            hashed = (hashed * 31 + ord(letter)) % 2**31
        return hashed
    return reading.integer("seed", value)


def _field_value_factor(body: Body, scope: Scope) -> FieldValueFactor:
    reading.only("[field_value_factor]", body, ("field", "factor", "modifier", "missing"))
    if "field" not in body:
        raise ParsingError("[field_value_factor] required field 'field' missing")
    modifier = str(body.get("modifier", "none")).lower()
    if modifier not in _MODIFIERS:
        raise IllegalArgument(f"No enum constant FieldValueFactorFunction.Modifier.{modifier.upper()}")
    missing = None if body.get("missing") is None else reading.number("missing", body["missing"])
    name = reading.text("field", body["field"])
    field = scope.field(name)
    if field is None and missing is None:
        raise unbound(f"Unable to find a field mapper for field [{name}]. No 'missing' value defined.")
    if field is not None:
        _numeric(field)
    path = name if field is None else field.path
    return FieldValueFactor(path, reading.number("factor", body.get("factor", 1.0)), modifier, missing)


def _numeric(field: Field) -> None:
    if field.family not in (Family.WHOLE, Family.REAL):
        raise unbound(f"field [{field.path}] is of type [{field.type.value}], but only numeric types are supported.")


def _decay(kind: str, body: Body, scope: Scope) -> Decay:
    mode = str(body.get("multi_value_mode", "min")).lower()
    if mode not in ("min", "max", "avg", "sum", "median"):
        raise IllegalArgument(f"Illegal multi_value_mode [{mode}]")
    names = [key for key in body if key != "multi_value_mode"]
    if len(names) != 1:
        raise ParsingError(f"[{kind}] malformed: it takes one field, found [{', '.join(names)}]")
    options = reading.an_object(names[0], body[names[0]])
    reading.only(f"[{kind}]", options, ("origin", "scale", "offset", "decay"))
    field = scope.field(names[0])
    if field is None:
        raise ParsingError(f"unknown field [{names[0]}]")
    _numeric(field)
    decay = reading.number("decay", options.get("decay", 0.5))
    if not 0 < decay < 1:
        raise IllegalArgument(f"decay must be set to a value 0 < decay < 1. but was [{decay}]")
    if "scale" not in options:
        raise ParsingError("both [scale] and [origin] must be set for numeric fields.")
    if field.type is FieldType.DATE:
        origin = float(
            date_of(field, options.get("origin", "now"), scope, format_=None, time_zone=None, round_up=False)
        )
        scale, offset = _span_ms(options["scale"]), _span_ms(options.get("offset", "0ms"))
    else:
        if "origin" not in options:
            raise ParsingError("both [scale] and [origin] must be set for numeric fields.")
        origin = reading.number("origin", options["origin"])
        scale, offset = reading.number("scale", options["scale"]), reading.number("offset", options.get("offset", 0))
    if scale <= 0:
        raise IllegalArgument("scale must be > 0 : " + str(scale))
    if offset < 0:
        raise IllegalArgument(f"offset must be >= 0 : {offset}")
    return Decay(kind, field.path, origin, scale, offset, decay, mode)


def _span_ms(value: Any) -> float:
    found = _SPAN.fullmatch(str(value).strip())
    if found is None:
        raise IllegalArgument(
            f"failed to parse setting [DecayFunctionBuilder.scale] with value [{value}] as a time "
            "value: unit is missing or unrecognized"
        )
    return float(found[1]) * _UNIT_MS[found[2]]


def parse_script_score(body: Body, scope: Scope, parse: Parse) -> Query:
    """Return every document of a query with the score of a script."""
    only("script_score", body, ("query", "script", "min_score"))
    for key in ("query", "script"):
        if key not in body:
            raise IllegalArgument(f"Required [{key}]")
    floor = None if body.get("min_score") is None else reading.number("min_score", body["min_score"])
    query = parse(body["query"], scope)
    return ScriptScore(query, parse_script(body["script"], scope), floor, reading.boost("script_score", body))


def parse_script_query(body: Body, scope: Scope) -> Query:
    """Return the documents for which a script is true."""
    only("script", body, ("script",))
    if "script" not in body:
        raise ParsingError("script must be provided with a [script] filter")
    return ScriptFilter(parse_script(body["script"], scope), reading.boost("script", body))

"""The two shapes most clauses have, ``{"field": options}`` and plain options, and the options they share."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from antiphon.errors import IllegalArgument, IllegalState, ParsingError
from antiphon.query import reading
from antiphon.query.leaves import Fuzziness, Operator
from antiphon.query.nodes import Query
from antiphon.query.parse.reasons import refused, unbound
from antiphon.query.scope import Scope

Parse = Callable[[object, Scope], Query]
"""``parse_query`` itself, handed to clauses that contain others."""

CONSTANT = "constant_score(?:_boolean)?"
BLENDED = r"top_terms_blended_freqs_(?P<terms>[1-9]\d*)"
ANY_REWRITE = rf"{CONSTANT}|scoring_boolean|top_terms_(?:boost_|blended_freqs_)?\d+"
"""The rewrite methods that patterns and fuzzy terms score by, and all there are."""

Body = dict[str, Any]


def one_field(query: str, body: Body, short: str | None) -> tuple[str, Body]:
    """Return the field and its options; with ``short``, ``{"field": value}`` means ``{"field": {short: value}}``."""
    names = [key for key in body if key not in ("boost", "_name")]
    if len(names) > 1:
        raise ParsingError(f"[{query}] query doesn't support multiple fields, found [{names[0]}] and [{names[1]}]")
    if not names:
        raise IllegalArgument("field name is null or empty")
    options = body[names[0]]
    if isinstance(options, list) and short is not None:
        raise ParsingError(f"[{query}] query does not support array of values")
    if not isinstance(options, dict):
        if short is None:
            raise ParsingError(f"[{query}] query malformed, no start_object after query name")
        options = {short: options}
    outside = {key: body[key] for key in ("boost", "_name") if key in body}
    return names[0], outside | options


def needed(query: str, options: Body, key: str) -> Any:
    """Return a scalar option that must be there."""
    value = options.get(key)
    if value is None:
        raise IllegalArgument("value cannot be null" if key == "value" else f"[{query}] requires {key} value")
    return reading.scalar(query, value)


def fuzziness(value: Any) -> Fuzziness | None:
    """Return the allowed edits of ``0``, ``1``, ``2``, ``AUTO`` or ``AUTO:3,6``; None when there may be none."""
    if value is None:
        return None
    text = str(value).strip().upper()
    if text == "AUTO":
        return Fuzziness()
    if text.startswith("AUTO:"):
        low, comma, high = text.removeprefix("AUTO:").partition(",")
        if comma and low.strip().isdigit() and high.strip().isdigit():
            return Fuzziness(None, int(low), int(high))
        raise IllegalArgument(f"failed to find low and high distance values in [{value}]")
    number = reading.as_number(value)
    if number is None or number not in (0.0, 1.0, 2.0):
        raise IllegalArgument(f"Valid edit distances are [0, 1, 2] but was [{value}]")
    return Fuzziness(int(number)) if number else None


def operator(query: str, value: Any) -> Operator:
    """Return ``or`` or ``and``, in any case."""
    spelled = str(value).lower()
    if spelled not in set(Operator):
        raise IllegalArgument(f"[{query}] query requires [operator] to be [or] or [and], but was [{value}]")
    return Operator(spelled)


def zero_terms_all(query: str, options: Body) -> bool:
    """Return True when a text without terms matches every document."""
    spelled = str(options.get("zero_terms_query", "none")).lower()
    if spelled not in ("none", "all"):
        raise ParsingError(f"Unsupported zero_terms_query value [{spelled}] of [{query}]")
    return spelled == "all"


def flag(options: Body, key: str, default: bool) -> bool:
    """Return a boolean option."""
    return reading.boolean(key, options[key]) if key in options else default


def whole(query: str, options: Body, key: str, default: int) -> int:
    """Return an integer option that is not negative."""
    value = reading.integer(key, options.get(key, default))
    if value < 0:
        raise IllegalArgument(f"[{query}] requires {key} to be greater than or equal to 0, but was [{value}]")
    return value


def rewrite(options: Body, key: str, kept: str) -> int | None:
    """Return how many terms a rewrite method keeps, None when it does not say; a method unlike ``kept`` is an error."""
    if options.get(key) is None:
        return None
    text = str(options[key])
    if (found := re.fullmatch(kept, text)) is not None:
        return int(found["terms"]) if "terms" in found.groupdict() else None
    if re.fullmatch(ANY_REWRITE, text):
        raise refused(f"{key}: {text}", "leave it out")
    raise unbound(f"Failed to parse rewrite_method [{text}]")


def nested_field(path: str, scope: Scope) -> None:
    """A failed query unless ``path`` is a nested object of the mapping."""
    if path not in scope.mapping.nested_paths:
        reason = f"[nested] failed to find nested object under path [{path}]"
        raise unbound(reason, IllegalState(reason))

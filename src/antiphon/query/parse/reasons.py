"""Errors of this room that two callers need to tell apart, and how the parsers word theirs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from antiphon.errors import (
    AntiphonError,
    ContentParse,
    IllegalArgument,
    ParseError,
    ParsingError,
    QueryShardError,
    ScriptError,
    TooManyClauses,
)
from antiphon.query import reading

AT = "[1:1]"
"""Line and column of a token: a parsed body has lost them."""


class Refused(IllegalArgument):
    """A feature that is not there; never wrapped, so that the reason stays on top."""


class NamedObjectNotFound(IllegalArgument):
    """The cause that OpenSearch gives to an unknown query or aggregation."""

    type = "named_object_not_found_exception"


class ShardParse(ParseError):
    """A date that cannot be read, which OpenSearch finds on the shard."""


class ShardArgument(IllegalArgument):
    """An illegal argument that OpenSearch finds on the shard, and so wraps as a failed search phase."""


def refused(feature: str, instead: str) -> Refused:
    """Return the refusal of a feature by name."""
    return Refused(f"[{feature}] is not supported by Antiphon: {instead}")


def not_found(name: str) -> NamedObjectNotFound:
    """Return the cause of an unknown query or aggregation."""
    return NamedObjectNotFound(f"[1:{len(name) + 4}] unknown field [{name}]")


def unbound(reason: str, cause: AntiphonError | None = None) -> QueryShardError:
    """Return the error of a query that cannot be built against the mapping."""
    return QueryShardError(f"failed to create query: {reason}", cause=cause or IllegalArgument(reason))


def is_shard_failure(error: AntiphonError) -> bool:
    """True for an error that OpenSearch raises on a shard: answer it as ``all shards failed``."""
    return isinstance(error, (QueryShardError, TooManyClauses, ScriptError, ShardArgument, ShardParse))


def failed_field(query: str, key: str, error: AntiphonError) -> AntiphonError:
    """Return the error of a clause inside ``query``'s ``key``, wrapped as OpenSearch's object parsers do."""
    if is_shard_failure(error) or isinstance(error, Refused):
        return error
    return ContentParse(f"{AT} [{query}] failed to parse field [{key}]", cause=error)


def only(query: str, options: Mapping[str, Any], allowed: Collection[str]) -> None:
    """ParsingError that names the first option outside ``allowed`` (``boost`` and ``_name`` always are)."""
    for key in options:
        if key not in allowed and key not in ("boost", "_name"):
            raise ParsingError(f"[{query}] query does not support [{key}]{reading.did_you_mean(key, allowed)}")


def strict(query: str, options: Mapping[str, Any], allowed: Collection[str]) -> None:
    """ContentParse that names the first option outside ``allowed``, as the strict object parsers word it."""
    for key in options:
        if key not in allowed and key not in ("boost", "_name"):
            raise ContentParse(f"{AT} [{query}] unknown field [{key}]{reading.did_you_mean(key, allowed)}")

"""A script of ``_update``, ``_update_by_query`` and ``_reindex``: assignments on ``ctx._source``, and ``ctx.op``."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from antiphon.domain.script_language import Statement, execute
from antiphon.domain.script_parser import parse_script
from antiphon.errors import IllegalArgument


class Operation(StrEnum):
    """What is to be done with the document after the script."""

    INDEX = "index"
    NOOP = "noop"
    DELETE = "delete"


_WORDS = {
    "index": Operation.INDEX,
    "create": Operation.INDEX,
    "none": Operation.NOOP,
    "noop": Operation.NOOP,
    "delete": Operation.DELETE,
}


@dataclass(frozen=True, slots=True)
class Scripted:
    """The outcome: what to do, the changed source, and the metadata as the script left it."""

    operation: Operation
    source: dict[str, Any]
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class UpdateScript:
    """A script with its parameters, ready to run on any number of documents."""

    statements: tuple[Statement, ...]
    params: Mapping[str, Any] = field(default_factory=dict)

    def run(self, source: Mapping[str, Any], metadata: Mapping[str, Any], operation: str = "index") -> Scripted:
        """Return the outcome on a copy of ``source``; ``metadata`` are ``_index``, ``_id``, ``_version`` ...

        ``operation`` is what ``ctx.op`` says at first (``create`` for a scripted upsert). ScriptError when the
        document does not fit the script; IllegalArgument for an operation that nobody knows.
        """
        context: dict[str, Any] = {**metadata, "op": operation, "_source": deepcopy(dict(source))}
        execute(self.statements, {"ctx": context, "params": deepcopy(dict(self.params))})
        word = context.pop("op", None)
        if word not in _WORDS:
            raise IllegalArgument(f"Operation type [{word}] not allowed, only [noop, index, delete] are allowed")
        changed = context.pop("_source", None)
        if not isinstance(changed, dict):
            raise IllegalArgument("[ctx._source] must be an object after the script")
        return Scripted(_WORDS[word], changed, context)


def parse_update_script(source: str, params: Mapping[str, Any] | None = None) -> UpdateScript:
    """Return the script; ScriptError names what is not understood and what is."""
    return UpdateScript(parse_script(source), dict(params or {}))


def script_of(body: object) -> UpdateScript:
    """Return the script of a request's ``script``: a string, or an object with ``source``, ``lang``, ``params``."""
    if isinstance(body, str):
        return parse_update_script(body)
    if not isinstance(body, Mapping):
        raise IllegalArgument("[script] must be a string or an object with [source] and [params]")
    unknown = [key for key in body if key not in ("source", "inline", "lang", "params", "options", "id")]
    if unknown:
        raise IllegalArgument(f"[script] unknown field [{unknown[0]}]")
    if body.get("id") is not None:
        raise IllegalArgument("[script.id] stored scripts are not supported by Antiphon: send [source]")
    source, params = body.get("source", body.get("inline")), body.get("params") or {}
    if not isinstance(source, str):
        raise IllegalArgument("must specify either [source] for an inline script or [id] for a stored script")
    if body.get("lang", "painless") != "painless":
        raise IllegalArgument(f"script_lang not supported [{body['lang']}]")
    if not isinstance(params, Mapping):
        raise IllegalArgument("[script.params] must be an object")
    return parse_update_script(source, params)

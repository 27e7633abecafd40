"""The body of ``_bulk``: lines of JSON into actions, and outcomes into items."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import orjson

from antiphon.domain.bulk import Action, Operation, RawAction
from antiphon.domain.json_keys import check_keys
from antiphon.domain.source import SourceFilter, token
from antiphon.domain.store import VersionType
from antiphon.domain.update import Update
from antiphon.errors import IllegalArgument, ParseError, ValidationError
from antiphon.query import parse_source
from antiphon.wire.document import read_update

_OPERATIONS = {operation.value: operation for operation in Operation}
_KEYS = {
    "_index": "index", "_id": "id", "routing": "routing", "_routing": "routing", "pipeline": "pipeline",
    "op_type": "op_type", "version": "version", "_version": "version", "version_type": "version_type",
    "_version_type": "version_type", "if_seq_no": "if_seq_no", "if_primary_term": "if_primary_term",
    "retry_on_conflict": "retry_on_conflict", "_retry_on_conflict": "retry_on_conflict",
    "require_alias": "require_alias", "_source": "_source",
}  # fmt: skip
_NUMBERS = frozenset({"version", "if_seq_no", "if_primary_term", "retry_on_conflict"})


@dataclass(frozen=True, slots=True)
class BulkDefaults:
    """What the path and the query string say for every action that does not say it itself."""

    index: str | None = None
    pipeline: str | None = None
    routing: str | None = None
    require_alias: bool = False
    fetch: SourceFilter | None = None


Line = tuple[int, RawAction]


def read_bulk(
    body: bytes, defaults: BulkDefaults, pace: Callable[[Iterator[Line]], Iterator[Line]] = iter
) -> list[Action]:
    """Return the actions in order; their sources are views of ``body``, not parsed yet. ``pace`` walks the lines.

    ParseError for an empty body, IllegalArgument for a missing last newline or a malformed action line, JsonError for
    one with a key twice, ValidationError when there is no action, or one has no index, lacks its id, or has parameters
    that do not go together: the whole request is refused.
    """
    _check_body(body)
    actions = [_action(number, raw, defaults) for number, raw in pace(_Reader(body).lines())]
    if not actions:
        raise ValidationError("no requests added")
    problems = [
        text for action in actions for text in ([] if action.index else ["index is missing"]) + action.problems()
    ]
    if problems:
        raise ValidationError(*problems)
    return actions


def read_lines(body: bytes) -> list[RawAction]:
    """Return the actions in order as they are spelled, their metadata and documents not looked into.

    ParseError, IllegalArgument and ValidationError as for ``read_bulk``.
    """
    _check_body(body)
    actions = [raw for _, raw in _Reader(body).lines()]
    if not actions:
        raise ValidationError("no requests added")
    return actions


def read_raw_update(raw: RawAction) -> Update:
    """Return the update of an action line and its body; raises what ``read_update`` does."""
    update = read_update(raw.source or b"")
    wanted = raw.metadata.get("_source")
    return update if update.fetch is not None or wanted is None else replace(update, fetch=parse_source(wanted))


def _check_body(body: bytes) -> None:
    if not body:
        raise ParseError("request body is required")
    if not body.endswith(b"\n"):
        raise IllegalArgument("The bulk request must be terminated by a newline [\\n]")


class _Reader:
    """Walks the lines; ``number`` is the one at hand, counted from 1."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._view = memoryview(body)
        self._at = 0
        self.number = 0

    def lines(self) -> Iterator[Line]:
        """Yield the number of each action line, and the action."""
        while self._at < len(self._body):
            line = self._line()
            if not bytes(line).strip():
                continue
            number = self.number
            operation, metadata = self._metadata(bytes(line))
            source = None
            if operation is not Operation.DELETE:
                if self._at >= len(self._body):
                    raise IllegalArgument(
                        f"Malformed action/metadata line [{number}], expected a document after it but the body ends"
                    )
                source = self._line()
            yield number, RawAction(operation, metadata, line, source)

    def _line(self) -> memoryview:
        end = self._body.index(b"\n", self._at)
        line = self._view[self._at : end - 1 if end > self._at and self._body[end - 1] == 13 else end]
        self._at = end + 1
        self.number += 1
        return line

    def _metadata(self, line: bytes) -> tuple[Operation, dict[str, Any]]:
        where = f"Malformed action/metadata line [{self.number}]"
        try:
            parsed = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise IllegalArgument(f"{where}, it is not valid JSON: {error}") from None
        if not isinstance(parsed, dict):
            raise IllegalArgument(f"{where}, expected START_OBJECT but found [{token(parsed)}]")
        if len(parsed) != 1:
            found = "END_OBJECT" if not parsed else "FIELD_NAME"
            raise IllegalArgument(
                f"{where}, expected {'FIELD_NAME' if not parsed else 'END_OBJECT'} but found [{found}]"
            )
        ((word, metadata),) = parsed.items()
        if word not in _OPERATIONS:
            raise IllegalArgument(f"{where}, expected one of [create, delete, index, update] but found [{word}]")
        if not isinstance(metadata, dict):
            raise IllegalArgument(f"{where}, expected START_OBJECT or END_OBJECT but found [{token(metadata)}]")
        if line.count(b":") != 1 + len(metadata):
            check_keys(line, parsed)
        return _OPERATIONS[word], metadata


def _action(number: int, raw: RawAction, defaults: BulkDefaults) -> Action:
    operation = raw.operation
    found: dict[str, Any] = {}
    for key, value in raw.metadata.items():
        name = _KEYS.get(key)
        if name is None:
            raise IllegalArgument(f"Action/metadata line [{number}] contains an unknown parameter [{key}]")
        if value is None:
            continue
        if name == "_source":
            found["fetch"] = parse_source(value)
            continue
        found[name] = _scalar(key, name, value, number)
    kind = found.pop("op_type", None)
    if kind is not None and operation is Operation.INDEX:
        operation = _op_type(kind, number)
    if raw.source is not None and operation is not Operation.UPDATE:
        found["source"] = raw.source
    action = Action(
        operation=operation,
        index=found.pop("index", None) or defaults.index or "",
        pipeline=found.pop("pipeline", defaults.pipeline),
        routing=found.pop("routing", defaults.routing),
        require_alias=found.pop("require_alias", defaults.require_alias),
        fetch=found.pop("fetch", defaults.fetch),
        **found,
    )
    if raw.source is None or operation is not Operation.UPDATE:
        return action
    if action.version is not None or action.version_type is not VersionType.INTERNAL:
        reason = "Update requests do not support versioning. Please use `if_seq_no` and `if_primary_term` instead"
        raise IllegalArgument(reason)
    update = read_update(raw.source)
    return replace(action, update=update, fetch=update.fetch or action.fetch)


def _scalar(key: str, name: str, value: Any, number: int) -> Any:
    if isinstance(value, (dict, list)):
        raise IllegalArgument(
            f"Malformed action/metadata line [{number}], expected a simple value for field [{key}] but found "
            f"[{token(value)}]"
        )
    if name == "require_alias":
        return value in (True, "true")
    if name == "version_type":
        return read_version_type(str(value))
    if name in _NUMBERS:
        try:
            return int(value)
        except ValueError:
            raise IllegalArgument(
                f"Malformed action/metadata line [{number}], [{key}] must be an integer, but was [{value}]"
            ) from None
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def read_version_type(word: str) -> VersionType:
    """Return the version type; IllegalArgument names an unknown one."""
    try:
        return VersionType("external_gte" if word == "external_gte" else word)
    except ValueError:
        raise IllegalArgument(f"No version type match [{word}]") from None


def _op_type(word: str, number: int) -> Operation:
    if word not in ("index", "create"):
        raise IllegalArgument(
            f"Malformed action/metadata line [{number}], opType must be 'create' or 'index', found: [{word}]"
        )
    return _OPERATIONS[word]

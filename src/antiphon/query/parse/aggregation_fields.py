"""What several aggregations read: their field, ``missing``, options that are refused."""

from __future__ import annotations

import re
from collections.abc import Mapping

from antiphon.domain.field import IGNORED, Family, Field, FieldType
from antiphon.errors import IllegalArgument, ParsingError
from antiphon.query import reading
from antiphon.query.aggregations import Aggregation, Order
from antiphon.query.parse.fields import METADATA, OTHER_METADATA, date_of, value_of
from antiphon.query.parse.options import Body
from antiphon.query.parse.reasons import ShardArgument, refused
from antiphon.query.parse.sort import text_fields_are_not_sorted
from antiphon.query.scope import Scope

NUMERIC = (Family.WHOLE, Family.REAL)
VALUES = (Family.WHOLE, Family.REAL, Family.KEYWORD)

Below = Mapping[str, Aggregation]


def path_of(field: Field | None) -> str | None:
    """Return the path of a mapped field."""
    return None if field is None else field.path


def type_of(field: Field | None) -> str | None:
    """Return the type of a mapped field."""
    return None if field is None else field.type.value


def field_of(kind: str, body: Body, scope: Scope, *families: Family) -> Field | None:
    """Return the field to aggregate on, None when it is not mapped."""
    if body.get("script") is not None:
        raise refused(f"script of the [{kind}] aggregation", "aggregate on a field")
    if body.get("field") is None:
        raise IllegalArgument(f"Required one of fields [field, script], but none were specified. [{kind}]")
    name = reading.text("field", body["field"])
    if name in METADATA or name == "_seq_no":
        raise refused(f"aggregation on {name}", "aggregate on a field of the mapping")
    if name in OTHER_METADATA or name == IGNORED.path:
        raise ShardArgument(f"Fielddata is not supported on field [{name}] of type [{name}]")
    field = scope.field(name)
    if field is None:
        return None
    if field.family is Family.TEXT:
        raise text_fields_are_not_sorted(name)
    if field.family not in families:
        raise ShardArgument(f"Field [{name}] of type [{field.type.value}] is not supported for aggregation [{kind}]")
    return field


def missing_of(body: Body, field: Field | None, scope: Scope) -> str | int | float | None:
    """Return the typed value that stands for documents without one."""
    value = body.get("missing")
    if value is None:
        return None
    if field is None:
        return value if isinstance(value, (int, float)) else str(value)
    if field.type is FieldType.DATE:
        return date_of(field, value, scope, format_=None, time_zone=None, round_up=False)
    return value_of(field, value, scope)


def refuse_options(kind: str, body: Body, *options: str) -> None:
    """Refuse options by name."""
    for option in options:
        if body.get(option) is not None:
            raise refused(f"{option} of the [{kind}] aggregation", "leave it out and order or cut in the client")


def order_of(body: Body, below: Below, default: Order) -> Order:
    """Return what ``order`` says, with the key last where it does not name it."""
    value = body.get("order")
    if value is None:
        return default
    found: list[tuple[str, bool]] = []
    for item in value if isinstance(value, list) else [value]:
        for key, direction in reading.an_object("order", item).items():
            if str(direction).lower() not in ("asc", "desc"):
                raise ParsingError(f"Unknown order direction [{direction}]")
            name = {"_term": "_key", "_time": "_key"}.get(key, key)
            if not name.startswith("_") and re.split(r"[.>]", name)[0] not in below:
                raise ShardArgument(
                    f"Invalid aggregation order path [{key}]. The provided aggregation [{re.split('[.>]', name)[0]}] "
                    "either does not exist, or is a pipeline aggregation and cannot be used to sort the buckets."
                )
            found.append((name, str(direction).lower() == "desc"))
    return tuple(found) if any(name == "_key" for name, _ in found) else (*found, ("_key", False))

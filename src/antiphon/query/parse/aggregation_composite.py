"""The composite aggregation."""

from __future__ import annotations

from typing import Any

from antiphon.domain.field import FieldType
from antiphon.errors import IllegalArgument, ParsingError
from antiphon.query import reading
from antiphon.query.aggregations import Composite, CompositeSource
from antiphon.query.parse.aggregation_fields import NUMERIC, VALUES, Below, field_of, path_of, type_of
from antiphon.query.parse.aggregation_histogram import parse_date_histogram
from antiphon.query.parse.fields import date_of, value_of
from antiphon.query.parse.options import flag
from antiphon.query.parse.reasons import refused
from antiphon.query.scope import Scope


def parse_composite(spec: Any, below: Below, scope: Scope) -> Composite:
    """Return the combined keys, their order and where to go on."""
    body = reading.an_object("composite", spec)
    reading.only("[composite]", body, ("sources", "size", "after"))
    listed = body.get("sources")
    if not isinstance(listed, list) or not listed:
        raise IllegalArgument("Composite [sources] cannot be null or empty")
    sources = tuple(
        _source(name, entry, scope) for item in listed for name, entry in reading.an_object("sources", item).items()
    )
    names = [source.name for source in sources]
    if len(set(names)) < len(names):
        raise IllegalArgument(
            "Composite source names must be unique, found duplicates: "
            f"[{', '.join(sorted({name for name in names if names.count(name) > 1}))}]"
        )
    size = reading.integer("size", body.get("size", 10))
    if size <= 0:
        raise IllegalArgument(f"[size] must be greater than 0. Found [{size}] in [composite]")
    return Composite(sources, size, _after(body.get("after"), sources, scope), below)


def _source(name: str, value: Any, scope: Scope) -> CompositeSource:
    body = reading.an_object(name, value)
    if len(body) != 1:
        raise ParsingError(f"A source of a composite aggregation takes one type, found [{', '.join(body)}]")
    ((kind, options),) = body.items()
    spec = reading.an_object(kind, options)
    own = {key: spec[key] for key in spec if key not in ("order", "missing_bucket", "missing_order")}
    if spec.get("missing_order", "default") not in ("default", "first" if spec.get("order") != "desc" else "last"):
        raise refused("missing_order of a composite source", "leave it out")
    descending = str(spec.get("order", "asc")).lower() == "desc"
    bucket = flag(spec, "missing_bucket", False)
    if kind == "terms":
        reading.only("[terms]", own, ("field", "script", "value_type"))
        field = field_of(kind, own, scope, *VALUES)
        return CompositeSource(name, path_of(field), descending, bucket, kind=type_of(field))
    if kind == "histogram":
        reading.only("[histogram]", own, ("field", "interval", "script"))
        field = field_of(kind, own, scope, *NUMERIC)
        interval = reading.number("interval", own.get("interval"))
        return CompositeSource(name, path_of(field), descending, bucket, interval, kind=type_of(field))
    if kind == "date_histogram":
        found = parse_date_histogram(own, {}, scope)
        shown = None if own.get("format") is None else str(own["format"])
        field = None if found.field is None else scope.mapping.field(found.field)
        return CompositeSource(name, found.field, descending, bucket, None, found, shown, type_of(field))
    raise ParsingError(f"invalid source type: {kind}")


def _after(value: Any, sources: tuple[CompositeSource, ...], scope: Scope) -> tuple[Any, ...] | None:
    if value is None:
        return None
    given = reading.an_object("after", value)
    if set(given) != {source.name for source in sources}:
        raise IllegalArgument(f"[after] has {len(given)} value(s) but [sources] has {len(sources)}")
    return tuple(_after_value(given[source.name], source, scope) for source in sources)


def _after_value(value: Any, source: CompositeSource, scope: Scope) -> Any:
    field = None if source.field is None else scope.mapping.field(source.field)
    if value is None or field is None:
        return value
    if source.interval is not None:
        return reading.number("after", value)
    if source.date is not None or field.type is FieldType.DATE:
        return date_of(
            field,
            value,
            scope,
            format_=source.format if isinstance(value, str) else "epoch_millis",
            time_zone=None,
            round_up=False,
        )
    return value_of(field, value, scope)

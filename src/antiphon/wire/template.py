"""Templates of the three kinds, both directions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from antiphon.domain.index import IndexBody
from antiphon.domain.template import ComponentTemplate, IndexTemplate, LegacyTemplate
from antiphon.errors import IllegalArgument, ParsingError, ValidationError
from antiphon.wire.fields import Fields
from antiphon.wire.index import read_index_body, write_index_body

_SHOWN = ("version", "_meta")


def read_index_template(body: object) -> IndexTemplate:
    """Return an index template; ``data_stream`` is refused by name."""
    fields = Fields(body, "index_template")
    if fields.raw("data_stream") is not None:
        raise IllegalArgument("[data_stream] is not supported by Antiphon: write to an index of your own name")
    template = IndexTemplate(
        index_patterns=_patterns(fields),
        body=_inner(fields) if fields.has("template") else None,
        composed_of=fields.words("composed_of") or (),
        priority=fields.integer("priority"),
        shown=_shown(fields),
    )
    _refuse_unread(fields, "index_template")
    return template


def write_index_template(template: IndexTemplate) -> dict[str, Any]:
    """Return an index template as GET shows it."""
    shown: dict[str, Any] = {"index_patterns": list(template.index_patterns)}
    if template.body is not None:
        shown["template"] = write_index_body(template.body)
    shown["composed_of"] = list(template.composed_of)
    if template.priority is not None:
        shown["priority"] = template.priority
    return shown | dict(template.shown)


def read_component_template(body: object) -> ComponentTemplate:
    """Return a component template."""
    fields = Fields(body, "component_template")
    if fields.nested("template") is None:
        raise ParsingError("[component_template] requires the field [template]")
    component = ComponentTemplate(_inner(fields), _shown(fields))
    _refuse_unread(fields, "component_template")
    return component


def write_component_template(component: ComponentTemplate) -> dict[str, Any]:
    """Return a component template as GET shows it."""
    return {"template": write_index_body(component.body)} | dict(component.shown)


def read_legacy_template(body: object) -> LegacyTemplate:
    """Return a legacy template."""
    fields = Fields(body, "template")
    parts = {key: fields.nested(key) or {} for key in ("settings", "mappings", "aliases")}
    template = LegacyTemplate(
        _patterns(fields), read_index_body(parts), fields.integer("order") or 0, fields.integer("version")
    )
    _refuse_unread(fields, "template")
    return template


def write_legacy_template(template: LegacyTemplate) -> dict[str, Any]:
    """Return a legacy template as GET shows it."""
    parts: dict[str, Any] = {"settings": {}, "mappings": {}, "aliases": {}} | write_index_body(template.body)
    version = {} if template.version is None else {"version": template.version}
    return {"order": template.order, "index_patterns": list(template.index_patterns)} | version | parts


def write_simulated(body: IndexBody, overlapping: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """Return the answer of ``_simulate``."""
    parts: dict[str, Any] = {"settings": {}, "aliases": {}} | write_index_body(body)
    listed = [{"name": name, "index_patterns": list(held)} for name, held in overlapping.items()]
    return {"template": parts, "overlapping": listed}


def _inner(fields: Fields) -> IndexBody:
    body = fields.nested("template") or {}
    for key in body:
        if key not in ("settings", "mappings", "aliases"):
            raise ParsingError(f"[template] unknown field [{key}]")
    return read_index_body(body)


def _patterns(fields: Fields) -> tuple[str, ...]:
    patterns = fields.words("index_patterns") or ()
    if not patterns:
        raise ValidationError("index patterns are missing")
    return patterns


def _shown(fields: Fields) -> dict[str, Any]:
    return {key: value for key in _SHOWN if (value := fields.raw(key)) is not None}


def _refuse_unread(fields: Fields, where: str) -> None:
    for key in fields.unread():
        raise ParsingError(f"[{where}] unknown field [{key}]")

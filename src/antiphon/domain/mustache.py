"""Mustache as ingest processors use it: ``{{field}}`` and ``{{{field}}}``; sections are refused."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from antiphon.domain.ingest_document import IngestDocument
from antiphon.errors import IllegalArgument

_TAG = re.compile(r"\{\{\{\s*([^{}]*?)\s*\}\}\}|\{\{\s*(&?)\s*([^{}]*?)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Template:
    """Text with holes: ``{{x}}`` escapes for JSON, as OpenSearch does, ``{{{x}}}`` does not.

    What is missing is empty.
    """

    source: str

    def render(self, document: IngestDocument) -> str:
        """Return the text with every hole filled from the document."""
        if "{{" not in self.source:
            return self.source
        model = document.model()

        def fill(found: re.Match[str]) -> str:
            raw, bare, escaped = found.groups()
            text = _text(_look_up(model, escaped if raw is None else raw))
            return text if raw is not None or bare else json.dumps(text, ensure_ascii=False)[1:-1]

        return _TAG.sub(fill, self.source)


@dataclass(frozen=True, slots=True)
class ValueTemplate:
    """Any JSON value whose strings are templates."""

    value: Any

    def render(self, document: IngestDocument) -> Any:
        """Return a fresh copy of the value with every hole filled."""
        return _render(self.value, document)


def read_template(source: str) -> Template:
    """Return the template; IllegalArgument for Mustache that is not a plain variable."""
    for found in _TAG.finditer(source):
        name = found[1] if found[1] is not None else found[3]
        if not name or name[0] in "#/^!>=":
            raise IllegalArgument(
                f"[{found[0]}] is not supported by Antiphon: templates hold {{{{field}}}} and {{{{{{field}}}}}} only"
            )
    return Template(source)


def read_value_template(value: Any) -> ValueTemplate:
    """Return the value with its strings checked as templates."""
    _check(value)
    return ValueTemplate(value)


def _check(value: Any) -> None:
    if isinstance(value, str):
        read_template(value)
    elif isinstance(value, dict):
        for key, item in value.items():
            read_template(key)
            _check(item)
    elif isinstance(value, list):
        for item in value:
            _check(item)


def _render(value: Any, document: IngestDocument) -> Any:
    if isinstance(value, str):
        return Template(value).render(document)
    if isinstance(value, dict):
        return {Template(key).render(document): _render(item, document) for key, item in value.items()}
    if isinstance(value, list):
        return [_render(item, document) for item in value]
    return value


def _look_up(model: Mapping[str, Any], path: str) -> Any:
    value: Any = model
    for step in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _text(value: Any) -> str:
    """Spell a value as Java's ``toString`` does."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case dict():
            return "{" + ", ".join(f"{key}={_inner(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_inner, value)) + "]"
        case _:
            return str(value)


def _inner(value: Any) -> str:
    return "null" if value is None else _text(value)

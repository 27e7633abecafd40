"""Dynamic mapping: the definition that a new field gets from its first value."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from antiphon.domain.dates import DYNAMIC_FORMATS, date_format
from antiphon.domain.pattern import star_pattern
from antiphon.domain.regular_expression import RegularExpression
from antiphon.errors import IllegalArgument, StrictDynamicMapping

Json = dict[str, Any]

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_DEFAULTS: Mapping[str, Json] = {
    "string": {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}},
    "long": {"type": "long"},
    "double": {"type": "float"},
    "boolean": {"type": "boolean"},
    "object": {"type": "object"},
}


class Inference:
    """Collects what one document adds to a mapping: ``properties`` in the shape of a mapping's."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._body = body
        self.properties: Json = {}

    def add(self, path: str, value: Any, dynamic: str) -> None:
        """Take up the field ``path`` if ``dynamic`` (of the object it lies in) lets it in.

        StrictDynamicMapping where the mapping is strict. ``[]`` and null add nothing.
        """
        value = _first(value)
        if value is None or dynamic == "false":
            return
        name = path.rpartition(".")[2]
        if dynamic == "strict":
            raise StrictDynamicMapping(_STRICT.format(name=name, parent=path.rpartition(".")[0] or "_doc"))
        definition = self._define(name, path, value, dynamic)
        if definition is not None:
            self._put(path, definition)

    def _define(self, name: str, path: str, value: Any, dynamic: str) -> Json | None:
        kind, default = self._kind(value)
        templated = self._templated(name, path, kind, default["type"])
        if templated is None and dynamic == "strict_allow_templates":
            raise StrictDynamicMapping(_STRICT_TEMPLATES.format(name=name, parent=path.rpartition(".")[0] or "_doc"))
        if templated is None and dynamic == "false_allow_templates":
            return None
        return default if templated is None else templated

    def _put(self, path: str, definition: Json) -> None:
        *parents, last = path.split(".")
        holder, known = self.properties, self._body
        for name in parents:
            known = known.get("properties", {}).get(name, {})
            kept = {"type": "nested"} if known.get("type") == "nested" else {}
            # a value of the document may call the same name a leaf: reading it again refuses that
            holder = holder.setdefault(name, kept).setdefault("properties", {})
        # the first element of an array decides
        holder.setdefault(last, definition)

    def _kind(self, value: Any) -> tuple[str, Json]:
        match value:
            case bool():
                kind = "boolean"
            case int():
                kind = "long"
            case float():
                kind = "double"
            case str():
                return self._string(value)
            case _:
                kind = "object"
        return kind, _DEFAULTS[kind]

    def _string(self, value: str) -> tuple[str, Json]:
        if _NUMBER.fullmatch(value):
            if not self._body.get("numeric_detection"):
                return "string", _DEFAULTS["string"]
            kind = "long" if value.lstrip("+-").isdigit() else "double"
            return kind, _DEFAULTS[kind]
        if self._body.get("date_detection", True):
            for pattern in self._body.get("dynamic_date_formats", DYNAMIC_FORMATS):
                if date_format(pattern).accepts(value):
                    first, shown = pattern.split("||")[0], {"type": "date", "format": pattern}
                    if first != DYNAMIC_FORMATS[0]:
                        return "date", shown | {"print_format": first}
                    return "date", shown if "dynamic_date_formats" in self._body else {"type": "date"}
        return "string", _DEFAULTS["string"]

    def _templated(self, name: str, path: str, kind: str, default: str) -> Json | None:
        for entry in self._body.get("dynamic_templates", ()):
            ((_, rule),) = entry.items()
            if _matches(rule, name, path, kind):
                return _filled(rule["mapping"], name, default)
        return None


_STRICT = "mapping set to strict, dynamic introduction of [{name}] within [{parent}] is not allowed"
_STRICT_TEMPLATES = (
    "mapping set to strict_allow_templates, dynamic introduction of [{name}] within [{parent}] is not allowed"
)


def _first(value: Any) -> Any:
    while isinstance(value, list):
        value = next((item for item in value if item is not None and item != []), None)
    return value


def _matches(rule: Mapping[str, Any], name: str, path: str, kind: str) -> bool:
    wanted = rule.get("match_mapping_type", "*")
    if wanted not in ("*", kind):
        return False
    regex = rule.get("match_pattern") == "regex"
    return all(
        _one_matches(pattern, subject, regex and key in ("match", "unmatch")) is positive
        for key, subject, positive in (
            ("match", name, True),
            ("unmatch", name, False),
            ("path_match", path, True),
            ("path_unmatch", path, False),
        )
        for pattern in [rule.get(key)]
        if pattern is not None
    )


def _one_matches(pattern: Any, subject: str, regex: bool) -> bool:
    patterns = pattern if isinstance(pattern, list) else [pattern]
    try:
        return any(
            RegularExpression(str(one)).fullmatch(subject) if regex else star_pattern(str(one)).fullmatch(subject)
            for one in patterns
        )
    except ValueError as error:
        raise IllegalArgument(f"Pattern [{pattern}] of a dynamic template is invalid: {error}") from None


def _filled(mapping: Mapping[str, Any], name: str, default: str) -> Json:
    text = json.dumps({"type": default} | dict(mapping))
    quoted = json.dumps(name)[1:-1]
    found: Json = json.loads(text.replace("{name}", quoted).replace("{dynamic_type}", default))
    return found

"""``/_cluster/settings``: the body of a change, and the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from antiphon.domain.cluster_settings import ClusterSettings
from antiphon.domain.setting import SettingValue, setting_leaves
from antiphon.errors import ParseError, ParsingError, ValidationError
from antiphon.wire.fields import Fields

SECTIONS = ("persistent", "transient")


def read_changes(body: object) -> dict[str, dict[str, SettingValue | None]]:
    """Return the changes per section: flat key to text, list of texts, or None for a reset.

    Keys come flat, nested or mixed; booleans and numbers become their text. ValidationError when there is nothing
    to change; ParsingError for a key beside the sections, which OpenSearch drops in silence; ParseError for a key
    given twice or a value that is neither scalar nor a list of scalars.
    """
    fields = Fields(body, "cluster settings")
    changes = {section: _flatten(fields.nested(section) or {}) for section in SECTIONS}
    if not any(changes.values()):
        raise ValidationError("no settings to update")
    unread = fields.unread()
    if unread:
        raise ParsingError(
            f"unknown key [{unread[0]}] in the cluster settings; put settings below [persistent] or [transient]"
        )
    return changes


def write_settings(settings: ClusterSettings, *, flat: bool = False, include_defaults: bool = False) -> dict[str, Any]:
    """Return the answer to a GET; ``defaults`` are those of the settings that neither section holds."""
    sections = {"persistent": settings.persistent, "transient": settings.transient}
    if include_defaults:
        sections["defaults"] = settings.defaults()
    return {name: write_section(section, flat) for name, section in sections.items()}


def write_acknowledged(applied: Mapping[str, Mapping[str, Any]], *, flat: bool = False) -> dict[str, Any]:
    """Return the answer to a PUT; ``applied`` holds per section what was set (not what was reset)."""
    return {"acknowledged": True} | {name: write_section(applied.get(name, {}), flat) for name in SECTIONS}


def _flatten(section: Mapping[str, Any]) -> dict[str, SettingValue | None]:
    flat: dict[str, SettingValue | None] = {}
    for key, value in setting_leaves(section):
        if key in flat:
            raise ParseError(f"duplicate settings key [{key}], previous value [{flat[key]}], current value [{value}]")
        flat[key] = value
    return flat


def write_section(section: Mapping[str, Any], flat: bool) -> dict[str, Any]:
    """Return flat settings in order, as a tree unless ``flat``."""
    if flat:
        return dict(sorted(section.items()))
    tree: dict[str, Any] = {}
    for key, value in sorted(section.items()):
        _graft(tree, key, value)
    return tree


def _graft(tree: dict[str, Any], key: str, value: Any) -> None:
    """Put ``value`` below the dotted ``key``; where a shorter key already holds a value, the rest stays dotted."""
    head, dot, rest = key.partition(".")
    while dot:
        below = tree.setdefault(head, {})
        if isinstance(below, dict):
            tree, (head, dot, rest) = below, rest.partition(".")
        else:
            middle, dot, rest = rest.partition(".")
            head = f"{head}.{middle}"
    tree[head] = value

"""Aliases: the body of one, the actions of ``POST /_aliases``, and what GET shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from antiphon.domain.alias import AliasAction, AliasVerb
from antiphon.domain.index import Alias
from antiphon.errors import IllegalArgument, ParseError, ParsingError, ValidationError
from antiphon.wire.fields import Fields, kind, without_nulls


def read_alias(body: object) -> Alias:
    """Return what an alias says on an index; ``routing`` stands for both routings."""
    fields = Fields(body, "alias")
    alias = _value(fields)
    _refuse_unread(fields, "alias")
    return alias


def read_aliases(body: object) -> dict[str, Alias]:
    """Return the ``aliases`` of a create request or template, by name."""
    if not isinstance(body, dict):
        raise ParseError(f"[aliases] must be a JSON object, but was {kind(body)}")
    return {name: read_alias(value or {}) for name, value in body.items()}


def write_alias(alias: Alias) -> dict[str, Any]:
    """Return an alias as GET shows it."""
    return without_nulls(
        [
            ("filter", alias.filter),
            ("index_routing", alias.index_routing),
            ("search_routing", alias.search_routing),
            ("is_write_index", alias.is_write_index),
        ]
    )


def write_aliases(aliases: Mapping[str, Alias]) -> dict[str, Any]:
    """Return aliases by name."""
    return {name: write_alias(alias) for name, alias in aliases.items()}


def read_actions(body: object) -> list[AliasAction]:
    """Return the actions of ``POST /_aliases``; ValidationError when there are none."""
    fields = Fields(body, "aliases")
    actions = fields.raw("actions")
    _refuse_unread(fields, "aliases")
    if not isinstance(actions, list):
        raise ParsingError(f"[actions] in [aliases] must be an array, but was {kind(actions)}")
    if not actions:
        raise ValidationError("Must specify at least one alias action")
    return [_action(item) for item in actions]


def _action(item: object) -> AliasAction:
    if not isinstance(item, dict) or len(item) != 1:
        raise IllegalArgument(f"Too many operations declared on operation entry, or none: {kind(item)}")
    word, body = next(iter(item.items()))
    if word not in list(AliasVerb):
        raise ParsingError(f"[alias_action] unknown field [{word}]")
    verb = AliasVerb(word)
    fields = Fields(body, word)
    indices = (fields.words("indices") or ()) + (fields.words("index") or ())
    aliases = (fields.words("aliases") or ()) + (fields.words("alias") or ())
    if not indices:
        raise IllegalArgument("One of [index] or [indices] is required")
    if verb is not AliasVerb.REMOVE_INDEX and not aliases:
        raise IllegalArgument("One of [alias] or [aliases] is required")
    value = _value(fields) if verb is AliasVerb.ADD else Alias()
    must_exist = fields.boolean("must_exist") if verb is not AliasVerb.ADD else None
    _refuse_unread(fields, word)
    return AliasAction(verb, indices, aliases, value, must_exist)


def _value(fields: Fields) -> Alias:
    routing = fields.text("routing")
    if fields.boolean("is_hidden"):
        raise IllegalArgument("[is_hidden] is not supported by Antiphon: a hidden index hides its aliases' patterns")
    return Alias(
        fields.nested("filter"),
        fields.text("index_routing") or routing,
        fields.text("search_routing") or routing,
        fields.boolean("is_write_index"),
    )


def _refuse_unread(fields: Fields, where: str) -> None:
    for key in fields.unread():
        raise ParsingError(f"[{where}] unknown field [{key}]")

"""A mapping compiled for reading documents: a tree of nodes, each leaf with the writers its value goes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from antiphon.domain.field import Field, FieldDefaults, FieldType
from antiphon.domain.mapping_parameters import flag
from antiphon.domain.mapping_values import Writer, writer_of


@dataclass(slots=True)
class Node:
    """``children`` by name for an object; ``writers`` for a leaf. ``dynamic`` is the inherited one.

    ``whole`` marks a leaf that takes an array (or object) as one value: vectors, features, flat objects.
    """

    path: str
    type: FieldType = FieldType.OBJECT
    dynamic: str = "true"
    enabled: bool = True
    whole: bool = False
    null_value: Any = None
    ignore_malformed: bool = False
    children: dict[str, Node] = field(default_factory=dict)
    writers: list[tuple[Field, Writer]] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)


_WHOLE = (FieldType.KNN_VECTOR, FieldType.RANK_FEATURES, FieldType.FLAT_OBJECT)


def build_plan(body: Mapping[str, Any], fields: Mapping[str, Field], defaults: FieldDefaults) -> Node:
    """Return the root node."""
    root = Node("", dynamic=str(body.get("dynamic", "true")))
    _grow(root, body.get("properties", {}), "", fields, defaults)
    return root


def find_node(root: Node, path: str) -> Node | None:
    """Return the node at a path."""
    node: Node | None = root
    for name in path.split("."):
        node = node.children.get(name) if node is not None else None
    return node


def _grow(
    node: Node, properties: Mapping[str, Any], prefix: str, fields: Mapping[str, Field], defaults: FieldDefaults
) -> None:
    for name, definition in properties.items():
        path = f"{prefix}{name}"
        held = fields[path]
        if held.type in (FieldType.OBJECT, FieldType.NESTED):
            child = Node(path, held.type, str(definition.get("dynamic", node.dynamic)))
            child.enabled = flag(name, definition, "enabled")
            _grow(child, definition.get("properties", {}), f"{path}.", fields, defaults)
        else:
            child = _leaf(held, definition, fields, defaults)
        node.children[name] = child


def _leaf(held: Field, definition: Mapping[str, Any], fields: Mapping[str, Field], defaults: FieldDefaults) -> Node:
    copies = definition.get("copy_to", [])
    subs = [fields[f"{held.path}.{sub}"] for sub in definition.get("fields", {})]
    return Node(
        held.path,
        held.type,
        whole=held.type in _WHOLE,
        null_value=definition.get("null_value"),
        ignore_malformed=flag(held.path, definition, "ignore_malformed", defaults.ignore_malformed),
        writers=[(each, writer) for each in (held, *subs) if (writer := writer_of(each, coerce=defaults.coerce))],
        copies=[copies] if isinstance(copies, str) else list(copies),
    )

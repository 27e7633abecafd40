"""Reads a document against a mapping: rows of typed values, and what the mapping does not know yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from antiphon.domain.document import TypedRow
from antiphon.domain.field import IGNORED, FieldType
from antiphon.domain.mapping_dynamic import Inference
from antiphon.domain.mapping_plan import Node, find_node
from antiphon.errors import AntiphonError, IllegalArgument, MapperParsing

_PREVIEW = 256
_METADATA = frozenset({"_id", "_index", "_source", "_routing", "_seq_no", "_version", "_field_names", "_ignored"})


class DocumentReader:
    """Reads one document; new fields go to ``inference``, and are not in the rows."""

    def __init__(self, doc_id: str, inference: Inference) -> None:
        self._id = doc_id
        self._inference = inference
        self._rows: list[TypedRow] = []
        self._root = Node("")

    def read(self, root: Node, source: Mapping[str, Any]) -> list[TypedRow]:
        """Return the rows, the document's first; MapperParsing or StrictDynamicMapping."""
        for name in _METADATA & source.keys():
            raise self._unfit(name, name, source[name], _metadata(name))
        self._root = root
        self._rows = [TypedRow()]
        self._object(root, source, 0)
        return self._rows

    def _object(self, node: Node, source: Mapping[str, Any], row: int) -> None:
        for name, value in source.items():
            child = node.children.get(name)
            if child is not None:
                self._value(child, value, row)
            elif "." in name:
                head, _, rest = name.partition(".")
                if not head or not rest:
                    raise IllegalArgument(f"field name cannot start or end with a dot: [{name}]")
                self._object(node, {head: {rest: value}}, row)
            elif not name:
                raise IllegalArgument("field name cannot be an empty string")
            else:
                path = f"{node.path}.{name}" if node.path else name
                self._inference.add(path, value, node.dynamic)

    def _value(self, node: Node, value: Any, row: int) -> None:
        match node.type:
            case FieldType.OBJECT:
                if node.enabled:
                    self._objects(node, value, row)
            case FieldType.NESTED:
                if node.enabled:
                    self._nested(node, value, row)
            case _:
                self._leaf(node, value, row)

    def _objects(self, node: Node, value: Any, row: int) -> None:
        match value:
            case dict():
                self._object(node, value, row)
            case list():
                for item in value:
                    self._objects(node, item, row)
            case None:
                return
            case _:
                raise _concrete(node.path)

    def _nested(self, node: Node, value: Any, row: int) -> None:
        items = value if isinstance(value, list) else [value]
        for offset, item in enumerate(items):
            if item is None:
                continue
            if not isinstance(item, dict):
                raise _concrete(node.path)
            self._rows.append(TypedRow(node.path, row, offset))
            self._object(node, item, len(self._rows) - 1)

    def _leaf(self, node: Node, value: Any, row: int) -> None:
        if value is None:
            value = node.null_value
            if value is None:
                return
        if isinstance(value, list) and (not node.whole or node.type is FieldType.FLAT_OBJECT):
            for item in value:
                self._leaf(node, item, row)
            return
        self._write(node, value, row)
        for target in node.copies:
            self._copy(target, value, row)

    def _write(self, node: Node, value: Any, row: int) -> None:
        for field, write in node.writers:
            try:
                write(self._rows[row], value)
            except AntiphonError as error:
                ignored = node.ignore_malformed or (field.path != node.path and field.options.get("ignore_malformed"))
                if ignored and " is not supported by Antiphon" not in error.reason:
                    if not isinstance(value, dict):
                        self._rows[0].keywords.setdefault(IGNORED.path, []).append(field.path)
                    continue
                if error.reason.startswith("Document contains at least one immense term"):
                    raise
                preview = None if node.type is FieldType.KNN_VECTOR else value
                raise self._unfit(field.path, field.type, preview, error) from error

    def _unfit(self, path: str, kind: str, value: Any, cause: AntiphonError) -> MapperParsing:
        return MapperParsing(
            f"failed to parse field [{path}] of type [{kind}] in document with id '{self._id}'. "
            f"Preview of field's value: '{_preview(value)[:_PREVIEW]}'",
            cause=cause,
        )

    def _copy(self, target: str, value: Any, row: int) -> None:
        node = find_node(self._root, target)
        if node is None:
            self._inference.add(target, value, self._root.dynamic)
        elif node.type in (FieldType.OBJECT, FieldType.NESTED):
            raise IllegalArgument(f"[copy_to] cannot copy to the object [{target}]")
        else:
            self._write(node, value, row)


def _concrete(path: str) -> MapperParsing:
    name = path.rpartition(".")[2]
    return MapperParsing(
        f"object mapping for [{path}] tried to parse field [{name}] as object, but found a concrete value"
    )


def _metadata(name: str) -> MapperParsing:
    return MapperParsing(
        f"Field [{name}] is a metadata field and cannot be added inside a document. "
        "Use the index API request parameters."
    )


def _preview(value: Any) -> str:
    """A value as Java writes it: ``{a=1, b=[2, null]}``."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case dict():
            return "{" + ", ".join(f"{name}={_preview(inner)}" for name, inner in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_preview, value)) + "]"
        case _:
            return str(value)

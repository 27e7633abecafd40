"""``antiphon.json``: the manifest that travels inside a package, so that a zip alone can be registered.

OpenSearch ignores the file.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import msgspec

from antiphon.domain.model import ModelConfig
from antiphon.domain.package import PackageManifest
from antiphon.domain.shapes import prepare
from antiphon.errors import PackageError

NAME = "antiphon.json"
"""The manifest's name at the root of a package."""

prepare(ModelConfig, PackageManifest)
_MAX_BYTES = 16 * 1024**2


def render_manifest(manifest: PackageManifest) -> bytes:
    """Return the manifest as JSON; equal manifests give equal bytes. Keys without a value are left out."""
    config = {key: value for key, value in msgspec.to_builtins(manifest.config).items() if value is not None}
    document = {
        "name": manifest.name,
        "description": manifest.description,
        "model_config": config,
        "origins": manifest.origins,
        "notes": manifest.notes,
    }
    return json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n"


def parse_manifest(content: bytes) -> PackageManifest:
    """Return the manifest that ``content`` spells; PackageError says where it does not."""
    try:
        document = msgspec.convert(json.loads(content), dict[str, Any])
        document["config"] = msgspec.convert(document.pop("model_config", {}), ModelConfig)
        return msgspec.convert(document, PackageManifest, from_attributes=True)
    except (ValueError, RecursionError) as error:
        raise PackageError(
            f"[{NAME}] is not a manifest: {error}. Build the package again, or leave the file out"
        ) from error


def read_manifest(package: Path) -> PackageManifest | None:
    """Return the manifest of a zip or of an unpacked folder; None when it has none. PackageError when damaged."""
    if package.is_dir():
        path = package / NAME
        return parse_manifest(path.read_bytes()) if path.is_file() else None
    try:
        with zipfile.ZipFile(package) as archive:
            entry = archive.NameToInfo.get(NAME)
            if entry is None:
                return None
            if entry.file_size > _MAX_BYTES:
                raise PackageError(f"[{NAME}] has {entry.file_size} bytes, at most {_MAX_BYTES} are read")
            return parse_manifest(archive.read(entry))
    except (OSError, zipfile.BadZipFile) as error:
        raise PackageError(f"Cannot read the package [{package}]: {error}") from error

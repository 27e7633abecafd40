"""Where a model is brought from: a running Antiphon server, or a package."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from antiphon.domain.model import ModelConfig
from antiphon.domain.package import BuiltPackage
from antiphon.domain.role import Role
from antiphon.errors import AntiphonError, IllegalArgument
from antiphon.remote import segment
from antiphon.transfer.journal import Progress
from antiphon.transfer.models import ML, SourceModel
from antiphon.transfer.side import Floats, Side
from antiphon.wire.model_config import read_config

LoadZip = Callable[[Path, ModelConfig], Any]
"""The zip with a configuration, as a ``TextEmbedder``."""


def from_server(side: Side, model_id: str, scratch: Path, load_zip: LoadZip, on_progress: Progress) -> SourceModel:
    """Return a model of a server, whose package is downloaded to ``scratch`` when it is needed."""
    document = side.client.find(f"{ML}/models/{segment(model_id)}")
    if document is None:
        raise IllegalArgument(f"there is no model [{model_id}] on {side.name}")
    if document.get("model_state") != "DEPLOYED":
        raise IllegalArgument(f"model [{model_id}] is {document.get('model_state')} on {side.name}: deploy it first")
    config = read_config(document["model_config"], explicit=False)
    sha256, size = document["model_content_hash_value"], document.get("model_content_size_in_bytes")
    if not side.antiphon:
        raise IllegalArgument(f"{side.name} does not give the package of [{model_id}] away: name a zip or a source")

    @cache
    def fetch() -> Path:
        path = scratch / f"{sha256}.zip"
        side.client.download(
            f"{ML}/models/{segment(model_id)}/_antiphon/package",
            path,
            lambda done: on_progress(f"  fetching {document['name']}", done, size or 0),
        )
        with path.open("rb") as content:
            if hashlib.file_digest(content, "sha256").hexdigest() != sha256:
                raise AntiphonError(f"the package of [{model_id}] came broken from {side.name}: run it again")
        return path

    def embed(texts: Sequence[str], role: Role) -> Floats:
        return side.predict(model_id, texts, role.value if config.asymmetric else None)

    return SourceModel(
        name=document["name"],
        description=document.get("description"),
        config=config,
        sha256=sha256,
        size_bytes=size if size is not None else fetch().stat().st_size,
        model_id=model_id,
        zip=fetch,
        embed=embed,
        load=lambda other: load_zip(fetch(), other),
    )


def from_package(package: BuiltPackage, load_zip: LoadZip) -> SourceModel:
    """Return a model of a package, whose vectors are computed in this process."""
    manifest = package.manifest

    @cache
    def loaded() -> Any:
        return load_zip(package.path, manifest.config)

    def embed(texts: Sequence[str], role: Role) -> Floats:
        return np.stack(loaded().predict(texts, role).rows)

    return SourceModel(
        name=manifest.name,
        description=manifest.description,
        config=manifest.config,
        sha256=package.sha256,
        size_bytes=package.size_bytes,
        model_id=None,
        zip=lambda: package.path,
        embed=embed,
        load=partial(load_zip, package.path),
    )

"""What a model package is: facts about a built or inspected zip."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from antiphon.domain.model import ModelConfig


@dataclass(frozen=True, slots=True)
class StagedZip:
    """A zip that has arrived but is not verified. ``sha256`` is lower-case hex."""

    path: Path
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class PackageManifest:
    """What registering a package needs to know besides its bytes.

    ``origins`` says for each field of ``config`` where its value came from (a file of the model, the table of
    known families, a flag); ``notes`` are sentences a user must read (for example that bundled weights are 4-bit).
    """

    name: str
    description: str
    config: ModelConfig
    origins: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BuiltPackage:
    """A zip on disk, its lower-case hex SHA-256 and its manifest."""

    path: Path
    size_bytes: int
    sha256: str
    manifest: PackageManifest


@dataclass(frozen=True, slots=True)
class Overrides:
    """What flags say over what was derived; None leaves the derived value."""

    name: str | None = None
    description: str | None = None
    query_prefix: str | None = None
    passage_prefix: str | None = None
    pooling_mode: str | None = None
    normalize_result: bool | None = None
    model_type: str | None = None
    space_type: str | None = None


@dataclass(frozen=True, slots=True)
class TensorFact:
    """One graph input or output; symbolic dimensions keep their name, unknown ones are ``?``."""

    name: str
    data_type: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class PackageInspection:
    """What ``antiphon model inspect`` shows.

    ``refusals``: what would make OpenSearch refuse the zip, or run it wrong.
    """

    path: Path
    size_bytes: int
    sha256: str
    files: tuple[tuple[str, int], ...]
    inputs: tuple[TensorFact, ...]
    outputs: tuple[TensorFact, ...]
    dimension: int | None
    ir_version: int
    opset: int
    precision: str
    tokenizer: str
    vocabulary: int
    max_tokens: int
    refusals: tuple[str, ...]
    manifest: PackageManifest | None

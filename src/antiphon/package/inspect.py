"""What is inside a package, and what OpenSearch would say to it."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from antiphon.domain.model import ModelConfig, ModelFormat, Pooling
from antiphon.domain.package import PackageInspection, PackageManifest
from antiphon.errors import AntiphonError, PackageError
from antiphon.package.derive import CEILING, Settings, max_tokens, token_typed
from antiphon.package.disk import ZIP_NAME
from antiphon.package.graph import FED_BY_OPENSEARCH, MAX_IR, MAX_OPSET, MAX_PROTOBUF, GraphFacts, facts, load_graph
from antiphon.package.manifest import NAME, parse_manifest
from antiphon.package.staging import BLOCK_BYTES, OPENSEARCH_MAX_BYTES
from antiphon.package.verify import check_zip, open_zip

_NO_GRAPH = GraphFacts((), (), 0, 0, "unknown", frozenset())
_WANTED = ("tokenizer.json", "config.json", NAME)
_MAX_SMALL_BYTES = 256 * 1024**2


def inspect_package(path: Path) -> PackageInspection:
    """Look into the zip ``path``; PackageError only when there is no zip to look into.

    What else is wrong stands in ``refusals``: what would make OpenSearch refuse the zip, or run it wrong.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise PackageError(f"Cannot read the package [{path}]: {error.strerror}. Name a zip") from error
    refusals: list[str] = []
    with tempfile.TemporaryDirectory(prefix="antiphon-inspect-") as scratch, open_zip(path) as archive:
        entries = [info for info in archive.infolist() if not info.is_dir()]
        _attempt(refusals, lambda: check_zip(path, ModelFormat.ONNX, reserved=ZIP_NAME))
        parts = _Parts.read(archive, entries, Path(scratch), refusals)
    refusals += parts.refusals(path.stat().st_size)
    return PackageInspection(
        path=path,
        size_bytes=path.stat().st_size,
        sha256=digest,
        files=tuple((info.filename, info.file_size) for info in entries),
        inputs=parts.graph.inputs,
        outputs=parts.graph.outputs,
        dimension=parts.graph.dimension,
        ir_version=parts.graph.ir_version,
        opset=parts.graph.opset,
        precision=parts.graph.precision,
        tokenizer=parts.tokenizer_kind,
        vocabulary=parts.tokenizer.get_vocab_size() if parts.tokenizer else 0,
        max_tokens=parts.max_tokens,
        refusals=tuple(dict.fromkeys(refusals)),
        manifest=parts.manifest,
    )


@dataclass(slots=True)
class _Parts:
    """What could be read of a package; what could not has its sentence among the refusals already."""

    graph: GraphFacts
    tokenizer: Tokenizer | None
    tokenizer_kind: str
    settings: Settings
    manifest: PackageManifest | None

    @classmethod
    def read(
        cls, archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo], scratch: Path, refusals: list[str]
    ) -> _Parts:
        names = {info.filename: info for info in entries}
        for name in _WANTED:
            if name in names and names[name].file_size <= _MAX_SMALL_BYTES:
                _extract(archive, name, scratch / name)
        models = sorted((name for name in names if name.endswith(".onnx")), key=lambda name: name.count("/"))
        graph = _attempt(refusals, lambda: _graph(archive, models[0], scratch)) if models else None
        tokenizer, kind = _tokenizer(scratch / "tokenizer.json", refusals)
        manifest = scratch / NAME
        return cls(
            graph=graph or _NO_GRAPH,
            tokenizer=tokenizer,
            tokenizer_kind=kind,
            settings=_attempt(refusals, lambda: Settings.read(scratch)) or Settings(),
            manifest=_attempt(refusals, lambda: parse_manifest(manifest.read_bytes())) if manifest.exists() else None,
        )

    @property
    def max_tokens(self) -> int:
        """Tokens at which OpenSearch cuts a text; 0 without a tokenizer."""
        return min(self._stated_tokens, CEILING) if self.tokenizer else 0

    @property
    def _stated_tokens(self) -> int:
        if self.tokenizer is None:
            return 0
        if self.tokenizer.truncation:
            return int(self.tokenizer.truncation["max_length"])
        return int((self.tokenizer.padding or {}).get("length") or CEILING)

    def refusals(self, size_bytes: int) -> list[str]:
        """Return what OpenSearch would refuse, or run wrong, beyond what the zip's directory tells."""
        found = []
        if size_bytes > OPENSEARCH_MAX_BYTES:
            found.append(f"Model file size exceeds the limit of 4GB: {size_bytes}")
        if self.graph is not _NO_GRAPH:
            found += _graph_refusals(self.graph)
            found += _config_refusals(self.graph, self.manifest.config if self.manifest else None)
        return found + self._token_refusals()

    def _token_refusals(self) -> list[str]:
        found = []
        if self._stated_tokens > CEILING:
            found.append(f"texts are cut at {CEILING} tokens, although tokenizer.json allows {self._stated_tokens}")
        positions = max_tokens(self.settings)
        if self.tokenizer and positions is not None and positions < self.max_tokens:
            found.append(
                f"texts of more than {positions} tokens would fail: config.json has no more positions, and "
                f"tokenizer.json cuts at {self.max_tokens}"
            )
        return found


def _graph(archive: zipfile.ZipFile, name: str, scratch: Path) -> GraphFacts:
    target = scratch / "model.onnx"
    size = archive.getinfo(name).file_size
    if size > MAX_PROTOBUF:
        raise PackageError(f"[{name}] has {size} bytes, one ONNX file holds {MAX_PROTOBUF}")
    _extract(archive, name, target)
    try:
        return facts(load_graph(target))
    finally:
        target.unlink()


def _extract(archive: zipfile.ZipFile, name: str, target: Path) -> None:
    with archive.open(name) as source, target.open("wb") as file:
        shutil.copyfileobj(source, file, BLOCK_BYTES)


def _tokenizer(path: Path, refusals: list[str]) -> tuple[Tokenizer | None, str]:
    if not path.is_file():
        return None, "none"
    try:
        tokenizer = Tokenizer.from_file(str(path))
        return tokenizer, str(json.loads(path.read_bytes())["model"].get("type", "?"))
    except Exception as error:  # noqa: BLE001  the library raises bare Exception
        refusals.append(f"tokenizer.json is not the file of a fast tokenizer: {error}")
        return None, "unreadable"


def _graph_refusals(graph: GraphFacts) -> list[str]:
    found = []
    if graph.ir_version > MAX_IR:
        found.append(f"IR version {graph.ir_version}: ONNX Runtime 1.16 in OpenSearch reads up to {MAX_IR}")
    if graph.opset > MAX_OPSET:
        found.append(f"opset {graph.opset}: ONNX Runtime 1.16 in OpenSearch reads up to {MAX_OPSET}")
    if graph.external_files:
        found.append(
            f"weights in {sorted(graph.external_files)} beside the graph: OpenSearch does not promise to find them"
        )
    unfed = [name for name in graph.input_names if name not in FED_BY_OPENSEARCH]
    if unfed or "attention_mask" not in graph.input_names:
        found.append(
            f"Input mismatch, looking for: {list(graph.input_names)}: OpenSearch feeds input_ids, attention_mask"
        )
    other = [fact for fact in graph.inputs if fact.data_type != "int64"]
    return found + [f"input [{fact.name}] is {fact.data_type}: OpenSearch feeds int64" for fact in other]


def _config_refusals(graph: GraphFacts, config: ModelConfig | None) -> list[str]:
    """Return where ``config``, or OpenSearch's defaults when there is none, does not fit ``graph``."""
    found = []
    pooling = config.pooling if config else Pooling.MEAN
    if graph.pooled and pooling is not Pooling.NONE:
        found.append(
            f"the first output has two dimensions, it is pooled already: pooling_mode {pooling.value.lower()} fails, "
            "register it with none (OpenSearch 3.6 or later)"
        )
    if config is None:
        return found
    typed = "token_type_ids" in graph.input_names
    if token_typed(config.model_type) != typed:
        found.append(
            f"Input mismatch, looking for: {list(graph.input_names)}: for model_type [{config.model_type}] OpenSearch "
            f"feeds {'no ' if typed else ''}token_type_ids"
        )
    if graph.dimension and config.embedding_dimension not in (None, graph.dimension):
        found.append(f"embedding_dimension {config.embedding_dimension} is wrong, the graph has {graph.dimension}")
    if config.normalize_result and (graph.pooled or pooling in (Pooling.MAX, Pooling.NONE)):
        found.append(
            f"normalize_result with pooling_mode {pooling.value.lower()}: OpenSearch divides each number by its own "
            "size, so that all become 1 or -1. Leave it off; with cosinesimil the ranking is the same"
        )
    doubled = sorted(_keys(config.all_config) & set(config.additional_config or {}))
    if doubled:
        found.append(f"Duplicate keys found in both all_config and additional_config: {', '.join(doubled)}")
    return found


def _keys(all_config: str | None) -> set[str]:
    try:
        value = json.loads(all_config or "{}")
    except ValueError:
        return set()
    return set(value) if isinstance(value, dict) else set()


def _attempt(refusals: list[str], read: Any) -> Any:
    """Return what ``read`` returns; None, and its reason among ``refusals``, when it fails."""
    try:
        return read()
    except AntiphonError as error:
        refusals.append(error.reason)
        return None

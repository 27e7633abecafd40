"""A source becomes a package: found, made portable, described, zipped."""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import fields, replace
from pathlib import Path

from tokenizers import Tokenizer

from antiphon.domain.names import text_problems
from antiphon.domain.package import BuiltPackage, Overrides, PackageManifest
from antiphon.errors import SourceError
from antiphon.package.archive import Content, check_output, write_archive
from antiphon.package.bundled import MODEL, PREFIX, unpack_bundled
from antiphon.package.derive import CEILING, Derivation, Settings, max_tokens
from antiphon.package.directory import ModelFolder, Progress, find_model, find_tokenizer, open_directory
from antiphon.package.families import family_of
from antiphon.package.graph import facts, load_graph, portable
from antiphon.package.hub import HubUnreachable, download
from antiphon.package.manifest import NAME, read_manifest, render_manifest
from antiphon.package.staging import OPENSEARCH_MAX_BYTES

DEFAULT_HUB_ID = f"intfloat/{MODEL}"
"""What the bare name ``multilingual-e5-small`` stands for."""

Remarks = tuple[str, ...]

SPACE_TYPES = ("l2", "cosinesimil", "innerproduct", "hamming", "l1", "linf")
"""k-NN's space types, as ``additional_config.space_type`` names them."""

_SENTENCEPIECE = "sentencepiece.bpe.model"


def build_package(
    source: str,
    output: Path,
    *,
    overrides: Overrides = Overrides(),  # noqa: B008  frozen
    revision: str | None = None,
    on_progress: Progress | None = None,
) -> BuiltPackage:
    """Make the zip ``output`` of ``source`` and return it; the same input gives the same bytes.

    ``source``: a local folder, a hub id (at ``revision``), ``bundled:multilingual-e5-small``, or
    ``multilingual-e5-small``: the hub, and where it cannot be reached the bundled weights, with a note that says so
    (beside the zip: inside, it is that of the bundled weights). An existing ``output`` is replaced only when all has
    gone well. Raises SourceError when the source cannot be read or made into something that OpenSearch loads,
    PackageError when its graph is not a text encoder.
    """
    tell = on_progress or (lambda *_: None)
    _check_named(source)
    _check_overrides(overrides)
    check_output(output, Path(source) if Path(source).is_dir() else None)
    with tempfile.TemporaryDirectory(prefix="antiphon-build-") as scratch:
        found = _open(source, revision, Path(scratch), tell)
        known = read_manifest(found.folder)
        files, manifest = _describe(found, _filled(overrides, known), tell)
        if known is not None:
            given = {
                key: origin for key, origin in manifest.origins.items() if getattr(overrides, key, None) is not None
            }
            manifest = replace(manifest, origins=dict.fromkeys(manifest.origins, NAME) | given)
            files[NAME] = render_manifest(manifest)
        total = sum(len(item) if isinstance(item, bytes) else item.stat().st_size for item in files.values())
        if total >= OPENSEARCH_MAX_BYTES:
            raise SourceError(
                f"The package would have {total} bytes, OpenSearch registers up to {OPENSEARCH_MAX_BYTES} (4 GiB): "
                "export a smaller precision"
            )
        tell("Writing the zip", 0, total)
        staged = write_archive(files, output, lambda written: tell("Writing the zip", min(written, total), total))
    told = replace(manifest, notes=(*found.remarks, *manifest.notes))
    return BuiltPackage(staged.path, staged.size_bytes, staged.sha256, told)


def resolve_source(source: str, revision: str | None = None, tell: Progress | None = None) -> tuple[str, Remarks]:
    """Return what ``source`` means now: itself, or for the bare name the hub's model or the bundled weights.

    With the bundled weights comes a remark that says why. Asks the hub (and downloads) for the bare name only.
    Raises SourceError when neither can be had.
    """
    _check_named(source)
    if source != MODEL or Path(source).exists():
        return source, ()
    try:
        download(DEFAULT_HUB_ID, revision, tell or (lambda *_: None))
    except HubUnreachable as error:
        if revision is not None:
            raise
        remark = f"The hub cannot be reached, so these are the bundled weights and not the original: {error.reason}"
        return PREFIX + MODEL, (remark,)
    return DEFAULT_HUB_ID, ()


def _check_named(source: str) -> None:
    if not source.strip():
        raise SourceError(
            "the name of the model is empty: give a zip, a folder, a hub id or bundled:multilingual-e5-small"
        )


def _open(source: str, revision: str | None, scratch: Path, tell: Progress) -> ModelFolder:
    if revision is not None and (source.startswith(PREFIX) or Path(source).exists()):
        raise SourceError(f"[{source}] has no revisions, [{revision}] can be asked of a hub id only")
    if source.startswith(PREFIX):
        return unpack_bundled(source, scratch, tell)
    if Path(source).is_dir():
        return open_directory(Path(source))
    if Path(source).is_file():
        raise SourceError(f"[{source}] is a file, not a model folder; `antiphon model inspect` looks into a zip")
    if source != MODEL:
        return download(source, revision, tell)
    meant, remarks = resolve_source(source, revision, tell)
    return replace(_open(meant, revision, scratch, tell), remarks=remarks)


def _describe(found: ModelFolder, overrides: Overrides, tell: Progress) -> tuple[dict[str, Content], PackageManifest]:
    """Return the package's files in their order, and its manifest."""
    folder, called = found.folder, found.names[0]
    path = find_model(folder, called)
    tokenizer_path = find_tokenizer(folder, path, called)
    tell("Reading the graph", 0, 1)
    settings = Settings.read(folder)
    original = load_graph(path)
    model, changes = portable(original, path.parent)
    derivation = Derivation(settings, facts(model), family_of(found.names), overrides)
    config = derivation.config()
    tokenizer, cut = _tokenizer(tokenizer_path, settings)
    content: Content = model.SerializeToString(deterministic=True) if changes else path
    tell("Reading the graph", 1, 1)
    manifest = PackageManifest(
        name=overrides.name or _legal(called.rsplit("/", 1)[-1]),
        description=overrides.description or _legal(found.description),
        config=config,
        origins=derivation.origins,
        notes=(*found.notes, *_sentences(changes), *derivation.notes, *cut),
    )
    files: dict[str, Content] = {"model.onnx": content, "tokenizer.json": tokenizer}
    for name in (_SENTENCEPIECE, "config.json"):
        if (folder / name).is_file():
            files[name] = folder / name
    files[NAME] = render_manifest(manifest)
    return files, manifest


def _tokenizer(path: Path, settings: Settings) -> tuple[Content, list[str]]:
    """Return tokenizer.json, with a limit where the model has fewer positions than OpenSearch would feed it."""
    try:
        truncation = Tokenizer.from_file(str(path)).truncation
    except Exception as error:  # the library raises bare Exception
        raise SourceError(f"[{path.name}] is not the file of a fast tokenizer: {error}. Save it again") from error
    allowed = max_tokens(settings)
    if allowed is None or min(CEILING, int(truncation["max_length"]) if truncation else CEILING) <= allowed:
        return path, []
    document = json.loads(path.read_bytes())
    document["truncation"] = {"direction": "Right", "max_length": allowed, "strategy": "LongestFirst", "stride": 0}
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return text.encode(), [f"Texts are cut at {allowed} tokens, the model's own limit, which tokenizer.json lacked."]


def _filled(overrides: Overrides, known: PackageManifest | None) -> Overrides:
    """Return the overrides with what an unpacked package's own manifest says where they say nothing."""
    if known is None:
        return overrides
    config = known.config
    own = Overrides(
        name=known.name,
        description=known.description,
        query_prefix=config.query_prefix,
        passage_prefix=config.passage_prefix,
        pooling_mode=config.pooling_mode,
        normalize_result=config.normalize_result,
        model_type=config.model_type,
        space_type=(config.additional_config or {}).get("space_type"),
    )
    given = {item.name: getattr(overrides, item.name) for item in fields(Overrides)}
    return replace(own, **{key: value for key, value in given.items() if value is not None})


def _check_overrides(overrides: Overrides) -> None:
    """Raise SourceError for a name, description or space type that OpenSearch would refuse later."""
    problems = text_problems("Model name", overrides.name) + text_problems("Model description", overrides.description)
    if problems:
        raise SourceError(problems[0])
    if overrides.space_type not in (None, *SPACE_TYPES):
        raise SourceError(f"the space type [{overrides.space_type}] is none of k-NN's: {list(SPACE_TYPES)}")


def _sentences(changes: list[str]) -> list[str]:
    return [f"The graph was changed: {change}." for change in changes]


def _legal(text: str) -> str:
    """Replace what OpenSearch refuses in names and descriptions."""
    return re.sub(r"[^\w\s.,!?():@\-'/\"]", "-", text)

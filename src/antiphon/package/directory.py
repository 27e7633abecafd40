"""A folder in the layout of a Hugging Face repository: where its model, tokenizer and settings are."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from antiphon.errors import SourceError

Progress = Callable[[str, int, int], None]
"""Told a step's name, how much of it is done, and out of how much."""

MODEL_FILES = ("onnx/model.onnx", "model.onnx")
"""Where Hugging Face repositories keep the fp32 graph; the first that is there is taken."""


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A folder with model files, ready to be packed.

    ``names``: what the model is called, best first; the first becomes the package's name, all are looked up among
    the known families. ``description`` and ``notes`` travel in the package, so they hold nothing of where it was
    built; ``remarks`` are for whoever builds it now.
    """

    folder: Path
    names: tuple[str, ...]
    description: str
    notes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def open_directory(folder: Path) -> ModelFolder:
    """Return a local folder as a model folder; its names are its own and the one that config.json remembers."""
    resolved = folder.resolve()
    hub = re.search(r"models--([^/\\]+)--([^/\\]+)", str(resolved))
    names = [f"{hub[1]}/{hub[2]}"] if hub else [resolved.name]
    remembered = _remembered(resolved / "config.json")
    return ModelFolder(
        folder=resolved,
        names=(*names, *([remembered] if remembered else [])),
        description=f"{names[0]}, packaged from a local folder",
    )


def find_model(folder: Path, name: str) -> Path:
    """Return the folder's ONNX graph; SourceError says how to export one, or names the several there are."""
    for path in MODEL_FILES:
        if (folder / path).is_file():
            return folder / path
    found = sorted(path for place in (folder, folder / "onnx") for path in place.glob("*.onnx"))
    if len(found) == 1:
        return found[0]
    if found:
        listed = [path.relative_to(folder).as_posix() for path in found]
        raise SourceError(f"[{name}] has several ONNX files, {listed}: rename the one to package to model.onnx")
    raise no_onnx(name)


def find_tokenizer(folder: Path, model: Path, name: str) -> Path:
    """Return tokenizer.json of the folder, or beside the model; SourceError says how to save one."""
    for place in (folder, model.parent):
        if (place / "tokenizer.json").is_file():
            return place / "tokenizer.json"
    raise SourceError(
        f"[{name}] has no tokenizer.json, the file of a fast tokenizer. Save one with "
        f"`AutoTokenizer.from_pretrained({name!r}, use_fast=True).save_pretrained(DIR)` and package DIR"
    )


def no_onnx(name: str) -> SourceError:
    """Return the error for a source without a graph."""
    return SourceError(
        f"[{name}] has no ONNX model (looked for {', '.join(MODEL_FILES)}). Export one with "
        f"`optimum-cli export onnx --model {name} --task feature-extraction DIR` and package DIR"
    )


def _remembered(config: Path) -> str | None:
    try:
        value = json.loads(config.read_text(encoding="utf-8")).get("_name_or_path")
    except (OSError, ValueError, AttributeError):
        return None  # an unreadable config.json is reported where its values are needed
    return value if isinstance(value, str) and value else None

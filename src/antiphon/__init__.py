"""Semantic search with asymmetric embedding models, in one process that speaks OpenSearch's REST API.

import antiphon

with antiphon.load("multilingual-e5-small") as model:
    passages = model.embed_passages(["Berlin is the capital of Germany."])  # float32 [1, 384]
    queries = model.embed_queries(["Hauptstadt von Deutschland?"])  # float32 [1, 384]
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from antiphon.flows import TextEmbedder

__all__ = ["load"]


def load(
    source: str | Path,
    *,
    precision: str = "auto",
    threads: int = 0,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> TextEmbedder:
    """Return a model loaded into this process.

    ``source``: a zip made by ``antiphon model build``, a folder in Hugging Face layout, a hub id, or
    ``bundled:multilingual-e5-small``; anything but a zip is built once and kept in the cache folder.
    ``precision``: ``auto`` (bf16 where the CPU has it in hardware, else fp32), ``fp32``, ``bf16``, or the lossy
    ``int8``. ``threads``: 0 uses every CPU. Raises ``antiphon.errors.AntiphonError``: SourceError when the source
    cannot be read, PackageError for a bad zip, InferenceError when a probe fails.
    """
    from antiphon.app import load as load_model

    return load_model(source, precision=precision, threads=threads, on_progress=on_progress)

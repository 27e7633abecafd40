"""An inspected package as JSON."""

from __future__ import annotations

from typing import Any

from antiphon.domain.package import PackageInspection, TensorFact
from antiphon.wire.model_config import render_config


def render_inspection(inspection: PackageInspection) -> dict[str, Any]:
    """Return every fact; ``model_config`` is null for a zip without a manifest."""
    manifest = inspection.manifest
    return {
        "path": str(inspection.path),
        "size_bytes": inspection.size_bytes,
        "sha256": inspection.sha256,
        "files": [{"name": name, "size_bytes": size} for name, size in inspection.files],
        "inputs": [_render_tensor(tensor) for tensor in inspection.inputs],
        "outputs": [_render_tensor(tensor) for tensor in inspection.outputs],
        "dimension": inspection.dimension,
        "ir_version": inspection.ir_version,
        "opset": inspection.opset,
        "precision": inspection.precision,
        "tokenizer": inspection.tokenizer,
        "vocabulary": inspection.vocabulary,
        "max_tokens": inspection.max_tokens,
        "refusals": list(inspection.refusals),
        "name": None if manifest is None else manifest.name,
        "model_config": None if manifest is None else render_config(manifest.config),
        "notes": [] if manifest is None else list(manifest.notes),
    }


def _render_tensor(tensor: TensorFact) -> dict[str, Any]:
    return {"name": tensor.name, "data_type": tensor.data_type, "shape": list(tensor.shape)}

"""Engines that run an ONNX graph, all behind one Protocol."""

from __future__ import annotations

from antiphon.encode.backends.base import Backend, EngineFailure, Feeds, Floats, RunAlone
from antiphon.encode.backends.onnxruntime import OnnxRuntime
from antiphon.encode.backends.openvino import OpenVino, has_fast_bf16

__all__ = ["Backend", "EngineFailure", "Feeds", "Floats", "OnnxRuntime", "OpenVino", "RunAlone", "has_fast_bf16"]

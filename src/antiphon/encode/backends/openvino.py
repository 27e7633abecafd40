"""OpenVINO on the CPU: bf16 where the hardware multiplies it, exact fp32, or int8 on request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import openvino

from antiphon.domain.deployment import Precision
from antiphon.encode.backends.base import EngineFailure, Feeds, Floats

_HINTS = {Precision.FP32: "f32", Precision.BF16: "bf16"}


def has_fast_bf16() -> bool:
    """True where OpenVINO finds bf16 in hardware (AMX-BF16 or AVX512-BF16)."""
    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class OpenVino:
    """A graph in OpenVINO on ``threads`` threads, computing in ``precision``."""

    name = "openvino"
    version: str = openvino.__version__.split("-")[0]

    def __init__(self, model: Path, threads: int, precision: Precision) -> None:
        config: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            # OpenVINO quantizes activations of layers with compressed weights unless told not to
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
        }
        try:
            core = openvino.Core()
            graph = core.read_model(str(model))
            self.inputs = tuple(item.any_name for item in graph.inputs)
            self.outputs = len(graph.outputs)
            self._types = {item.any_name: item.element_type.to_dtype() for item in graph.inputs}
            self._request = core.compile_model(graph, "CPU", config).create_infer_request()
        except RuntimeError as error:
            raise EngineFailure(f"OpenVINO cannot load {model.name}: {error}") from error

    def run(self, feeds: Feeds, output: int) -> Floats:
        """See ``Backend.run``; the result is a view of the engine's memory."""
        given = {name: array.astype(self._types[name], copy=False) for name, array in feeds.items()}
        try:
            results = self._request.infer(given, share_inputs=True, share_outputs=True)
        except RuntimeError as error:
            raise EngineFailure(f"OpenVINO: {error}") from error
        return np.asarray(results[output], np.float32)

    def close(self) -> None:
        """Free the graph; running afterwards is an error."""
        self.__dict__.pop("_request", None)

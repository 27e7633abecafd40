"""ONNX Runtime: plain fp32, the reference against which every other precision is measured."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from antiphon.encode.backends.base import EngineFailure, Feeds, Floats, RunAlone

_ERRORS_ONLY = 3


class OnnxRuntime:
    """A graph in ONNX Runtime on ``threads`` threads.

    ``reference``: load fast and keep little memory instead of running fast (no fusions, no arena).
    """

    name = "onnxruntime"
    version: str = version("onnxruntime")
    length_multiple = 1
    lanes = 1

    def __init__(self, model: Path, threads: int, *, reference: bool = False) -> None:
        import onnxruntime  # 20 MiB that only a first load needs: the reference's vectors are kept

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        if reference:
            options.enable_cpu_mem_arena = False
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        try:
            self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the library's errors share no base but Exception
            raise EngineFailure(f"ONNX Runtime cannot load {model.name}: {error}") from error
        self._types = {item.name: item.type for item in self._session.get_inputs()}
        self._outputs = [item.name for item in self._session.get_outputs()]

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the graph's inputs, in graph order."""
        return tuple(self._types)

    @property
    def outputs(self) -> int:
        """How many outputs the graph has."""
        return len(self._outputs)

    def prepare_lanes(self) -> None:
        """There is one lane, and it is there."""

    def run(self, feeds: Feeds, output: int, lane: int | None = None) -> Floats:  # noqa: ARG002  one place to run
        """See ``Backend.run``; the result is an array of its own."""
        given = {
            name: array.astype(np.int32) if self._types[name] == "tensor(int32)" else array
            for name, array in feeds.items()
        }
        try:
            result = self._session.run([self._outputs[output]], given)[0]
        except Exception as error:  # the library's errors share no base but Exception
            raise EngineFailure(f"ONNX Runtime: {error}") from error
        return np.asarray(result, np.float32)

    def fixed(self, widths: Sequence[int]) -> RunAlone | None:  # noqa: ARG002  shapes cost nothing here
        """See ``Backend.fixed``: there is nothing to gain."""
        return None

    def use(self, fixed: RunAlone) -> None:
        """See ``Backend.use``: ``fixed`` makes nothing that could be used."""

    def close(self) -> None:
        """Free the session; running afterwards is an error."""
        self.__dict__.pop("_session", None)

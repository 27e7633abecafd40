"""OpenVINO on the CPU: exact fp32, bf16 where the hardware multiplies it, int8 on request.

Measured (see ``docs/benchmarks.md``): fp32 is at least as fast as ONNX Runtime's, bf16 nearly twice as fast on
AVX512-BF16 and more on AMX, int8 slightly faster still at a visible loss.
"""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path
from typing import Any, ClassVar
from weakref import WeakValueDictionary

import numpy as np
import openvino

from antiphon.domain.deployment import Precision
from antiphon.encode.backends.base import EngineFailure, Feeds, FixedRun, Floats
from antiphon.encode.backends.openvino_graph import VERSION, core, prepared

_INT8_GROUP = 128
"""Numbers of one token that share an activation scale. Per token, so that a vector does not depend on its batch."""

_MOST_LANES = 8
"""Runs that may overlap. More of them wait for memory rather than for a core."""


def has_fast_bf16() -> bool:
    """True where OpenVINO finds bf16 in hardware (AMX-BF16 or AVX512-BF16)."""
    return "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class OpenVino:
    """A graph in OpenVINO on ``threads`` threads, computing in ``precision``.

    ``kept``: a folder for the prepared graph. Read from there it is mapped into memory instead of copied, so the
    next load is several times faster and the weights are not private memory. None: prepare it every time.
    """

    name = "openvino"
    version = VERSION
    length_multiple = 8
    """Every new shape costs milliseconds of compilation; rounding lengths up makes shapes recur."""

    def __init__(self, model: Path, threads: int, precision: Precision, kept: Path | None = None) -> None:
        self.lanes = min(threads, _MOST_LANES)
        try:
            self._weights = _Weights.of(model, threads, precision, kept)
            self.inputs = tuple(self._weights.types)
            self.outputs = self._weights.outputs
            self._alone = self._weights.alone.create_infer_request()
        except RuntimeError as error:
            raise EngineFailure(f"OpenVINO cannot load {model.name}: {error}") from error
        self._lanes: list[openvino.InferRequest] = []

    def prepare_lanes(self) -> None:
        """See ``Backend.prepare_lanes``: the graph is compiled a second time, with weights of its own."""
        try:
            shared = self._weights.for_lanes(self.lanes)
            self._lanes = [shared.create_infer_request() for _ in range(self.lanes)]
        except RuntimeError as error:
            raise EngineFailure(f"OpenVINO cannot make lanes: {error}") from error

    def run(self, feeds: Feeds, output: int, lane: int | None = None) -> Floats:
        """See ``Backend.run``; the result is a view of the engine's memory."""
        return self._infer(self._alone if lane is None else self._lanes[lane], feeds, output)

    def fixed(self, width: int) -> FixedRun | None:
        """See ``Backend.fixed``: nodes of a graph of one shape do not ask for shapes, nor prepare for others."""
        try:
            request = self._weights.for_width(width).create_infer_request()
        except RuntimeError as error:
            raise EngineFailure(f"OpenVINO cannot compile for one text of {width} tokens: {error}") from error
        return partial(self._infer, request)

    def _infer(self, request: openvino.InferRequest, feeds: Feeds, output: int) -> Floats:
        types = self._weights.types
        given = {name: array.astype(types[name], copy=False) for name, array in feeds.items()}
        try:
            results = request.infer(given, share_inputs=True, share_outputs=True)
        except RuntimeError as error:
            raise EngineFailure(f"OpenVINO: {error}") from error
        return np.asarray(results[output], np.float32)

    def close(self) -> None:
        """Free the graph; running afterwards is an error."""
        self.__dict__.pop("_alone", None)
        self.__dict__.pop("_lanes", None)
        self.__dict__.pop("_weights", None)


class _Weights:
    """A compiled graph, in memory once however many models run it: the same package with other prefixes, say."""

    _there: ClassVar[WeakValueDictionary[tuple[Any, ...], _Weights]] = WeakValueDictionary()
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, model: Path, threads: int, precision: Precision, kept: Path | None) -> None:
        self._source = (model, kept)
        self._how = (threads, precision)
        self._for_lanes: openvino.CompiledModel | None = None
        self._for_widths: dict[int, openvino.CompiledModel] = {}
        graph = self._graph()
        self.outputs = len(graph.outputs)
        self.types = {item.any_name: item.element_type.to_dtype() for item in graph.inputs}
        self.alone = _compiled(graph, threads, precision, streams=1)

    @classmethod
    def of(cls, model: Path, threads: int, precision: Precision, kept: Path | None) -> _Weights:
        """Return what is in memory for this very file, compiled when nothing is."""
        facts = model.stat()
        key = (str(model.resolve()), facts.st_ino, facts.st_size, facts.st_mtime_ns, threads, precision)
        with cls._lock:
            found = cls._there.get(key)
            if found is None:
                found = cls._there[key] = cls(model, threads, precision, kept)
            return found

    def for_lanes(self, lanes: int) -> openvino.CompiledModel:
        """Return the graph compiled for ``lanes`` runs at the same time."""
        with self._lock:
            if self._for_lanes is None:
                self._for_lanes = _compiled(self._graph(), *self._how, streams=lanes)
            return self._for_lanes

    def for_width(self, width: int) -> openvino.CompiledModel:
        """Return the graph compiled for one text of ``width`` tokens."""
        with self._lock:
            found = self._for_widths.get(width)
            if found is None:
                graph = self._graph()
                graph.reshape({name: [1, width] for name in self.types})
                found = self._for_widths[width] = _compiled(graph, *self._how, streams=1)
            return found

    def _graph(self) -> openvino.Model:
        """Read the graph, which is not kept in memory beside what is compiled of it."""
        return prepared(*self._source, self._how[1])


def _compiled(graph: openvino.Model, threads: int, precision: Precision, *, streams: int) -> openvino.CompiledModel:
    """Compile for ``streams`` runs at the same time, which share ``threads`` threads."""
    config = {
        "PERFORMANCE_HINT": "LATENCY" if streams == 1 else "THROUGHPUT",
        "NUM_STREAMS": streams,
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": _arithmetic(precision),
        "ENABLE_CPU_PINNING": False,  # pinned, two processes of one thread each share one core
        # left alone, OpenVINO quantizes activations wherever a graph holds integer weights
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": _INT8_GROUP if precision is Precision.INT8 else 0,
    }
    return core().compile_model(graph, "CPU", config)


def _arithmetic(precision: Precision) -> str:
    match precision:
        case Precision.FP32:
            return "f32"
        case Precision.BF16:
            return "bf16"
        case Precision.INT8:
            return "bf16" if has_fast_bf16() else "f32"
        case Precision.AUTO:
            raise ValueError("AUTO is decided before an engine loads")

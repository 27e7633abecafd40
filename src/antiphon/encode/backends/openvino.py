"""OpenVINO on the CPU: exact fp32, bf16 where the hardware multiplies it, int8 on request.

Measured (see ``docs/benchmarks.md``): fp32 is at least as fast as ONNX Runtime's, bf16 nearly twice as fast on
AVX512-BF16 and more on AMX, int8 slightly faster still at a visible loss.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeAlias
from weakref import WeakValueDictionary

import openvino

from antiphon.domain.deployment import Precision
from antiphon.encode.backends.base import EngineFailure, Feeds, Floats, RunAlone
from antiphon.encode.backends.openvino_branches import Branches, branched
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
            self._alone: RunAlone = Branches(*self._weights.alone, self._weights.types)
        except RuntimeError as error:
            raise EngineFailure(f"OpenVINO cannot load {model.name}: {error}") from error
        self._lanes: list[Branches] = []

    def prepare_lanes(self) -> None:
        """See ``Backend.prepare_lanes``: the graph is compiled a second time, with weights of its own."""
        try:
            shared = self._weights.for_lanes(self.lanes)
            self._lanes = [Branches(shared, (), self._weights.types) for _ in range(self.lanes)]
        except RuntimeError as error:
            raise EngineFailure(f"OpenVINO cannot make lanes: {error}") from error

    def run(self, feeds: Feeds, output: int, lane: int | None = None) -> Floats:
        """See ``Backend.run``; the result is a view of the engine's memory."""
        return (self._alone if lane is None else self._lanes[lane])(feeds, output)

    def fixed(self, widths: Sequence[int]) -> Branches | None:
        """See ``Backend.fixed``: branches of one shape do not ask for shapes, nor prepare for others."""
        try:
            return Branches(*self._weights.for_widths(tuple(widths)), self._weights.types)
        except RuntimeError as error:
            raise EngineFailure(f"OpenVINO cannot compile for texts of {list(widths)} tokens: {error}") from error

    def use(self, fixed: RunAlone) -> None:
        """See ``Backend.use``: the graph of before is let go, unless another model runs it."""
        self._alone = fixed
        if isinstance(fixed, Branches):
            self._weights.alone = fixed.compiled, fixed.widths

    def close(self) -> None:
        """Free the graph; running afterwards is an error."""
        self.__dict__.pop("_alone", None)
        self.__dict__.pop("_lanes", None)
        self.__dict__.pop("_weights", None)


_Alone: TypeAlias = tuple[openvino.CompiledModel, tuple[int, ...]]
"""A graph compiled to run alone, and the widths that have a branch in it."""


class _Weights:
    """A compiled graph, in memory once however many models run it: the same package with other prefixes, say."""

    _there: ClassVar[WeakValueDictionary[tuple[Any, ...], _Weights]] = WeakValueDictionary()
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, model: Path, threads: int, precision: Precision, kept: Path | None) -> None:
        self._source = (model, kept)
        self._how = (threads, precision)
        self._for_lanes: openvino.CompiledModel | None = None
        graph = prepared(model, kept, precision)
        self._mapped = None if kept is None else graph
        self.outputs = len(graph.outputs)
        self.types = {item.any_name: item.element_type.to_dtype() for item in graph.inputs}
        self.alone: _Alone = _compiled(graph, threads, precision, streams=1), ()

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

    def for_widths(self, widths: tuple[int, ...]) -> _Alone:
        """Return the graph compiled with a branch for single texts of each of ``widths``, and the widths."""
        with self._lock:
            if self.alone[1] == widths:
                return self.alone
            return _compiled(branched(self._graph(), widths), *self._how, streams=1), widths

    def _graph(self) -> openvino.Model:
        """Return the graph: the one that is mapped from a file, so that it is mapped once, or else read again."""
        return prepared(*self._source, self._how[1]) if self._mapped is None else self._mapped


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

"""OpenVINO on the CPU: exact fp32, bf16 where the hardware multiplies it, int8 on request.

Measured (see ``docs/benchmarks.md``): fp32 is at least as fast as ONNX Runtime's, bf16 nearly twice as fast on
AVX512-BF16 and more on AMX, int8 slightly faster still at a visible loss.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import threading
from functools import cache
from pathlib import Path
from typing import Any, ClassVar
from weakref import WeakValueDictionary

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino import opset13
from openvino.passes import ConstantFolding, Manager

from antiphon.domain.deployment import Precision
from antiphon.encode.backends.base import EngineFailure, Feeds, Floats

_log = logging.getLogger(__name__)

_INT8_GROUP = 128
"""Numbers of one token that share an activation scale. Per token, so that a vector does not depend on its batch."""

_MOST_LANES = 8
"""Runs that may overlap. More of them wait for memory rather than for a core."""

_LARGEST_INT8 = 127.0


def has_fast_bf16() -> bool:
    """True where OpenVINO finds bf16 in hardware (AMX-BF16 or AVX512-BF16)."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@cache
def _core() -> openvino.Core:
    """The one core of this process.

    A core gives its thread an alternate signal stack and puts the former one back when it dies. Two of them that
    do not die in reverse order leave a stack behind that is freed, and the next signal kills the process.
    """
    return openvino.Core()


class OpenVino:
    """A graph in OpenVINO on ``threads`` threads, computing in ``precision``.

    ``kept``: a folder for the prepared graph. Read from there it is mapped into memory instead of copied, so the
    next load is several times faster and the weights are not private memory. None: prepare it every time.
    """

    name = "openvino"
    version: str = openvino.__version__.split("-")[0]
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
        types = self._weights.types
        given = {name: array.astype(types[name], copy=False) for name, array in feeds.items()}
        request = self._alone if lane is None else self._lanes[lane]
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

    def _graph(self) -> openvino.Model:
        """Read the graph, which is not kept in memory beside what is compiled of it."""
        return _prepared(*self._source, quantized=self._how[1] is Precision.INT8)


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
    return _core().compile_model(graph, "CPU", config)


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


def _prepared(model: Path, kept: Path | None, *, quantized: bool) -> openvino.Model:
    """Return the graph ready to compile, from the folder ``kept`` when it is there."""
    if kept is None:
        return _prepare(model, quantized=quantized)
    prefix = f"openvino-{OpenVino.version}-"
    folder = kept / f"{prefix}{'int8' if quantized else 'exact'}"
    if folder.exists():
        try:
            return _core().read_model(str(folder / "model.xml"))
        except RuntimeError:  # damaged: made again below
            shutil.rmtree(folder, ignore_errors=True)
    for stale in kept.glob("openvino-*"):
        if not stale.name.startswith(prefix):
            shutil.rmtree(stale, ignore_errors=True)
    graph = _prepare(model, quantized=quantized)
    try:
        _save(graph, folder)
        return _core().read_model(str(folder / "model.xml"))
    except (OSError, RuntimeError) as error:  # a full disk, for example
        _log.warning("The prepared graph cannot be kept in %s: %s", folder, error)
        return graph


def _prepare(model: Path, *, quantized: bool) -> openvino.Model:
    """Read ``model`` and compute once what does not depend on a text, such as linear weights from packed codes.

    The values are those the graph would compute at every run. A packed embedding table stays packed, because its
    rows are picked before they are scaled.
    """
    graph = _core().read_model(str(model))
    folding = Manager()
    folding.register_pass(ConstantFolding())
    folding.run_passes(graph)
    if quantized:
        _quantize_weights(graph)
    return graph


def _save(graph: openvino.Model, folder: Path) -> None:
    """Write ``graph`` so that ``folder`` is there complete or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".openvino-", dir=folder.parent))
    try:
        openvino.save_model(graph, str(staging / "model.xml"), compress_to_fp16=False)
        for path in staging.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        staging.replace(folder)
    except OSError:
        if not folder.exists():  # another process was faster: its copy is as good
            raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _quantize_weights(graph: openvino.Model) -> None:
    """Replace the constant weights of linear layers by int8 codes with one scale per output row."""
    for node in graph.get_ordered_ops():
        if node.get_type_name() != "MatMul":
            continue
        weights = node.input_value(1).get_node()
        attributes: dict[str, Any] = node.get_attributes()
        if weights.get_type_name() != "Constant" or len(weights.get_output_shape(0)) != 2:
            continue
        matrix = weights.data if attributes["transpose_b"] else weights.data.T
        codes, scales = _int8(np.asarray(matrix, np.float32))
        restored = opset13.multiply(opset13.convert(opset13.constant(codes), np.float32), opset13.constant(scales))
        linear = opset13.matmul(node.input_value(0), restored, attributes["transpose_a"], True)
        node.output(0).replace(linear.output(0))


def _int8(matrix: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Return int8 codes ``[out, in]`` and float32 scales ``[out, 1]`` whose product is close to ``matrix``."""
    peak = np.abs(matrix).max(axis=1, keepdims=True)
    scales = np.where(peak > 0, peak / _LARGEST_INT8, 1.0).astype(np.float32)
    return np.rint(matrix / scales).astype(np.int8), scales

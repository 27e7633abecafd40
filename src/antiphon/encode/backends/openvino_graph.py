"""A graph as OpenVINO compiles it: what does not depend on a text is computed once, and kept in a folder."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino import opset13
from openvino.passes import ConstantFolding, Manager

from antiphon.domain.deployment import Precision
from antiphon.encode.backends.base import Floats

_log = logging.getLogger(__name__)

_LARGEST_INT8 = 127.0

VERSION: str = openvino.__version__.split("-")[0]

_STORED = {Precision.FP32: "f32", Precision.BF16: "f16", Precision.INT8: "int8"}
_FOLDERS = {precision: f"openvino-{VERSION}-{stored}" for precision, stored in _STORED.items()}
"""Where a graph is kept, by what its weights are stored as; to be renamed when what is prepared changes."""


@cache
def core() -> openvino.Core:
    """Return the one core of this process.

    A core gives its thread an alternate signal stack and puts the former one back when it dies. Two of them that
    do not die in reverse order leave a stack behind that is freed, and the next signal kills the process.
    """
    return openvino.Core()


def prepared(model: Path, kept: Path | None, precision: Precision) -> openvino.Model:
    """Return the graph ready to compile for ``precision``, from the folder ``kept`` when it is there.

    Read from there it is mapped into memory. For bf16 its weights are kept as f16, which is more exact than what
    they become, and which OpenVINO packs without a copy of them in another type.
    """
    if kept is None:
        return _prepare(model, precision)
    folder = kept / _FOLDERS[precision]
    if folder.exists():
        try:
            return core().read_model(str(folder / "model.xml"))
        except RuntimeError:  # damaged: made again below
            shutil.rmtree(folder, ignore_errors=True)
    for stale in kept.glob("openvino-*"):
        if stale.name not in _FOLDERS.values():
            shutil.rmtree(stale, ignore_errors=True)
    graph = _prepare(model, precision)
    try:
        _save(graph, folder, halved=precision is Precision.BF16)
        return core().read_model(str(folder / "model.xml"))
    except (OSError, RuntimeError) as error:  # a full disk, for example
        _log.warning("The prepared graph cannot be kept in %s: %s", folder, error)
        return graph


def _prepare(model: Path, precision: Precision) -> openvino.Model:
    """Read ``model`` and compute once what does not depend on a text, such as linear weights from packed codes.

    The values are those the graph would compute at every run. A packed embedding table stays packed, because its
    rows are picked before they are scaled.
    """
    graph = core().read_model(str(model))
    folding = Manager()
    folding.register_pass(ConstantFolding())
    folding.run_passes(graph)
    _widen_tables(graph)
    if precision is Precision.INT8:
        _quantize_weights(graph)
    return graph


def _save(graph: openvino.Model, folder: Path, *, halved: bool) -> None:
    """Write ``graph`` so that ``folder`` is there complete or not at all; ``halved``: numbers as f16."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".openvino-", dir=folder.parent))
    try:
        openvino.save_model(graph, str(staging / "model.xml"), compress_to_fp16=halved)
        for path in staging.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        staging.replace(folder)
    except OSError:
        if not folder.exists():  # another process was faster: its copy is as good
            raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _widen_tables(graph: openvino.Model) -> None:
    """Have the rows of f16 tables picked as f32, for which nothing is converted when the table is stored.

    Of ``Gather(f16) -> Convert(f32)`` the compiler converts the whole table, into memory of its own.
    """
    for node in graph.get_ordered_ops():
        if node.get_type_name() != "Gather" or node.get_attributes().get("batch_dims", 0):
            continue
        table = node.input_value(0).get_node()
        if table.get_type_name() != "Constant" or table.get_element_type() != openvino.Type.f16:
            continue
        widened = opset13.gather(
            opset13.constant(np.asarray(table.data, np.float32)), node.input_value(1), node.input_value(2)
        )
        for target in list(node.output(0).get_target_inputs()):
            user = target.get_node()
            if user.get_type_name() == "Convert" and user.get_output_element_type(0) == openvino.Type.f32:
                user.output(0).replace(widened.output(0))


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

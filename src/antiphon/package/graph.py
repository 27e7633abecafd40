"""What an ONNX graph declares, and the graph as OpenSearch's ONNX Runtime 1.16 can load it.

That version reads IR 9 and opset 19 of the default domain, no newer. Packages are written with opset 17 or what the
export has, and always as one file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import AttributeProto, GraphProto, ModelProto, TensorProto, ValueInfoProto, external_data_helper

from antiphon.domain.package import TensorFact
from antiphon.errors import PackageError, SourceError

MAX_IR, MAX_OPSET = 9, 19
"""The newest that ONNX Runtime 1.16 reads."""

INPUTS = ("input_ids", "attention_mask", "token_type_ids", "position_ids")
"""The inputs that a text can feed."""

FED_BY_OPENSEARCH = INPUTS[:3]
"""The inputs that ML Commons feeds; the third only to a ``model_type`` of bert or albert."""

PRECISION_KEY = "antiphon.precision"
"""Metadata of a graph that says how its weights are stored, where the tensors' types do not."""

MAX_PROTOBUF = 2 * 1024**3 - 1
"""Bytes that one ONNX file can have."""

_NEWER_THAN_IR9 = {TensorProto.UINT4, TensorProto.INT4, 23, 24, 25, 26}
"""4-bit and 2-bit integers, FLOAT4E2M1 and FLOAT8E8M0: types that came with IR 10 and later."""


@dataclass(frozen=True, slots=True)
class GraphFacts:
    """What a graph declares. ``dimension``: of the first output's vectors, None when it is not fixed."""

    inputs: tuple[TensorFact, ...]
    outputs: tuple[TensorFact, ...]
    ir_version: int
    opset: int
    precision: str
    external_files: frozenset[str]

    @property
    def pooled(self) -> bool:
        """True when the first output has one vector per text, not one per token."""
        return bool(self.outputs) and len(self.outputs[0].shape) == 2

    @property
    def dimension(self) -> int | None:
        """The width of the first output, None when it is not fixed."""
        last = self.outputs[0].shape[-1:] if self.outputs else ()
        return last[0] if last and isinstance(last[0], int) else None

    @property
    def input_names(self) -> tuple[str, ...]:
        """The inputs' names in graph order."""
        return tuple(fact.name for fact in self.inputs)


def load_graph(path: Path) -> ModelProto:
    """Parse a model without the weights it keeps in other files; PackageError when it is not ONNX."""
    try:
        return onnx.load(path, load_external_data=False)
    except OSError as error:
        raise PackageError(f"Cannot read the model: {error}") from error
    except Exception as error:  # protobuf's DecodeError derives from Exception only
        raise PackageError(f"[{path.name}] is not an ONNX model: {error}. Export the model again") from error


def facts(model: ModelProto) -> GraphFacts:
    """Return what ``model`` declares; PackageError when its inputs or outputs are not those of a text encoder."""
    graph = model.graph
    weights = {item.name for item in graph.initializer}
    found = GraphFacts(
        inputs=tuple(_fact(item) for item in graph.input if item.name not in weights),
        outputs=tuple(_fact(item) for item in graph.output),
        ir_version=model.ir_version,
        opset=max((item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), default=0),
        precision=_precision(model),
        external_files=frozenset(_external_files(model)),
    )
    _check_interface(found)
    return found


def portable(model: ModelProto, folder: Path) -> tuple[ModelProto, list[str]]:
    """Return ``model`` as one file that ONNX Runtime 1.16 loads, and sentences on what was changed.

    External weights are read from ``folder``. Raises SourceError when it cannot be made so.
    """
    changes = []
    opset = facts(model).opset
    if external := _external_files(model):
        _inline(model, folder)
        changes.append(f"external weights ({', '.join(sorted(external))}) are stored inside the graph")
    if opset > MAX_OPSET:
        model = _lower_opset(model, opset)
        changes.append(f"opset {opset} lowered to {MAX_OPSET}, the newest that OpenSearch's ONNX Runtime reads")
    if model.ir_version > MAX_IR:
        changes.append(_lower_ir(model))
    if len(model.graph.output) > 1 and facts(model).pooled:
        del model.graph.output[1:]
        changes.append("only the first output, which is already pooled, is kept")
    return model, changes


def _fact(item: ValueInfoProto) -> TensorFact:
    tensor = item.type.tensor_type
    shape = tuple(dim.dim_value if dim.HasField("dim_value") else (dim.dim_param or "?") for dim in tensor.shape.dim)
    return TensorFact(item.name, _type_name(tensor.elem_type), shape)


def _check_interface(found: GraphFacts) -> None:
    names = found.input_names
    if "input_ids" not in names or set(names) - set(INPUTS):
        raise PackageError(
            f"Input mismatch, looking for: {list(names)}; a text encoder takes input_ids and, of {list(INPUTS[1:])}, "
            "what it needs. Export the model as feature-extraction"
        )
    for fact in found.inputs:
        if fact.data_type not in ("int64", "int32"):
            raise PackageError(f"Input [{fact.name}] is {fact.data_type}, must be int64. Export the model again")
    if not found.outputs:
        raise PackageError("The graph has no output. Export the model as feature-extraction")
    first = found.outputs[0]
    if first.data_type not in ("float32", "float16") or len(first.shape) not in (0, 2, 3):
        raise PackageError(
            f"The first output [{first.name}] is {first.data_type} {list(first.shape)}; expected float32 [batch, "
            "tokens, hidden] or [batch, dimension]. Export the model as feature-extraction"
        )


def _tensors(model: ModelProto) -> Iterator[TensorProto]:
    """Every tensor with weights, those of subgraphs and attributes included."""
    waiting = [model.graph]
    while waiting:
        graph: GraphProto = waiting.pop()
        yield from graph.initializer
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.type == AttributeProto.TENSOR:
                    yield attribute.t
                elif attribute.type == AttributeProto.GRAPH:
                    waiting.append(attribute.g)


def _external_files(model: ModelProto) -> set[str]:
    return {
        entry.value
        for tensor in _tensors(model)
        if tensor.data_location == TensorProto.EXTERNAL
        for entry in tensor.external_data
        if entry.key == "location"
    }


def _precision(model: ModelProto) -> str:
    for item in model.metadata_props:
        if item.key == PRECISION_KEY:
            return str(item.value)
    sizes: Counter[str] = Counter()
    for tensor in _tensors(model):
        count = 1
        for length in tensor.dims:
            count *= length
        sizes[_type_name(tensor.data_type)] += count
    return sizes.most_common(1)[0][0] if sizes else "no weights"


def _type_name(kind: int) -> str:
    """Return numpy's name of an ONNX element type."""
    name = TensorProto.DataType.Name(kind).lower()
    return {"float": "float32", "double": "float64"}.get(name) or str(name)


def _inline(model: ModelProto, folder: Path) -> None:
    try:
        external_data_helper.load_external_data_for_model(model, str(folder))
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        raise SourceError(f"Cannot read the model's external weights in [{folder}]: {error}") from error
    if model.ByteSize() > MAX_PROTOBUF:
        raise SourceError(
            f"The model has {model.ByteSize()} bytes of weights; one ONNX file holds 2 GiB, and OpenSearch does not "
            "promise to find weights beside it. Export a smaller precision"
        )


def _lower_opset(model: ModelProto, opset: int) -> ModelProto:
    try:
        return onnx.version_converter.convert_version(model, MAX_OPSET)
    except Exception as error:  # the converter raises RuntimeError and types of its own extension module
        raise SourceError(
            f"The graph uses opset {opset}, OpenSearch's ONNX Runtime reads {MAX_OPSET}, and it cannot be lowered: "
            f"{error}. Export it with opset 17"
        ) from error


def _lower_ir(model: ModelProto) -> str:
    used = {tensor.data_type for tensor in _tensors(model)} & _NEWER_THAN_IR9
    if used:
        names = sorted(TensorProto.DataType.Name(kind) for kind in used)
        raise SourceError(
            f"The graph has IR version {model.ir_version} and weights of type {names}, which OpenSearch's ONNX Runtime "
            f"(IR {MAX_IR}) does not know. Export it in float32 or int8"
        )
    before, model.ir_version = model.ir_version, MAX_IR
    return f"IR version {before} lowered to {MAX_IR}, the newest that OpenSearch's ONNX Runtime reads"

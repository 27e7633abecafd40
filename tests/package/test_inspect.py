"""What ``inspect_package`` tells of a zip, and every reason for which OpenSearch would refuse it."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

from antiphon.domain.package import TensorFact
from antiphon.errors import PackageError
from antiphon.package import build_package, inspect_package
from tests.support.tiny import tiny_folder

Files = dict[str, bytes]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """The files of a sound package."""
    return unzipped(tmp_path)


def unzipped(tmp_path: Path, **options: Any) -> Files:
    built = build_package(str(tiny_folder(tmp_path / "e5-small", **options)), tmp_path / "sound.zip")
    with zipfile.ZipFile(built.path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def refusals(tmp_path: Path, files: Files) -> list[str]:
    path = tmp_path / "inspected.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return list(inspect_package(path).refusals)


def graph(files: Files, change: Callable[[onnx.ModelProto], object]) -> Files:
    model = onnx.load_model_from_string(files["model.onnx"])
    change(model)
    return {**files, "model.onnx": model.SerializeToString()}


def config(files: Files, **keys: Any) -> Files:
    manifest = json.loads(files["antiphon.json"])
    manifest["model_config"].update(keys)
    return {**files, "antiphon.json": json.dumps(manifest).encode()}


def test_what_a_sound_package_shows(tmp_path: Path, files: Files) -> None:
    shown = inspect_package(tmp_path / "sound.zip")
    integers = ("batch", "sequence")
    assert shown.inputs == tuple(
        TensorFact(name, "int64", integers) for name in ("input_ids", "attention_mask", "token_type_ids")
    )
    assert shown.outputs == (TensorFact("last_hidden_state", "float32", ("batch", "sequence", 8)),)
    assert (shown.dimension, shown.ir_version, shown.opset, shown.precision) == (8, 8, 17, "float32")
    assert (shown.tokenizer, shown.vocabulary, shown.max_tokens) == ("BPE", 260, 512)
    assert dict(shown.files) == {name: len(content) for name, content in files.items()}
    assert shown.manifest is not None
    assert shown.manifest.config.query_prefix == "query: "
    assert shown.refusals == ()
    assert refusals(tmp_path, {name: files[name] for name in ("model.onnx", "tokenizer.json")}) == []


def test_a_graph_too_new(tmp_path: Path, files: Files) -> None:
    def change(model: onnx.ModelProto) -> None:
        model.ir_version, model.opset_import[0].version = 11, 22

    assert refusals(tmp_path, graph(files, change)) == [
        "IR version 11: ONNX Runtime 1.16 in OpenSearch reads up to 9",
        "opset 22: ONNX Runtime 1.16 in OpenSearch reads up to 19",
    ]


def test_weights_beside_the_graph(tmp_path: Path, files: Files) -> None:
    def change(model: onnx.ModelProto) -> None:
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="model.onnx_data")

    assert any("['model.onnx_data'] beside the graph" in item for item in refusals(tmp_path, graph(files, change)))


def test_inputs_that_opensearch_does_not_feed(tmp_path: Path) -> None:
    [reason] = refusals(tmp_path, unzipped(tmp_path, position_ids=True))
    assert "Input mismatch, looking for: [" in reason
    files = unzipped(tmp_path)
    assert refusals(tmp_path, graph(files, lambda model: model.graph.input.pop(1)))[0].startswith("Input mismatch")

    def to_int32(model: onnx.ModelProto) -> None:
        model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.INT32

    assert refusals(tmp_path, graph(files, to_int32)) == ["input [input_ids] is int32: OpenSearch feeds int64"]


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"model_type": "xlm-roberta"}, "for model_type [xlm-roberta] OpenSearch feeds no token_type_ids"),
        ({"normalize_result": True, "pooling_mode": "MAX"}, "all become 1 or -1"),
        ({"embedding_dimension": 384}, "embedding_dimension 384 is wrong, the graph has 8"),
        (
            {"all_config": '{"space_type":"l2"}'},
            "Duplicate keys found in both all_config and additional_config: space_type",
        ),
    ],
)
def test_a_config_that_does_not_fit(tmp_path: Path, files: Files, keys: dict[str, Any], reason: str) -> None:
    assert reason in "".join(refusals(tmp_path, config(files, **keys)))


def test_a_pooled_output(tmp_path: Path) -> None:
    files = unzipped(tmp_path, outputs="2d")
    assert refusals(tmp_path, files) == []
    for other in (config(files, pooling_mode="MEAN"), {name: files[name] for name in ("model.onnx", "tokenizer.json")}):
        [reason] = refusals(tmp_path, other)
        assert "pooling_mode mean fails, register it with none" in reason


def test_limits_of_tokens(tmp_path: Path, files: Files) -> None:
    tokenizer = json.loads(files["tokenizer.json"])
    tokenizer["truncation"] = {"direction": "Right", "max_length": 8192, "strategy": "LongestFirst", "stride": 0}
    long = {**files, "tokenizer.json": json.dumps(tokenizer).encode()}
    assert refusals(tmp_path, long) == ["texts are cut at 512 tokens, although tokenizer.json allows 8192"]
    short = {**files, "config.json": b'{"max_position_embeddings": 128}'}
    assert refusals(tmp_path, short) == [
        "texts of more than 128 tokens would fail: config.json has no more positions, and tokenizer.json cuts at 512"
    ]


def test_what_registration_would_refuse_is_told_with_the_rest(tmp_path: Path, files: Files) -> None:
    nested = {("in/" + name if name == "model.onnx" else name): content for name, content in files.items()}
    assert "Can't find model file at the zip's root" in refusals(tmp_path, nested)[0]
    assert "disallowed executable" in refusals(tmp_path, {**files, "lib/x.so": b""})[0]
    assert refusals(tmp_path, {**files, "other.onnx": b""})[0].startswith("Find multiple model files")
    no_tokenizer = {name: content for name, content in files.items() if name != "tokenizer.json"}
    assert refusals(tmp_path, no_tokenizer)[0].startswith("No tokenizer file")
    assert refusals(tmp_path, {})[0].startswith("Can't find model file")
    assert "not an ONNX model" in refusals(tmp_path, {**files, "model.onnx": b"no"})[0]
    assert "fast tokenizer" in refusals(tmp_path, {**files, "tokenizer.json": b"{}"})[0]
    assert "is not a manifest" in refusals(tmp_path, {**files, "antiphon.json": b"{}"})[0]


def test_what_is_no_zip_at_all(tmp_path: Path) -> None:
    (tmp_path / "page.zip").write_text("<html>")
    with pytest.raises(PackageError, match="zip END header not found"):
        inspect_package(tmp_path / "page.zip")
    with pytest.raises(PackageError, match="Cannot read the package"):
        inspect_package(tmp_path / "absent.zip")

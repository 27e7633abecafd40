"""Packages: the same bytes every time, one file, and a graph that OpenSearch's ONNX Runtime can load."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from antiphon.domain.model import ModelFormat
from antiphon.domain.names import text_problems
from antiphon.domain.package import Overrides
from antiphon.errors import AntiphonError, PackageError, SourceError
from antiphon.package import DiskPackages, build_package, inspect_package, read_manifest
from tests.support.tiny import tiny_folder

FEEDS = {
    "input_ids": np.array([[0, 5, 9, 2]], np.int64),
    "attention_mask": np.ones((1, 4), np.int64),
    "token_type_ids": np.zeros((1, 4), np.int64),
}


def hidden_states(model: bytes | str) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, FEEDS)[0])


def packed_graph(package: Path) -> bytes:
    with zipfile.ZipFile(package) as archive:
        return archive.read("model.onnx")


def test_the_same_input_gives_the_same_bytes_wherever_and_whenever(tmp_path: Path) -> None:
    one = tiny_folder(tmp_path / "one" / "e5-small")
    two = tiny_folder(tmp_path / "two" / "e5-small")
    for path in two.rglob("*"):
        os.utime(path, (0, 0))
        path.chmod(0o600)
    first = build_package(str(one), tmp_path / "first.zip")
    second = build_package(str(two), tmp_path / "deep" / "er" / "second.zip")
    assert first.sha256 == second.sha256
    assert first.manifest == second.manifest
    assert first.sha256 == hashlib.sha256(first.path.read_bytes()).hexdigest()
    assert first.size_bytes == first.path.stat().st_size


def test_a_package_is_plain_and_admissible(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "tiny")
    (folder / "sentencepiece.bpe.model").write_bytes(b"pieces")
    (folder / "libextra.so").write_bytes(b"not packaged")
    built = build_package(str(folder), tmp_path / "tiny.zip")
    with zipfile.ZipFile(built.path) as archive:
        entries = archive.infolist()
    assert [entry.filename for entry in entries] == [
        "model.onnx", "tokenizer.json", "sentencepiece.bpe.model", "config.json", "antiphon.json"
    ]  # fmt: skip
    assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert not any(entry.flag_bits & 0x8 for entry in entries), "java.util.zip refuses stored data descriptors"
    packages = DiskPackages(tmp_path / "data")
    staged = packages.fetch(built.path.as_uri(), "^file:")
    home = packages.admit(staged, built.sha256, ModelFormat.ONNX)
    assert read_manifest(home) == read_manifest(built.path) == built.manifest
    assert inspect_package(built.path).refusals == ()


def test_names_and_descriptions_are_legal_in_opensearch(tmp_path: Path) -> None:
    manifest = build_package(str(tiny_folder(tmp_path / "my+model#1")), tmp_path / "m.zip").manifest
    assert manifest.name == "my-model-1"
    assert not text_problems("Model name", manifest.name) + text_problems("Description", manifest.description)
    cached = tmp_path / "models--intfloat--e5-small" / "snapshots" / ("c" * 40)
    manifest = build_package(str(tiny_folder(cached)), tmp_path / "m.zip").manifest
    assert (manifest.name, manifest.config.query_prefix) == ("e5-small", "query: ")


def test_a_zip_without_a_manifest_has_none(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bare.zip", "w") as archive:
        archive.writestr("model.onnx", b"")
    assert read_manifest(tmp_path / "bare.zip") is None
    assert read_manifest(tmp_path) is None
    (tmp_path / "antiphon.json").write_text('{"name": "x"}')
    with pytest.raises(PackageError, match=r"\[antiphon.json\] is not a manifest: .*model_type"):
        read_manifest(tmp_path)
    with pytest.raises(PackageError, match="Cannot read the package"):
        read_manifest(tmp_path / "absent.zip")


def test_progress_counts_up(tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    build_package(str(tiny_folder(tmp_path / "t")), tmp_path / "t.zip", on_progress=lambda *step: seen.append(step))
    assert seen[0] == ("Reading the graph", 0, 1)
    assert seen[-1][0] == "Writing the zip"
    assert seen[-1][1] == seen[-1][2]
    assert all(0 <= done <= total for _, done, total in seen)


def test_newer_graphs_are_lowered(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "m")
    model = onnx.load(folder / "model.onnx")
    before = hidden_states(model.SerializeToString())
    model.ir_version, model.opset_import[0].version = 10, 21
    onnx.save(model, folder / "model.onnx")
    built = build_package(str(folder), tmp_path / "m.zip")
    inspected = inspect_package(built.path)
    assert (inspected.ir_version, inspected.opset, inspected.refusals) == (9, 19, ())
    assert [note.split(",")[0] for note in built.manifest.notes[:2]] == [
        "The graph was changed: opset 21 lowered to 19", "The graph was changed: IR version 10 lowered to 9"
    ]  # fmt: skip
    np.testing.assert_allclose(hidden_states(packed_graph(built.path)), before, rtol=0, atol=1e-6)


def test_what_cannot_be_lowered_is_refused(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "m")
    model = onnx.load(folder / "model.onnx")
    model.ir_version = 10
    model.graph.initializer.append(helper.make_tensor("four.bits", TensorProto.INT4, [2], [1, 2]))
    onnx.save(model, folder / "model.onnx")
    with pytest.raises(SourceError, match=r"IR version 10 and weights of type \['INT4'\]"):
        build_package(str(folder), tmp_path / "m.zip")
    del model.graph.initializer[-1]
    model.opset_import[0].version = 20
    last = model.graph.node[-1]
    final, last.output[0] = last.output[0], "before.gelu"
    model.graph.node.append(helper.make_node("Gelu", ["before.gelu"], [final]))
    onnx.save(model, folder / "model.onnx")
    with pytest.raises(SourceError, match=r"opset 20, .* cannot be lowered: .*Export it with opset 17"):
        build_package(str(folder), tmp_path / "m.zip")
    assert not list(tmp_path.glob("*.zip"))


def test_weights_in_other_files_move_into_the_graph(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "m")
    model = onnx.load(folder / "model.onnx")
    before = hidden_states(model.SerializeToString())
    (folder / "onnx").mkdir()
    onnx.save(
        model, folder / "onnx" / "model.onnx",
        save_as_external_data=True, location="model.onnx_data", size_threshold=0,
    )  # fmt: skip
    (folder / "model.onnx").unlink()
    built = build_package(str(folder), tmp_path / "m.zip")
    inspected = inspect_package(built.path)
    assert "model.onnx_data" not in dict(inspected.files)
    assert inspected.refusals == ()
    assert "external weights (model.onnx_data) are stored inside" in built.manifest.notes[0]
    np.testing.assert_array_equal(hidden_states(packed_graph(built.path)), before)
    (folder / "onnx" / "model.onnx_data").unlink()
    with pytest.raises(SourceError, match="Cannot read the model's external weights"):
        build_package(str(folder), tmp_path / "m.zip")


def test_external_weights_cannot_point_out_of_the_folder(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "m")
    (tmp_path / "secret").write_bytes(bytes(4096))
    model = onnx.load(folder / "model.onnx")
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret")
    onnx.save(model, folder / "model.onnx")
    with pytest.raises(SourceError, match="external weights"):
        build_package(str(folder), tmp_path / "m.zip")


def test_a_pooled_graph_keeps_only_its_first_output(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "m", outputs="both")
    model = onnx.load(folder / "model.onnx")
    first, second = list(model.graph.output)
    del model.graph.output[:]
    model.graph.output.extend([second, first])
    onnx.save(model, folder / "model.onnx")
    outputs = inspect_package(build_package(str(folder), tmp_path / "m.zip").path).outputs
    assert [fact.name for fact in outputs] == ["sentence_embedding"]


def test_sources_that_are_none(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "someone")
    output = tmp_path / "m.zip"

    def refusal(source: Path | str) -> str:
        with pytest.raises(AntiphonError) as caught:
            build_package(str(source), output)
        assert not output.exists()
        return caught.value.reason

    assert "is a file, not a model folder" in refusal(folder / "model.onnx")
    assert "No bundled weights are called [bert]" in refusal("bundled:bert")
    for source in (str(folder), "bundled:multilingual-e5-small"):
        with pytest.raises(SourceError, match=r"has no revisions, \[v1\] can be asked of a hub id only"):
            build_package(source, output, revision="v1")
    (folder / "model.onnx").rename(folder / "model_quantized.onnx")
    (folder / "model_fp16.onnx").write_bytes(b"")
    assert "several ONNX files, ['model_fp16.onnx', 'model_quantized.onnx']" in refusal(folder)
    (folder / "model_quantized.onnx").unlink()
    assert "The first output" not in refusal(folder)
    (folder / "model_fp16.onnx").write_bytes(b"not protobuf")
    assert "[model_fp16.onnx] is not an ONNX model" in refusal(folder)
    (folder / "model_fp16.onnx").unlink()
    assert "optimum-cli export onnx --model someone --task feature-extraction DIR" in refusal(folder)
    folder = tiny_folder(tmp_path / "other")
    (folder / "tokenizer.json").write_text('{"model": "none"}')
    assert "[tokenizer.json] is not the file of a fast tokenizer" in refusal(folder)
    (folder / "tokenizer.json").unlink()
    assert "AutoTokenizer.from_pretrained('other', use_fast=True)" in refusal(folder)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"extra_input": "pixel_values"}, r"Input mismatch, looking for: \['input_ids', .*'pixel_values'\]"),
        ({"position_ids": True}, None),
    ],
)
def test_graphs_that_no_text_can_feed(tmp_path: Path, options: dict[str, str | bool], reason: str | None) -> None:
    folder = tiny_folder(tmp_path / "m", **options)  # type: ignore[arg-type]  # one option at a time
    if reason is None:
        build_package(str(folder), tmp_path / "m.zip")
        return
    with pytest.raises(PackageError, match=reason):
        build_package(str(folder), tmp_path / "m.zip")


def test_inputs_and_outputs_of_other_types(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "m")
    original = onnx.load(folder / "model.onnx")

    def refusal(change: str) -> str:
        model = onnx.ModelProto()
        model.CopyFrom(original)
        if change == "input":
            model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT
        elif change == "output":
            model.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
        else:
            del model.graph.output[:]
        onnx.save(model, folder / "model.onnx")
        with pytest.raises(PackageError) as caught:
            build_package(str(folder), tmp_path / "m.zip")
        return caught.value.reason

    assert "Input [input_ids] is float32, must be int64" in refusal("input")
    assert "The first output [last_hidden_state] is int64 ['batch', 'sequence', 8]" in refusal("output")
    assert "has no output" in refusal("no output")


def test_a_failure_leaves_the_output_as_it_was(tmp_path: Path) -> None:
    output = tmp_path / "m.zip"
    with zipfile.ZipFile(output, "w") as archive:
        archive.writestr("before", "")
    before = output.read_bytes()
    folder = tiny_folder(tmp_path / "m", extra_input="pixel_values")
    with pytest.raises(PackageError):
        build_package(str(folder), output)
    assert output.read_bytes() == before
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "kept").touch()
    with pytest.raises(SourceError, match=r"\[.*folder\] is not a regular file"):
        build_package(str(tiny_folder(tmp_path / "n")), tmp_path / "folder")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "m", "m.zip", "n"]


def test_a_graph_with_weights_as_inputs_shows_its_real_inputs(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "m")
    model = onnx.load(folder / "model.onnx")
    tensor = model.graph.initializer[0]
    shape = numpy_helper.to_array(tensor).shape
    model.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, shape))
    onnx.save(model, folder / "model.onnx")
    built = build_package(str(folder), tmp_path / "m.zip", overrides=Overrides(description="d"))
    assert [fact.name for fact in inspect_package(built.path).inputs] == list(FEEDS)
    assert json.loads((folder / "config.json").read_text())["hidden_size"] == 8


def test_nothing_but_a_zip_is_ever_replaced(tmp_path: Path) -> None:
    source = tiny_folder(tmp_path / "m")
    notes, pipe = tmp_path / "notes.txt", tmp_path / "pipe"
    notes.write_text("dear diary")
    os.mkfifo(pipe)
    inside = source / "model.onnx"
    before = inside.read_bytes()
    for output, says in ((inside, "inside the model's folder"), (notes, "is no zip"), (pipe, "not a regular file")):
        with pytest.raises(SourceError, match=says):
            build_package(str(source), output)
    with pytest.raises(SourceError, match="not a regular file"):
        build_package(str(source), tmp_path)
    assert notes.read_text() == "dear diary"
    assert inside.read_bytes() == before
    first = build_package(str(source), tmp_path / "m.zip")
    assert build_package(str(source), tmp_path / "m.zip").sha256 == first.sha256


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (Overrides(space_type="euclid"), r"\[euclid\] is none of k-NN's"),
        (Overrides(name="a<b"), "Model name can only contain"),
        (Overrides(description="50% more"), "Model description can only contain"),
    ],
)
def test_overrides_that_opensearch_would_refuse(tmp_path: Path, overrides: Overrides, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        build_package(str(tiny_folder(tmp_path / "m")), tmp_path / "m.zip", overrides=overrides)


def test_an_unpacked_package_keeps_its_prefixes_when_built_again(tmp_path: Path) -> None:
    prefixes = Overrides(name="mine", query_prefix="ask: ", passage_prefix="tell: ", pooling_mode="cls")
    first = build_package(str(tiny_folder(tmp_path / "m")), tmp_path / "m.zip", overrides=prefixes)
    with zipfile.ZipFile(first.path) as archive:
        archive.extractall(tmp_path / "again")
    again = build_package(str(tmp_path / "again"), tmp_path / "again.zip", overrides=Overrides(query_prefix="q: "))
    assert again.manifest.name == "mine"
    assert again.manifest.config.passage_prefix == "tell: "
    assert again.manifest.config.pooling is first.manifest.config.pooling
    assert again.manifest.config.query_prefix == "q: "
    assert again.manifest.origins["passage_prefix"] == "antiphon.json"
    assert again.manifest.origins["query_prefix"] == "flag"
    assert read_manifest(again.path) == again.manifest

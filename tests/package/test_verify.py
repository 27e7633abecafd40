"""Every way a zip can be wrong: the task's text begins as OpenSearch's would, and the disk is as it was before."""

from __future__ import annotations

import hashlib
import json
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from antiphon.domain.model import ModelFormat
from antiphon.errors import PackageError
from antiphon.package import DiskPackages
from tests.support.tiny import tiny_folder

Files = dict[str, bytes]
Edit = Callable[[Files], object]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tiny_folder(tmp_path_factory.mktemp("tiny") / "model")
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def zipped(path: Path, files: Files, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return path


def leftovers(root: Path) -> list[Path]:
    return [file for file in root.rglob("*") if not file.is_dir()]


def refusal(path: Path, root: Path, model_format: ModelFormat = ModelFormat.ONNX, sha256: str | None = None) -> str:
    """Admit the zip, expect PackageError and nothing on disk; return the text."""
    packages = DiskPackages(root)
    staged = packages.fetch(path.as_uri(), "^file:///")
    with pytest.raises(PackageError) as caught:
        packages.admit(staged, sha256 or staged.sha256, model_format)
    assert leftovers(root) == []
    assert not any((root / "packages").glob("*"))
    assert not any((root / "staging").glob("*"))
    return caught.value.reason


def admitted(path: Path, root: Path) -> Path:
    packages = DiskPackages(root)
    staged = packages.fetch(path.as_uri(), "^file:///")
    return packages.admit(staged, staged.sha256, ModelFormat.ONNX)


def test_a_good_zip_is_unpacked_beside_itself(good: Files, tmp_path: Path) -> None:
    files = {**good, "1_Pooling/config.json": b"{}", "serving.properties": b"translatorFactory=ai.djl.foo.Bar\n"}
    path = zipped(tmp_path / "good.zip", files)
    folder = admitted(path, tmp_path / "root")
    assert folder.name == hashlib.sha256(path.read_bytes()).hexdigest()
    unpacked = {str(file.relative_to(folder)): file.read_bytes() for file in leftovers(folder)}
    assert unpacked == {**files, "package.zip": path.read_bytes()}


CONTENTS: list[tuple[str, Edit, str]] = [
    ("no model", lambda f: f.pop("model.onnx"), "Can't find model file: no entry ends in .onnx"),
    ("upper-case", lambda f: f.update({"MODEL.ONNX": f.pop("model.onnx")}), "Can't find model file"),
    ("two models", lambda f: f.update({"sub/b.onnx": b""}), "Find multiple model files, but expected only one"),
    ("torch beside", lambda f: f.update({"sub/model.pt": b""}), "Model format is ONNX, but find .pt file"),
    ("nested", lambda f: f.update({"onnx/m.onnx": f.pop("model.onnx")}), "Can't find model file at the zip's root"),
    ("no tokenizer", lambda f: f.pop("tokenizer.json"), "No tokenizer file"),
    ("deep tokenizer", lambda f: f.update({"x/tokenizer.json": f.pop("tokenizer.json")}), "No tokenizer file"),
    ("jar", lambda f: f.update({"e.jar": b"PK"}), "Model archive contains a disallowed executable file: e.jar"),
    ("class", lambda f: f.update({"E.class": b""}), "Model archive contains a disallowed executable file: E.class"),
    ("so", lambda f: f.update({"a/b/l.SO": b""}), "Model archive contains a disallowed executable file: a/b/l.SO"),
    ("dylib", lambda f: f.update({"l.dylib": b""}), "Model archive contains a disallowed executable file: l.dylib"),
    ("dll", lambda f: f.update({"x/L.Dll": b""}), "Model archive contains a disallowed executable file: x/L.Dll"),
    ("tokenizer text", lambda f: f.update({"tokenizer.json": b"{"}), "tokenizer.json is not JSON"),
    ("tokenizer list", lambda f: f.update({"tokenizer.json": b"[]"}), "tokenizer.json has no [model] object"),
    ("empty model", lambda f: f.update({"model.onnx": b""}), "[model.onnx] is not an ONNX model: the file is empty"),
    ("text model", lambda f: f.update({"model.onnx": b"hello, model"}), "[model.onnx] is not an ONNX model"),
    ("cut model", lambda f: f.update({"model.onnx": f["model.onnx"][:-9]}), "[model.onnx] is not an ONNX model"),
    ("reserved", lambda f: f.update({"Package.ZIP": b""}), "Bad zip entry ['Package.ZIP']: the name is reserved"),
    ("case twins", lambda f: f.update({"Config.json": b""}), "Bad zip entry ['config.json']: the name is there twice"),
    ("file and folder", lambda f: f.update({"config.json/x": b""}), "Bad zip entry ['config.json']"),
]


@pytest.mark.parametrize(("edit", "text"), [case[1:] for case in CONTENTS], ids=[case[0] for case in CONTENTS])
def test_wrong_contents(edit: Edit, text: str, good: Files, tmp_path: Path) -> None:
    files = dict(good)
    edit(files)
    files = dict(sorted(files.items()))
    assert refusal(zipped(tmp_path / "bad.zip", files), tmp_path / "root").startswith(text)


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "a/../../evil",
        "/evil",
        "..\\evil",
        "C:evil",
        "C:/evil",
        "a//b",
        "./a",
        "a/.",
        "x\ny",
        "e" * 256,
        "d/" * 600 + "e",
        "..",
        "../",
    ],
)
def test_names_that_would_leave_the_folder(name: str, good: Files, tmp_path: Path) -> None:
    path = zipped(tmp_path / "bad.zip", {**good, name: b"x"})
    assert refusal(path, tmp_path / "root").startswith("Bad zip entry [")
    assert sorted(tmp_path.iterdir()) == [path, tmp_path / "root"]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices(kind: int, good: Files, tmp_path: Path) -> None:
    path = zipped(tmp_path / "bad.zip", good)
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("link")
        link.create_system, link.external_attr = 3, (kind | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    assert refusal(path, tmp_path / "root").startswith("Bad zip entry ['link']: it is a link or device")


def test_the_same_name_twice(good: Files, tmp_path: Path) -> None:
    path = zipped(tmp_path / "bad.zip", {**good, "extra.1": b"x", "extra.2": b"y"})
    path.write_bytes(path.read_bytes().replace(b"extra.2", b"extra.1"))
    assert refusal(path, tmp_path / "root").startswith("Bad zip entry ['extra.1']: the name is there twice")


def test_a_name_cut_by_nul(good: Files, tmp_path: Path) -> None:
    path = zipped(tmp_path / "bad.zip", {**good, "hide_me.txt": b"x"})
    path.write_bytes(path.read_bytes().replace(b"hide_me.txt", b"hide\0me.txt"))
    assert refusal(path, tmp_path / "root").startswith("Bad zip entry ['hide\\x00me.txt']")


def test_encrypted(good: Files, tmp_path: Path) -> None:
    path = zipped(tmp_path / "bad.zip", good)
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        local = archive.getinfo("config.json").header_offset
    central = content.index(b"PK\1\2")  # config.json is the first
    content[local + 6] |= 1
    content[central + 8] |= 1
    path.write_bytes(content)
    assert refusal(path, tmp_path / "root").startswith("Bad zip entry ['config.json']: it is encrypted")


def test_a_compression_that_opensearch_cannot_read(good: Files, tmp_path: Path) -> None:
    path = zipped(tmp_path / "bad.zip", good, zipfile.ZIP_BZIP2)
    assert "compression method 12" in refusal(path, tmp_path / "root")


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"PK\3\4" + bytes(100)])
def test_not_a_zip(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad.zip"
    path.write_bytes(content)
    assert refusal(path, tmp_path / "root", sha256="0" * 64).startswith("zip END header not found")


@pytest.mark.parametrize("kept", [0.01, 0.5, 0.99])
def test_a_truncated_zip(kept: float, good: Files, tmp_path: Path) -> None:
    path = zipped(tmp_path / "bad.zip", good)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    assert refusal(path, tmp_path / "root").startswith("zip END header not found")


def test_a_flipped_bit_fails_the_crc(good: Files, tmp_path: Path) -> None:
    path = zipped(tmp_path / "bad.zip", good, zipfile.ZIP_STORED)
    content = path.read_bytes()
    middle = content.index(good["model.onnx"]) + len(good["model.onnx"]) // 2
    path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    assert "the zip is damaged: Bad CRC-32 for file 'model.onnx'" in refusal(path, tmp_path / "root")


def test_a_bomb_is_refused_by_its_ratio(good: Files, tmp_path: Path) -> None:
    path = zipped(tmp_path / "bad.zip", {**good, "zeros": bytes(70 * 1024**2)})
    assert "zip bomb" in refusal(path, tmp_path / "root")


def test_a_bomb_is_refused_by_its_size(good: Files, tmp_path: Path) -> None:
    path = zipped(tmp_path / "bad.zip", {**good, "zeros": bytes(10)})
    content = bytearray(path.read_bytes())
    central = content.rindex(b"PK\1\2")
    content[central + 24 : central + 28] = struct.pack("<I", 2**32 - 2)
    for _ in range(2):  # three entries of 4 GiB each, all at the same place
        at = content.rindex(b"PK\1\2")
        content[at:at] = content[at : content.rindex(b"PK\5\6")].replace(b"zeros", b"zero" + b"ab"[_ : _ + 1])
    end = content.rindex(b"PK\5\6")
    start = content.index(b"PK\1\2")
    content[end + 8 : end + 16] = struct.pack("<HHI", 6, 6, end - start)
    path.write_bytes(content)
    assert "would unpack to 128849" in refusal(path, tmp_path / "root")


def test_a_content_longer_than_declared_is_damage(good: Files, tmp_path: Path) -> None:
    path = zipped(tmp_path / "bad.zip", {**good, "zeros": bytes(5000)})
    content = bytearray(path.read_bytes())
    central = content.rindex(b"PK\1\2")
    content[central + 24 : central + 28] = struct.pack("<I", 100)
    path.write_bytes(content)
    assert "the zip is damaged" in refusal(path, tmp_path / "root")


def test_too_many_entries(good: Files, tmp_path: Path) -> None:
    path = zipped(tmp_path / "bad.zip", {**good, **{f"f{n}": b"" for n in range(10_000)}}, zipfile.ZIP_STORED)
    assert "the zip has 10003 entries, at most 10000" in refusal(path, tmp_path / "root")


def test_a_huge_directory_is_not_read(good: Files, tmp_path: Path) -> None:
    path = zipped(tmp_path / "bad.zip", good)
    content = bytearray(bytes(5 * 1024**2) + path.read_bytes())
    end = content.rindex(b"PK\5\6")
    content[end + 12 : end + 20] = struct.pack("<II", end, 0)
    path.write_bytes(content)
    assert "at most 4194304 are read" in refusal(path, tmp_path / "root")


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ("blockFactory=com.attacker.Evil", "blockFactory", "com.attacker.Evil"),
        ("someFutureFactory : com.attacker.Gadget", "someFutureFactory", "com.attacker.Gadget"),
        ("whatever com.attacker.Gadget", "whatever", "com.attacker.Gadget"),
        ("translator=evil", "translator", "evil"),
        ("# fine\nblockFactory=com.\\\n  attacker.Evil", "blockFactory", "com.attacker.Evil"),
        ("block\\u0046actory=com.attacker.Evil", "blockFactory", "com.attacker.Evil"),
    ],
)
def test_serving_properties_with_a_foreign_class(line: str, key: str, value: str, good: Files, tmp_path: Path) -> None:
    path = zipped(tmp_path / "bad.zip", {**good, "serving.properties": line.encode()})
    expected = f"serving.properties key '{key}' references a non-DJL class '{value}', which is not allowed"
    assert refusal(path, tmp_path / "root") == expected


@pytest.mark.parametrize(
    "text",
    [
        "engine=PyTorch\noption.maxLength=256\nmodelVersion=1.2.3\nmodelPath=models/my_model\n",
        "application=nlp/x\n",
        "someFutureFactory=ai.djl.foo.Bar\n",
        "# blockFactory=com.attacker.Evil\n! x=com.attacker.Evil\n",
        "",
    ],
)
def test_serving_properties_without_one(text: str, good: Files, tmp_path: Path) -> None:
    path = zipped(tmp_path / "good.zip", {**good, "serving.properties": text.encode()})
    assert (admitted(path, tmp_path / "root") / "serving.properties").read_text() == text


def test_the_hash_is_compared_after_the_zip(good: Files, tmp_path: Path) -> None:
    path = zipped(tmp_path / "good.zip", good)
    actual = hashlib.sha256(path.read_bytes()).hexdigest()
    text = refusal(path, tmp_path / "root", sha256="ab" * 32)
    assert text.startswith("model content changed")
    assert actual in text
    assert "ab" * 32 in text


def test_the_format_is_named_in_the_mirror_image(good: Files, tmp_path: Path) -> None:
    path = zipped(tmp_path / "good.zip", good)
    text = refusal(path, tmp_path / "root", ModelFormat.TORCH_SCRIPT)
    assert text.startswith("Model format is TORCH_SCRIPT, but find .onnx file")
    torch = zipped(tmp_path / "torch.zip", {"m.pt": b"", "tokenizer.json": good["tokenizer.json"]})
    assert "not supported by Antiphon" in refusal(torch, tmp_path / "root", ModelFormat.TORCH_SCRIPT)


@pytest.mark.parametrize("place", ["initializer", "constant", "subgraph"])
@pytest.mark.parametrize("location", ["weights.bin", "../weights.bin", "/etc/passwd"])
def test_external_weights_must_be_in_the_zip(place: str, location: str, good: Files, tmp_path: Path) -> None:
    files = {**good, "model.onnx": with_external(place, location)}
    text = refusal(zipped(tmp_path / "bad.zip", files), tmp_path / "root")
    assert f"keeps weights in [{location}], which is not in the zip" in text
    if location == "weights.bin":
        files[location] = bytes(16)
        assert (admitted(zipped(tmp_path / "good.zip", files), tmp_path / "root") / location).is_file()


def with_external(place: str, location: str) -> bytes:
    """A model whose one weight lies in a file of its own, declared at ``place``."""
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    weight.external_data.add(key="location", value=location)
    inner = helper.make_node("Constant", [], ["c"], value=weight)
    value = helper.make_tensor_value_info("c", TensorProto.FLOAT, [4])
    branch = helper.make_graph([inner], "branch", [], [value])
    condition = numpy_helper.from_array(onnx.numpy_helper.np.array(True), "yes")
    nodes = {
        "initializer": [helper.make_node("Identity", ["w"], ["y"])],
        "constant": [inner, helper.make_node("Identity", ["c"], ["y"])],
        "subgraph": [helper.make_node("If", ["yes"], ["y"], then_branch=branch, else_branch=branch)],
    }[place]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])
    weights = [condition, weight] if place == "initializer" else [condition]
    model = helper.make_model(helper.make_graph(nodes, "g", [], [output], weights), ir_version=8)
    return bytes(model.SerializeToString())


def test_a_big_tokenizer_is_judged_as_json(good: Files, tmp_path: Path) -> None:
    tokenizer = json.loads(good["tokenizer.json"])
    tokenizer["padding_of_this_test"] = ["é" * 100] * 1000
    path = zipped(tmp_path / "good.zip", {**good, "tokenizer.json": json.dumps(tokenizer).encode()})
    assert json.loads((admitted(path, tmp_path / "root") / "tokenizer.json").read_text()) == tokenizer

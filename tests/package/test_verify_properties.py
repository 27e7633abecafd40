"""Whatever is done to a zip: it is admitted with the right content or refused, and the disk shows nothing else."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.domain.model import ModelFormat
from antiphon.errors import PackageError
from antiphon.package import DiskPackages
from tests.support.tiny import tiny_package

PART = st.sampled_from(["..", ".", "", "a", "B", "b", "model.onnx", "tokenizer.json", "package.zip", "é", "e\u0301"])
NAME = st.one_of(
    st.lists(PART, min_size=1, max_size=4).map("/".join),
    st.lists(PART, min_size=1, max_size=3).map("\\".join),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20),
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return tiny_package(tmp_path_factory.mktemp("tiny") / "tiny.zip").read_bytes()


def check(content: bytes) -> bool:
    """Admit a zip of these bytes; True when it was. Anything beside the package's own folder fails."""
    with tempfile.TemporaryDirectory() as name:
        outer = Path(name)
        path, root = outer / "some.zip", outer / "deep" / "er" / "root"
        path.write_bytes(content)
        packages = DiskPackages(root)
        staged = packages.fetch(path.as_uri(), "^file:///")
        try:
            folder = packages.admit(staged, staged.sha256, ModelFormat.ONNX)
        except PackageError:
            assert files_below(outer) == {"some.zip": content}
            return False
        with zipfile.ZipFile(path) as archive:
            expected = {info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()}
        assert files_below(folder) == {**expected, "package.zip": content}
        assert len(files_below(outer)) == len(expected) + 2
        return True


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if not p.is_dir() or p.is_symlink()}


@settings(max_examples=150, deadline=None)
@given(names=st.lists(NAME, max_size=4, unique=True))
def test_names(tiny: bytes, names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "edited.zip"
        path.write_bytes(tiny)
        with zipfile.ZipFile(path, "a") as archive:
            for name in set(names) - set(archive.namelist()):
                archive.writestr(zipfile.ZipInfo(name), name.encode())
        check(path.read_bytes())


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_truncation(tiny: bytes, data: st.DataObject) -> None:
    assert not check(tiny[: data.draw(st.integers(0, len(tiny) - 1))])


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_flipped_bytes(tiny: bytes, data: st.DataObject) -> None:
    content = bytearray(tiny)
    headers = st.integers(content.index(b"PK\1\2"), len(content) - 1)
    for position in data.draw(st.lists(st.one_of(st.integers(0, len(content) - 1), headers), min_size=1, max_size=8)):
        content[position] = data.draw(st.integers(0, 255))
    check(bytes(content))

"""Packages and chunks on disk: what is kept, replaced, joined and swept."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from antiphon.domain.model import ModelFormat
from antiphon.errors import PackageError
from antiphon.package import DiskPackages
from tests.support.tiny import tiny_package


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


@pytest.fixture
def packages(root: Path) -> DiskPackages:
    return DiskPackages(root)


def admit(packages: DiskPackages, path: Path) -> Path:
    staged = packages.fetch(path.as_uri(), "^file:///")
    folder = packages.admit(staged, staged.sha256.upper(), ModelFormat.ONNX)
    assert not staged.path.exists()
    return folder


def test_admitting_twice_keeps_one(packages: DiskPackages, tmp_path: Path, root: Path) -> None:
    path = tiny_package(tmp_path / "tiny.zip")
    folder = admit(packages, path)
    before = folder.stat()
    assert admit(packages, path) == folder == packages.folder(folder.name.upper())
    assert folder.stat() == before
    assert list((root / "staging").iterdir()) == []


def test_many_may_admit_the_same_at_once(packages: DiskPackages, tmp_path: Path, root: Path) -> None:
    path = tiny_package(tmp_path / "tiny.zip")
    folders: list[Path] = []
    threads = [threading.Thread(target=lambda: folders.append(admit(packages, path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(folders) == 8
    assert len(set(folders)) == 1
    assert (folders[0] / "package.zip").read_bytes() == path.read_bytes()
    assert list((root / "staging").iterdir()) == []


def test_remove(packages: DiskPackages, tmp_path: Path, root: Path) -> None:
    folder = admit(packages, tiny_package(tmp_path / "tiny.zip"))
    other = admit(packages, tiny_package(tmp_path / "other.zip", seed=1))
    packages.remove(folder.name.upper())
    packages.remove(folder.name)
    packages.remove("../" + other.name)
    assert list((root / "packages").iterdir()) == [other]
    with pytest.raises(PackageError, match="register it again"):
        packages.folder(folder.name)


@pytest.mark.parametrize("sha256", ["", "..", "0" * 64, "../packages"])
def test_no_such_package(sha256: str, packages: DiskPackages) -> None:
    with pytest.raises(PackageError, match="there is no package with SHA-256"):
        packages.folder(sha256)


def test_chunks_are_joined_by_number(packages: DiskPackages, tmp_path: Path) -> None:
    content = tiny_package(tmp_path / "tiny.zip").read_bytes()
    size = -(-len(content) // 12)
    parts = [content[at : at + size] for at in range(0, len(content), size)]
    packages.put_chunk("m-1", 3, b"to be replaced")
    for number in (11, 3, 10, 0, 7, 1, 2, 9, 4, 8, 6, 5):
        packages.put_chunk("m-1", number, parts[number])
    assert packages.chunks("m-1") == frozenset(range(12))
    staged = packages.join_chunks("m-1", 12)
    assert staged.path.read_bytes() == content
    packages.admit(staged, staged.sha256, ModelFormat.ONNX)
    packages.drop_chunks("m-1")
    packages.drop_chunks("m-1")
    assert packages.chunks("m-1") == frozenset()


def test_missing_chunks_are_named(packages: DiskPackages, root: Path) -> None:
    packages.put_chunk("m", 1, b"x")
    with pytest.raises(PackageError, match="are missing: 0, 2 of 0 to 2"):
        packages.join_chunks("m", 3)
    assert not (root / "staging").exists()


def test_joined_chunks_obey_the_cap(root: Path) -> None:
    packages = DiskPackages(root, max_bytes=10)
    packages.put_chunk("m", 0, bytes(6))
    packages.put_chunk("m", 1, bytes(6))
    with pytest.raises(PackageError, match="exceeds the limit of 10 bytes"):
        packages.join_chunks("m", 2)
    assert list((root / "staging").iterdir()) == []


@pytest.mark.parametrize("model_id", ["", ".", "..", "a/b", "../../x", "a\0", "x" * 513])
def test_an_id_that_is_no_file_name(model_id: str, packages: DiskPackages, root: Path) -> None:
    with pytest.raises(PackageError, match="is no model id"):
        packages.put_chunk(model_id, 0, b"x")
    assert not root.exists()


def test_sweep(packages: DiskPackages, tmp_path: Path, root: Path) -> None:
    kept = admit(packages, tiny_package(tmp_path / "kept.zip"))
    admit(packages, tiny_package(tmp_path / "orphan.zip", seed=1))
    packages.put_chunk("going", 0, b"x")
    packages.put_chunk("gone", 0, b"x")
    (root / "staging" / "half.zip").write_bytes(b"PK")
    (root / "staging" / "work").mkdir()
    (root / "staging" / "work" / "model.onnx").write_bytes(b"")
    packages.sweep(frozenset({kept.name.upper()}), frozenset({"going"}))
    assert list((root / "packages").iterdir()) == [kept]
    assert list((root / "chunks").iterdir()) == [root / "chunks" / "going"]
    assert list((root / "staging").iterdir()) == []


def test_sweeping_an_empty_house(packages: DiskPackages, root: Path) -> None:
    packages.sweep(frozenset(), frozenset())
    assert not root.exists()


def test_a_disk_that_refuses(root: Path, tmp_path: Path) -> None:
    path = tiny_package(tmp_path / "tiny.zip")
    root.write_bytes(b"a file where the folder should be")
    with pytest.raises(PackageError, match="cannot store"):
        DiskPackages(root).fetch(path.as_uri(), "^file:///")
    with pytest.raises(PackageError, match="cannot keep chunk"):
        DiskPackages(root).put_chunk("m", 0, b"x")

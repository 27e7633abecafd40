"""``antiphon embed`` and ``antiphon.load``: vectors without a server, the same as with one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import antiphon
from antiphon.errors import InferenceError, SourceError


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_CACHE", str(tmp_path / "cache"))


def embed(*arguments: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "antiphon", "embed", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)


def test_json_lines_equal_the_python_api(tiny_zip: Path) -> None:
    result = embed("--model", tiny_zip, "--role", "query", "ein Text", "-", stdin="二\nthree\n")
    assert result.returncode == 0, result.stderr
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["text"] for line in lines] == ["ein Text", "二", "three"]
    with antiphon.load(tiny_zip) as model:
        expected = model.embed_queries(["ein Text", "二", "three"])
        assert model.dimension == 8
        assert not np.allclose(expected, model.embed_passages(["ein Text", "二", "three"]))
    assert np.allclose([line["embedding"] for line in lines], expected, atol=1e-2)


def test_an_array_goes_to_a_file(tiny_zip: Path, tmp_path: Path) -> None:
    result = embed("--model", tiny_zip, "--role", "passage", "--precision", "fp32", "-o", tmp_path / "v.npy", "a", "b")
    assert result.returncode == 0, result.stderr
    array = np.load(tmp_path / "v.npy")
    assert (array.shape, array.dtype) == ((2, 8), np.float32)
    with antiphon.load(tiny_zip, precision="fp32") as model:
        assert np.allclose(array, model.embed_passages(["a", "b"]), atol=1e-5)


def test_doubled_prefixes_and_truncation_are_reported(tiny_zip: Path) -> None:
    result = embed("--model", tiny_zip, "--role", "query", "query: a", "word " * 400)
    assert result.returncode == 0
    assert "texts that already started with a role's prefix: 1" in result.stderr
    assert "texts truncated: 1, tokens lost:" in result.stderr


def test_no_texts_is_one_line(tiny_zip: Path) -> None:
    result = embed("--model", tiny_zip, "--role", "query")
    assert result.returncode == 1
    assert result.stderr.startswith("antiphon: no texts given")


def test_a_zip_of_unknown_origin_is_refused(tmp_path: Path) -> None:
    from tests.support.tiny import tiny_package

    with pytest.raises(SourceError, match="prefixes and pooling are unknown"):
        antiphon.load(tiny_package(tmp_path / "foreign.zip"))


def test_a_broken_model_fails_its_probe_with_the_figure(tmp_path: Path) -> None:
    from antiphon.app import build_package
    from tests.support.tiny import tiny_folder

    package = build_package(str(tiny_folder(tmp_path / "t", fault="ignores_mask")), tmp_path / "t.zip")
    with pytest.raises(InferenceError, match=r"cosine"):
        antiphon.load(package.path)


def test_bundled_weights_stand_in_for_an_unreachable_hub_and_are_built_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    first = embed("--model", "multilingual-e5-small", "--role", "query", "hello")
    again = embed("--model", "multilingual-e5-small", "--role", "query", "hello")
    for result in (first, again):
        assert result.returncode == 0, result.stderr
        assert "The hub cannot be reached, so these are the bundled weights" in result.stderr
        assert len(json.loads(result.stdout)["embedding"]) == 384
    assert "Writing the zip" in first.stderr
    assert "Writing the zip" not in again.stderr

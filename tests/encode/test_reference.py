"""The reference in a process of its own: the same vectors, the same errors, and a crash that stays outside."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from antiphon.domain.deployment import Precision
from antiphon.domain.model import ModelConfig
from antiphon.encode import reference
from antiphon.encode.backends import EngineFailure
from antiphon.encode.load import Loader
from antiphon.encode.reference import Reference
from antiphon.encode.tokenize import TextTokenizer
from antiphon.errors import InferenceError
from tests.support.tiny import tiny_folder

CONFIG = ModelConfig("bert", query_prefix="query: ", passage_prefix="passage: ")


@pytest.fixture
def work(tmp_path: Path) -> Reference:
    folder = tiny_folder(tmp_path)
    tokenizer = TextTokenizer.load(folder, CONFIG)
    return Reference(folder / "model.onnx", CONFIG, tokenizer.max_tokens, 1, tokenizer(["query: a", "passage: b c"]))


@pytest.fixture
def _counts_as_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "_LARGE", 0)


def stand_in(path: Path, line: str) -> str:
    """An interpreter that only does ``line`` of shell."""
    path.write_text(f"#!/bin/sh\n{line}\n", encoding="ascii")
    path.chmod(0o700)
    return str(path)


def test_another_process_computes_the_same(work: Reference, monkeypatch: pytest.MonkeyPatch) -> None:
    here = work.compute()
    monkeypatch.setattr(reference, "_LARGE", 0)
    monkeypatch.setattr(Reference, "_here", lambda _self: pytest.fail("computed in this process"))
    there = work.compute()
    assert len(there) == len(here) == 2
    for one, other in zip(there, here, strict=True):
        assert np.array_equal(one, other)


@pytest.mark.usefixtures("_counts_as_large")
def test_its_errors_come_back(work: Reference) -> None:
    work.model.write_bytes(b"no graph")
    with pytest.raises(EngineFailure, match=r"ONNX Runtime cannot load model\.onnx"):
        work.compute()


@pytest.mark.usefixtures("_counts_as_large")
def test_its_crash_is_an_error_of_the_model(work: Reference, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", stand_in(tmp_path / "crashes", "kill -SEGV $$"))
    with pytest.raises(InferenceError, match=r"ended by SIGSEGV while it ran model\.onnx"):
        work.compute()


@pytest.mark.usefixtures("_counts_as_large")
@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("echo no interpreter >&2; exit 2", "no interpreter"),
        ("echo no interpreter", "wrote what is none"),
        (None, "No such file"),
    ],
)
def test_without_another_process_it_is_computed_here(
    line: str | None,
    told: str,
    work: Reference,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = tmp_path / "fails"
    monkeypatch.setattr(sys, "executable", str(path) if line is None else stand_in(path, line))
    assert len(work.compute()) == 2
    assert "computed in this process" in caplog.text
    assert told in caplog.text


@pytest.mark.usefixtures("_counts_as_large")
def test_another_process_imports_nothing_from_the_current_folder(
    work: Reference, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "antiphon.py").write_text("raise SystemExit('imported')", encoding="ascii")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Reference, "_here", lambda _self: pytest.fail("computed in this process"))
    assert len(work.compute()) == 2


@pytest.mark.usefixtures("_counts_as_large")
@pytest.mark.parametrize("precision", [Precision.AUTO, Precision.FP32, Precision.BF16])
def test_after_its_end_no_other_engine_is_tried(
    precision: Precision, work: Reference, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", stand_in(tmp_path / "ends", "kill -KILL $$"))
    with pytest.raises(InferenceError, match=r"ended by SIGKILL while it ran model\.onnx"):
        Loader(threads=1).load(work.model.parent, CONFIG, precision)

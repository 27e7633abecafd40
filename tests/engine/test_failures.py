"""What fails every second is told once, and is over when it works."""

from __future__ import annotations

import errno
import logging
import shutil
import time
from pathlib import Path

import pytest

from antiphon.domain.document import TypedDocument, TypedRow
from antiphon.domain.mapping import IndexMapping
from antiphon.domain.store import Write
from antiphon.engine import LocalEngine, engine, failures
from antiphon.engine.derived import Derived
from antiphon.engine.failures import Failures
from tests.engine.conftest import MAPPING, OFF, put
from tests.engine.test_store import ids_of

FULL = OSError(errno.ENOSPC, "No space left on device")


def test_each_kind_of_failure_is_told_once_until_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    told = Failures(None)
    told.over("a refresh")
    for error in (FULL, FULL, ValueError("at 1"), ValueError("at 2"), FULL):
        told.tell("a refresh", error)
    told.over("a refresh")
    told.over("a refresh")
    assert [(record.levelname, record.exc_info is not None) for record in caplog.records] == [
        ("ERROR", False), ("ERROR", True), ("ERROR", False), ("INFO", False),
    ]  # fmt: skip
    assert caplog.messages[0].startswith("a refresh failed: the disk of the data folder is full")
    assert caplog.messages[-1] == "a refresh works again"


def test_what_fails_again_after_a_while_is_told_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Failures(None)
    told.tell("a refresh", FULL)
    told.tell("a refresh", FULL)
    assert len(caplog.records) == 1
    monkeypatch.setattr(failures, "_APART_S", 0.0)
    told.tell("a refresh", FULL)
    assert len(caplog.records) == 2


def test_a_folder_that_is_gone_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_RETRY_S", 0.0)
    local = LocalEngine(tmp_path / "data")
    store = local.create("gone", IndexMapping.parse({}), {})
    shutil.rmtree(tmp_path / "data")
    store.write([Write("1", b"{}", TypedDocument([TypedRow()]))])
    time.sleep(2.5)
    local.close()
    told = [record.exc_info and record.exc_info[0] for record in caplog.records if "refresh" in record.message]
    assert told
    assert len(told) == len(set(told))


def test_a_refresh_that_fails_half_way_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise FULL

    local = LocalEngine(tmp_path)
    store = local.create("u", MAPPING, OFF)
    store.write([put("a")])
    for name in ("advance", "close"):  # the second fails when what replaces the torn one is there already
        with monkeypatch.context() as broken:
            broken.setattr(Derived, name, fail)
            with pytest.raises(OSError, match="No space left"):
                store.refresh()
        assert store.pending == 1
    store.refresh()
    assert (store.pending, ids_of(store)) == (0, ["a"])
    local.close()

"""What outlives a process, what the background does to it, and what happens when it is damaged."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tantivy

from antiphon.domain.store import Write
from antiphon.engine import LocalEngine, manifest, pieces
from antiphon.engine.derived import Derived, Job
from antiphon.engine.lexicons import Lexicons
from antiphon.engine.pieces import Limits
from antiphon.engine.store import Store
from tests.engine.conftest import MAPPING, OFF, put

RECONCILE = Derived.reconcile
LAZY = Limits(seal_documents=10**9, graph_vectors=10**9, idle_s=10**9)
"""Nothing happens by itself."""


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Store]]:
    """Return what opens the index of the test's folder (made when it is new); the last store is closed at the end."""
    stores: list[Store] = []

    def opened(limits: Limits = LAZY, settings: dict[str, str] = OFF) -> Store:
        for store in stores:
            store.close()
        stores.append(Store(tmp_path / "index", MAPPING, settings, limits))
        return stores[-1]

    yield opened
    for store in stores:
        store.close()


def fill(store: Store, count: int, start: int = 0) -> None:
    """Write documents that all differ, each with an object, and show them."""
    chance = np.random.default_rng(start)
    store.write([
        put(str(n), {"vec": chance.random(3).tolist(), "tag": f"t{n % 3}", "part": [{"text": f"word{n}"}]})
        for n in range(start, start + count)
    ])  # fmt: skip
    store.refresh()


def ids_of(store: Store) -> list[str]:
    """Return the ids that a search sees; every structure must agree about them."""
    held = store.snapshot()
    table = held.view.table()
    rows = np.flatnonzero(table.alive)
    keys = table.keys[rows]
    if table.lexicon is not None:
        assert np.sort(table.lexicon.all(tantivy.Query.all_query())[0]).tolist() == keys.tolist()
    if "part" in held.view.tables:
        parts = held.view.table("part")
        assert parts.lexicon is not None
        found = np.sort(parts.lexicon.all(tantivy.Query.all_query())[0])
        assert found.tolist() == parts.keys[parts.alive].tolist()
    assert sum(len(part.vectors["vec"].rows) for part in table.parts) == table.size
    found_ids = held.view.ids(rows)
    held.close()
    return found_ids


def graphs_of(store: Store) -> list[bool]:
    """Return for each segment whether its vectors have a graph."""
    held = store.snapshot()
    found = [part.vectors["vec"].graph is not None for part in held.view.table().parts]
    held.close()
    return found


def test_texts_are_compared_with_the_documents_after_a_process_died(
    opened: Callable[..., Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[int] = []

    def reconcile(self: Derived, lexicons: Lexicons) -> int:
        compared.append(self.seq)
        return RECONCILE(self, lexicons)

    monkeypatch.setattr(Derived, "reconcile", reconcile)
    fill(opened(), 20)
    store = opened()
    assert not compared
    store.write([Write("0", None)])
    fill(store, 5, 20)
    shutil.copytree(tmp_path / "index", tmp_path / "left behind")
    left = Store(tmp_path / "left behind", MAPPING, OFF, LAZY)
    assert compared
    assert ids_of(left) == ids_of(store)
    left.close()


def test_a_text_index_of_another_time_is_noticed(opened: Callable[..., Store], tmp_path: Path) -> None:
    lexicons = tmp_path / "index" / "lex" / "0"
    fill(opened(), 20)
    opened().close()
    shutil.copytree(lexicons, tmp_path / "old")
    fill(opened(), 20, 10)
    opened().close()
    shutil.rmtree(lexicons)
    shutil.copytree(tmp_path / "old", lexicons)
    assert len(ids_of(opened())) == 30


def test_a_restart_reads_what_is_on_disk_and_derives_nothing(opened: Callable[..., Store]) -> None:
    store = opened()
    fill(store, 30)
    store.write([Write("3"), put("4", {"year": 7})])
    before = sorted({str(n) for n in range(30)} - {"3"})
    again = opened()
    assert again.loaded
    assert again.stats().segments == 1
    assert sorted(ids_of(again)) == before
    again.write([Write("5")])
    fill(again, 5, 100)
    third = opened()
    assert third.loaded
    assert third.stats().segments == 2
    assert sorted(ids_of(third)) == sorted({*before, *map(str, range(100, 105))} - {"5"})


def test_what_was_not_sealed_is_read_from_the_documents(opened: Callable[..., Store], tmp_path: Path) -> None:
    store = opened()
    fill(store, 20)
    store.flush()
    fill(store, 20, 20)
    store.write([Write("1"), Write("21"), put("late"), put("2")])  # no refresh has shown these
    expected = sorted({*map(str, range(40)), "late"} - {"1", "21"})
    shutil.copytree(tmp_path / "index", tmp_path / "copy")  # as a crash leaves it
    again = Store(tmp_path / "copy", MAPPING, OFF, LAZY)
    assert again.loaded
    assert sorted(ids_of(again)) == expected
    again.close()


def _manifest_of_old(_: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(manifest, "FORMAT", -1)


def _postings_are_gone(place: Path, _: pytest.MonkeyPatch) -> None:
    for file in (place / "lex/0/0").glob("*.term"):
        file.unlink()


def _replaced(path: Path, content: bytes = b"") -> int:
    """Put another file in its place: the one before may still be mapped, and cutting it would end the process.

    Return its length.
    """
    path.unlink()
    return path.write_bytes(content)


DAMAGES: dict[str, Callable[[Path, pytest.MonkeyPatch], object]] = {
    "a segment is gone": lambda place, _: shutil.rmtree(place / "seg" / "0"),
    "a segment is cut short": lambda place, _: _replaced(place / "seg" / "0" / "columns.bin", b"antiseg1"),
    "a segment is another": lambda place, _: shutil.copytree(place / "seg/1", place / "seg/0", dirs_exist_ok=True),
    "the lexicons are gone": lambda place, _: shutil.rmtree(place / "lex"),
    "a lexicon is gone": lambda place, _: shutil.rmtree(place / "lex" / "0" / "1"),
    "a lexicon is damaged": lambda place, _: (place / "lex" / "0" / "0" / "meta.json").write_text("{"),
    "the slots are damaged": lambda place, _: (place / "lex" / "0" / "slots.json").write_text("[]"),
    "the slots are gone": lambda place, _: (place / "lex/0/slots.json").rename(place / "lex/0/other.json"),
    "postings are cut short": lambda place, _: [_replaced(path) for path in (place / "lex/0/0").glob("*.idx")],
    "postings are gone": _postings_are_gone,
    "another version made them": _manifest_of_old,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_is_derived_anew_with_one_warning(
    opened: Callable[..., Store],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    damage: str,
) -> None:
    store = opened()
    fill(store, 5)
    store.flush()
    fill(store, 5, 5)
    store.close()
    DAMAGES[damage](tmp_path / "index", monkeypatch)
    with caplog.at_level(logging.WARNING):
        again = opened()
    assert not again.loaded
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "derived anew from the documents" in caplog.text
    assert ids_of(again) == [str(n) for n in range(10)]
    assert opened().loaded


def test_other_analysis_settings_derive_anew(opened: Callable[..., Store]) -> None:
    fill(opened(), 5)
    assert not opened(settings={**OFF, "index.analysis.analyzer.x.tokenizer": "standard"}).loaded


def test_what_no_manifest_names_is_deleted_at_the_start(opened: Callable[..., Store], tmp_path: Path) -> None:
    fill(opened(), 5)
    for left in ("seg/77", "lex/9", "derived/0"):
        (tmp_path / "index" / left).mkdir(parents=True)
    assert opened().loaded
    index = tmp_path / "index"
    assert [sorted(path.name for path in (index / kind).iterdir()) for kind in ("seg", "lex")] == [["0"], ["0"]]
    assert not (index / "derived").exists()


def test_what_a_killed_commit_left_is_in_nobodys_way(opened: Callable[..., Store], tmp_path: Path) -> None:
    """tantivy writes over no file: a ``.del`` that no commit names would fail the next one."""
    store = opened()
    fill(store, 20)
    store.flush()
    store.close()
    left = []
    for meta in (tmp_path / "index").rglob("meta.json"):
        segments = {path.name.partition(".")[0] for path in meta.parent.glob("*.store")}
        for segment in segments:
            left += [meta.parent / f"{segment}.{stamp}.del" for stamp in range(100)]
        left.append(meta.parent / f"{'0' * 32}.store")
    for path in left:
        path.touch()
    store = opened()
    store.write([Write("3"), Write("4")])
    store.refresh()
    assert ids_of(store) == [str(n) for n in range(20) if n not in (3, 4)]
    assert len([path for path in left if path.exists()]) <= 2, "only a stamp that a commit has taken since"


def test_deaths_and_births_during_a_merge_are_kept(opened: Callable[..., Store]) -> None:
    store = opened()
    for start in range(0, 40, 10):
        fill(store, 10, start)
        store.flush()
    fill(store, 10, 40)

    def while_others_write(derived: Derived) -> Job | None:
        job = derived.plan_all()
        for n in (3, 14, 42):
            store.write([Write(str(n)), put(f"new{n}")])
            store.refresh()
        return job

    assert store._round(while_others_write)
    expected = sorted([*(str(n) for n in range(50) if n not in (3, 14, 42)), "new3", "new14", "new42"])
    assert sorted(ids_of(store)) == expected
    assert opened().loaded
    assert sorted(ids_of(opened())) == expected


def test_writes_during_a_rebuild_are_kept(opened: Callable[..., Store], monkeypatch: pytest.MonkeyPatch) -> None:
    store = opened()
    fill(store, 10)
    derive = store._derive

    def slow(until: int) -> Derived:
        found = derive(until)
        store.write([Write("3"), put("new"), put("gone"), Write("gone")])
        store.refresh()
        store.write([Write("4"), put("newer")])
        return found

    monkeypatch.setattr(store, "_derive", slow)
    store.rebuild()
    assert ids_of(store) == [*(str(n) for n in range(10) if n not in (3, 4)), "new", "newer"]
    assert opened().loaded


def test_the_background_seals_merges_and_renews(opened: Callable[..., Store], tmp_path: Path) -> None:
    store = opened(Limits(seal_documents=20, graph_vectors=10**9, idle_s=10**9, dead_text=0.1, removals=50))
    for start in range(0, 300, 20):
        fill(store, 20, start)
        while store.tend():
            pass
    assert store.stats().segments == 6
    for start in range(0, 100, 20):
        fill(store, 20, start)  # again: the old ones die
    assert store.tend()
    while store.tend():
        pass
    assert sorted(ids_of(store), key=int) == [str(n) for n in range(300)]
    assert [path.name for path in (tmp_path / "index" / "lex").iterdir()] != ["0"]
    again = opened()
    assert again.loaded
    assert sorted(ids_of(again), key=int) == [str(n) for n in range(300)]


def test_graphs_are_built_saved_and_read_back(opened: Callable[..., Store], tmp_path: Path) -> None:
    limits = replace(LAZY, graph_vectors=50)
    store = opened(limits)
    fill(store, 100)
    assert not store.build_graph(), "only what is sealed gets a graph"
    store.flush()
    assert store.build_graph()
    assert not store.build_graph()
    fill(store, 10, 100)
    assert graphs_of(store) == [True, False]
    again = opened(limits)
    assert graphs_of(again) == [True, False]
    again.force_merge()
    assert graphs_of(again) == [False]
    assert again.build_graph()
    (graph,) = (tmp_path / "index" / "seg").glob("*/*.graph")
    _replaced(graph, b"nonsense")
    third = opened(limits)
    assert (third.loaded, graphs_of(third)) == (True, [False])
    assert third.build_graph()


def test_many_vectors_are_joined_outside_memory(
    opened: Callable[..., Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "_LARGE_BYTES", 100)
    store = opened()
    fill(store, 20)
    store.flush()
    fill(store, 20, 20)
    store.force_merge()
    assert ids_of(store) == [str(n) for n in range(40)]
    assert [path.name for path in (tmp_path / "index" / "seg").glob("*/*")] == ["columns.bin"]


def test_the_log_is_emptied_when_nobody_writes(opened: Callable[..., Store], tmp_path: Path) -> None:
    store = opened(replace(LAZY, idle_s=0.0))
    fill(store, 50)
    log = tmp_path / "index" / "docs.db-wal"
    assert log.stat().st_size > 0
    while store.tend():
        pass
    assert log.stat().st_size == 0
    assert store.stats().segments == 1


def test_snapshots_stay_whole_while_everything_happens_at_once(opened: Callable[..., Store]) -> None:
    store = opened(Limits(seal_documents=50, graph_vectors=10**9, idle_s=0.0, dead_text=0.1, removals=50))
    fill(store, 40)
    done = threading.Event()
    seen: list[int] = []

    def read() -> None:
        while not done.is_set():
            held = store.snapshot()
            rows = np.flatnonzero(held.view.table().alive)
            seen.append(len(held.stored(rows.tolist())))
            held.close()

    def tend() -> None:
        while not done.is_set():
            store.tend()

    with ThreadPoolExecutor(3) as pool:
        working = [pool.submit(act) for act in (read, read, tend)]
        for start in range(0, 600, 40):
            store.write([Write(str(n)) for n in range(start, start + 20)])
            fill(store, 40, start + 20)
            if start % 400 == 0:
                store.rebuild()
        done.set()
        for one in working:
            one.result()
    assert len(seen) > 10
    alive = set(range(40))
    for start in range(0, 600, 40):
        alive -= set(range(start, start + 20))
        alive |= set(range(start + 20, start + 60))
    assert sorted(map(int, ids_of(store))) == sorted(alive)


def test_an_engine_tends_its_indexes_by_itself(tmp_path: Path) -> None:
    engine = LocalEngine(tmp_path, Limits(seal_documents=5, graph_vectors=5, idle_s=0.0))
    store = engine.create("u", MAPPING, OFF)
    fill(store, 10)
    engine.close()
    again = LocalEngine(tmp_path)
    assert again.open("u", MAPPING, OFF).loaded
    again.close()

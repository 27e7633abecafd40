"""What is written is there: versions, conflicts, snapshots, refreshes, restarts."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tantivy

from antiphon.domain.document import TypedDocument, TypedRow
from antiphon.domain.mapping import IndexMapping
from antiphon.domain.store import VersionType, Write, Written
from antiphon.engine import LocalEngine
from antiphon.engine.documents import Documents
from antiphon.engine.store import Store
from antiphon.errors import IllegalArgument, VersionConflict
from tests.engine.conftest import MAPPING, OFF, put


@pytest.fixture
def store(engine: LocalEngine) -> Store:
    """Return an empty index that refreshes when it is told to."""
    return engine.create("u1", MAPPING, OFF)


def ids_of(store: Store) -> list[str]:
    """Return the ids that a search can see, oldest first."""
    held = store.snapshot()
    found = held.view.ids(np.flatnonzero(held.view.table().alive))
    held.close()
    return found


def with_word(store: Store, word: str) -> list[str]:
    """Return the ids whose title has a word."""
    held = store.snapshot()
    table = held.view.table()
    lexicon = table.lexicon
    assert lexicon is not None
    query = tantivy.Query.term_query(lexicon.schema, lexicon.slot("title") or "", word)
    found = held.view.ids(np.sort(table.rows_of(lexicon.all(query)[0])))
    held.close()
    return found


def test_versions_and_sequence_numbers_count_as_opensearchs_do(store: Store) -> None:
    steps = [put("a"), put("b"), put("a"), Write("a"), Write("a"), put("a")]
    assert store.write(steps) == [
        Written("created", 1, 0),
        Written("created", 1, 1),
        Written("updated", 2, 2),
        Written("deleted", 3, 3),
        Written("not_found", 4, 4),
        Written("created", 5, 5),
    ]


STALE = "version conflict, required seqNo [5], primary term [1]."
CONFLICTS = [
    (put("a", create=True), "[a]: version conflict, document already exists (current version [1])"),
    (
        put("a", if_seq_no=5, if_primary_term=1),
        f"[a]: {STALE} current document has seqNo [0] and primary term [1]",
    ),
    (
        put("z", if_seq_no=5, if_primary_term=1),
        f"[z]: {STALE} but no document was found",
    ),
    (
        put("a", version=1, version_type=VersionType.EXTERNAL),
        "[a]: version conflict, current version [1] is higher or equal to the one provided [1]",
    ),
    (
        put("a", version=0, version_type=VersionType.EXTERNAL_GTE),
        "[a]: version conflict, current version [1] is higher than the one provided [0]",
    ),
]


@pytest.mark.parametrize(("write", "reason"), CONFLICTS)
def test_a_conflict_fails_its_item_only(store: Store, write: Write, reason: str) -> None:
    store.write([put("a")])
    conflict, after = store.write([write, put("b")])
    assert isinstance(conflict, VersionConflict)
    assert conflict.reason == reason
    assert after == Written("created", 1, 1)


@pytest.mark.parametrize(
    ("write", "version"),
    [
        (put("a", version=7, version_type=VersionType.EXTERNAL), 7),
        (put("a", version=1, version_type=VersionType.EXTERNAL_GTE), 1),
        (put("a", if_seq_no=0, if_primary_term=1), 2),
    ],
)
def test_a_condition_that_holds_lets_the_write_pass(store: Store, write: Write, version: int) -> None:
    store.write([put("a")])
    assert store.write([write]) == [Written("updated", version, 1)]


def test_reads_by_id_see_writes_at_once_and_searches_after_a_refresh(store: Store) -> None:
    store.write([put("a", {"title": "green apple"})])
    assert store.get("a") is not None
    assert ids_of(store) == []
    store.refresh()
    assert with_word(store, "apple") == ["a"]
    store.write([put("a", {"title": "red cherry"})])
    assert with_word(store, "apple") == ["a"]
    store.refresh()
    assert (with_word(store, "apple"), with_word(store, "cherry")) == ([], ["a"])


def test_a_held_snapshot_keeps_seeing_what_it_saw(store: Store) -> None:
    store.write([put("a", {"title": "old"}), put("b")])
    store.refresh()
    held = store.snapshot()
    for _ in range(3):
        store.write([put("a", {"title": "new"}), Write("b")])
        store.refresh()
        store.force_merge()
    assert [b"old" in held.stored([0])[0].source, held.documents] == [True, 2]
    assert held.view.rows_of_ids(["a", "b", "z"]).tolist() == [0, 1]
    held.close()
    held.close()
    assert ids_of(store) == ["a"]


def test_nested_objects_die_with_their_document(store: Store) -> None:
    store.write([put("a", {"part": [{"text": "x"}, {"text": "y"}]}), put("b", {"part": [{"text": "z"}]})])
    store.refresh()
    store.write([put("a", {"part": [{"text": "w"}]})])
    store.refresh()
    held = store.snapshot()
    parts = held.view.table("part")
    assert parts.alive.tolist() == [False, False, True, True]
    assert parts.parents.tolist() == [0, 0, 1, 2]
    assert parts.lexicon is not None
    assert parts.lexicon.size == 2
    held.close()


def test_many_small_refreshes_merge_and_lose_nothing(store: Store) -> None:
    for number in range(60):
        store.write([put(str(number)), put(f"gone{number}"), Write(f"gone{number - 1}")])
        store.refresh()
    assert store.stats().segments < 20
    assert sorted(ids_of(store)) == sorted([*map(str, range(60)), "gone59"])
    assert len(with_word(store, "document")) == 61
    store.force_merge()
    assert store.stats().segments == 1
    assert len(with_word(store, "document")) == 61


def test_everything_is_there_after_a_restart(store: Store, reopened: Callable[[], LocalEngine]) -> None:
    store.write([put("a"), put("b"), put("c")])
    store.write([Write("b"), put("a", {"title": "again"})])
    again = reopened().open("u1", MAPPING, OFF)
    assert ids_of(again) == ["c", "a"]
    assert again.write([put("b")]) == [Written("created", 3, 5)]


def test_a_search_does_not_wait_for_a_write(store: Store) -> None:
    store.write([put("a")])
    store.refresh()
    writing = store._writing
    with writing:  # as it is while a commit reaches the disk
        assert ids_of(store) == ["a"]
        assert store.get("a") is not None


def test_the_version_of_a_deleted_document_is_forgotten_after_a_minute() -> None:
    now = [1000.0]
    documents = Documents(None, clock=lambda: now[0])
    documents.apply([put("a"), Write("a")])
    now[0] += 59
    documents.purge(documents.last_seq)
    assert documents.apply([put("a"), Write("a")]) == [Written("created", 3, 2), Written("deleted", 4, 3)]
    now[0] += 61
    documents.purge(documents.last_seq)
    assert documents.apply([put("a")]) == [Written("created", 1, 4)]
    documents.close()


def test_rebuilding_changes_nothing(store: Store) -> None:
    store.write([put("a"), put("b"), Write("a")])
    store.rebuild()
    assert ids_of(store) == ["b"]
    assert with_word(store, "document") == ["b"]


def test_a_dropped_index_is_deleted_once_nobody_reads_it(engine: LocalEngine, store: Store) -> None:
    store.write([put("a")])
    store.refresh()
    held = store.snapshot()
    engine.drop("u1")
    assert held.stored([0])[0].id == "a"
    assert engine.known() == ["u1"]
    held.close()
    assert engine.known() == []
    engine.drop("u1")


def test_more_text_fields_than_slots_still_fit(store: Store) -> None:
    body = {f"field{number}": "some words" for number in range(40)}
    _, mapping = MAPPING.typed("a", body)
    store.remap(mapping)
    store.write([Write("a", b"{}"), put("b")])
    write = Write("c", b'{"field1": "some words"}', mapping.typed("c", body)[0])
    store.write([write])
    store.refresh()
    assert len(ids_of(store)) == 3


def test_unknown_analysis_is_refused_and_nothing_is_made(engine: LocalEngine) -> None:
    settings = {"index.analysis.analyzer.x.tokenizer": "standard", "index.analysis.analyzer.x.filter": ["nope"]}
    with pytest.raises(IllegalArgument, match=r"failed to find filter under \[nope\]"):
        engine.create("u2", MAPPING, settings)
    assert engine.known() == []


def test_an_index_whose_disk_fails_does_not_keep_others_from_closing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine = LocalEngine(tmp_path / "broken")
    for uuid in ("gone", "kept"):
        store = engine.create(uuid, IndexMapping.parse({}), {})
        store.write([Write("1", b"{}", TypedDocument([TypedRow()]))])
    shutil.rmtree(tmp_path / "broken" / "gone")
    engine.close()
    assert "index [gone] was not sealed" in caplog.text
    again = LocalEngine(tmp_path / "broken")
    assert again.open("kept", IndexMapping.parse({}), {}).stats().documents == 1
    again.close()

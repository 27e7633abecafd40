"""One suite for both catalogs: what is put comes back, numbered, all or nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from antiphon.domain.model import Model
from antiphon.domain.model_group import ModelGroup
from antiphon.domain.task import Task
from antiphon.errors import IllegalArgument, Unavailable
from antiphon.flows.ports import Catalog
from antiphon.store import DocumentCatalog, MemoryCatalog, SqliteCatalog, Stored
from tests.store.examples import GROUPS, MODELS, OBJECTS, TASKS, TEXT, group, model, task

SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)


def test_both_fulfil_the_port() -> None:
    twins: list[type[Catalog]] = [MemoryCatalog, SqliteCatalog]
    assert len(twins) == 2


@SHARED
@given(document=GROUPS | MODELS | TASKS)
def test_what_is_put_comes_back_equal(catalog: DocumentCatalog, document: ModelGroup | Model | Task) -> None:
    match document:
        case ModelGroup():
            catalog.put_group(document)
            assert catalog.group(document.model_group_id) == document
            assert document in [item for item, _ in catalog.groups()]
        case Model():
            catalog.put_model(document)
            assert catalog.model(document.model_id) == document
            assert document in [item for item, _ in catalog.models()]
        case Task():
            catalog.put_task(document)
            assert catalog.task(document.task_id) == document
            assert document in [item for item, _ in catalog.tasks()]


@SHARED
@given(document=OBJECTS, model_id=TEXT)
def test_controllers_and_settings_are_any_json(
    catalog: DocumentCatalog, document: dict[str, Any], model_id: str
) -> None:
    catalog.put_controller(model_id, document)
    assert catalog.controller(model_id) == document
    for section in ("persistent", "transient"):
        catalog.put_settings(section, document)
        assert catalog.settings(section) == document


@settings(deadline=None, max_examples=40)
@given(writes=st.lists(st.tuples(st.sampled_from(["put", "delete", "undo"]), st.integers(1, 4)), max_size=12))
def test_the_twins_agree_on_every_history(tmp_path_factory: pytest.TempPathFactory, writes: list[Any]) -> None:
    twins = [MemoryCatalog(), SqliteCatalog(tmp_path_factory.mktemp("data") / "catalog.sqlite")]
    try:
        answers = [[_write(twin, *write) for write in writes] for twin in twins]
        assert answers[0] == answers[1]
        assert list(twins[0].groups()) == list(twins[1].groups())
    finally:
        for twin in twins:
            twin.close()


@contextmanager
def _abandoned(catalog: DocumentCatalog) -> Iterator[None]:
    with suppress(KeyError), catalog.transaction():
        yield
        raise KeyError


def _write(catalog: DocumentCatalog, what: str, number: int) -> Stored | None:
    if what == "put":
        return catalog.put_group(group(number, "same"))
    if what == "delete":
        return catalog.delete_group(f"group-{number}")
    with _abandoned(catalog):
        catalog.put_group(group(number))
    found = catalog.group_named("same")
    return None if found is None else Stored(found.created_time, 0)


def test_nothing_is_there_at_first(catalog: DocumentCatalog) -> None:
    assert not any((catalog.group("x"), catalog.group_named("x"), catalog.model("x"), catalog.task("x")))
    assert catalog.controller("x") is None
    assert not any((catalog.delete_group("x"), catalog.delete_model("x"), catalog.delete_task("x")))
    assert catalog.delete_controller("x") is None
    assert not any((list(catalog.groups()), list(catalog.models()), list(catalog.tasks())))
    assert catalog.settings("persistent") == catalog.settings("transient") == {}
    with pytest.raises(IllegalArgument, match=r"\[default\] is no section"):
        catalog.settings("default")


@SHARED
@given(definition=OBJECTS, name=TEXT, kind=st.sampled_from(["ingest_pipeline", "search_pipeline", "index", "template"]))
def test_definitions_are_any_json_object(
    catalog: DocumentCatalog, definition: dict[str, Any], name: str, kind: str
) -> None:
    catalog.put_definition(kind, name, definition)
    assert catalog.definition(kind, name) == definition
    assert (name, definition) in list(catalog.definitions(kind))
    assert catalog.definition("component_template", name) is None
    assert catalog.delete_definition(kind, name) is not None
    assert catalog.definition(kind, name) is None
    assert catalog.delete_definition(kind, name) is None


def test_an_unknown_kind_of_definition_is_refused(catalog: DocumentCatalog) -> None:
    for call in (lambda: catalog.definition("model", "x"), lambda: catalog.put_definition("x", "x", {})):
        with pytest.raises(IllegalArgument, match="is no kind of definition; use one of"):
            call()


def test_versions_count_per_id_and_sequence_numbers_per_kind(catalog: DocumentCatalog) -> None:
    assert catalog.put_model(model(1)) == Stored(1, 0)
    assert catalog.put_model(model(2)) == Stored(1, 1)
    assert catalog.put_model(model(1)) == Stored(2, 2)
    assert catalog.put_group(group(1)) == Stored(1, 0)
    assert catalog.delete_model("model-1") == Stored(3, 3)
    assert catalog.delete_model("model-1") is None
    assert catalog.put_model(model(1)) == Stored(4, 4)
    assert [(item.model_id, stored.version) for item, stored in catalog.models()] == [("model-2", 1), ("model-1", 4)]


def test_order_is_by_creation_not_by_change(catalog: DocumentCatalog) -> None:
    for number in (3, 1, 2):
        catalog.put_task(task(number))
    catalog.put_task(task(3))
    assert [item.task_id for item, _ in catalog.tasks()] == ["task-3", "task-1", "task-2"]


def test_a_group_is_found_by_its_present_name(catalog: DocumentCatalog) -> None:
    catalog.put_group(group(1, "new name"))
    catalog.put_group(replace(group(1), name="Ünïcode\0 name"))
    assert catalog.group_named("new name") is None
    found = catalog.group_named("Ünïcode\0 name")
    assert found is not None
    assert found.model_group_id == "group-1"
    catalog.delete_group("group-1")
    assert catalog.group_named("Ünïcode\0 name") is None


def test_a_transaction_that_raises_leaves_nothing(catalog: DocumentCatalog) -> None:
    catalog.put_model(model(1))
    with _abandoned(catalog):
        catalog.delete_model("model-1")
        catalog.put_group(group(1))
        catalog.put_settings("transient", {"a": 1})
        catalog.put_settings("persistent", {"a": 1})
        assert catalog.model("model-1") is None
        assert catalog.settings("transient") == {"a": 1}
    assert catalog.model("model-1") == model(1)
    assert catalog.group("group-1") is None
    assert catalog.settings("transient") == catalog.settings("persistent") == {}


def test_an_inner_transaction_can_fail_alone(catalog: DocumentCatalog) -> None:
    with catalog.transaction():
        catalog.put_group(group(1))
        with _abandoned(catalog):
            catalog.put_group(group(2))
        with catalog.transaction():
            catalog.put_group(group(3))
    assert [item.model_group_id for item, _ in catalog.groups()] == ["group-1", "group-3"]


def test_readers_see_the_last_commit_and_never_wait_for_a_writer(catalog: DocumentCatalog) -> None:
    with ThreadPoolExecutor(1) as other:
        with catalog.transaction():
            catalog.put_model(model(1))
            assert other.submit(catalog.model, "model-1").result(timeout=10) is None
        assert other.submit(catalog.model, "model-1").result(timeout=10) == model(1)


def test_an_iteration_shows_the_moment_it_began(catalog: DocumentCatalog) -> None:
    catalog.put_task(task(1))
    listed = catalog.tasks()
    catalog.put_task(task(2))
    assert [item.task_id for item, _ in listed] == ["task-1"]


def test_writers_take_turns(catalog: DocumentCatalog) -> None:
    catalog.put_group(replace(group(1), latest_version=0))
    start = threading.Barrier(4)

    def count() -> None:
        start.wait()
        for _ in range(10):
            with catalog.transaction():
                found = catalog.group("group-1")
                assert found is not None
                catalog.put_group(replace(found, latest_version=found.latest_version + 1))

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(count) for _ in range(4)]:
            done.result()
    found = catalog.group("group-1")
    assert found is not None
    assert found.latest_version == 40


def test_ids_are_stable_and_url_safe(catalog: DocumentCatalog) -> None:
    ids = {catalog.node_id(), catalog.cluster_uuid()}
    assert len(ids) == 2
    assert all(len(word) == 22 and word.replace("-", "").replace("_", "").isalnum() for word in ids)
    assert catalog.node_id() in ids


def test_after_close_every_call_says_so(catalog: DocumentCatalog) -> None:
    catalog.close()
    catalog.close()
    for call in (lambda: catalog.model("x"), lambda: catalog.put_model(model()), lambda: list(catalog.tasks())):
        with pytest.raises(Unavailable, match="the catalog is closed"):
            call()

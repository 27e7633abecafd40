"""Registration: all or nothing, in the catalog and on disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from antiphon.domain.model import ModelState
from antiphon.domain.registration import GroupRegistration
from antiphon.domain.task import TaskState
from antiphon.errors import AntiphonError, Conflict, IllegalArgument, PackageError
from tests.flows.conftest import Bench, NewBench


def test_a_registered_model_is_on_disk_and_in_its_group(bench: Bench) -> None:
    bench.allow()
    task = bench.finish(bench.node.registrar.register(bench.registration()))
    assert task.state is TaskState.COMPLETED
    model = bench.catalog.model(task.model_id or "")
    assert model is not None
    assert model.model_state is ModelState.REGISTERED
    group = bench.catalog.group_named("tiny")
    assert group is not None
    assert (group.latest_version, model.model_version, model.model_group_id) == (1, "1", group.model_group_id)
    again = bench.finish(bench.node.registrar.register(bench.registration()))
    second = bench.catalog.model(again.model_id or "")
    assert second is not None
    assert (second.model_version, second.model_group_id) == ("2", group.model_group_id)


def test_a_failed_registration_leaves_nothing(bench: Bench) -> None:
    bench.allow()
    task = bench.finish(bench.node.registrar.register(bench.registration(model_content_hash_value="0" * 64)))
    assert (task.state, task.model_id) == (TaskState.FAILED, None)
    assert "model content changed" in (task.error or "")
    assert list(bench.catalog.models()) == []
    assert list(bench.catalog.groups()) == []
    assert bench.files() == []


def test_a_failed_version_is_given_again(bench: Bench) -> None:
    bench.allow()
    group = bench.node.definer.create_group(GroupRegistration("g"))
    bad = bench.registration(model_group_id=group.model_group_id, model_content_hash_value="0" * 64)
    bench.finish(bench.node.registrar.register(bad))
    assert bench.node.definer.group(group.model_group_id).latest_version == 0
    good = bench.finish(bench.node.registrar.register(bench.registration(model_group_id=group.model_group_id)))
    assert bench.node.definer.model(good.model_id or "").model_version == "1"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"model_content_hash_value": None}, "model content Hash code need to be provided"),
        ({"model_group_id": "nobody"}, "Model group not found"),
        ({"url": None}, "not in the pre-trained model list"),
        ({"url": "file:///nowhere/e5.zip"}, "/nowhere/e5.zip"),
    ],
)
def test_asynchronous_refusals(bench: Bench, changes: dict[str, object], says: str) -> None:
    bench.allow()
    task = bench.finish(bench.node.registrar.register(bench.registration(**changes)))
    assert task.state is TaskState.FAILED
    assert says.lower() in (task.error or "").lower()
    assert list(bench.catalog.groups()) == []


def test_urls_are_refused_until_allowed_and_trusted(bench: Bench) -> None:
    with pytest.raises(IllegalArgument, match="allow_registering_model_via_url"):
        bench.node.registrar.register(bench.registration())
    bench.allow(trusted_url_regex="^https://models[.]example/")
    with pytest.raises(IllegalArgument, match="trusted url regex"):
        bench.node.registrar.register(bench.registration())
    assert list(bench.catalog.groups()) == []


def test_a_chosen_id_is_taken_once(bench: Bench) -> None:
    bench.allow()
    assert bench.finish(bench.node.registrar.register(bench.registration(model_id="mine"))).model_id == "mine"
    task = bench.finish(bench.node.registrar.register(bench.registration(model_id="mine")))
    assert task.error == "model id 'mine' already exists"
    assert bench.node.definer.model("mine").model_version == "1"


def chunked(bench: Bench) -> tuple[str, list[bytes]]:
    """Begin an upload in three chunks."""
    bench.allow(allow_registering_model_via_local_file="true")
    content = bench.zip_path.read_bytes()
    third = -(-len(content) // 3)
    parts = [content[at : at + third] for at in range(0, len(content), third)]
    model = bench.node.registrar.register_meta(bench.registration(url=None, total_chunks=len(parts)))
    return model.model_id, parts


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_chunks_in_any_order(bench: Bench, order: tuple[int, ...]) -> None:
    model_id, parts = chunked(bench)
    for place, number in enumerate(order):
        missing = bench.node.registrar.upload_chunk(model_id, number, parts[number])
        assert missing == sorted(order[place + 1 :])
    assert bench.node.definer.model(model_id).model_state is ModelState.REGISTERED
    assert bench.finish(bench.node.deployer.deploy(model_id)).state is TaskState.COMPLETED


def test_a_changed_chunk_is_found_at_the_last_one_and_can_be_sent_again(bench: Bench) -> None:
    model_id, parts = chunked(bench)
    bench.node.registrar.upload_chunk(model_id, 0, parts[0])
    bench.node.registrar.upload_chunk(model_id, 1, parts[1])
    with pytest.raises(PackageError, match=r"model content changed|zip END header not found"):
        bench.node.registrar.upload_chunk(model_id, 2, parts[2][:-1] + b"x")
    assert bench.node.definer.model(model_id).model_state is ModelState.REGISTERING
    assert bench.files() == []
    for number, part in enumerate(parts):
        bench.node.registrar.upload_chunk(model_id, number, part)
    assert bench.node.definer.model(model_id).model_state is ModelState.REGISTERED
    with pytest.raises(Conflict, match="REGISTERED"):
        bench.node.registrar.upload_chunk(model_id, 0, parts[0])


@pytest.mark.parametrize(
    ("number", "content", "says"),
    [(3, b"x", "exceeds total chunks"), (0, b"", "0 or null"), (0, b"x" * 10_000_001, "exceeds 10MB")],
)
def test_chunks_that_cannot_be(bench: Bench, number: int, content: bytes, says: str) -> None:
    model_id, _ = chunked(bench)
    with pytest.raises(AntiphonError, match=says):
        bench.node.registrar.upload_chunk(model_id, number, content)


def test_deploying_half_an_upload_names_the_missing_chunk(bench: Bench) -> None:
    model_id, parts = chunked(bench)
    bench.node.registrar.upload_chunk(model_id, 0, parts[0])
    task = bench.finish(bench.node.deployer.deploy(model_id))
    assert f"Fail to find model chunk {model_id}_1" in (task.error or "")
    assert bench.node.definer.model(model_id).model_state is ModelState.REGISTERING


def test_a_chunked_upload_survives_a_restart(new_bench: NewBench) -> None:
    first = new_bench()
    model_id, parts = chunked(first)
    first.node.registrar.upload_chunk(model_id, 0, parts[0])
    second = new_bench()
    second.node.start()
    for number in (1, 2):
        second.node.registrar.upload_chunk(model_id, number, parts[number])
    assert second.node.definer.model(model_id).model_state is ModelState.REGISTERED


def test_a_restart_drops_what_a_dead_registration_left(new_bench: NewBench) -> None:
    first = new_bench()
    first.allow()
    task = first.finish(first.node.registrar.register(first.registration()))
    model = first.node.definer.model(task.model_id or "")
    half = replace(model, model_id="half", model_state=ModelState.REGISTERING, total_chunks=None)
    first.catalog.put_model(half)
    (first.folder / "staging").mkdir(exist_ok=True)
    Path(first.folder / "staging" / "leftover").write_bytes(b"half a zip")
    kept = [name for name in first.files() if name.startswith("packages/")]
    second = new_bench()
    second.node.start()
    assert second.catalog.model("half") is None
    assert second.files() == kept


def test_too_many_registrations_fail_in_the_task(bench: Bench) -> None:
    bench.allow(max_register_model_tasks_per_node="0")
    task = bench.finish(bench.node.registrar.register(bench.registration()))
    assert task.error == "exceed max running task limit"


def test_register_and_deploy_in_one(bench: Bench) -> None:
    bench.allow()
    model_id = bench.finish(bench.node.registrar.register(bench.registration(deploy=True))).model_id or ""
    assert bench.deploy_tasks(1)[0].state is TaskState.COMPLETED
    assert bench.node.definer.model(model_id).model_state is ModelState.DEPLOYED


def test_adopting_is_idempotent(bench: Bench) -> None:
    wanted = bench.registration(model_id="e5")
    task = bench.node.registrar.adopt(wanted)
    assert task is not None
    bench.finish(task)
    bench.deploy_tasks(1)
    assert bench.node.registrar.adopt(wanted) is None
    assert len(list(bench.catalog.models())) == 1

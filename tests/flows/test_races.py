"""Document, memory and disk agree, whoever comes in between."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from antiphon.domain.model import Model, ModelConfig, ModelState, Pooling
from antiphon.domain.prediction import PredictRequest
from antiphon.domain.registration import ModelChange
from antiphon.domain.task import Task, TaskState, TaskType
from antiphon.errors import Conflict, InferenceError
from antiphon.flows.tasks import Outcome
from tests.flows.conftest import Bench, NewBench

QUERY = PredictRequest(("a question",), {"content_type": "query"})
OTHER_POOLING = ModelChange(
    model_config={"model_type": "bert", "framework_type": "SENTENCE_TRANSFORMERS", "pooling_mode": Pooling.CLS}
)


def answers(bench: Bench, model_id: str) -> bool:
    prediction, _ = bench.node.predictor.predict(model_id, lambda: QUERY, {}, lambda _: {})
    return len(prediction.rows) == 1


def registered(bench: Bench, **changes: object) -> str:
    bench.allow()
    return bench.finish(bench.node.registrar.register(bench.registration(**changes))).model_id or ""


def held_deploy(bench: Bench, model_id: str) -> Task:
    """Start a deploy and return once its load waits."""
    bench.loader.loading.clear()
    bench.loader.load_gate.clear()
    task = bench.node.deployer.deploy(model_id)
    assert bench.loader.loading.wait(20)
    return task


def test_a_second_deploy_fails_alone_while_the_first_loads(bench: Bench) -> None:
    model_id = registered(bench)
    first = held_deploy(bench, model_id)
    second = bench.finish(bench.node.deployer.deploy(model_id))
    assert "Duplicate deploy model task" in (second.error or "")
    assert bench.node.definer.model(model_id).model_state is ModelState.DEPLOYING
    bench.loader.load_gate.set()
    assert bench.finish(first).state is TaskState.COMPLETED
    assert bench.node.definer.model(model_id).model_state is ModelState.DEPLOYED
    assert answers(bench, model_id)


def test_a_registration_is_over_once_its_deploy_has_begun(bench: Bench) -> None:
    bench.allow()
    bench.loader.load_gate.clear()
    task = bench.node.tasks.wait(bench.node.registrar.register(bench.registration(deploy=True)).task_id)
    assert (task.state, task.error) == (TaskState.COMPLETED, None)
    deploys = [one for one, _ in bench.catalog.tasks() if one.task_type is TaskType.DEPLOY_MODEL]
    assert [one.state.done for one in deploys] == [False]
    bench.loader.load_gate.set()
    assert bench.node.tasks.wait(deploys[0].task_id).state is TaskState.COMPLETED
    assert answers(bench, task.model_id or "")


def test_who_waits_for_a_task_that_never_began_is_let_go_at_the_end(bench: Bench) -> None:
    runner, held, began = bench.node.tasks, threading.Event(), threading.Event()

    def job(_: Task) -> Outcome:
        began.set()
        assert held.wait(20)
        raise InferenceError("the end")

    first, second = (runner.start(TaskType.DEPLOY_MODEL, job, lambda _: None, in_turn=True) for _ in range(2))
    found: list[Task] = []
    waiter = threading.Thread(target=lambda: found.append(runner.wait(second.task_id)))
    waiter.start()
    assert began.wait(20)
    threading.Timer(0.05, held.set).start()  # while ``close`` waits for the first
    runner.close()
    waiter.join(20)
    assert [one.task_id for one in found] == [second.task_id]
    assert "the end" in (runner.wait(first.task_id).error or "")


def test_a_model_that_is_deploying_is_not_changed(bench: Bench) -> None:
    model_id = registered(bench)
    task = held_deploy(bench, model_id)
    with pytest.raises(Conflict, match=f"Model is deploying.*{model_id}"):
        bench.node.definer.change_model(model_id, ModelChange(description="new"))
    bench.loader.load_gate.set()
    bench.finish(task)
    bench.node.definer.change_model(model_id, ModelChange(description="new"))


def test_an_undeploy_while_loading_wins(bench: Bench) -> None:
    model_id = registered(bench)
    task = held_deploy(bench, model_id)
    assert bench.node.deployer.undeploy([model_id]) == {model_id: "not_found"}
    bench.loader.load_gate.set()
    assert "undeployed or deleted" in (bench.finish(task).error or "")
    assert bench.node.definer.model(model_id).model_state is ModelState.UNDEPLOYED
    assert bench.node.loaded.get(model_id) is None
    assert not bench.node.loaded.loading(model_id)


def test_a_failed_redeploy_leaves_the_loaded_model_deployed(bench: Bench) -> None:
    model_id = bench.deployed()
    bench.node.definer.change_model(model_id, OTHER_POOLING)
    bench.loader.fail_load = InferenceError("no memory")
    assert "no memory" in (bench.finish(bench.node.deployer.deploy(model_id)).error or "")
    assert bench.node.definer.model(model_id).model_state is ModelState.DEPLOYED
    assert answers(bench, model_id)


def test_a_deploy_over_the_limit_leaves_the_loaded_model_deployed(bench: Bench) -> None:
    model_id = bench.deployed()
    bench.allow(max_deploy_model_tasks_per_node="0")
    task = bench.finish(bench.node.deployer.deploy(model_id))
    assert "exceed max running task limit" in (task.error or "")
    assert bench.node.definer.model(model_id).model_state is ModelState.DEPLOYED


def test_an_overdue_deploy_fails_and_its_late_result_is_dropped(bench: Bench) -> None:
    model_id = registered(bench)
    task = held_deploy(bench, model_id)
    bench.clock.advance(601)
    bench.node.tasks.fail_overdue()
    assert "timeout after 600 seconds" in (bench.node.tasks.get(task.task_id).error or "")
    assert bench.node.definer.model(model_id).model_state is ModelState.DEPLOY_FAILED
    bench.loader.load_gate.set()
    bench.node.tasks.close()
    assert bench.node.loaded.get(model_id) is None
    assert bench.node.definer.model(model_id).model_state is ModelState.DEPLOY_FAILED
    assert "timeout after 600 seconds" in (bench.node.tasks.get(task.task_id).error or "")


def test_an_overdue_registration_leaves_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.allow()
    admitted, go_on = threading.Event(), threading.Event()
    admit = bench.node.ports.packages.admit

    def slow_admit(*arguments: object) -> object:
        folder = admit(*arguments)  # type: ignore[arg-type]
        admitted.set()
        assert go_on.wait(20)
        return folder

    monkeypatch.setattr(bench.node.ports.packages, "admit", slow_admit)
    task = bench.node.registrar.register(bench.registration())
    assert admitted.wait(20)
    bench.clock.advance(601)
    bench.node.tasks.fail_overdue()
    go_on.set()
    bench.node.tasks.close()
    assert bench.node.tasks.get(task.task_id).state is TaskState.FAILED
    assert list(bench.catalog.models()) == []
    assert list(bench.catalog.groups()) == []
    assert bench.files() == []


def test_an_encoder_is_drained_outside_the_catalogs_lock(bench: Bench) -> None:
    model_id = bench.deployed()
    bench.loader.gate.clear()  # requests of the old encoder hang
    asking = threading.Thread(target=answers, args=(bench, model_id))
    asking.start()
    bench.node.definer.change_model(model_id, OTHER_POOLING)
    task = bench.node.deployer.deploy(model_id)
    assert bench.finish(task).state is TaskState.COMPLETED
    bench.allow(monitoring_request_count="7")  # a write: nobody holds the lock
    bench.loader.gate.set()
    asking.join(20)
    assert not asking.is_alive()


def test_every_deployed_model_comes_back_whatever_the_task_limit(new_bench: NewBench) -> None:
    first = new_bench()
    ids = {first.deployed() for _ in range(4)}
    first.allow(max_deploy_model_tasks_per_node="1")
    second = new_bench()
    second.node.start()
    for task, _ in second.catalog.tasks():
        second.finish(task)
    assert {model.model_id for model, _ in second.catalog.models() if model.model_state is ModelState.DEPLOYED} == ids


@pytest.mark.parametrize("spelling", [str.upper, lambda text: f" {text} "])
def test_a_hash_in_another_spelling_is_the_same_package(bench: Bench, spelling: object) -> None:
    from antiphon.wire.model import read_registration

    given = bench.registration()
    body = {
        "name": "b", "function_name": "TEXT_EMBEDDING", "model_format": "ONNX", "url": given.url,
        "model_content_hash_value": spelling(given.model_content_hash_value),  # type: ignore[operator]
        "model_config": {"model_type": "bert", "embedding_dimension": 8, "framework_type": "sentence_transformers"},
    }  # fmt: skip
    first = registered(bench)
    second = bench.finish(bench.node.registrar.register(read_registration(body)[0])).model_id or ""
    bench.node.definer.delete_model(first)
    assert bench.finish(bench.node.deployer.deploy(second)).state is TaskState.COMPLETED


def test_an_upload_that_cannot_be_written_down_keeps_its_chunks(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.allow(allow_registering_model_via_local_file="true")
    content = bench.zip_path.read_bytes()
    model = bench.node.registrar.register_meta(bench.registration(url=None, total_chunks=1))
    put = bench.catalog.put_model

    def full_disk(changed: Model) -> object:
        if changed.model_state is ModelState.REGISTERED:
            raise OSError("no space left")
        return put(changed)

    monkeypatch.setattr(bench.catalog, "put_model", full_disk)
    with pytest.raises(OSError, match="no space"):
        bench.node.registrar.upload_chunk(model.model_id, 0, content)
    monkeypatch.undo()
    assert bench.node.ports.packages.chunks(model.model_id) == {0}
    bench.node.registrar.upload_chunk(model.model_id, 0, content)
    assert bench.node.definer.model(model.model_id).model_state is ModelState.REGISTERED


def test_old_tasks_are_forgotten_and_running_ones_are_not(bench: Bench) -> None:
    model_id = bench.deployed()
    task = next(task for task, _ in bench.catalog.tasks())
    for number in range(1005):
        bench.catalog.put_task(replace(task, task_id=f"old-{number}", last_update_time=number))
    running = Task("running", TaskType.DEPLOY_MODEL, TaskState.RUNNING, 1, 1, ("n",), model_id=model_id)
    bench.catalog.put_task(replace(running, create_time=bench.clock()))
    bench.node.housekeeper.tidy()
    left = {task.task_id for task, _ in bench.catalog.tasks()}
    assert len(left) == 1001
    assert {"running", task.task_id, "old-1004"} <= left
    assert "old-0" not in left


def test_latency_windows_follow_the_setting(bench: Bench) -> None:
    model_id = bench.deployed()
    for _ in range(5):
        answers(bench, model_id)
    bench.allow(monitoring_request_count="3")
    loaded = bench.node.loaded.get(model_id)
    assert loaded is not None
    assert loaded.latencies()[0] is not None
    assert loaded.latencies()[0].count == 3  # type: ignore[union-attr]


def test_symmetric_and_asymmetric_registrations_share_one_package(bench: Bench) -> None:
    first = registered(bench)
    second = registered(bench, model_config=ModelConfig("bert", 8))
    assert sum(name.endswith("model.onnx") for name in bench.files()) == 1
    bench.node.definer.delete_model(first)
    assert bench.finish(bench.node.deployer.deploy(second)).state is TaskState.COMPLETED

"""Deploying: states, restarts, limits, and what a failure leaves."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from antiphon.domain.model import DeploySetting, ModelConfig, ModelState, Pooling
from antiphon.domain.prediction import PredictRequest
from antiphon.domain.registration import ModelChange
from antiphon.domain.task import TaskState
from antiphon.errors import (
    CircuitBreaking,
    Forbidden,
    IllegalArgument,
    InferenceError,
    NotFound,
    StatusError,
    Throttled,
)
from tests.flows.conftest import Bench, NewBench

QUERY = PredictRequest(("a question",), {"content_type": "query"})


def predict(bench: Bench, model_id: str, request: PredictRequest = QUERY) -> list[float]:
    prediction, _ = bench.node.predictor.predict(model_id, lambda: request, {}, lambda _: {})
    return [float(number) for number in prediction.rows[0]]


def test_deployed_models_come_back_after_a_restart(new_bench: NewBench) -> None:
    first = new_bench()
    model_id = first.deployed()
    before = predict(first, model_id)
    second = new_bench()
    second.node.start()
    for task, _ in second.catalog.tasks():
        second.finish(task)
    assert second.node.definer.model(model_id).model_state is ModelState.DEPLOYED
    assert predict(second, model_id) == before


def test_a_model_that_never_comes_back_is_left_alone(new_bench: NewBench) -> None:
    bench = new_bench()
    model_id = bench.deployed()
    model = bench.node.definer.model(model_id)
    bench.catalog.put_model(replace(model, auto_redeploy_retry_times=3))
    again = new_bench()
    again.node.start()
    assert again.node.definer.model(model_id).model_state is ModelState.DEPLOY_FAILED


def test_no_redeploy_when_switched_off(new_bench: NewBench) -> None:
    bench = new_bench()
    model_id = bench.deployed()
    bench.allow(**{"model_auto_redeploy.enable": "false"})
    again = new_bench()
    again.node.start()
    assert again.node.definer.model(model_id).model_state is ModelState.DEPLOY_FAILED


def test_a_failing_load_fails_task_and_model_and_says_why(bench: Bench) -> None:
    model_id = bench.deployed()
    bench.node.deployer.undeploy([model_id])
    bench.loader.fail_load = InferenceError("the probe found cosine 0.5")
    task = bench.finish(bench.node.deployer.deploy(model_id))
    assert task.state is TaskState.FAILED
    assert json.loads(task.error or "") == {bench.catalog.node_id(): "the probe found cosine 0.5"}
    assert bench.node.definer.model(model_id).model_state is ModelState.DEPLOY_FAILED
    bench.loader.fail_load = None
    assert bench.finish(bench.node.deployer.deploy(model_id)).state is TaskState.COMPLETED


def test_a_task_of_a_dead_process_is_failed_with_that_reason(new_bench: NewBench) -> None:
    first = new_bench()
    model_id = first.deployed()
    task = next(task for task, _ in first.catalog.tasks() if task.task_type == "DEPLOY_MODEL")
    first.catalog.put_task(replace(task, task_id="left", state=TaskState.RUNNING))
    second = new_bench()
    second.node.start()
    left = second.node.tasks.get("left")
    assert left.state is TaskState.FAILED
    assert "stopped while this task was running" in (left.error or "")
    assert second.node.definer.model(model_id) is not None


def test_deploying_twice_and_undeploying_twice(bench: Bench) -> None:
    model_id = bench.deployed()
    assert bench.finish(bench.node.deployer.deploy(model_id)).state is TaskState.COMPLETED
    assert bench.node.deployer.undeploy([model_id]) == {model_id: "undeployed"}
    assert bench.node.deployer.undeploy([model_id]) == {model_id: "not_found"}
    with pytest.raises(IllegalArgument, match="Model not ready yet"):
        predict(bench, model_id)
    with pytest.raises(NotFound):
        bench.node.deployer.undeploy(["nobody"])


def test_the_node_holds_so_many_models(bench: Bench) -> None:
    bench.deployed()
    bench.allow(max_model_on_node="1")
    other = bench.finish(bench.node.registrar.register(bench.registration())).model_id or ""
    task = bench.finish(bench.node.deployer.deploy(other))
    assert "Exceed max local model per node limit" in (task.error or "")


def test_delete_needs_undeploy_and_removes_the_last_copy(bench: Bench) -> None:
    model_id = bench.deployed()
    twin = bench.finish(bench.node.registrar.register(bench.registration())).model_id or ""
    with pytest.raises(StatusError, match="deploying or deployed"):
        bench.node.definer.delete_model(model_id)
    bench.node.deployer.undeploy([model_id])
    bench.node.definer.delete_model(model_id)
    assert bench.files() != []
    bench.node.definer.delete_model(twin)
    assert bench.files() == []


def test_changed_prefixes_act_at_once(bench: Bench) -> None:
    model_id = bench.deployed()
    before = predict(bench, model_id)
    change = ModelChange(
        model_config={"model_type": "bert", "framework_type": "SENTENCE_TRANSFORMERS", "query_prefix": "ask: "}
    )
    _, notices = bench.node.definer.change_model(model_id, change)
    assert notices == []
    assert predict(bench, model_id) != before


def test_changed_pooling_waits_for_a_deploy_and_says_so(bench: Bench) -> None:
    model_id = bench.deployed()
    change = ModelChange(
        model_config={"model_type": "bert", "framework_type": "SENTENCE_TRANSFORMERS", "pooling_mode": Pooling.CLS}
    )
    _, notices = bench.node.definer.change_model(model_id, change)
    assert "after the next _deploy" in notices[0]
    bench.finish(bench.node.deployer.deploy(model_id))
    loaded = bench.node.loaded.get(model_id)
    assert loaded is not None
    assert loaded.loaded_config.pooling is Pooling.CLS


def test_a_disabled_model_and_a_rate_limit(bench: Bench) -> None:
    model_id = bench.deployed()
    bench.node.definer.change_model(model_id, ModelChange(is_enabled=False))
    with pytest.raises(Forbidden, match=r"Model is disabled\."):
        predict(bench, model_id)
    bench.node.definer.change_model(
        model_id, ModelChange(is_enabled=True, rate_limiter={"limit": 1.0, "unit": "MINUTES"})
    )
    predict(bench, model_id)
    with pytest.raises(Throttled):
        predict(bench, model_id)
    bench.seconds[0] += 60
    predict(bench, model_id)


def test_the_interface_schema_is_checked_on_both_sides(bench: Bench) -> None:
    model_id = bench.deployed()
    schema = {"type": "object", "required": ["text_docs"]}
    bench.node.definer.change_model(model_id, ModelChange(interface={"input": schema}))
    with pytest.raises(StatusError, match="Error validating input schema"):
        predict(bench, model_id)
    with pytest.raises(IllegalArgument, match="not a JSON schema"):
        bench.node.definer.change_model(model_id, ModelChange(interface={"input": {"type": 3}}))


@pytest.mark.parametrize(("gauge", "value", "which"), [("memory", 86.0, "Memory"), ("free", 4 << 30, "Disk")])
def test_breakers(bench: Bench, gauge: str, value: float, which: str) -> None:
    model_id, other = bench.deployed(), bench.deployed()
    bench.node.deployer.undeploy([other])
    setattr(bench.gauges, gauge, value)
    with pytest.raises(CircuitBreaking, match=f"{which} Circuit Breaker is open"):
        predict(bench, model_id)
    assert bench.node.observer.stats().breaker_trips == 1
    assert f"{which} Circuit Breaker is open" in (bench.finish(bench.node.deployer.deploy(other)).error or "")
    assert bench.finish(bench.node.deployer.deploy(model_id)).state is TaskState.COMPLETED, "nothing is loaded"


def test_an_idle_model_is_undeployed_after_its_time_to_live(bench: Bench) -> None:
    model_id = bench.deployed()
    bench.node.definer.change_model(model_id, ModelChange(deploy_setting=DeploySetting(model_ttl_minutes=2)))
    bench.seconds[0] += 119
    bench.node.housekeeper.tidy()
    assert bench.node.definer.model(model_id).model_state is ModelState.DEPLOYED
    bench.seconds[0] += 2
    bench.node.housekeeper.tidy()
    assert bench.node.definer.model(model_id).model_state is ModelState.UNDEPLOYED


def test_a_symmetric_model_needs_no_role(bench: Bench) -> None:
    bench.allow()
    registration = bench.registration(model_config=ModelConfig("bert", 8))
    model_id = bench.finish(bench.node.registrar.register(registration)).model_id or ""
    bench.finish(bench.node.deployer.deploy(model_id))
    asymmetric = bench.deployed()
    plain = predict(bench, model_id, PredictRequest(("query: a question",)))
    assert plain == predict(bench, asymmetric)

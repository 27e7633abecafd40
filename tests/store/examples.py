"""Documents to store: fixed ones, and hypothesis strategies for arbitrary ones."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from antiphon.domain.model import (
    DeploySetting,
    FrameworkType,
    Model,
    ModelConfig,
    ModelFormat,
    ModelState,
    Pooling,
    RateLimiter,
)
from antiphon.domain.model_group import ModelGroup
from antiphon.domain.task import Task, TaskState, TaskType

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
TIMES = st.integers(0, 2**53)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(TEXT, JSON, max_size=4)

GROUPS = st.builds(ModelGroup, TEXT, TEXT, TIMES, TIMES, st.integers(0, 9), st.none() | TEXT)
CONFIGS = st.builds(
    ModelConfig,
    model_type=TEXT,
    embedding_dimension=st.none() | st.integers(1, 4096),
    framework_type=st.none() | st.sampled_from(FrameworkType),
    additional_config=st.none() | OBJECTS,
    pooling_mode=st.none() | st.sampled_from(Pooling),
    normalize_result=st.booleans(),
    query_prefix=st.none() | TEXT,
)
MODELS = st.builds(
    Model,
    model_id=TEXT,
    name=TEXT,
    model_group_id=TEXT,
    model_version=TEXT,
    model_format=st.sampled_from(ModelFormat),
    model_state=st.sampled_from(ModelState),
    created_time=TIMES,
    model_config=st.none() | CONFIGS,
    deploy_setting=st.none() | st.builds(DeploySetting, st.none() | st.booleans(), st.integers(-1, 9)),
    rate_limiter=st.none() | st.builds(RateLimiter, st.floats(0, 1e6), st.sampled_from(["MINUTES", "DAYS"])),
    planning_worker_nodes=st.lists(TEXT, max_size=3).map(tuple),
    interface=st.none() | OBJECTS,
)
TASKS = st.builds(
    Task,
    task_id=TEXT,
    task_type=st.sampled_from(TaskType),
    state=st.sampled_from(TaskState),
    create_time=TIMES,
    last_update_time=TIMES,
    worker_node=st.lists(TEXT, max_size=2).map(tuple),
    error=st.none() | TEXT,
)


def group(number: int = 1, name: str = "") -> ModelGroup:
    return ModelGroup(f"group-{number}", name or f"name {number}", created_time=number, last_updated_time=number)


def model(number: int = 1, name: str = "e5") -> Model:
    return Model(
        model_id=f"model-{number}",
        name=name,
        model_group_id="group-1",
        model_version=str(number),
        model_format=ModelFormat.ONNX,
        model_state=ModelState.REGISTERED,
        created_time=number,
    )


def task(number: int = 1) -> Task:
    return Task(f"task-{number}", TaskType.DEPLOY_MODEL, TaskState.CREATED, number, number, ("node",))

"""Only the transitions of the table happen."""

from itertools import product

import pytest

from antiphon.domain.model import TRANSITIONS, Model, ModelFormat, ModelState, Pooling, chunk_count
from antiphon.domain.task import TRANSITIONS as TASK_TRANSITIONS
from antiphon.domain.task import Task, TaskState, TaskType
from antiphon.errors import Conflict


def model(state: ModelState) -> Model:
    return Model("m", "name", "g", "1", ModelFormat.ONNX, state, created_time=1)


@pytest.mark.parametrize(("before", "after"), list(product(ModelState, ModelState)))
def test_model_transitions(before: ModelState, after: ModelState) -> None:
    if after in TRANSITIONS[before]:
        assert model(before).to(after, last_updated_time=2).model_state is after
    else:
        with pytest.raises(Conflict, match=f"from {before} to {after}"):
            model(before).to(after)


@pytest.mark.parametrize(("kind", "before", "after"), list(product(TaskType, TaskState, TaskState)))
def test_task_transitions(kind: TaskType, before: TaskState, after: TaskState) -> None:
    task = Task("t", kind, before, 1, 1, ("n",))
    if after in TASK_TRANSITIONS.get((kind, before), ()):
        assert task.to(after).state is after
    else:
        with pytest.raises(Conflict):
            task.to(after)


def test_a_register_task_never_runs_visibly() -> None:
    assert all(
        TaskState.RUNNING not in to for (kind, _), to in TASK_TRANSITIONS.items() if kind is TaskType.REGISTER_MODEL
    )


@pytest.mark.parametrize(
    ("word", "mode"),
    [("mean", Pooling.MEAN), ("WeightedMean", Pooling.WEIGHTED_MEAN), ("lasttoken", Pooling.LAST_TOKEN),
     ("mean_sqrt_len_tokens", Pooling.MEAN_SQRT_LEN), ("CLS", Pooling.CLS)],
)  # fmt: skip
def test_pooling_spellings(word: str, mode: Pooling) -> None:
    assert Pooling.parse(word) is mode


@pytest.mark.parametrize(("size", "chunks"), [(1, 1), (10_000_000, 1), (10_000_001, 2), (470_000_000, 47)])
def test_chunks_are_decimal_ten_million_bytes(size: int, chunks: int) -> None:
    assert chunk_count(size) == chunks

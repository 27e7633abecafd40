from __future__ import annotations

from typing import Any

import pytest

from tests.contract.variables import NothingThere, UnknownName, fill, take

NAMES = {"task": "t1", "size": 8, "zip": {"url": "file:///a", "facts": {"sha256": "abc"}}}


@pytest.mark.parametrize(
    ("value", "filled"),
    [
        ("/tasks/${task}", "/tasks/t1"),
        ("${task}-${size}", "t1-8"),
        ("${size}", 8),
        ("${zip}", NAMES["zip"]),
        ("${zip.facts.sha256}", "abc"),
        ({"${task}": ["${size}", None, True]}, {"t1": [8, None, True]}),
        ({"<repeat>": "ab", "<times>": 3}, "ababab"),
        ({"<repeat>": ["${task}"], "<times>": 2}, ["t1", "t1"]),
        ({"<join>": [["a"], {"<repeat>": ["b"], "<times>": 2}]}, ["a", "b", "b"]),
        ("$100 {task}", "$100 {task}"),
    ],
)
def test_fill(value: Any, filled: Any) -> None:
    assert fill(value, NAMES) == filled


@pytest.mark.parametrize("value", ["${taks}", "${zip.uri}", ["a ${task.id}"], {"${no}": 1}])
def test_a_name_that_nothing_has_set(value: Any) -> None:
    with pytest.raises(UnknownName):
        fill(value, NAMES)


ANSWER = {"hits": {"hits": [{"_id": "a"}, {"_id": "b"}]}, "node-1": {"stats": {"m": "undeployed"}}}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", ANSWER),
        ("$.hits.hits[1]._id", "b"),
        ("$.hits.hits[-1]._id", "b"),
        ("$.node-1.stats.*", "undeployed"),
        ("$.node-1.stats.<key>", "m"),
    ],
)
def test_take(path: str, found: Any) -> None:
    assert take(path, ANSWER) == found


@pytest.mark.parametrize("path", ["$.nothing", "$.hits.hits[2]", "$.hits.hits.a", "$.*", "$.hits.hits[0]._id.x.<key>"])
def test_a_path_that_leads_nowhere(path: str) -> None:
    with pytest.raises(NothingThere):
        take(path, ANSWER)


@pytest.mark.parametrize("path", ["hits", "$hits", "$.hits[a]"])
def test_a_path_that_is_none(path: str) -> None:
    with pytest.raises(ValueError, match=r"path|read"):
        take(path, ANSWER)

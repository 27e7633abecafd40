"""Alias actions: all happen or none."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon.domain.index import IndexBody
from antiphon.errors import AntiphonError
from antiphon.flows.indices import Indices
from antiphon.wire.alias import read_actions, read_aliases
from tests.flows.index_bench import IndexBench


@pytest.fixture
def indices() -> Indices:
    made = IndexBench().open()
    for name in ("a", "b", "c"):
        made.create(name, IndexBody(aliases=read_aliases({"all": {}})))
    return made


def apply(indices: Indices, *actions: dict[str, Any]) -> None:
    indices.put_aliases(read_actions({"actions": list(actions)}))


def carriers(indices: Indices, alias: str) -> list[str]:
    return [index.name for index, _ in indices.aliased(alias)]


def test_an_alias_moves_in_one_step(indices: Indices) -> None:
    apply(indices, {"add": {"index": "a", "alias": "live", "routing": "1", "filter": {"term": {"x": 1}}}})
    apply(indices, {"add": {"index": "b", "alias": "live"}}, {"remove": {"index": "a", "alias": "live"}})
    assert carriers(indices, "live") == ["b"]


def test_patterns_and_lists(indices: Indices) -> None:
    apply(indices, {"add": {"indices": ["a", "b"], "aliases": ["x1", "x2"]}})
    assert carriers(indices, "x2") == ["a", "b"]
    apply(indices, {"remove": {"index": "*", "alias": "x*"}})
    assert carriers(indices, "x1") == []
    assert carriers(indices, "all") == ["a", "b", "c"]


def test_an_index_gives_its_name_to_an_alias(indices: Indices) -> None:
    apply(indices, {"remove_index": {"index": "a"}}, {"add": {"index": "b", "alias": "a"}})
    assert [index.name for index in indices.all()] == ["b", "c"]
    assert indices.get("a").name == "b"


@pytest.mark.parametrize(
    ("action", "kind", "reason"),
    [
        (
            {"add": {"index": "a", "alias": "b"}},
            "invalid_alias_name_exception",
            "Invalid alias name [b], an index exists with the same name as the alias",
        ),
        ({"add": {"index": "nope", "alias": "z"}}, "index_not_found_exception", "no such index [nope]"),
        ({"remove": {"index": "a", "alias": "nope"}}, "aliases_not_found_exception", "aliases [nope] missing"),
        (
            {"add": {"indices": ["a", "b"], "alias": "w", "is_write_index": True}},
            "illegal_argument_exception",
            "alias [w] has more than one write index [a,b]",
        ),
        (
            {"remove_index": {"index": "all"}},
            "illegal_argument_exception",
            "The provided expression [all] matches an alias, specify the corresponding concrete indices instead.",
        ),
        ({"add": {"alias": "z"}}, "illegal_argument_exception", "One of [index] or [indices] is required"),
        ({"add": {"index": "a", "alias": "z", "foo": 1}}, "parsing_exception", "[add] unknown field [foo]"),
    ],
)
def test_one_bad_action_undoes_all(indices: Indices, action: dict[str, Any], kind: str, reason: str) -> None:
    with pytest.raises(AntiphonError) as raised:
        apply(indices, {"add": {"index": "c", "alias": "fresh"}}, action)
    assert (raised.value.type, raised.value.reason) == (kind, reason)
    assert carriers(indices, "fresh") == []


def test_a_missing_alias_need_not_be_there(indices: Indices) -> None:
    apply(indices, {"remove": {"index": "a", "alias": "nope", "must_exist": False}})

"""``filter_path`` keeps and drops parts of an answer as OpenSearch does."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.rest.filter_path import filter_body

BODY = {
    "took": 3,
    "hits": {"total": {"value": 2}, "hits": [{"_id": "a", "_source": {"name": "x", "n": 1}}, {"_id": "b"}]},
    "nodes": {"n1": {"stats": {"m": "undeployed"}}},
}


@pytest.mark.parametrize(
    ("paths", "left"),
    [
        ("took", {"took": 3}),
        ("hits.hits._id", {"hits": {"hits": [{"_id": "a"}, {"_id": "b"}]}}),
        ("hits.hits._source.name", {"hits": {"hits": [{"_source": {"name": "x"}}]}}),
        ("hits.total.value,took", {"took": 3, "hits": {"total": {"value": 2}}}),
        ("**.name", {"hits": {"hits": [{"_source": {"name": "x"}}]}}),
        ("nodes.*.stats", {"nodes": {"n1": {"stats": {"m": "undeployed"}}}}),
        ("t*", {"took": 3}),
        ("nothing", {}),
        ("-hits,-nodes", {"took": 3}),
        ("hits,-hits.hits", {"hits": {"total": {"value": 2}}}),
    ],
)
def test_paths(paths: str, left: dict[str, Any]) -> None:
    assert filter_body(BODY, paths) == left


json = st.recursive(
    st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, min_size=1, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, min_size=1),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from("abc"), json, min_size=1))
def test_double_star_keeps_everything(body: dict[str, Any]) -> None:
    assert filter_body(body, "**") == body
    assert filter_body(body, "*") == body

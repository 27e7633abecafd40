"""URL parameters become part of the body."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon.domain.source import SourceFilter
from antiphon.query import merge_url, parse_search, parse_source
from tests.query.world import scope


@pytest.mark.parametrize(
    ("body", "parameters", "expected"),
    [
        ({"size": 3}, {"size": "5", "from": "1"}, {"size": 5, "from": 1}),
        ({}, {"sort": "count:desc,tag,_score"}, {"sort": [{"count": {"order": "desc"}}, "tag", "_score"]}),
        (
            {"query": {"match_all": {}}},
            {"q": "a b", "df": "title", "default_operator": "AND", "lenient": "true"},
            {"query": {"query_string": {
                "query": "a b", "default_field": "title", "default_operator": "AND", "lenient": "true"}}},
        ),
        ({}, {"_source": "false"}, {"_source": False}),
        ({}, {"_source": "a,b.*"}, {"_source": ["a", "b.*"]}),
        ({}, {"_source_excludes": "v"}, {"_source": {"excludes": ["v"]}}),
        ({"_source": ["x"]}, {"_source_excludes": "v"}, {"_source": {"includes": ["x"], "excludes": ["v"]}}),
        ({}, {"track_total_hits": "true", "explain": "", "version": "false"},
         {"track_total_hits": True, "explain": True, "version": False}),
        ({}, {"scroll": "1m", "routing": "x"}, {}),
        ({}, {"stored_fields": "_none_", "docvalue_fields": "a,b"},
         {"stored_fields": ["_none_"], "docvalue_fields": ["a", "b"]}),
    ],
)  # fmt: skip
def test_merge(body: dict[str, Any], parameters: dict[str, str], expected: dict[str, Any]) -> None:
    merged = merge_url(body, parameters)
    assert merged == expected
    parse_search(merged, scope())


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (True, {"a": 1, "o": {"x": 1, "y": {"z": 2}}, "v": [1, 2]}),
        (False, None),
        ("o", {"o": {"x": 1, "y": {"z": 2}}}),
        (["a", "o.y"], {"a": 1, "o": {"y": {"z": 2}}}),
        ({"includes": "o", "excludes": ["*.x"]}, {"o": {"y": {"z": 2}}}),
        ({"exclude": ["v"]}, {"a": 1, "o": {"x": 1, "y": {"z": 2}}}),
        ({"include": "o.*", "exclude": "o.y"}, {"o": {"x": 1}}),
    ],
)
def test_source(wanted: Any, expected: Any) -> None:
    assert parse_source(wanted).shown({"a": 1, "o": {"x": 1, "y": {"z": 2}}, "v": [1, 2]}) == expected


def test_a_filter_that_keeps_everything_copies_nothing() -> None:
    source = {"a": 1}
    assert SourceFilter().shown(source) is source

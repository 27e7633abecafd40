"""Paths find their row on the raw path: words before variables, ids may hold slashes."""

from __future__ import annotations

import pytest

from antiphon.rest.call import Call, Reply, Route
from antiphon.rest.router import Router


def answer(call: Call) -> Reply:
    return Reply(call.path)


ROUTER = Router(
    Route(methods, path, answer)
    for methods, path in [
        ("GET POST", "/_search"),
        ("GET", "/_search/pipeline"),
        ("GET", "/_search/pipeline/{id}"),
        ("GET PUT", "/{index}"),
        ("GET POST", "/{index}/_search"),
        ("GET PUT", "/{index}/_doc/{id}"),
        ("POST", "/_plugins/thing/{rest:path}"),
        ("POST", "/_plugins/{name}/stats"),
    ]
)


@pytest.mark.parametrize(
    ("raw", "path", "params"),
    [
        ("/_search", "/_search", {}),
        ("/_search/pipeline/", "/_search/pipeline", {}),
        ("/_search/pipeline/x", "/_search/pipeline/{id}", {"id": "x"}),
        ("/a/_search", "/{index}/_search", {"index": "a"}),
        ("/_all/_search", "/{index}/_search", {"index": "_all"}),
        ("/a,b*/_search", "/{index}/_search", {"index": "a,b*"}),
        ("/a/_doc/x%2Fy%20z", "/{index}/_doc/{id}", {"index": "a", "id": "x/y z"}),
        ("/a/_doc/%25", "/{index}/_doc/{id}", {"index": "a", "id": "%"}),
        ("//a//_doc///1/", "/{index}/_doc/{id}", {"index": "a", "id": "1"}),
        ("/_plugins/thing/a/b", "/_plugins/thing/{rest:path}", {"rest": "a/b"}),
        ("/_plugins/other/stats", "/_plugins/{name}/stats", {"name": "other"}),
    ],
)
def test_a_path_finds_its_row(raw: str, path: str, params: dict[str, str]) -> None:
    found = ROUTER.find(raw)
    assert found is not None
    row = next(iter(found.rows.values()))
    assert row.path == path
    assert found.params(row) == params


@pytest.mark.parametrize("raw", ["/", "/a/_nothing", "/a/_doc/1/2", "/_plugins/other"])
def test_a_path_that_nobody_serves_finds_nothing(raw: str) -> None:
    assert ROUTER.find(raw) is None


def test_methods_of_one_path_share_it() -> None:
    found = ROUTER.find("/a/_doc/1")
    assert found is not None
    assert sorted(found.rows) == ["GET", "PUT"]

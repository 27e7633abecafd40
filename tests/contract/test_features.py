"""What a request is about, and what the table makes of the steps that ask it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scripts.compatibility_table import compatibility_table
from tests.contract.features import Feature, features
from tests.contract.story import Request, read_story


def used(path: str, body: Any) -> set[Feature]:
    return set(features(Request("POST", path, body=body)))


def test_clauses_are_found_where_a_query_may_stand() -> None:
    body: dict[str, Any] = {
        "query": {"bool": {"must": [{"match": {"term": "x"}}], "filter": {"range": {"n": {"gte": 1}}}}},
        "post_filter": {"knn": {"v": {"vector": [0], "k": 1, "filter": {"exists": {"field": "a"}}}}},
        "sort": [{"terms": {"order": "asc"}}],
    }
    assert used("/a/_search", body) == {
        Feature("query", "bool"),
        Feature("query", "match", outer=False),
        Feature("query", "range", outer=False),
        Feature("query", "knn"),
        Feature("query", "exists", outer=False),
    }


def test_an_operation_or_the_search_of_models_is_no_search() -> None:
    body: dict[str, Any] = {"query": {"match_all": {}}}
    assert used("/a/_delete_by_query", body) == used("${ml}/models/_search", body) == set()


def test_aggregations_know_what_is_inside() -> None:
    body: dict[str, Any] = {"aggs": {"terms": {"filter": {"term": {"a": 1}}, "aggs": {"max": {"max": {"field": "n"}}}}}}
    assert used("/_search", body) == {Feature("aggregation", "filter"), Feature("aggregation", "max", outer=False)}


def test_processors_and_fields() -> None:
    body: dict[str, Any] = {"pipeline": {"processors": [{"set": {}}, {"drop": {}}]}, "docs": []}
    assert used("/_ingest/pipeline/_simulate", body) == {Feature("processor", "set"), Feature("processor", "drop")}
    mapping = {"mappings": {"properties": {"a": {"type": "text", "fields": {"raw": {"type": "keyword"}}}}}}
    assert used("/i", mapping) == {Feature("field", "text"), Feature("field", "keyword")}


STEPS = {
    "same": "{request: GET /_cat/health}",
    "deviates: why": "{request: GET /_cat/health, opensearch: {status: 500}, because: why}",
    "same, deviates: why": "{request: GET /_cat/health}, {request: GET /_cat/health, opensearch: skip, because: why}",
    "not observed": "{request: GET /_cat/health, opensearch: skip, because: follows from the step before}",
    "refused": "{request: GET /_cat/health, status: 400, error: {type: t, reason: is not supported by Antiphon}, "
    "opensearch: skip, because: why}",
}


def rows_of(path: Path, story: str) -> list[str]:
    file = path / "case.yaml"
    file.write_text(f"title: t\ncovers: ['1']\n{story}\n", encoding="utf-8")
    return compatibility_table([read_story(file)]).splitlines()


@pytest.mark.parametrize("verdict", STEPS)
def test_a_verdict(tmp_path: Path, verdict: str) -> None:
    assert f"| `GET /_cat/health` | {verdict} |" in rows_of(tmp_path, f"steps: [{STEPS[verdict]}]")


def test_a_story_for_a_server_of_its_own_observes_nothing(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "needs: own\nsteps: [{request: GET /_cat/health}]")
    assert "| `GET /_cat/health` | not observed |" in rows
    assert "| `case.yaml` | t | it wants a server of its own |" in rows


def test_a_deviation_is_laid_at_the_door_of_the_outermost_clause(tmp_path: Path) -> None:
    body = "{query: {bool: {must: [{match_all: {}}]}}}"
    rows = rows_of(
        tmp_path, f"steps: [{{request: POST /_search, body: {body}, opensearch: {{status: 500}}, because: why}}]"
    )
    assert {"| `bool` | deviates: why |", "| `match_all` | not observed |"} <= set(rows)
    assert "| `GET POST /_search` | not observed |" in rows

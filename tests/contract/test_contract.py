"""Runs every story in this process, over HTTP, and on the server named by ``--contract-url``."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from antiphon.query.parse.clause import COMPOUNDS, LEAVES
from antiphon.rest.refused import REFUSED_ROUTES
from antiphon.rest.router import Router
from antiphon.rest.routes import ROUTES
from tests.contract.conftest import contract_url
from tests.contract.features import AGGREGATIONS, routed
from tests.contract.play import Parted, play, wipe
from tests.contract.story import Act, Include, Request, Step, Story, all_stories, common_names
from tests.support.contract import Zips
from tests.support.server import FileServer, Server, running_server

STORIES = all_stories()
CHECKLIST = {f"11.{item}" for item in range(1, 16)}
"""Item 16 is what the clients do, see ``tests/clients``."""


def _run(story: Story, server: Server, zips: Zips, files: FileServer) -> None:
    marker = f"contract-{secrets.token_hex(4)}"
    names = {**common_names(), "unique": marker, "files": files.url, **{name: zips[name] for name in story.zips}}
    failures: list[str] = []
    files.hold()
    for act in (lambda: play(story, server, names), files.release, lambda: wipe(server.client, marker)):
        try:
            act()
        except Parted as parted:
            failures.append(str(parted))
    if failures:
        pytest.fail("\n".join(failures), pytrace=False)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each server and each story that can be played on it."""
    if "story" not in metafunc.fixturenames:
        return
    cases = [("in_process", story) for story in STORIES if story.needs != "process"]
    cases += [("over_http", story) for story in STORIES]
    if contract_url(metafunc.config) is not None:
        cases += [("elsewhere", story) for story in STORIES if not (story.fresh or story.needs)]
    metafunc.parametrize(("kind", "story"), cases, ids=[f"{kind}-{story.path.stem}" for kind, story in cases])


def test_story(
    kind: str, story: Story, zips: Zips, files: FileServer, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    alone = bool(story.fresh or story.needs)
    if kind == "elsewhere":
        _run(story, request.getfixturevalue("remote"), zips, files)
    elif kind == "over_http" and not alone:
        _run(story, request.getfixturevalue("shared_process"), zips, files)
    else:
        with running_server(tmp_path, process=kind == "over_http") as server:
            _run(story, server, zips, files)
        left = [str(path) for path in (tmp_path / "data" / "packages").rglob("*") if path.is_file()]
        assert left == [], "files of models that were refused or deleted"


def test_every_query_and_aggregation_has_a_story() -> None:
    asked = {name for story in STORIES for name in _names_in(story.path)}
    assert {*LEAVES, *COMPOUNDS, *AGGREGATIONS} <= asked, sorted({*LEAVES, *COMPOUNDS, *AGGREGATIONS} - asked)


def _names_in(path: Path) -> Iterator[str]:
    """Every key of a story, however deep."""
    waiting: list[Any] = [yaml.safe_load(path.read_text())]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield from (str(key) for key in value)
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def test_every_item_of_the_checklist_has_a_story() -> None:
    covered = {item for story in STORIES for item in story.covers}
    assert covered >= CHECKLIST, sorted(CHECKLIST - covered)


def test_every_route_has_a_story() -> None:
    router = Router(ROUTES)
    asked = {route for story in STORIES for request in _requests(story.steps) if (route := routed(router, request))}
    missing = [f"{route.methods} {route.path}" for route in ROUTES if route not in asked | set(REFUSED_ROUTES)]
    assert not missing, "\n".join(["no story asks", *missing])


def _requests(steps: Iterable[Step | Act | Include]) -> Iterator[Request]:
    for step in steps:
        if isinstance(step, Include):
            yield from _requests(step.steps)
        elif isinstance(step, Step):
            yield step.request

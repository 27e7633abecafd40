"""The player must be able to fail: stories are played on a server whose answers are known."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.play import Parted, play
from tests.contract.story import read_story

Answers = Callable[[httpx.Request], httpx.Response]


class Scripted:
    """A server that answers as a function says."""

    def __init__(self, answers: Answers, *, real: bool = False) -> None:
        self.client = httpx.Client(base_url="http://x", transport=httpx.MockTransport(answers))
        self.real = real
        self.restarts: list[bool] = []

    def restart(self, *, kill: bool = False) -> None:
        self.restarts.append(kill)


def played(tmp_path: Path, text: str, server: Scripted, **names: Any) -> dict[str, Any]:
    file = tmp_path / "case.yaml"
    file.write_text(f"title: t\ncovers: ['1']\n{text}", encoding="utf-8")
    with server.client:
        return play(read_story(file), server, names)


def always(body: Any, status: int = 200, **headers: str) -> Answers:
    return lambda request: httpx.Response(status, json=body, headers=headers)


def test_names_go_from_answers_into_requests(tmp_path: Path) -> None:
    asked = []

    def answers(request: httpx.Request) -> httpx.Response:
        asked.append((request.method, request.url.raw_path.decode(), request.content.decode()))
        return httpx.Response(200, json={"id": "abc"})

    text = """
steps:
  - {request: POST /make, body: {text: "${word}"}, save: {made: $.id}}
  - {request: "GET /made/${made}", query: {deep: "true"}}
  - server: restart
  - server: kill
"""
    server = Scripted(answers)
    assert played(tmp_path, text, server, word=["a"])["made"] == "abc"
    assert asked == [("POST", "/make", '{"text": ["a"]}'), ("GET", "/made/abc?deep=true", "")]
    assert server.restarts == [False, True]


@pytest.mark.parametrize(
    ("step", "complaint"),
    [
        ("{name: try, request: GET /x, status: 404}", "status: expected 404, got 200"),
        ("{name: try, request: GET /x, expect: {state: {a: 2}}}", "$.state.a: expected 2, got 1"),
        ("{name: try, request: GET /x, headers: {warning: /2 of 3/}}", "headers.warning: expected a match of /2 of 3/"),
        ("{name: try, request: GET /x, headers: {date: <str>}}", "headers.date: missing"),
        ("{name: try, request: GET /x, save: {a: $.b}}", "there is no $.b"),
        ("{name: try, request: GET /x, error: {type: t, reason: r}}", "$.error: missing"),
        ("{name: try, request: GET /x, until: {state: done}, within: 0.05}", "still so after 0.05 s"),
        ("{name: try, request: GET /x, meanwhile: {state: 1}, until: {}}", "$.state: expected 1"),
    ],
)
def test_a_failure_names_file_step_request_path_and_answer(tmp_path: Path, step: str, complaint: str) -> None:
    with pytest.raises(Parted) as parted:
        played(tmp_path, f"steps: [{step}]", Scripted(always({"state": {"a": 1}}, warning="1 of 3")))
    text = str(parted.value)
    assert text.startswith("case.yaml: step 1 [try]: GET /x\n")
    assert complaint in text
    assert 'answer 200: {"state":{"a":1}}' in text


def test_an_error_is_the_whole_envelope(tmp_path: Path) -> None:
    described = {"type": "illegal_argument_exception", "reason": "no"}
    step = "steps: [{request: GET /x, status: 400, error: {type: illegal_argument_exception, reason: 'no'}}]"
    body = {"error": {"root_cause": [described], **described}, "status": 400}
    played(tmp_path, step, Scripted(always(body, 400)))
    for broken in (body | {"status": 500}, {"error": described, "status": 400}, {"error": "no", "status": 400}):
        with pytest.raises(Parted):
            played(tmp_path, step, Scripted(always(broken, 400)))


def test_until_asks_again_and_meanwhile_watches(tmp_path: Path) -> None:
    states = iter(["CREATED", "CREATED", "COMPLETED"])
    text = (
        "steps: [{request: GET /task, meanwhile: {state: {<any of>: [CREATED, COMPLETED]}}, until: {state: COMPLETED}}]"
    )
    played(tmp_path, text, Scripted(lambda request: httpx.Response(200, json={"state": next(states)})))
    assert next(states, None) is None
    passing = iter(["CREATED", "RUNNING", "COMPLETED"])
    with pytest.raises(Parted, match="RUNNING"):
        played(tmp_path, text, Scripted(lambda request: httpx.Response(200, json={"state": next(passing)})))


def test_a_real_node_may_be_asked_until_it_answers(tmp_path: Path) -> None:
    text = "steps: [{request: GET /x, expect: {a: 2}, opensearch: {until: {a: 2}}, because: why}]"
    values = iter([1, 1, 2])
    played(tmp_path, text, Scripted(lambda request: httpx.Response(200, json={"a": next(values)}), real=True))
    with pytest.raises(Parted, match=r"\$.a: expected 2, got 1"):
        played(tmp_path, text, Scripted(always({"a": 1})))


def test_a_real_node_has_its_own_answers(tmp_path: Path) -> None:
    text = """
steps:
  - {request: GET /x, status: 400, opensearch: {status: 500}, because: it is the caller's mistake}
  - {request: GET /y, status: 400, opensearch: skip, because: ours}
"""
    played(tmp_path, text, Scripted(always({}, 500), real=True))
    played(tmp_path, text, Scripted(always({}, 400)))
    with pytest.raises(Parted, match=r"take away what tells otherwise, .it is"):
        played(tmp_path, text.replace("500", "400"), Scripted(always({}, 400), real=True))
    with pytest.raises(Parted, match="expected 500, got 400"):
        played(tmp_path, text, Scripted(always({}, 400), real=True))
    with pytest.raises(Parted):
        played(tmp_path, text, Scripted(always({}, 500)))


def test_settings_are_put_and_taken_back_even_after_a_failure(tmp_path: Path) -> None:
    sent = []

    def answers(request: httpx.Request) -> httpx.Response:
        if request.method == "PUT":
            sent.append(json.loads(request.content))
        return httpx.Response(200, json={})

    with pytest.raises(Parted):
        played(tmp_path, "settings: {a.b: 'true'}\nsteps: [{request: GET /x, status: 500}]", Scripted(answers))
    assert sent == [{"persistent": {"a.b": "true"}}, {"persistent": {"a.b": None}}]


def test_a_real_node_is_spared_settings_that_are_ours(tmp_path: Path) -> None:
    sent = []

    def answers(request: httpx.Request) -> httpx.Response:
        sent.append(request.content)
        return httpx.Response(200, json={})

    played(tmp_path, "settings: {antiphon.x: 1}\nsteps: [{request: GET /x}]", Scripted(answers, real=True))
    assert sent == [b""]


def test_what_a_node_answers_otherwise_need_not_hold_what_is_saved(tmp_path: Path) -> None:
    text = "steps: [{request: GET /x, save: {a: $.a, b: $.b}, opensearch: {status: 200}, because: why}]"
    names = played(tmp_path, text, Scripted(always({"a": 1}), real=True))
    assert (names["a"], names.get("b")) == (1, None)
    with pytest.raises(Parted, match="there is no"):
        played(tmp_path, text, Scripted(always({"a": 1})))


def test_refused_settings_end_the_story(tmp_path: Path) -> None:
    with pytest.raises(Parted, match="were refused"):
        played(tmp_path, "settings: {a.b: 1}\nsteps: [{request: GET /x}]", Scripted(always({}, 400)))

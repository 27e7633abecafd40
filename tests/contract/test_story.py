from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.story import Act, Answer, BadStory, Include, Step, read_story

HEAD = "title: t\ncovers: ['1']\n"


def written(path: Path, text: str) -> Path:
    file = path / "case.yaml"
    file.write_text(HEAD + text, encoding="utf-8")
    return file


def test_a_step_and_its_two_answers(tmp_path: Path) -> None:
    story = read_story(
        written(
            tmp_path,
            """
steps:
  - {name: a, request: GET /x, expect: {b: 1}}
  - {request: POST /y, body: {}, status: 400, opensearch: {status: 500}, because: it is the caller's mistake}
  - {request: GET /z, opensearch: skip, because: ours}
  - server: kill
""",
        )
    )
    first, second, third, act = story.steps
    assert isinstance(first, Step)
    assert isinstance(second, Step)
    assert isinstance(third, Step)
    assert (first.name, first.answer, first.opensearch) == ("a", Answer(200, {"b": 1}), first.answer)
    assert (second.answer.status, second.opensearch) == (400, Answer(500))
    assert third.opensearch is None
    assert act == Act("kill", "kill")


def test_rows_change_a_copy_of_the_body(tmp_path: Path) -> None:
    story = read_story(
        written(
            tmp_path,
            """
steps:
  - name: refused
    request: POST /x
    body: {name: n, config: {type: bert}}
    status: 400
    rows:
      - {name: one, set: {config.type: other}}
      - {name: two, remove: [config.type], status: 404}
      - {name: three, body: null}
""",
        )
    )
    steps = [step for step in story.steps if isinstance(step, Step)]
    assert [step.name for step in steps] == ["refused: one", "refused: two", "refused: three"]
    assert [step.request.body for step in steps] == [
        {"name": "n", "config": {"type": "other"}},
        {"name": "n", "config": {}},
        None,
    ]
    assert [step.answer.status for step in steps] == [400, 404, 400]


def test_an_include_is_played_once_for_each_row(tmp_path: Path) -> None:
    story = read_story(written(tmp_path, "steps: [{include: deploy, with: {a: 1}, rows: [{b: 2}, {b: 3}]}]"))
    includes = [step for step in story.steps if isinstance(step, Include)]
    assert [include.names for include in includes] == [{"a": 1, "b": 2}, {"a": 1, "b": 3}]


def test_a_row_of_an_include_may_spare_a_real_node(tmp_path: Path) -> None:
    text = "steps: [{include: deploy, rows: [{b: 2}, {b: 3, opensearch: skip, because: ours}]}]"
    includes = [step for step in read_story(written(tmp_path, text)).steps if isinstance(step, Include)]
    assert [(include.names, include.skipped) for include in includes] == [({"b": 2}, None), ({"b": 3}, "ours")]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("steps: [{request: GET /x, expct: 1}]", "unknown key 'expct'"),
        ("stepz: [{request: GET /x}]", "unknown key 'stepz'"),
        ("steps: []", r"\[steps\] is missing"),
        ("steps: [{request: FETCH /x}]", "method and a path"),
        ("steps: [{request: GET x}]", "method and a path"),
        ("steps: [{request: GET /x, body: 1, content: {text: a}}]", "body or content"),
        ("steps: [{request: GET /x, opensearch: skip}]", "come together"),
        ("steps: [{request: GET /x, because: why}]", "come together"),
        ("steps: [{request: GET /x, opensearch: {stauts: 400}, because: why}]", "unknown key 'stauts'"),
        ("steps: [{request: GET /x, rows: [{nmae: a}]}]", "unknown key 'nmae'"),
        ("steps: [{request: GET /x, body: {a: 1}, rows: [{remove: [b]}]}]", "no b to remove"),
        ("steps: [{request: GET /x, body: {a: 1}, rows: [{set: {a.b: 1}}]}]", "no object that could hold a.b"),
        ("steps: [{include: nonsense}]", "no nonsense.yaml"),
        ("steps: [{include: deploy, opensearch: skip}]", "come together"),
        ("steps: [{include: deploy, rows: [{because: why}]}]", "come together"),
        ("steps: [{server: explode}]", "not 'explode'"),
        ("needs: luck\nsteps: [{request: GET /x}]", "own or process"),
        ("steps: [{request: GET /x, status: 1, status: 2}]", "'status' is given twice"),
    ],
)
def test_a_slip_is_an_error_that_names_the_place(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(BadStory, match=complaint) as error:
        read_story(written(tmp_path, text))
    assert "case.yaml" in str(error.value)

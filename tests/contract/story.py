"""A case file: a story of requests and what their answers must look like.

Top level: ``title``, ``covers`` (items of the checklist, sections of the contract), ``steps``; optional ``fresh``
(wants a server nobody has used), ``needs`` (``own``: a server this story may restart; ``process``: one it may kill),
``zips`` (model packages by name), ``settings`` (put first, taken back at the end), ``names`` (values of ``${name}``).

A step: ``name``, ``request`` ("METHOD /path"), ``body`` (JSON) or ``content`` (bytes), ``query``, ``send`` (request
headers); then ``status`` (200 when left out), ``expect`` (a pattern of the body), ``error`` (type, reason, cause:
short for the whole envelope), ``headers`` (a pattern of the answer's headers), ``save`` (name: $.path). With
``until`` the request is repeated ``within`` seconds until its answer matches; ``meanwhile`` is what every answer
must match.
``rows`` makes one step of each row, which may ``set`` and ``remove`` parts of the body and override the rest.
``include`` plays a fragment after setting names ``with``, once for each of its ``rows`` of more names; a real node can
only be spared one (``opensearch: skip``, ``because``).
``server: restart|kill`` does that.
Where a real node answers otherwise, ``opensearch`` holds its status, expect, error and until, or ``skip``, and
``because`` says why in one sentence, which docs/reference/compatibility-table.md shows; "follows from the step before"
is not shown.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
_STORY_KEYS = {"title", "covers", "fresh", "needs", "zips", "settings", "names", "steps"}
_ANSWER_KEYS = {"status", "expect", "error", "headers"}
_REQUEST_KEYS = {"request", "query", "send", "body", "content"}
_STEP_KEYS = _REQUEST_KEYS | _ANSWER_KEYS | {"name", "save", "until", "meanwhile", "within", "opensearch", "because"}
_ROW_KEYS = _STEP_KEYS | {"set", "remove"}


class BadStory(ValueError):
    """A case file that does not say what it means; the text names file and step."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an answer must look like; ``expect`` and ``error`` None: anything. ``until``: ask again until it is so."""

    status: int = 200
    expect: Any = None
    error: dict[str, Any] | None = None
    headers: dict[str, Any] = field(default_factory=dict)
    until: Any = None


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; at most one of ``body`` (JSON) and ``content`` (how to make bytes) is set."""

    method: str
    path: str
    query: dict[str, Any] = field(default_factory=dict)
    send: dict[str, str] = field(default_factory=dict)
    body: Any = None
    content: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A request and its answer. ``opensearch`` is a real node's answer, None: it is not asked; ``because``: why so."""

    name: str
    request: Request
    answer: Answer
    opensearch: Answer | None
    because: str | None = None
    save: dict[str, str] = field(default_factory=dict)
    meanwhile: Any = None
    within_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Act:
    """Something done to the server itself: ``restart`` (in order) or ``kill`` (SIGKILL, then start)."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Include:
    """A fragment, played after setting ``names``; then ``save`` copies names. ``skipped``: why not on a real node."""

    name: str
    steps: tuple[Step | Act | Include, ...]
    names: dict[str, Any]
    save: dict[str, str]
    skipped: str | None


@dataclass(frozen=True, slots=True)
class Story:
    """A whole case file."""

    path: Path
    title: str
    covers: tuple[str, ...]
    fresh: bool
    needs: str | None
    zips: tuple[str, ...]
    settings: dict[str, Any]
    names: dict[str, Any]
    steps: tuple[Step | Act | Include, ...]


def all_stories() -> list[Story]:
    """Return the stories of this folder, by file name."""
    return [read_story(path) for path in sorted(FOLDER.glob("*.yaml"))]


def common_names() -> dict[str, Any]:
    """Return the names that every story may use."""
    names: dict[str, Any] = _load(FOLDER / "fragments" / "names.yaml")
    return names


def read_story(path: Path) -> Story:
    """Return the story in ``path``; BadStory names what is wrong with it."""
    content = _load(path)
    _check_keys(path.name, content, _STORY_KEYS)
    for key in ("title", "covers", "steps"):
        if not content.get(key):
            raise BadStory(f"{path.name}: [{key}] is missing")
    needs = content.get("needs")
    if needs not in (None, "own", "process"):
        raise BadStory(f"{path.name}: needs is own or process, not {needs!r}")
    return Story(
        path=path,
        title=content["title"],
        covers=tuple(str(item) for item in content["covers"]),
        fresh=content.get("fresh", False),
        needs=needs,
        zips=tuple(content.get("zips", ())),
        settings=content.get("settings", {}),
        names=content.get("names", {}),
        steps=tuple(_read_steps(path, content["steps"])),
    )


def _read_steps(path: Path, steps: list[dict[str, Any]]) -> Iterator[Step | Act | Include]:
    for number, raw in enumerate(steps, 1):
        where = f"{path.name}, step {number} ({raw.get('name') or raw.get('include') or raw.get('server')})"
        if "include" in raw:
            yield from _read_include(where, raw)
        elif "server" in raw:
            _check_keys(where, raw, {"server", "name"})
            if raw["server"] not in ("restart", "kill"):
                raise BadStory(f"{where}: the server can restart or be killed, not {raw['server']!r}")
            yield Act(raw.get("name", raw["server"]), raw["server"])
        elif "rows" in raw:
            shared = {key: value for key, value in raw.items() if key != "rows"}
            yield from (_read_step(where, _merge(where, shared, row)) for row in raw["rows"])
        else:
            yield _read_step(where, raw)


def _read_include(where: str, raw: dict[str, Any]) -> Iterator[Include]:
    _check_keys(where, raw, {"include", "with", "save", "rows", "opensearch", "because"})
    fragment = FOLDER / "fragments" / f"{raw['include']}.yaml"
    if not fragment.exists():
        raise BadStory(f"{where}: there is no {fragment.name} in fragments")
    steps = tuple(_read_steps(fragment, _load(fragment)["steps"]))
    for row in raw.get("rows", [{}]):
        real = {key: {**raw, **row}.get(key) for key in ("opensearch", "because")}
        if (real["opensearch"] == "skip") != bool(real["because"]):
            raise BadStory(f"{where}: [opensearch: skip] and [because] come together")
        names = {key: value for key, value in row.items() if key not in real}
        yield Include(raw["include"], steps, raw.get("with", {}) | names, raw.get("save", {}), real["because"])


def _merge(where: str, shared: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    _check_keys(where, row, _ROW_KEYS)
    step = copy.deepcopy(shared) | {key: value for key, value in row.items() if key not in ("set", "remove")}
    step["name"] = f"{shared.get('name', '')}: {row.get('name', row.get('set', row.get('remove', '')))}".strip(": ")
    for dotted, value in row.get("set", {}).items():
        holder, key = _holder(where, step["body"], dotted)
        holder[key] = value
    for dotted in row.get("remove", ()):
        holder, key = _holder(where, step["body"], dotted)
        if key not in holder:
            raise BadStory(f"{where}: the body has no {dotted} to remove")
        del holder[key]
    return step


def _holder(where: str, body: Any, dotted: str) -> tuple[dict[str, Any], str]:
    *above, key = dotted.split(".")
    for part in above:
        body = body.get(part) if isinstance(body, dict) else None
    if not isinstance(body, dict):
        raise BadStory(f"{where}: the body has no object that could hold {dotted}")
    return body, key


def _read_step(where: str, raw: dict[str, Any]) -> Step:
    _check_keys(where, raw, _STEP_KEYS)
    method, _, path = str(raw.get("request", "")).partition(" ")
    if method not in ("GET", "POST", "PUT", "DELETE", "HEAD") or not path.startswith("/"):
        raise BadStory(f"{where}: [request] must be a method and a path, but is {raw.get('request')!r}")
    if "body" in raw and "content" in raw:
        raise BadStory(f"{where}: body or content, not both")
    if ("opensearch" in raw) != ("because" in raw):
        raise BadStory(f"{where}: [opensearch] and [because] come together")
    sent = {key: raw[key] for key in ("query", "send", "body", "content") if key in raw}
    answer = replace(_read_answer(raw), until=raw.get("until"))
    return Step(
        name=raw.get("name", raw["request"]),
        request=Request(method, path, **sent),
        answer=answer,
        opensearch=_read_opensearch(where, raw, answer),
        because=raw.get("because"),
        save=raw.get("save", {}),
        meanwhile=raw.get("meanwhile"),
        within_s=float(raw.get("within", 30.0)),
    )


def _read_opensearch(where: str, raw: dict[str, Any], answer: Answer) -> Answer | None:
    if "opensearch" not in raw:
        return answer
    if raw["opensearch"] == "skip":
        return None
    _check_keys(f"{where}, opensearch", raw["opensearch"], _ANSWER_KEYS | {"until"})
    return replace(_read_answer(raw["opensearch"]), until=raw["opensearch"].get("until", raw.get("until")))


def _read_answer(raw: dict[str, Any]) -> Answer:
    return Answer(**{key: raw[key] for key in _ANSWER_KEYS if key in raw})


def _check_keys(where: str, raw: Any, known: set[str]) -> None:
    if not isinstance(raw, dict):
        raise BadStory(f"{where}: must be a mapping, but is {raw!r}")
    unknown = sorted(raw.keys() - known)
    if unknown:
        raise BadStory(f"{where}: unknown key {unknown[0]!r}; known are {sorted(known)}")


class _Loader(yaml.SafeLoader):
    """Refuses a key given twice, which YAML readers drop in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value if key.value != "<<"]
        twice = [key for key in keys if keys.count(key) > 1]
        if twice:
            raise BadStory(f"{self.name}: the key {twice[0]!r} is given twice at {node.start_mark}")
        return super().construct_mapping(node, deep)


def _load(path: Path) -> Any:
    with path.open(encoding="utf-8") as stream:
        return yaml.load(stream, _Loader)

"""Plays a story on a server and tells, in words, where the two part company."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import httpx

from tests.contract.matching import differences
from tests.contract.story import Act, Answer, Include, Request, Step, Story
from tests.contract.variables import NothingThere, fill, take
from tests.support.server import Server

_POLL_S = 0.01
_SHOWN = 2000
Names = dict[str, Any]


class Parted(AssertionError):
    """The server did not play its part; the text names file, step, request, and every difference by JSON path."""


def play(story: Story, server: Server, names: Mapping[str, Any]) -> Names:
    """Play every step; return the names as they are at the end. Raises Parted at the first step that fails.

    The story's ``settings`` are put first, and reset at the end whatever happens.
    """
    player = _Player(story.path.name, server, {**names})
    player.names.update(fill(story.names, player.names))
    player.put_settings(fill(story.settings, player.names))
    try:
        player.play(story.steps)
    finally:
        player.put_settings(dict.fromkeys(story.settings))
    return player.names


def wipe(client: httpx.Client, marker: str) -> None:
    """Delete the indexes, pipelines and templates whose name begins with ``marker``, and the models and groups whose
    name holds it; Parted when they cannot be listed.
    """
    templates = ("_index_template/", "_component_template/", "_template/")
    for noun in ("", "_ingest/pipeline/", "_search/pipeline/", *templates):
        client.delete(f"/{noun}{marker}*")
    for noun in ("models", "model_groups"):
        query = {"query": {"bool": {"must_not": {"exists": {"field": "chunk_number"}}}}, "size": 1000}
        found = client.post(f"/_plugins/_ml/{noun}/_search", json=query)
        if found.status_code != httpx.codes.OK:
            raise Parted(f"the {noun} that the story left cannot be searched for: {found.text[:_SHOWN]}")
        for hit in found.json()["hits"]["hits"]:
            if marker in hit["_source"].get("name", ""):
                if noun == "models":
                    client.post(f"/_plugins/_ml/models/{hit['_id']}/_undeploy")
                client.delete(f"/_plugins/_ml/{noun}/{hit['_id']}")


class _Player:
    def __init__(self, file: str, server: Server, names: Names) -> None:
        self._file = file
        self._server = server
        self.names = names

    def play(self, steps: Iterable[Step | Act | Include]) -> None:
        for number, step in enumerate(steps, 1):
            if isinstance(step, Act):
                self._server.restart(kill=step.kind == "kill")
            elif isinstance(step, Include):
                if step.skipped and self._server.real:
                    continue
                self.names.update(fill(step.names, self.names))
                self.play(step.steps)
                self.names.update({new: self.names[old] for new, old in step.save.items()})
            else:
                self._play_step(number, step)

    def put_settings(self, settings: dict[str, Any]) -> None:
        """Put them; a real node is spared those that are Antiphon's own."""
        settings = {name: value for name, value in settings.items() if not (self._server.real and _ours(name))}
        if settings:
            answer = self._server.client.put("/_cluster/settings", json={"persistent": settings})
            if answer.status_code != 200:
                raise Parted(f"{self._file}: the settings {settings} were refused: {answer.text}")

    def _play_step(self, number: int, step: Step) -> None:
        wanted = step.opensearch if self._server.real else step.answer
        if wanted is None:
            return
        request: Request = _filled_request(step.request, self.names)
        title = f"{self._file}: step {number} [{step.name}]: {request.method} {request.path}"

        def check(problems: list[str], response: httpx.Response) -> None:
            if problems:
                listed = "\n".join(f"    {problem}" for problem in problems)
                raise Parted(f"{title}\n{listed}\n  answer {response.status_code}: {response.text[:_SHOWN]}")

        response = self._ask_until(step, wanted.until, request, check)
        body = _body(response)
        check(_problems(wanted, response, body, self.names), response)
        lost = self._save(step.save, body)
        if wanted is step.answer:
            check(lost, response)
        elif wanted.until == step.answer.until and not lost + _problems(step.answer, response, body, self.names):
            check([f"OpenSearch answers as we do: take away what tells otherwise, {step.because!r}"], response)

    def _save(self, wanted: Mapping[str, str], body: Any) -> list[str]:
        """Save the parts of a body as names; return what there is not."""
        lost = []
        for name, path in wanted.items():
            try:
                self.names[name] = take(path, body)
            except NothingThere as error:
                lost.append(str(error))
        return lost

    def _ask_until(
        self, step: Step, until: Any, request: Request, check: Callable[[list[str], httpx.Response], None]
    ) -> httpx.Response:
        """Send the request, again and again while ``until`` is not met; every answer must match ``meanwhile``."""
        deadline = time.monotonic() + step.within_s
        while True:
            response = _send(self._server.client, request, self.names)
            if until is None and step.meanwhile is None:
                return response
            body = _body(response)
            if step.meanwhile is not None:
                check(differences(fill(step.meanwhile, self.names), body), response)
            missing = differences(fill(until, self.names), body)
            if not missing:
                return response
            if time.monotonic() > deadline:
                check([f"still so after {step.within_s:g} s", *missing], response)
            time.sleep(_POLL_S)  # `until` is a poll by nature: the other side is a server


def _ours(setting: str) -> bool:
    return setting.startswith("antiphon.")


def _filled_request(request: Request, names: Names) -> Request:
    parts = {key: fill(getattr(request, key), names) for key in ("path", "query", "send", "body", "content")}
    return Request(request.method, **parts)


def _send(client: httpx.Client, request: Request, names: Names) -> httpx.Response:
    content: bytes | None = None
    if request.content is not None:
        content = _bytes(request.content, names)
    elif request.body is not None:
        content = json.dumps(request.body).encode()
    headers = {"content-type": "application/json"} if content is not None else {}
    return client.request(
        request.method, request.path, params=request.query or None, content=content, headers=headers | request.send
    )


def _bytes(recipe: dict[str, Any], names: Names) -> bytes:
    """Return ``{text: ...}`` encoded, JSON ``{lines: [...]}``, ``{zeros: n}`` bytes, or a zip, whole or a part."""
    match recipe:
        case {"lines": list(lines)}:
            return b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        case {"text": str(text)}:
            return text.encode()
        case {"zeros": int(count)}:
            return bytes(count)
        case {"zip": str(name), "part": int(part), "of": int(parts)}:
            data = Path(names[name]["path"]).read_bytes()
            size = -(-len(data) // parts)
            return data[part * size : (part + 1) * size]
        case {"zip": str(name)}:
            return Path(names[name]["path"]).read_bytes()
    raise ValueError(f"content must be text, zeros, or zip with part and of, but is {recipe}")


def _problems(wanted: Answer, response: httpx.Response, body: Any, names: Names) -> list[str]:
    problems = []
    if response.status_code != wanted.status:
        problems.append(f"status: expected {wanted.status}, got {response.status_code}")
    if wanted.error is not None:
        problems += differences(_envelope(fill(wanted.error, names), wanted.status), body)
    if wanted.expect is not None:
        problems += differences(fill(wanted.expect, names), body)
    return problems + differences(fill(wanted.headers, names), dict(response.headers), "headers")


def _envelope(error: dict[str, Any], status: int) -> dict[str, Any]:
    """Return the pattern of OpenSearch's error body: ``error`` holds type, reason and maybe cause (type, reason)."""
    unknown = error.keys() - {"type", "reason", "cause"}
    if unknown:
        raise ValueError(f"error takes type, reason and cause, not {sorted(unknown)}")
    described = {"type": error["type"], "reason": error["reason"]}
    cause = {"caused_by": error["cause"]} if "cause" in error else {}
    return {"error": {"root_cause": [described], **described, **cause}, "status": status}


def _body(response: httpx.Response) -> Any:
    """Return the JSON body, or the text where it is not JSON."""
    try:
        return response.json()
    except ValueError:
        return response.text

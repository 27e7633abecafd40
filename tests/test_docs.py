"""The documents are true: their commands exist, their requests are answered as shown, their links lead somewhere."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import shlex
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from antiphon.cli.commands import app as shell
from antiphon.domain.model import FrameworkType, ModelConfig, ModelState, Pooling
from antiphon.domain.package import BuiltPackage, PackageManifest
from antiphon.settings import Settings, settings_table
from scripts import reference
from tests.support.docs import Block, Names, blocks_of, read_curl
from tests.support.server import FileServer, InProcessServer
from tests.support.tiny import tiny_package

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
BLOCKS = [block for path in DOCUMENTS for block in blocks_of(path)]
LANGUAGES = {"console", "json", "python", "sh", "text", "yaml"}
WAIT_S = 20.0
CONFIG = ModelConfig(
    "bert",
    embedding_dimension=384,
    framework_type=FrameworkType.SENTENCE_TRANSFORMERS,
    pooling_mode=Pooling.MEAN,
    query_prefix="query: ",
    passage_prefix="passage: ",
)


def _of(language: str) -> list[Block]:
    return [block for block in BLOCKS if block.language == language]


def _lines(text: str) -> Iterator[str]:
    """The commands of a console block, without prompt and comment."""
    for line in text.splitlines():
        if line.startswith("$ "):
            yield line.removeprefix("$ ").split(" # ")[0].strip()


@pytest.mark.parametrize("path", reference.pages(), ids=lambda path: path.name)
def test_the_reference_is_what_the_code_says(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == reference.pages()[path], "run scripts/docs"


def test_every_setting_has_its_flag() -> None:
    serve = dict(reference.commands())["serve"]
    options = {option for parameter in serve.params for option in parameter.opts}
    assert {row.flag for row in settings_table().values()} <= options


def test_every_block_says_its_language() -> None:
    assert not [f"{block}: {block.language!r}" for block in BLOCKS if block.language not in LANGUAGES]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        file, _, anchor = target.partition("#")
        if "://" in target:
            continue
        document = (path.parent / file).resolve() if file else path
        if not document.exists() or (anchor and anchor not in _anchors(document)):
            broken.append(target)
    assert not broken


def _anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("block", _of("console"), ids=str)
def test_commands_exist_and_take_their_flags(block: Block) -> None:
    commands = list(_lines(block.text))
    assert commands, "a console block shows commands after `$ `"
    for command in commands:
        program, *words = shlex.split(command)
        if program == "antiphon":
            _parse(words)
        elif program.startswith("scripts/"):
            assert os.access(ROOT / program, os.X_OK), f"no script {program}"


def _parse(words: list[str]) -> None:
    """Let the shell read the words without running the command; it raises for what it does not know."""
    command, context = typer.main.get_command(shell), None
    while hasattr(command, "resolve_command"):
        context = command.make_context(command.name, list(words[:1]), parent=context)
        _, command, _ = command.resolve_command(context, list(words))
        words = words[1:]
    command.make_context(command.name, list(words), parent=context)


@pytest.mark.parametrize("block", _of("yaml"), ids=str)
def test_settings_files_are_legal(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "antiphon.yaml"
    file.write_text(block.text, encoding="utf-8")
    Settings.load(file=file)


@pytest.mark.parametrize("block", _of("python"), ids=str)
def test_python_runs_and_prints_what_is_shown(block: Block, e5_package: Path) -> None:
    source = block.text.replace('"multilingual-e5-small"', repr(str(e5_package)))
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(source, str(block), "exec"), {"__name__": "documents"})
    following = BLOCKS[BLOCKS.index(block) + 1]
    assert printed.getvalue() == (following.text if following.language == "text" else "")


class Reader:
    """Somebody who follows a document: sends its requests to a fresh server and compares the answers."""

    def __init__(self, server: InProcessServer, files: FileServer) -> None:
        self._server = server
        self._folder = files.folder
        package = tiny_package(files.folder / "e5.zip", dimension=384)
        self._sha256 = hashlib.sha256(package.read_bytes()).hexdigest()
        self._names = Names({"http://localhost:8080": files.url})

    def follow(self, blocks: list[Block]) -> None:
        for block, following in zip(blocks, [*blocks[1:], None], strict=True):
            if block.language == "console":
                for command in _lines(block.text):
                    self._run(shlex.split(command))
            elif block.language == "sh":
                shown = following.text if following is not None and following.language == "json" else "{}"
                self._send(block, json.loads(shown))

    def _run(self, words: list[str]) -> None:
        """Do what `antiphon serve --model NAME` does, with a tiny model in place of the real one."""
        if words[:2] == ["antiphon", "serve"] and "--model" in words:
            self._serve(words[words.index("--model") + 1])

    def _serve(self, name: str) -> None:
        path = tiny_package(self._folder / f"{name}.zip", dimension=384, seed=1)
        content = path.read_bytes()
        manifest = PackageManifest(name, "", CONFIG)
        package = BuiltPackage(path, len(content), hashlib.sha256(content).hexdigest(), manifest)
        self._server.app.provide(package, name)
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            model = self._server.app.provided(package)
            if model is not None and model.model_state is ModelState.DEPLOYED:
                return
            time.sleep(0.01)
        raise AssertionError(f"{name} was not deployed within {WAIT_S:g} s")

    def _send(self, block: Block, shown: object) -> None:
        """Send, a GET again and again until the answer is as shown."""
        request = read_curl(re.sub(r"\b[0-9a-f]{64}\b", self._sha256, self._names.put(block.text)))
        deadline = time.monotonic() + WAIT_S
        while True:
            headers = {} if request.body is None else {"content-type": "application/json"}
            answer = self._server.client.request(request.method, request.path, content=request.body, headers=headers)
            problems = self._names.differences(shown, answer.json())
            if not problems or request.method != "GET" or time.monotonic() > deadline:
                break
            time.sleep(0.01)
        assert not problems, f"{block}: " + "; ".join(problems)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    server = InProcessServer(tmp_path, {})
    with FileServer(tmp_path) as files:
        yield Reader(server, files)
    server.close()


@pytest.mark.parametrize(
    "path", [path for path in DOCUMENTS if any(b.path == path for b in _of("sh"))], ids=lambda path: path.name
)
def test_requests_are_answered_as_shown(path: Path, reader: Reader) -> None:
    reader.follow([block for block in BLOCKS if block.path == path])


def test_a_reader_notices_what_is_not_as_shown() -> None:
    names = Names()
    got = {"model_id": "abc", "state": "DONE", "data": [1.5, 2.5, 3.5], "shape": [384]}
    assert not names.differences({"model_id": "xyz", "state": "DO...", "data": [0.1, "..."]}, got)
    assert names.meant == {"xyz": "abc"}
    assert names.differences({"model_id": "other"}, {"model_id": "abc"}) == []
    assert names.differences({"model_id": "xyz"}, {"model_id": "abd"}) == ["answer.model_id is 'abd', not 'abc'"]
    assert names.differences({"shape": [385]}, got) == ["answer.shape[0] is 384, not 385"]
    assert names.differences({"data": [1.0, 1.0]}, got) == ["answer.data has 3 items, not 2"]
    assert names.differences({"gone": 1}, got) == [f"answer has no 'gone', but {sorted(got)}"]

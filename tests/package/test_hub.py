"""Packages from a hub: which files are fetched, what the environment decides, and what each failure says.

huggingface_hub reads its environment when it is imported, so every build here runs in a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from antiphon.package import inspect_package
from tests.support.hub import Hub, serve_hub
from tests.support.tiny import tiny_folder

SCRIPT = """
import json, sys
from pathlib import Path
from antiphon.errors import AntiphonError
from antiphon.package import build_package

answers = []
for source, revision, output in json.loads(sys.argv[1]):
    progress = []
    try:
        built = build_package(
            source, Path(output), revision=revision, on_progress=lambda *step: progress.append(step)
        )
        answers.append({
            "name": built.manifest.name, "description": built.manifest.description, "sha256": built.sha256,
            "notes": built.manifest.notes, "prefix": built.manifest.config.query_prefix, "progress": progress,
        })
    except AntiphonError as error:
        answers.append({"type": type(error).__name__, "reason": error.reason})
print(json.dumps(answers))
"""


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serve_hub() as running:
        yield running


@pytest.fixture
def build(tmp_path: Path, hub: Hub) -> Any:
    """Build sources (or pairs of source and revision) in one process with a cache of this test's own."""

    def run(*sources: str | tuple[str, str], **environment: str) -> list[dict[str, Any]]:
        pairs = [source if isinstance(source, tuple) else (source, None) for source in sources]
        jobs = [(source, revision, str(tmp_path / f"{number}.zip")) for number, (source, revision) in enumerate(pairs)]
        kept = {key: os.environ[key] for key in ("PATH", "HOME", "PYTHONPATH") if key in os.environ}
        variables = {**kept, "HF_HOME": str(tmp_path / "hf"), "HF_ENDPOINT": hub.url, **environment}
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", SCRIPT, json.dumps(jobs)],
            env=variables, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        answers: list[dict[str, Any]] = json.loads(done.stdout)
        return answers

    return run


def test_only_what_a_package_needs_is_fetched_and_kept_for_offline_use(hub: Hub, build: Any, tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "tiny")
    for name in ("pytorch_model.bin", "README.md", "onnx/model_quantized.onnx", "openvino/openvino_model.bin"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"not needed")
    hub.add("intfloat/e5-small-v2", folder, prefix="onnx/")
    hub.files["intfloat/e5-small-v2"]["model.onnx"] = b"another graph, not needed beside onnx/model.onnx"
    [online] = build("intfloat/e5-small-v2")
    assert sorted(hub.downloads) == ["config.json", "onnx/model.onnx", "tokenizer.json"]
    assert (online["name"], online["prefix"]) == ("e5-small-v2", "query: ")
    assert online["description"] == f"intfloat/e5-small-v2 from the Hugging Face hub, revision {'a' * 40}"
    assert inspect_package(tmp_path / "0.zip").refusals == ()
    steps = [step for step, _, _ in online["progress"]]
    assert steps[0] == "Downloading from the hub"
    assert all(done <= total for _, done, total in online["progress"])
    [offline] = build("intfloat/e5-small-v2", HF_HUB_OFFLINE="1")
    [unreachable] = build("intfloat/e5-small-v2", HF_ENDPOINT="http://127.0.0.1:9")
    assert {offline["sha256"], unreachable["sha256"]} == {online["sha256"]}


def test_a_hub_that_is_silent_is_not_waited_for(hub: Hub, build: Any, tmp_path: Path) -> None:
    hub.add("someone/tiny", tiny_folder(tmp_path / "tiny"))
    [before] = build("someone/tiny")
    hub.silent = True
    cached, absent = build("someone/tiny", "someone/else", HF_HUB_ETAG_TIMEOUT="1")
    assert cached["sha256"] == before["sha256"]
    assert absent["type"] == "HubUnreachable"
    assert "cannot be reached (ReadTimeout" in absent["reason"]


def test_a_graph_at_the_root_with_its_weights_beside_it(hub: Hub, build: Any, tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "tiny")
    (folder / "model.onnx_data").write_bytes(b"weights of some other graph")
    hub.add("someone/tiny", folder)
    [built] = build("someone/tiny")
    assert built["name"] == "tiny"
    assert "model.onnx_data" in hub.downloads


def test_revisions_and_tokens(hub: Hub, build: Any, tmp_path: Path) -> None:
    hub.token = "hf_secret"
    hub.revisions |= {"v1": "b" * 40, "b" * 40: "b" * 40}
    hub.add("private/tiny", tiny_folder(tmp_path / "tiny"))
    named, commit, missing = build(
        ("private/tiny", "v1"), ("private/tiny", "b" * 40), ("private/tiny", "v2"), HF_TOKEN="hf_secret"
    )
    assert "revision " + "b" * 40 in named["description"]
    assert named["sha256"] == commit["sha256"]
    assert "The hub has no [private/tiny] at revision [v2]" in missing["reason"]
    [refused] = build("private/tiny", HF_HOME=str(tmp_path / "other"))
    assert (refused["type"], "set HF_TOKEN" in refused["reason"]) == ("SourceError", True)


def test_what_cannot_be_had_is_named(hub: Hub, build: Any, tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "tiny")
    (folder / "model.onnx").unlink()
    hub.add("someone/no-onnx", folder)
    absent, gated, no_onnx, no_id, no_folder = build(
        "someone/absent", "gated/model", "someone/no-onnx", "no id", "./no/folder"
    )
    assert f"The hub {hub.url} has no model [someone/absent]" in absent["reason"]
    assert "accepted its terms" in gated["reason"]
    command = "optimum-cli export onnx --model someone/no-onnx --task feature-extraction DIR"
    assert command in no_onnx["reason"]
    assert "[no id] is neither a folder nor a hub id" in no_id["reason"]
    assert "[./no/folder] is not a folder" in no_folder["reason"]
    assert {item["type"] for item in (absent, gated, no_onnx, no_id, no_folder)} == {"SourceError"}
    assert not list(tmp_path.glob("*.zip"))


def test_the_bare_name_is_the_hub_s_and_falls_back_saying_so(
    hub: Hub, build: Any, tmp_path: Path, e5_package: Path
) -> None:
    hub.add("intfloat/multilingual-e5-small", tiny_folder(tmp_path / "tiny"), prefix="onnx/")
    [original] = build("multilingual-e5-small")
    assert (original["name"], original["notes"]) == ("multilingual-e5-small", [])
    [fallen, *others] = build(
        "multilingual-e5-small", "intfloat/multilingual-e5-small", ("multilingual-e5-small", "v1"),
        HF_HOME=str(tmp_path / "other"), HF_HUB_OFFLINE="1",
    )  # fmt: skip
    assert fallen["name"] == "multilingual-e5-small-4bit"
    assert fallen["notes"][0].startswith("The hub cannot be reached, so these are the bundled weights")
    assert "HF_HUB_OFFLINE" in fallen["notes"][0]
    assert fallen["sha256"] == inspect_package(e5_package).sha256
    assert [other["type"] for other in others] == ["HubUnreachable", "HubUnreachable"]

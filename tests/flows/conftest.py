"""A node over twins: catalog in memory, hashed vectors, real packages in a temporary folder, a clock by hand."""

from __future__ import annotations

import hashlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from antiphon.domain.deployment import Precision
from antiphon.domain.model import ModelConfig, ModelFormat
from antiphon.domain.registration import ModelRegistration
from antiphon.domain.task import Task, TaskType
from antiphon.encode import FakeLoader
from antiphon.encode.fake import FakeEncoder
from antiphon.engine import LocalEngine
from antiphon.flows import Node, Ports
from antiphon.package import DiskPackages
from antiphon.store import DocumentCatalog, MemoryCatalog
from tests.support.tiny import tiny_package


@dataclass
class HandGauges:
    """Gauges a test sets."""

    free: int = 1 << 40
    memory: float = 10.0

    def free_disk_bytes(self) -> int:
        return self.free

    def memory_percent(self) -> float:
        return self.memory


@dataclass
class Clock:
    """Milliseconds that rise by one with every look; ``advance`` lets time pass."""

    now: int = 1_700_000_000_000

    def __call__(self) -> int:
        self.now += 1
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += int(seconds * 1000)


class HeldLoader(FakeLoader):
    """Loads wait while ``load_gate`` is clear; ``loading`` is set once one waits or has passed."""

    def __init__(self) -> None:
        super().__init__()
        self.load_gate = threading.Event()
        self.load_gate.set()
        self.loading = threading.Event()

    def load(self, folder: Path, config: ModelConfig, precision: Precision) -> FakeEncoder:
        self.loading.set()
        assert self.load_gate.wait(20)
        return super().load(folder, config, precision)


@dataclass
class Bench:
    """A node and the handles of its twins."""

    node: Node
    catalog: DocumentCatalog
    loader: HeldLoader
    gauges: HandGauges
    folder: Path
    zip_path: Path
    seconds: list[float]
    clock: Clock

    def allow(self, **settings: str) -> None:
        keys = {"plugins.ml_commons.allow_registering_model_via_url": "true"}
        keys |= {f"plugins.ml_commons.{key}": value for key, value in settings.items()}
        self.node.configurator.change({"persistent": keys})

    def registration(self, **changes: object) -> ModelRegistration:
        values: dict[str, object] = {
            "name": "tiny",
            "model_format": ModelFormat.ONNX,
            "model_config": ModelConfig("bert", 8, query_prefix="query: ", passage_prefix="passage: "),
            "url": self.zip_path.as_uri(),
            "model_content_hash_value": hashlib.sha256(self.zip_path.read_bytes()).hexdigest(),
        }
        return ModelRegistration(**(values | changes))  # type: ignore[arg-type]

    def finish(self, task: Task) -> Task:
        """Wait until the task has ended."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            found = self.node.tasks.get(task.task_id)
            if found.state.done:
                return found
            time.sleep(0.002)
        raise AssertionError(f"{task} did not end")

    def deployed(self) -> str:
        """Register and deploy the tiny model; return its id."""
        self.allow()
        model_id = self.finish(self.node.registrar.register(self.registration())).model_id
        assert model_id is not None
        task = self.finish(self.node.deployer.deploy(model_id))
        assert task.error is None
        return model_id

    def deploy_tasks(self, count: int) -> list[Task]:
        """Wait for so many deploy tasks to exist, and end; return them."""
        deadline = time.monotonic() + 20
        while True:
            found = [task for task, _ in self.catalog.tasks() if task.task_type is TaskType.DEPLOY_MODEL]
            if len(found) >= count:
                return [self.finish(task) for task in found]
            assert time.monotonic() < deadline
            time.sleep(0.002)

    def files(self) -> list[str]:
        """Everything on disk below the packages folder."""
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())


NewBench = Callable[[], Bench]


@pytest.fixture
def new_bench(tmp_path: Path) -> Iterator[NewBench]:
    """Opens nodes over the same catalog and disk, one after the other, as restarts do."""
    catalog, zip_path = MemoryCatalog(), tiny_package(tmp_path / "tiny.zip")
    folder = tmp_path / "packages"
    opened: list[Bench] = []

    def open_bench() -> Bench:
        loader, gauges, seconds = HeldLoader(), HandGauges(), [0.0]
        clock = Clock()
        ids = (f"id{number:018d}" for number in itertools.count(len(opened) * 10_000))
        node = Node.over(
            Ports(
                catalog=catalog,
                packages=DiskPackages(folder),
                loader=loader,
                gauges=gauges,
                engine=LocalEngine(None),
                clock=clock,
                monotonic=lambda: seconds[0],
                new_id=lambda: next(ids),
                precision=Precision.FP32,
            )
        )
        opened.append(Bench(node, catalog, loader, gauges, folder, zip_path, seconds, clock))
        return opened[-1]

    yield open_bench
    for bench in opened:
        bench.loader.gate.set()
        bench.loader.load_gate.set()
        bench.node.close()


@pytest.fixture
def bench(new_bench: NewBench) -> Bench:
    """One node."""
    return new_bench()

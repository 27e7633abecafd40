"""What is read with msgspec is known to it before there are threads, which would crash the process."""

from __future__ import annotations

import subprocess
import sys

READ_AT_ONCE = """
import contextlib, sys, threading
import msgspec
from antiphon.domain.by_query import BackgroundTask
from antiphon.domain.index import Alias
from antiphon.domain.model import Model, ModelConfig
from antiphon.domain.model_group import ModelGroup
from antiphon.domain.package import PackageManifest
from antiphon.domain.task import Task
from antiphon.domain.template import ComponentTemplate, IndexTemplate, LegacyTemplate
import antiphon.flows, antiphon.package, antiphon.store

def read(shape):
    gate.wait()
    with contextlib.suppress(msgspec.ValidationError):
        msgspec.convert({}, shape)

sys.setswitchinterval(1e-6)
for shape in (Model, ModelGroup, Task, BackgroundTask, Alias, ModelConfig, PackageManifest,
              ComponentTemplate, IndexTemplate, LegacyTemplate):
    gate = threading.Barrier(8)
    threads = [threading.Thread(target=read, args=(shape,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


def test_many_threads_may_read_what_none_has_read_before() -> None:
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", READ_AT_ONCE], check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

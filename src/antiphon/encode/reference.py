"""The vectors that every engine and precision is compared with: ONNX Runtime's in fp32, computed once per package.

A large model is run in a process of its own, before the engine that serves is loaded: what ONNX Runtime took of memory
goes with it (38 MiB for multilingual-e5-small), and so does a crash. Beside the load of the engine it would end a
second sooner, but both would need their most memory at once.
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from antiphon.domain.model import ModelConfig
from antiphon.encode.backends import EngineFailure, OnnxRuntime
from antiphon.encode.encoder import Graph
from antiphon.encode.encoding import Floats
from antiphon.encode.memory import return_memory
from antiphon.encode.tokenize import Tokens
from antiphon.errors import AntiphonError, InferenceError

_log = logging.getLogger(__name__)

_LARGE = 32 * 2**20
"""Bytes of a model that is worth a process, whose start takes half a second."""
_CODE = "from antiphon.encode.reference import answer; answer()"


@dataclass(frozen=True, slots=True)
class Reference:
    """What is to be computed: the vector of each of ``tokens``, one text per run."""

    model: Path
    config: ModelConfig
    max_tokens: int
    threads: int
    tokens: Sequence[Tokens]

    def compute(self) -> list[Floats]:
        """Return the vectors; EngineFailure where ONNX Runtime cannot load or run the model, InferenceError where its
        process is ended: nothing else is to be tried with the model then, least of all ONNX Runtime in this process.
        """
        if self.model.stat().st_size < _LARGE or not sys.executable or getattr(sys, "frozen", False):
            return self._here()
        path = os.pathsep.join(entry for entry in sys.path if entry)
        try:
            done = subprocess.run(  # noqa: S603  this very interpreter
                [sys.executable, "-P", "-c", _CODE],  # -P: import nothing from the current folder
                input=pickle.dumps(self),
                capture_output=True,
                check=False,
                env={**os.environ, "PYTHONPATH": path},
                start_new_session=True,  # Ctrl-C is for this process, which ends the other
            )
        except OSError as error:
            _log.warning("The reference is computed in this process: %s", error)
            return self._here()
        if done.returncode < 0:
            name = signal.Signals(-done.returncode).name
            raise InferenceError(
                f"ONNX Runtime was ended by {name} while it ran {self.model.name}: is memory short? Deploy it again"
            )
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            _log.warning("The reference is computed in this process, because another failed: %s", said)
            return self._here()
        try:
            found: list[Floats] | Exception = pickle.loads(done.stdout)  # noqa: S301  from our own process
        except Exception as error:  # noqa: BLE001  what pickle makes of noise: a sitecustomize.py may print
            _log.warning("The reference is computed in this process, because another wrote what is none: %s", error)
            return self._here()
        if isinstance(found, Exception):
            raise found
        return found

    def _here(self) -> list[Floats]:
        backend = OnnxRuntime(self.model, self.threads, reference=True)
        try:
            graph = Graph(backend, self.config, self.max_tokens)
            return [np.array(graph.run([one])[0]) for one in self.tokens]
        finally:
            backend.close()
            return_memory(None)

    def answer(self) -> list[Floats] | Exception:
        """Return the vectors, or the error that says why there are none."""
        try:
            return self._here()
        except (EngineFailure, AntiphonError) as error:
            return error


def answer() -> None:
    """Read a Reference from standard input and write what it answers: the whole life of the process."""
    work: Reference = pickle.load(sys.stdin.buffer)  # noqa: S301  from our own process
    sys.stdout.buffer.write(pickle.dumps(work.answer()))

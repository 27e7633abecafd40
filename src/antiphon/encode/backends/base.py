"""What an engine must be able to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Feeds = Mapping[str, NDArray[np.int64]]
Floats = NDArray[np.float32]
RunAlone: TypeAlias = Callable[[Feeds, int], Floats]
"""``Backend.run`` on all threads: feeds, and the number of the output."""


class EngineFailure(Exception):
    """The engine cannot read, compile or run the graph; the text is the engine's own."""


class Backend(Protocol):
    """One loaded graph. A run uses all threads and then is alone, or one *lane*: its share of the threads.

    Runs on different lanes may overlap each other, but no run on all threads, and no run on the same lane.
    """

    @property
    def name(self) -> str:
        """The engine: ``openvino`` or ``onnxruntime``."""

    @property
    def version(self) -> str:
        """The engine's version."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the graph's inputs, in graph order."""

    @property
    def outputs(self) -> int:
        """How many outputs the graph has."""

    @property
    def length_multiple(self) -> int:
        """Batches should be padded to a multiple of this many tokens: 1 where shapes cost nothing."""

    @property
    def lanes(self) -> int:
        """How many lanes there are; with fewer than two every run is on all threads."""

    def prepare_lanes(self) -> None:
        """Make the lanes, which takes time and memory; no run on a lane may come before. Raises EngineFailure."""

    def run(self, feeds: Feeds, output: int, lane: int | None = None) -> Floats:
        """Return output number ``output`` as float32 ``[batch, tokens, hidden]`` or ``[batch, dimension]``.

        Every array of ``feeds`` is int64 ``[batch, tokens]``; ``lane`` counts from 0, None is all threads. The result
        may be a view of the engine's memory: it is valid until the next run in the same place. Raises EngineFailure.
        """

    def fixed(self, widths: Sequence[int]) -> RunAlone | None:
        """Return a run that is faster for one text padded to one of ``widths``; None where there is nothing to gain.

        It takes any feeds. Making it takes time and memory, and may overlap other runs. Raises EngineFailure.
        """

    def use(self, fixed: RunAlone) -> None:
        """Let what ``fixed`` returned do all runs on all threads from now on."""

    def close(self) -> None:
        """Free the graph. Idempotent."""

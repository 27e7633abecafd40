"""A loaded model: texts in, vectors out, for many callers at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from antiphon.domain.deployment import DeployReport, EncoderStats
from antiphon.domain.model import ModelConfig, Pooling
from antiphon.encode.backends import Backend, EngineFailure, RunAlone
from antiphon.encode.batching import padded_length
from antiphon.encode.encoding import Encoding, Floats
from antiphon.encode.fixed import FixedWidths
from antiphon.encode.pooling import normalize, pool
from antiphon.encode.recent import Recent
from antiphon.encode.tokenize import TextTokenizer, Tokens
from antiphon.encode.worker import Worker
from antiphon.errors import InferenceError

Ints = NDArray[np.int64]

INPUTS = ("input_ids", "attention_mask", "token_type_ids", "position_ids")
"""The graph inputs that can be fed; only ``input_ids`` must be among a graph's own."""


class Graph:
    """A backend that is fed with tokens and read by the pooling rules of a configuration."""

    def __init__(self, backend: Backend, config: ModelConfig, max_tokens: int) -> None:
        unknown = [name for name in backend.inputs if name not in INPUTS]
        if unknown or "input_ids" not in backend.inputs:
            raise InferenceError(
                f"The graph's inputs are {list(backend.inputs)}; what can be fed is {list(INPUTS)}, input_ids always: "
                "export the model as a text encoder (feature extraction)"
            )
        self.backend = backend
        self._max_tokens = max_tokens
        self._mode = config.pooling
        self._unit = config.normalize_result
        self._output = 1 if self._mode is Pooling.NONE and backend.outputs > 1 else 0

    def width(self, length: int) -> int:
        """Return the length to which a batch is padded whose longest text has ``length`` tokens."""
        return padded_length(length, self.backend.length_multiple, self._max_tokens)

    def run(
        self,
        tokens: Sequence[Tokens],
        lane: int | None = None,
        *,
        width: int | None = None,
        through: RunAlone | None = None,
    ) -> list[Floats]:
        """Return one vector per text, computed as one padded batch; EngineFailure from the engine.

        ``width``: what to pad to in place of the usual; ``through``: a run in place of the backend's own.
        """
        width = width or self.width(max(len(one.ids) for one in tokens))
        run = through or partial(self.backend.run, lane=lane)
        ids, mask = _padded([one.ids for one in tokens], width)
        feeds: dict[str, Ints] = {}
        for name in self.backend.inputs:
            match name:
                case "input_ids":
                    feeds[name] = ids
                case "attention_mask":
                    feeds[name] = mask
                case "token_type_ids":
                    feeds[name] = _padded([one.type_ids for one in tokens], width)[0]
                case _:
                    feeds[name] = np.tile(np.arange(width, dtype=np.int64), (len(tokens), 1))
        output = run(feeds, self._output)
        if output.ndim not in (2, 3) or len(output) != len(tokens):
            raise EngineFailure(
                f"The graph answered {len(tokens)} texts with an output of shape {list(output.shape)}; it must be "
                "[batch, tokens, hidden] or [batch, dimension]: export it with a dynamic batch axis"
            )
        rows = [row.copy() for row in output] if output.ndim == 2 else pool(output, mask, self._mode)
        return [normalize(row) for row in rows] if self._unit else rows


class ModelEncoder:
    """Fulfils ``Encoder``: a graph behind a worker. Thread-safe."""

    def __init__(
        self,
        graph: Graph,
        tokenizer: TextTokenizer,
        report: DeployReport,
        *,
        max_batch_tokens: int,
        max_queue_texts: int,
        widen: Callable[[], bool] | None = None,
        fix: Callable[[tuple[int, ...]], bool] | None = None,
    ) -> None:
        self.report = report
        self._graph = graph
        self._fix = fix
        self._fixed = FixedWidths(report.max_tokens)
        self._tokenizer = tokenizer
        self._recent = Recent()
        self._worker = Worker(
            self._run,
            lanes=graph.backend.lanes,
            cost=graph.width,
            budget=max_batch_tokens,
            max_queue_texts=max_queue_texts,
            widen=widen,
        )

    def encode(self, texts: Sequence[str]) -> Encoding:
        """Embed ``texts``, which carry their prefix already; blocks until done.

        Raises QueueFull when the bounded queue has no room, TooLarge when it never will, Unavailable after ``close``,
        IllegalArgument for a text without any token, InferenceError from the engine. A text that came alone lately is
        not run again; its row cannot be written to.
        """
        alone = texts[0] if len(texts) == 1 else None
        known = None if alone is None else self._recent.get(alone)
        if known is not None:
            return known
        rows, tokens = self._worker.run(len(texts), lambda: self._tokenizer(texts))
        self._follow_demand()
        found = Encoding(rows, tuple(len(one.ids) for one in tokens), tuple(one.lost for one in tokens))
        if alone is not None:
            self._recent.put(alone, found)
        return found

    def stats(self) -> EncoderStats:
        """Counters since the deploy."""
        return replace(self._worker.stats(), fixed_widths=self._fixed.widths())

    def close(self) -> None:
        """Finish what is queued, then free the memory. Idempotent."""
        self._recent.close()
        self._worker.close()
        self._graph.backend.close()

    def _run(self, tokens: Sequence[Tokens], lane: int | None) -> list[Floats]:
        single = len(tokens) == 1 and lane is None
        return self._graph.run(tokens, lane, width=self._fixed.find(len(tokens[0].ids)) if single else None)

    def _follow_demand(self) -> None:
        """Have branches made for single texts of the widths that come often."""
        fix, widths = self._fix, self._fixed.wanted()
        if fix is not None and widths:
            self._worker.beside(lambda: self._make_fixed(fix, widths))

    def _make_fixed(self, fix: Callable[[tuple[int, ...]], bool], widths: tuple[int, ...]) -> None:
        if fix(widths):
            self._fixed.put(widths)


def _padded(rows: Sequence[Ints], width: int) -> tuple[Ints, Ints]:
    """Return ``rows`` as int64 ``[batch, width]``, zeros on the right, and the 0/1 mask of the same shape.

    The id under the padding does not matter: attention and pooling are masked, which the deploy probes prove.
    """
    padded = np.zeros((len(rows), width), np.int64)
    mask = np.zeros_like(padded)
    for i, row in enumerate(rows):
        padded[i, : len(row)] = row
        mask[i, : len(row)] = 1
    return padded, mask

"""Indices over a catalog in memory and an engine without documents, opened again as restarts do."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any, cast

from antiphon.domain.deployment import Precision
from antiphon.flows import Ports
from antiphon.flows.indices import Indices
from antiphon.store import MemoryCatalog
from tests.support.hand_engine import HandEngine


@dataclass
class IndexBench:
    """One catalog and one engine; ``open`` returns indices over them."""

    catalog: MemoryCatalog = field(default_factory=MemoryCatalog)
    engine: HandEngine = field(default_factory=HandEngine)
    ids: Any = field(default_factory=itertools.count)

    def open(self, auto_create: str = "true") -> Indices:
        nothing = cast("Any", None)
        ports = Ports(
            catalog=self.catalog, packages=nothing, loader=nothing, gauges=nothing, clock=lambda: 1_700_000_000_000,
            monotonic=lambda: 0.0, new_id=lambda: f"uuid{next(self.ids)}", precision=Precision.FP32,
            engine=cast("Any", self.engine),
        )  # fmt: skip
        indices = Indices(ports, auto_create=lambda: auto_create)
        indices.start()
        return indices

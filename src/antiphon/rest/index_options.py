"""What the index handlers share: their query parameters, and counts of shards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from antiphon.domain.index import Index
from antiphon.domain.index_settings import replicas, setting_number
from antiphon.domain.store import IndexStats
from antiphon.errors import DataLost
from antiphon.rest.call import Call, Reply

WAITS = frozenset({"timeout", "cluster_manager_timeout", "master_timeout", "wait_for_active_shards"})
INDICES = WAITS | {"ignore_unavailable", "allow_no_indices", "expand_wildcards", "ignore_throttled", "local"}
SETTINGS = INDICES | {"flat_settings", "include_defaults"}

ACKNOWLEDGED = Reply({"acknowledged": True})


def index_options(call: Call) -> dict[str, Any]:
    """Return what the query string says about missing indices and patterns, for ``Indices.resolve``."""
    options: dict[str, Any] = {
        name: call.flag(name) for name in ("ignore_unavailable", "allow_no_indices") if name in call.query
    }
    if "expand_wildcards" in call.query:
        options["expand_wildcards"] = call.query["expand_wildcards"]
    return options


def resolved(call: Call, **defaults: Any) -> list[Index]:
    """Return the indices of the path (all without one); ``defaults`` give way to the query string."""
    targets = call.node.indices.resolve(call.params.get("index", ""), **(defaults | index_options(call)))
    return [target.index for target in targets]


def figures_of(call: Call, index: Index) -> IndexStats | None:
    """Return what there is to count in an index; None when it is closed, or its documents cannot be read."""
    if index.closed:
        return None
    try:
        return call.node.indices.store(index).stats()
    except DataLost:  # its health is red, and whoever asks for a document is told why
        return None


def shard_counts(indices: Sequence[Index]) -> tuple[int, int]:
    """Return how many primary shards there are, and how many copies of all kinds are wanted."""
    primaries = [setting_number(index.settings, "index.number_of_shards") for index in indices]
    wanted = sum(count * (1 + replicas(index.settings)) for count, index in zip(primaries, indices, strict=True))
    return sum(primaries), wanted


def shards(indices: Sequence[Index]) -> dict[str, int]:
    """Return the ``_shards`` of an operation that worked on these indices."""
    successful, total = shard_counts(indices)
    return {"total": total, "successful": successful, "failed": 0}

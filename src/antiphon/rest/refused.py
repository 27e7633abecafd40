"""Features of ML Commons that are not here, refused by name."""

from __future__ import annotations

from antiphon.errors import IllegalArgument
from antiphon.rest.call import Call, Handler, Reply

_LOCAL_ONLY = "Antiphon runs local embedding models only; use an OpenSearch cluster for it"

FEATURES = {
    "connectors": f"[connectors] and remote models are not supported: {_LOCAL_ONLY}",
    "agents": f"[agents] are not supported: {_LOCAL_ONLY}",
    "tools": f"[tools] are not supported: {_LOCAL_ONLY}",
    "memory": f"[memory] is not supported: {_LOCAL_ONLY}",
    "memory_containers": f"[memory_containers] are not supported: {_LOCAL_ONLY}",
    "mcp": f"[mcp] is not supported: {_LOCAL_ONLY}",
    "insights": f"[insights] are not supported: {_LOCAL_ONLY}",
    "_train": f"[_train] is not supported: {_LOCAL_ONLY}",
    "_train_predict": f"[_train_predict] is not supported: {_LOCAL_ONLY}",
    "_execute": f"[_execute] is not supported: {_LOCAL_ONLY}",
    "_batch_ingestion": f"[_batch_ingestion] is not supported: {_LOCAL_ONLY}",
}
"""First path segment below ``/_plugins/_ml`` -> what is said about it."""


def refuse(feature: str) -> Handler:
    """Return the handler that refuses ``feature`` by name with 400."""

    def handler(_: Call) -> Reply:
        raise IllegalArgument(FEATURES[feature])

    return handler

"""The handler of ``_bulk``."""

from __future__ import annotations

import time
from typing import Any

from antiphon.domain.bulk import Action, Failed, Outcome
from antiphon.flows import Refresh
from antiphon.precedence import giving_way
from antiphon.rest.call import Call, Reply, Route
from antiphon.rest.errors import describe_item
from antiphon.wire.bulk import BulkDefaults, read_bulk
from antiphon.wire.document import render_done
from antiphon.wire.source import read_source_parameters

_BULK = frozenset({
    "refresh", "pipeline", "routing", "_source", "_source_includes", "_source_excludes", "_source_include",
    "_source_exclude", "require_alias", "timeout", "wait_for_active_shards", "batch_size",
})  # fmt: skip


def bulk(call: Call) -> Reply:
    """Do many actions in order; each has its item, and the answer is 200 whatever became of them."""
    start = time.perf_counter()
    defaults = BulkDefaults(
        index=call.params.get("index"),
        pipeline=call.query.get("pipeline"),
        routing=call.query.get("routing"),
        require_alias=call.flag("require_alias"),
        fetch=read_source_parameters(call.query),
    )
    actions = read_bulk(call.body, defaults, giving_way)
    report = call.node.documents.bulk(actions, Refresh.parse(call.query.get("refresh")))
    body: dict[str, Any] = {"took": int((time.perf_counter() - start) * 1000)}
    if report.ingest_ms is not None:
        body["ingest_took"] = report.ingest_ms
    body["errors"] = any(isinstance(outcome, Failed) for outcome in report.outcomes)
    done = zip(actions, report.outcomes, strict=True)
    body["items"] = [_item(action, outcome) for action, outcome in giving_way(done)]
    return Reply(body, notices=report.truncation.notices())


def _item(action: Action, outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, Failed):
        shown: dict[str, Any] = {
            "_index": outcome.index,
            "_id": outcome.id,
            "status": outcome.error.status,
            "error": describe_item(outcome.error),
        }
    else:
        shown = render_done(outcome) | {"status": outcome.status}
    return {action.operation.value: shown}


BULK_ROUTES: tuple[Route, ...] = (
    Route("POST PUT", "/_bulk", bulk, _BULK, heavy=True),
    Route("POST PUT", "/{index}/_bulk", bulk, _BULK, heavy=True),
)

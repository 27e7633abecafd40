"""Handlers of ``/_ingest/pipeline``: define ingest pipelines, and try them out."""

from __future__ import annotations

from typing import Any

from antiphon.domain.pipeline import Pipeline
from antiphon.domain.processors.reading import read_pipeline
from antiphon.errors import AntiphonError, IllegalArgument, ParseError
from antiphon.flows import PipelineRunner
from antiphon.rest.call import Call, Reply, Route
from antiphon.rest.errors import render_error
from antiphon.wire.pipeline import Simulation, read_simulation, render_simulated, render_steps

_PATH = "/_ingest/pipeline"
_INLINE = "_simulate_pipeline"
_TIMEOUTS = frozenset({"timeout", "master_timeout", "cluster_manager_timeout"})


def put(call: Call) -> Reply:
    """Create or replace."""
    body = call.json()
    if not isinstance(body, dict):
        raise ParseError("a pipeline must be a JSON object")
    call.node.pipelines.put(call.params["pipeline_id"], body)
    return Reply({"acknowledged": True})


def get(call: Call) -> Reply:
    """Return the definitions; 404 with an empty object when there is none."""
    found = call.node.pipelines.get(call.words("pipeline_id"))
    return Reply(found, 200 if found else 404)


def delete(call: Call) -> Reply:
    """Delete one, or all that match a pattern."""
    call.node.pipelines.delete(call.params["pipeline_id"])
    return Reply({"acknowledged": True})


def simulate(call: Call) -> Reply:
    """Run a stored pipeline, or the one in the body, over the documents of the body."""
    pipeline_id = call.params.get("pipeline_id")
    request = read_simulation(call.json(), stored=pipeline_id is not None)
    runner = call.node.pipeline_runner
    pipeline = runner.pipeline(pipeline_id) if pipeline_id is not None else read_pipeline(_INLINE, request.pipeline)
    return simulated(runner, pipeline, request, verbose=call.flag("verbose"))


def simulated(runner: PipelineRunner, pipeline: Pipeline, request: Simulation, *, verbose: bool) -> Reply:
    """Run a pipeline over the documents of a request, writing nothing."""
    docs = [
        render_simulated(one.outcome, _show) if one.steps is None else render_steps(one.steps, _show)
        for one in runner.simulate(pipeline, request.documents, verbose=verbose)
    ]
    return Reply({"docs": docs})


def grok(call: Call) -> Reply:  # noqa: ARG001  every call is refused
    """Refuse."""
    raise IllegalArgument("[grok] processor is not supported by Antiphon: do it before sending the document")


def _show(error: AntiphonError) -> dict[str, Any]:
    shown: dict[str, Any] = render_error(error).body["error"]
    return shown


PIPELINE_ROUTES: tuple[Route, ...] = (
    Route("GET POST", f"{_PATH}/_simulate", simulate, frozenset({"verbose"}), heavy=True),
    Route("GET POST", f"{_PATH}/{{pipeline_id}}/_simulate", simulate, frozenset({"verbose"}), heavy=True),
    Route("GET", _PATH, get, _TIMEOUTS),
    Route("GET", f"{_PATH}/{{pipeline_id}}", get, _TIMEOUTS),
    Route("PUT", f"{_PATH}/{{pipeline_id}}", put, _TIMEOUTS),
    Route("DELETE", f"{_PATH}/{{pipeline_id}}", delete, _TIMEOUTS),
    Route("GET", "/_ingest/processor/grok", grok),
)

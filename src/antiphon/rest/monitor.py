"""Handlers of stats and profile."""

from __future__ import annotations

from antiphon.errors import IllegalArgument
from antiphon.rest.call import Call, Reply
from antiphon.rest.node_names import means_this_node
from antiphon.wire.profile import read_profile, render_profile
from antiphon.wire.stats import read_stats, render_stats


def stats(call: Call) -> Reply:
    """Counters; path and body filters act together."""
    request, notices = read_stats(call.json_or({}), call.words("stat"))
    here = means_this_node(call) and means_this_node(call, ",".join(request.nodes))
    return Reply(render_stats(call.node.observer.stats(), request, here=here), notices=notices)


def profile(call: Call) -> Reply:
    """Loaded models and running tasks."""
    return _profile(call, None, None)


def profile_models(call: Call) -> Reply:
    """Loaded models, all or those named."""
    return _profile(call, call.words("model_id"), None)


def profile_tasks(call: Call) -> Reply:
    """Running tasks, all or those named."""
    return _profile(call, None, call.words("task_id"))


def _profile(call: Call, models: list[str] | None, tasks: list[str] | None) -> Reply:
    view = call.query.get("view", "node")
    if view not in ("node", "model"):
        raise IllegalArgument(f"[view] must be [node] or [model], but was [{view}]")
    request, notices = read_profile(call.json_or({}), models, tasks)
    if not means_this_node(call, ",".join(request.nodes)):
        return Reply({}, notices=notices)
    profile = call.node.observer.profile(model_ids=request.models, task_ids=request.tasks)
    return Reply(render_profile(profile, by_model=view == "model"), notices=notices)

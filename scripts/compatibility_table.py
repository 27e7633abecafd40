"""Makes docs/reference/compatibility-table.md: what the stories of the contract saw on a real OpenSearch node."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from antiphon.rest.call import Route
from antiphon.rest.refused import ELSEWHERE, FEATURES, REFUSED_ROUTES
from antiphon.rest.router import Router
from antiphon.rest.routes import ROUTES
from tests.contract.features import AGGREGATIONS, CLAUSES, Feature, features, routed
from tests.contract.story import Act, Include, Step, Story

_HEAD = """\
# What was compared with a real node

<!-- made by scripts/docs; do not edit -->

The stories of the contract (`tests/contract`) are played on Antiphon and, by `scripts/test-contract`, on a real
OpenSearch 3.6.0 node. This page is computed from them; [compatibility](../compatibility.md) explains.

* **same**: a story asserts an answer that both give.
* **deviates**: a story asserts that the node answers otherwise, and says why.
* **refused**: Antiphon says with 400 that it has it not, and what to use instead.
* **not observed**: only stories use it that cannot be played on a node that others use too.

What a request is about is read from what it sends. A deviation of a request with a query, an aggregation, a processor
or a field type is told there, not at its endpoint.
"""
_TITLES = {
    "endpoint": "Endpoints",
    "query": "Queries",
    "aggregation": "Aggregations",
    "processor": "Processors",
    "field": "Field types",
}
_KNOWN = {"query": CLAUSES, "aggregation": AGGREGATIONS}
_ROUTER = Router(ROUTES)
_FOLLOWS = "follows from the step before"
_REFUSES = "OpenSearch has it, or a plugin of it"


@dataclass
class _Seen:
    """What all steps together say of one thing."""

    same: bool = False
    refused: bool = False
    reasons: list[str] = field(default_factory=list)

    def verdict(self) -> str:
        """The words of the table."""
        words = ["same"] if self.same else []
        if self.refused:
            words.append("refused in part" if words else "refused")
        if self.reasons:
            words.append("deviates: " + "; ".join(dict.fromkeys(self.reasons)))
        return ", ".join(words) or "not observed"


@dataclass(frozen=True)
class _Played:
    """A step of a story; ``reason`` is why a real node answers otherwise, ``here`` that it cannot be asked."""

    step: Step
    reason: str | None
    here: bool

    @property
    def refused(self) -> bool:
        """True when the step shows that something is refused by name."""
        told = f"{self.step.answer.error} {self.step.answer.expect}"
        return self.reason is not None and (self.reason == _REFUSES or "is not supported by Antiphon" in told)


def compatibility_table(stories: Sequence[Story]) -> str:
    """Return the page that the stories give."""
    seen: dict[tuple[str, str], _Seen] = defaultdict(_Seen)
    for route in ROUTES:
        if route not in REFUSED_ROUTES:
            seen["endpoint", _endpoint(route)]
    for story in stories:
        for played in _steps(story.steps, None, here=bool(story.fresh or story.needs)):
            _note(seen, played)
    tables = [_table(kind, {name: seen[one, name] for one, name in seen if one == kind}) for kind in _TITLES]
    return "\n".join([_HEAD, *tables, _refused_paths(), _not_played(stories)])


def _steps(steps: Iterable[Step | Act | Include], skipped: str | None, *, here: bool) -> Iterator[_Played]:
    for step in steps:
        if isinstance(step, Include):
            inner = list(_steps(step.steps, step.skipped or skipped, here=here))
            yield from inner if step.skipped is None else [_last_act(inner)]
        elif isinstance(step, Step):
            yield _Played(step, step.because or skipped, here)


def _last_act(steps: list[_Played]) -> _Played:
    """Return the step that a fragment is about: the last that does something, after which it only looks."""
    looks = ("/_search", "/_predict")
    return [one for one in steps if one.step.request.method != "GET" and not one.step.request.path.endswith(looks)][-1]


def _note(seen: dict[tuple[str, str], _Seen], played: _Played) -> None:
    """Book a step: what is the same counts for all it uses, a deviation for the outermost, else for the endpoint."""
    used = [feature for feature in features(played.step.request) if _counts(feature, played)]
    route = routed(_ROUTER, played.step.request)
    places = [(feature.kind, feature.name) for feature in used]
    blamed = [(feature.kind, feature.name) for feature in used if feature.outer]
    if route is not None and route not in REFUSED_ROUTES:
        places.append(("endpoint", _endpoint(route)))
        blamed = blamed or places[-1:]
    for place in places:
        one = seen[place]
        if played.here or played.reason == _FOLLOWS:
            continue
        if played.reason is None:
            one.same = True
        elif place in blamed and played.refused:
            one.refused = True
        elif place in blamed:
            one.reasons.append(played.reason)


def _counts(feature: Feature, played: _Played) -> bool:
    """False for a name that nobody knows: a slip made on purpose."""
    answer = played.step.answer
    known = _KNOWN.get(feature.kind)
    return played.refused or (answer.status < 400 if known is None else feature.name in known)


def _endpoint(route: Route) -> str:
    return f"{route.methods} {route.path}"


def _table(kind: str, seen: dict[str, _Seen]) -> str:
    rows = [f"| `{name}` | {_linked(seen[name].verdict())} |" for name in sorted(seen, key=_by_path)]
    return "\n".join([f"## {_TITLES[kind]}\n", f"| {kind} | on a real node |", "|---|---|", *rows, ""])


def _by_path(name: str) -> tuple[str, str]:
    methods, _, path = name.rpartition(" ")
    return path, methods


def _linked(text: str) -> str:
    text = re.sub(r"deviations? (\d+)( and \d+)?", r"[\g<0>](../compatibility.md#deviations)", text)
    return text.replace("|", "\\|")


def _refused_paths() -> str:
    rows = [f"| {', '.join(f'`{path}`' for path in paths)} | {instead} |" for _, instead, paths in ELSEWHERE]
    rows += [f"| `/_plugins/_ml/{name}` | {text.partition(': ')[2]} |" for name, text in FEATURES.items()]
    lines = ["## Refused paths\n", "With everything below them, for every method.\n", "| path | instead |", "|---|---|"]
    return "\n".join([*lines, *rows, ""])


def _not_played(stories: Sequence[Story]) -> str:
    rows = [f"| `{story.path.name}` | {story.title} | {_why(story)} |" for story in stories if _why(story)]
    lines = ["## Stories that a node in use cannot play\n", "| story | what it tells | why |", "|---|---|---|"]
    return "\n".join([*lines, *rows, ""])


def _why(story: Story) -> str:
    needs = {"own": "it wants a server of its own", "process": "it kills the server"}
    return needs.get(story.needs or "", "it wants a server that nobody has used" if story.fresh else "")

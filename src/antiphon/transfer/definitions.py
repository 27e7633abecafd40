"""Pipelines and templates: read on one side, translated where a name differs, put on the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from antiphon.domain.semantic import ModelFacts
from antiphon.domain.semantic_meta import plain_mapping
from antiphon.errors import AntiphonError, IllegalArgument, reason_of
from antiphon.remote import segment
from antiphon.transfer.journal import Journal
from antiphon.transfer.side import Side

INGEST, SEARCH = "_ingest/pipeline", "_search/pipeline"
_DEFAULTS = (("type", "object"), ("dynamic", "true"), ("raw_field_type", "text"))
TEMPLATES = ("_component_template", "_index_template")


@dataclass(frozen=True, slots=True)
class Translation:
    """What differs between the sides: ``model_ids`` from here to there, the ``engine`` of vectors (None: as here).

    ``facts`` is known of the models by their ids there. A side that does not keep ``semantic`` fields gets them as
    ``antiphon serve --cluster`` makes them: text beside vectors, remembered in ``_meta``.
    """

    model_ids: Mapping[str, str] = field(default_factory=dict)
    engine: str | None = None
    keeps_semantic: bool = True
    facts: Mapping[str, ModelFacts] = field(default_factory=dict)

    def mapping(self, body: Mapping[str, Any]) -> Any:
        """Return a mapping as the other side shall have it."""
        translated = self(body)
        return translated if self.keeps_semantic else plain_mapping(translated, self._facts)

    def _facts(self, model_id: str) -> ModelFacts:
        if model_id not in self.facts:
            raise IllegalArgument(f"the model [{model_id}] is not known")
        return self.facts[model_id]

    def __call__(self, value: Any) -> Any:
        """Return a definition with the ids of models, the engines and, in templates, the mappings of the other side."""
        if isinstance(value, list):
            return [self(item) for item in value]
        if not isinstance(value, dict):
            return value
        made: dict[str, Any] = {}
        for key, item in value.items():
            if key == "mappings" and isinstance(item, dict):
                made[key] = self.mapping(item)
            elif isinstance(item, str) and key.endswith("model_id"):
                made[key] = self.model_ids.get(item, item)
            elif key == "neural_field_default_id" and isinstance(item, dict):
                made[key] = {name: self.model_ids.get(one, one) for name, one in item.items()}
            elif key == "engine" and isinstance(item, str) and self.engine is not None and "space_type" in value:
                made[key] = self.engine
            else:
                made[key] = self(item)
        if made.get("type") == "semantic" and self.engine is not None:
            config = made.get("dense_embedding_config") or {}
            method = {**config.get("method", {}), "engine": self.engine}
            made["dense_embedding_config"] = {**config, "method": method}
        return made


def model_ids_in(value: Any) -> Iterator[str]:
    """Yield the ids of models that a definition names."""
    if isinstance(value, list):
        for item in value:
            yield from model_ids_in(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, str) and key.endswith("model_id") and key != "_id":
                yield item
            elif key == "neural_field_default_id" and isinstance(item, dict):
                yield from (one for one in item.values() if isinstance(one, str))
            elif key != "_meta":
                yield from model_ids_in(item)


def pipelines_of(side: Side, names: Iterable[str]) -> dict[str, Any]:
    """Return the ingest pipelines of these names and those that they call, called ones first."""
    found: dict[str, Any] = {}

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in found or name in above:
            return
        answer = side.client.find(f"/{INGEST}/{segment(name)}")
        if not answer:
            raise AntiphonError(f"there is no ingest pipeline [{name}] on {side.name}")
        for called in _called(answer[name]):
            visit(called, (*above, name))
        found[name] = answer[name]

    for name in sorted(names):
        visit(name, ())
    return found


def search_pipelines_of(side: Side, names: Iterable[str]) -> dict[str, Any]:
    """Return the search pipelines of these names; AntiphonError when one is missing."""
    found = {}
    for name in sorted(names):
        answer = side.client.find(f"/{SEARCH}/{segment(name)}")
        if not answer:
            raise AntiphonError(f"there is no search pipeline [{name}] on {side.name}")
        found[name] = answer[name]
    return found


def everything(side: Side, kind: str) -> dict[str, Any]:
    """Return all definitions of a kind by name: pipelines, or templates."""
    status, answer, _ = side.client.send("GET", f"/{kind}")
    if status == 404 or not answer:
        return {}
    if status >= 300:
        raise AntiphonError(f"GET /{kind} was answered with {status}: {reason_of(answer)}")
    if kind not in TEMPLATES:
        return dict(answer)
    noun = kind.removeprefix("_")
    rows = answer[f"{noun}s"]
    return {row["name"]: row[noun] for row in rows if not row["name"].startswith(".")}


def push_definitions(
    kind: str, wanted: Mapping[str, Any], target: Side, translate: Translation, journal: Journal
) -> None:
    """Put every definition there that is not there as it is here."""
    for name, body in wanted.items():
        translated = translate(body)
        status, answer, _ = target.client.send("GET", f"/{kind}/{segment(name)}")
        there = _only(kind, name, answer) if status == 200 else None
        if there is not None and agrees(translated, there):
            journal.note(f"{kind}/{name} is the same {target.place}")
            continue
        what = f"put {kind}/{name}"
        if there is not None:
            what = f"replace {kind}/{name}, another {target.place} in {', '.join(differences(translated, there)[:5])}"
        if journal.change(what):
            target.client.ask("PUT", f"/{kind}/{segment(name)}", translated)


def differing_definitions(kind: str, wanted: Mapping[str, Any], target: Side, translate: Translation) -> dict[str, str]:
    """Return name -> what is wrong with it there, for the definitions that differ."""
    found = {}
    for name, body in wanted.items():
        status, answer, _ = target.client.send("GET", f"/{kind}/{segment(name)}")
        there = _only(kind, name, answer) if status == 200 else None
        if there is None:
            found[name] = "is missing there"
        elif not agrees(translate(body), there):
            found[name] = "differs there"
    return found


def agrees(wanted: Any, there: Any) -> bool:
    """Whether everything wanted is there; a server may print numbers as texts and add defaults."""
    return not differences(wanted, there)


def differences(wanted: Any, there: Any, path: str = "") -> list[str]:
    """Return the paths at which something wanted is missing or another."""
    if isinstance(wanted, dict):
        if not isinstance(there, dict):
            return [path or "all of it"]
        return [
            found
            for key, item in wanted.items()
            if not _left_out(key, item, there)
            for found in differences(item, there.get(key), f"{path}.{key}" if path else key)
        ]
    if isinstance(wanted, list):
        if not isinstance(there, list) or len(wanted) != len(there):
            return [path]
        pairs = enumerate(zip(wanted, there, strict=True))
        return [found for number, (one, other) in pairs for found in differences(one, other, f"{path}[{number}]")]
    one, other = _word(wanted), _word(there)
    if path.endswith(".data_type"):  # a node shows BYTE for byte
        one, other = one.lower(), other.lower()
    return [] if one == other else [path]


def _left_out(key: str, item: Any, there: Mapping[str, Any]) -> bool:
    """Whether a server does not print this: what says the default, and empty objects."""
    return key not in there and (item in ({}, [], None) or (key, item) in _DEFAULTS)


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _called(pipeline: Any) -> Iterator[str]:
    """Yield the pipelines that ``pipeline`` processors name, wherever they stand."""
    if isinstance(pipeline, list):
        for item in pipeline:
            yield from _called(item)
    elif isinstance(pipeline, dict):
        named = pipeline.get("pipeline")
        if isinstance(named, dict) and isinstance(named.get("name"), str) and "{" not in named["name"]:
            yield named["name"]
        for item in pipeline.values():
            yield from _called(item)


def _only(kind: str, name: str, answer: Any) -> Any:
    if kind not in TEMPLATES:
        return answer.get(name)
    noun = kind.removeprefix("_")
    rows = [row[noun] for row in answer[f"{noun}s"] if row["name"] == name]
    return rows[0] if rows else None

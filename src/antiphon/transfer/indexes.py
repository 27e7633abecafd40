"""Indexes: read on one side, made on the other; what cannot be carried is refused or stays behind by name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from antiphon.errors import AntiphonError, reason_of
from antiphon.remote import segment
from antiphon.transfer.definitions import Translation, differences
from antiphon.transfer.journal import Journal
from antiphon.transfer.side import Side

_SETS_OF_ITS_OWN = (
    "index.uuid", "index.creation_date", "index.provided_name", "index.version.", "index.resize.", "index.routing.",
    "index.history.", "index.verified_before_close", "index.replication.", "index.shard.",
)  # fmt: skip
PIPELINE_SETTINGS = ("index.default_pipeline", "index.final_pipeline")
SEARCH_SETTING = "index.search.default_pipeline"
_BLOCKS = "index.blocks."
_ANALYSIS = ("index.analysis.", "index.similarity.")
_ANALYSIS_OF_ALL = ("index.analysis.analyzer.default", "index.similarity.default.")
_UNKNOWN = re.compile(r"(?:unknown setting|private index setting) \[([^\]]+)\]")
_NONE = "_none"
_FIXED = (
    "dimension", "analyzer", "normalizer", "index", "store", "doc_values", "similarity", "format", "null_value",
    "index_options", "space_type", "term_vector",
)  # fmt: skip
"""Parameters of a field that no mapping changes once they are said."""


@dataclass(frozen=True, slots=True)
class IndexDefinition:
    """An index: flat ``settings`` that can be given to another, ``mappings``, ``aliases``."""

    name: str
    settings: dict[str, Any]
    mappings: dict[str, Any]
    aliases: dict[str, Any]

    @property
    def pipelines(self) -> set[str]:
        """The ingest pipelines that its settings name."""
        return {self.settings[key] for key in PIPELINE_SETTINGS if self.settings.get(key, _NONE) != _NONE}

    @property
    def has_semantic(self) -> bool:
        """Whether a field embeds by itself."""
        return any(spec.get("type") == "semantic" for spec in self.mappings.get("properties", {}).values())

    @property
    def search_pipeline(self) -> str | None:
        """The search pipeline that its settings name."""
        name = self.settings.get(SEARCH_SETTING, _NONE)
        return None if name == _NONE else name


def read_index(side: Side, name: str) -> IndexDefinition | None:
    """Return the definition of one index, None when it is not there.

    AntiphonError for an alias of several, and for a data stream: its documents are only ever appended.
    """
    answer = side.client.find(f"/{segment(name)}?flat_settings=true")
    if answer is None:
        return None
    streams = sorted({body["data_stream"] for body in answer.values() if "data_stream" in body})
    if streams:
        raise AntiphonError(
            f"[{name}] belongs to the data stream [{streams[0]}] on {side.name}, which is not carried: "
            "POST /_reindex its documents into an index, and name that"
        )
    if len(answer) != 1:
        raise AntiphonError(f"[{name}] means {len(answer)} indexes: {', '.join(sorted(answer))}; name one")
    [(real, body)] = answer.items()
    settings = {key: value for key, value in body["settings"].items() if not key.startswith(_SETS_OF_ITS_OWN)}
    return IndexDefinition(real, settings, body.get("mappings", {}), body.get("aliases", {}))


def read_namesake(side: Side, name: str) -> IndexDefinition | None:
    """Return the index of just that name; AntiphonError when an alias has it, or when it is closed."""
    found = read_index(side, name)
    if found is None:
        return None
    if found.name != name:
        raise AntiphonError(
            f"[{name}] is an alias of [{found.name}] on {side.name}, and nothing is written to that: remove the alias"
        )
    must_be_open(side, name)
    return found


def must_be_open(side: Side, name: str) -> None:
    """AntiphonError when the index is closed."""
    status, rows, _ = side.client.send("GET", f"/_cat/indices/{segment(name)}?format=json&h=status")
    if status == 200 and [row["status"] for row in rows] == ["close"]:
        raise AntiphonError(f"[{name}] is closed on {side.name}: POST /{segment(name)}/_open it first")


def must_have_sources(index: IndexDefinition, side: Side, journal: Journal) -> None:
    """AntiphonError when documents of that index cannot be read; fields that cannot are told by name."""
    source = index.mappings.get("_source", {})
    if str(source.get("enabled", True)).lower() == "false":
        raise AntiphonError(
            f"[{index.name}] keeps no _source on {side.name}, so that its documents cannot be read: bring them from "
            "where they came from"
        )
    left = [f"{key} {', '.join(source[key])}" for key in ("includes", "excludes") if source.get(key)]
    if left and not side.antiphon:  # Antiphon keeps whole sources
        journal.note(
            f"_source of [{index.name}] {'; '.join(left)}: what it leaves out can be searched on {side.name} only"
        )


def push_index(index: IndexDefinition, target: Side, translate: Translation, journal: Journal) -> bool:
    """Make the index there, or give it what its mapping lacks; return whether it was there before.

    A new one gets its ingest pipelines after its documents (``set_pipelines``): those come with their vectors.
    """
    there = read_namesake(target, index.name)
    mappings = translate.mapping(index.mappings)
    if there is None:
        _create(index, mappings, target, journal)
    else:
        must_be_writable(there, target)
        _extend(index, mappings, there, target, journal)
    if journal.dry_run:
        for what in () if there is None else _differing_analysis(index, there):
            journal.fail(f"{what} of [{index.name}] stays another {target.place}")
        return there is not None
    now = read_namesake(target, index.name)
    assert now is not None
    dynamic = str(now.mappings.get("dynamic", "true")).lower()
    if "dynamic" not in mappings and dynamic != "true":
        journal.note(
            f"[{index.name}] is dynamic: {dynamic} {target.place}: what it does with new fields is another thing"
        )
    for what in differing_parts(index, mappings, now):
        journal.fail(f"{what} of [{index.name}] stays another {target.place}")
    return there is not None


def differing_parts(index: IndexDefinition, mappings: Mapping[str, Any], there: IndexDefinition) -> Iterator[str]:
    """Yield what of an index is another there: its mapping, and the settings that say what its texts mean."""
    if left := differences(mappings, there.mappings):
        yield f"the mapping ({', '.join(left[:5])})"
    yield from _differing_analysis(index, there)


def _differing_analysis(index: IndexDefinition, there: IndexDefinition) -> Iterator[str]:
    one, other = (
        {key: value for key, value in side.settings.items() if key.startswith(_ANALYSIS)} for side in (index, there)
    )
    left = differences(one, other) + [key for key in other if key.startswith(_ANALYSIS_OF_ALL) and key not in one]
    if left:
        yield f"the analysis ({', '.join(left[:5])})"


def conflicts(mapping: Mapping[str, Any], there: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Yield what of a mapping, or of the field ``above``, a server cannot take that has that one: for a dry run.

    Only what is sure: parameters that one side leaves out may have the other's value by default. ``mapping_merge`` in
    the domain judges by this server's defaults, which are not those of every version there.
    """
    for part in ("properties", "fields"):
        known = there.get(part, {})
        for name, field in mapping.get(part, {}).items():
            if name not in known:
                continue
            path, other = f"{above}{name}", known[name]
            one, two = field.get("type", "object"), other.get("type", "object")
            if one != two:
                yield f"[{path}] is [{two}] there, and here [{one}]"
                continue
            for key in _FIXED:
                if key in field and key in other and differences(field[key], other[key]):
                    yield f"[{key}] of [{path}] is [{other[key]}] there, and here [{field[key]}]"
            yield from conflicts(field, other, f"{path}.")


def differing_pipelines(index: IndexDefinition, there: IndexDefinition) -> list[str]:
    """Return the settings that name other pipelines there."""
    names = (*PIPELINE_SETTINGS, SEARCH_SETTING)
    return [key for key in names if index.settings.get(key, _NONE) != there.settings.get(key, _NONE)]


def differing_aliases(index: IndexDefinition, target: Side, there: IndexDefinition) -> dict[str, Any]:
    """Return the aliases that are missing there or are others, as that server can have them."""
    wanted = {name: dict(body) for name, body in index.aliases.items()}
    if target.antiphon:
        for body in wanted.values():
            body.pop("is_hidden", None)
    return {
        name: body
        for name, body in wanted.items()
        if name not in there.aliases or differences(body, there.aliases[name])
    }


def _create(index: IndexDefinition, mappings: dict[str, Any], target: Side, journal: Journal) -> None:
    blocks = [key for key in index.settings if key.startswith(_BLOCKS)]
    if blocks:
        journal.note(f"{', '.join(blocks)} stays behind: it would keep the documents out")
    settings = {key: value for key, value in index.settings.items() if key not in (*PIPELINE_SETTINGS, *blocks)}
    aliases = _free_aliases(index, index.aliases, target, journal)
    body = {"settings": translate_settings(settings, target), "mappings": mappings, "aliases": aliases}
    if journal.change(f"create index [{index.name}]"):
        _put_index(index.name, body, target, journal)


def _put_index(name: str, body: dict[str, Any], target: Side, journal: Journal) -> None:
    """Make an index without the settings that are not known there, which are told."""
    while True:
        status, answer, _ = target.client.send("PUT", f"/{segment(name)}", body)
        if status < 300:
            return
        unknown = _UNKNOWN.search(reason_of(answer))
        if unknown is None or unknown[1] not in body["settings"]:
            raise AntiphonError(f"PUT /{segment(name)} was answered with {status}: {reason_of(answer)}")
        journal.note(f"{unknown[1]} stays behind: {target.name} does not know it")
        del body["settings"][unknown[1]]


def _extend(
    index: IndexDefinition, mappings: dict[str, Any], there: IndexDefinition, target: Side, journal: Journal
) -> None:
    missing = differences(mappings, there.mappings)
    if not missing:
        journal.note(f"[{index.name}] is {target.place} with the same mapping")
    elif journal.dry_run and (clashes := list(conflicts(mappings, there.mappings))):
        raise AntiphonError(
            f"the mapping of [{index.name}] on {target.name} cannot become this one: {'; '.join(clashes[:5])}; delete "
            "that index if it is not wanted"
        )
    elif journal.change(f"add to the mapping of [{index.name}]: {', '.join(missing[:5])}"):
        status, answer, _ = target.client.send("PUT", f"/{segment(index.name)}/_mapping", mappings)
        if status >= 300:
            raise AntiphonError(
                f"the mapping of [{index.name}] on {target.name} cannot become this one, and no document was written: "
                f"{reason_of(answer)}; delete that index if it is not wanted"
            )
    wanted = _free_aliases(index, differing_aliases(index, target, there), target, journal)
    for name, body in wanted.items():
        if journal.change(f"set the alias [{name}] of [{index.name}]"):
            action = {"add": {"index": index.name, "alias": name, **body}}
            target.client.ask("POST", "/_aliases", {"actions": [action]})


def _free_aliases(index: IndexDefinition, wanted: Mapping[str, Any], target: Side, journal: Journal) -> dict[str, Any]:
    """Return the aliases whose names mean nothing else there; the others are told."""
    free = {}
    for name, body in wanted.items():
        others = sorted({*(target.client.find(f"/{segment(name)}") or {})} - {index.name})
        if others:
            journal.note(f"the alias [{name}] stays behind: {target.place} it means [{', '.join(others)}]")
            continue
        if target.antiphon and body.get("is_hidden"):
            journal.note(f"the alias [{name}] will not be hidden {target.place}: Antiphon hides indexes only")
        free[name] = {key: value for key, value in body.items() if key != "is_hidden" or not target.antiphon}
    return free


def must_be_writable(there: IndexDefinition, target: Side) -> None:
    """AntiphonError when the index is blocked against writing."""
    blocks = [key for key, value in there.settings.items() if key.startswith(_BLOCKS) and str(value).lower() == "true"]
    if blocks:
        raise AntiphonError(
            f"[{there.name}] on {target.name} takes no documents, {blocks[0]} is true: "
            f"PUT /{segment(there.name)}/_settings {blocks[0]}: null"
        )


def set_pipelines(index: IndexDefinition, target: Side, journal: Journal) -> None:
    """Give the index there the ingest pipelines that it has here."""
    there = read_index(target, index.name)
    if there is None:  # a dry run
        for key in PIPELINE_SETTINGS:
            if key in index.settings:
                journal.change(f"set {key} of [{index.name}] to [{index.settings[key]}]")
        return
    for key in differing_pipelines(index, there):
        wanted = index.settings.get(key, _NONE)
        if journal.change(f"set {key} of [{index.name}] to [{wanted}]"):
            target.client.ask("PUT", f"/{segment(index.name)}/_settings", {key: wanted})


def translate_settings(settings: Mapping[str, Any], target: Side) -> dict[str, Any]:
    """Return the settings that the version there knows."""
    known = dict(settings)
    if not target.antiphon and target.version < (2, 12):
        known.pop(SEARCH_SETTING, None)
    return known

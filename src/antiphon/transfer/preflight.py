"""Can that server take what is to be brought there? Every finding says what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from antiphon.domain.package import PackageInspection
from antiphon.errors import AntiphonError, reason_of
from antiphon.transfer.indexes import IndexDefinition
from antiphon.transfer.journal import Journal
from antiphon.transfer.models import SourceModel, find_model
from antiphon.transfer.side import Side

_PREFIX = "plugins.ml_commons."
_PLUGINS = (("ml", "opensearch-ml"), ("knn", "opensearch-knn"), ("neural", "opensearch-neural-search"))
_RUNTIME = "1.16.3"
"""ONNX Runtime of OpenSearch 2.19 and 3.6 alike; other versions have this one or a newer one."""
_MOST_IR, _MOST_OPSET = 9, 19
"""What that runtime reads (ONNX Runtime's compatibility table)."""
_FOUR_BITS = 8
"""How much larger 4-bit weights are once they are unpacked."""
_BREAKER_PERCENT = 90


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to do: ``setting`` (name, value) can be applied; ``blocks`` when nothing works without it."""

    text: str
    setting: tuple[str, str] | None = None
    blocks: bool = True


@dataclass(frozen=True, slots=True)
class Needs:
    """What is to be brought there, and how: ``url`` is where the cluster shall fetch a package itself."""

    models: Sequence[SourceModel]
    indexes: Sequence[IndexDefinition]
    url: str | None = None


def preflight(
    target: Side, needs: Needs, journal: Journal, inspect: Callable[[SourceModel], PackageInspection], *, apply: bool
) -> None:
    """Tell what stands in the way there; with ``apply`` change the settings that do.

    AntiphonError when something is left that nothing works without. ``inspect`` looks into a model's zip.
    """
    journal.title(f"preflight: {target.name}")
    findings = list(_rights(target)) or _findings(target, needs, inspect)
    blocked = 0
    for finding in findings:
        if finding.setting is not None and apply:
            name, value = finding.setting
            if journal.change(f"set {name} to {value}: {finding.text}"):
                target.client.ask("PUT", "/_cluster/settings", {"persistent": {name: value}})
            continue
        how = f" (PUT /_cluster/settings {finding.setting[0]}: {finding.setting[1]})" if finding.setting else ""
        journal.note(f"{'to do' if finding.blocks else 'note'}: {finding.text}{how}")
        blocked += finding.blocks
    if blocked:
        settings = any(finding.setting for finding in findings)
        hint = ", or let --apply-settings change the settings" if settings else ""
        raise AntiphonError(f"{target.name} is not ready for it: do what is listed above{hint}")
    if not findings:
        journal.note("nothing to do")


def _findings(target: Side, needs: Needs, inspect: Callable[[SourceModel], PackageInspection]) -> list[Finding]:
    """Everything that is seen with the rights to see it."""
    found = [] if target.antiphon else [*_version(target, needs), *_plugins(target, needs), *_blocks(target)]
    if any(finding.blocks for finding in found):
        return found
    fresh = [model for model in needs.models if _to_upload(target, model)]
    found += [*_resources(target, fresh), *_settings(target, needs, fresh)]
    return found + [finding for model in fresh for finding in _lint(target, model, inspect)]


def _to_upload(target: Side, model: SourceModel) -> bool:
    there = find_model(target, model)
    return there is None or there.state == "REGISTERING"


def _rights(target: Side) -> Iterator[Finding]:
    """What the user may not do, found by asking what a transfer asks anyway."""
    asked = (
        ("GET", "/_cluster/settings", "cluster_monitor"),
        ("GET", "/_ingest/pipeline", "manage_ingest_pipelines"),
        ("POST", "/_plugins/_ml/models/_search", "ml_full_access"),
    )
    for method, path, role in asked:
        status, answer, _ = target.client.send(method, path, {"size": 0} if method == "POST" else None)
        if status == 401:
            raise AntiphonError(f"{target.client.url} does not know this user or password: {reason_of(answer)}")
        if status == 403:
            yield Finding(f"{method} {path} is forbidden: give the user the role {role} ({reason_of(answer)})")


def _version(target: Side, needs: Needs) -> Iterator[Finding]:
    asymmetric = [model for model in needs.models if model.config.asymmetric]
    if target.version < (2, 9):
        yield Finding(f"OpenSearch {target.number} is too old for semantic search with local models: 2.14 or newer")
    elif asymmetric and not target.knows_roles:
        yield Finding(f"OpenSearch {target.number} does not know asymmetric models: 2.14 or newer")
    elif asymmetric and not target.searches_by_roles:
        yield Finding(
            f"OpenSearch {target.number} embeds with [{asymmetric[0].name}] by _predict only; its pipelines and neural "
            "queries cannot say query or passage before 3.5. `antiphon serve --cluster` embeds in front of it, or "
            "`antiphon connect` makes a model for each role",
            blocks=False,
        )
    if not target.knows_semantic and any(index.has_semantic for index in needs.indexes):
        yield Finding(
            "semantic fields, which came with 3.1, become text beside their vectors there; `antiphon serve --cluster` "
            "knows them again, and embeds what is written through it",
            blocks=False,
        )


def _blocks(target: Side) -> Iterator[Finding]:
    """What keeps all writing out; somebody has set it on purpose, or a full disk."""
    known = cluster_settings(target)
    for name in ("cluster.blocks.read_only", "cluster.blocks.read_only_allow_delete", "cluster.blocks.create_index"):
        if known.get(name) == "true":
            what = "no new index can be made" if name.endswith("index") else "nothing can be written"
            yield Finding(f"{what} there while {name} is true", blocks=not name.endswith("index"))


def _plugins(target: Side, needs: Needs) -> Iterator[Finding]:
    rows = target.client.ask("GET", "/_cat/plugins?format=json")
    there = " ".join(row["component"] for row in rows)
    wanted = [name for part, name in _PLUGINS if part not in there]
    if not needs.models:
        wanted = [name for name in wanted if name != "opensearch-ml"]
    for name in wanted:
        yield Finding(f"the plugin {name} is not installed there: install it on every node")


def _resources(target: Side, models: Sequence[SourceModel]) -> Iterator[Finding]:
    if target.antiphon or not models:
        return
    nodes = target.client.ask("GET", "/_nodes/stats/os,fs")["nodes"]
    known = cluster_settings(target)
    need = sum(model.size_bytes for model in models)
    free = min(node["fs"]["total"]["available_in_bytes"] for node in nodes.values())
    floor = _bytes(known.get(f"{_PREFIX}disk_free_space_threshold", "5gb"))
    if free < floor + 3 * need:
        yield Finding(
            f"a node has {free / 2**30:.1f} GB of disk free; {need / 2**30:.1f} GB of models need about three times "
            f"that, and {floor / 2**30:.1f} GB must stay free ({_PREFIX}disk_free_space_threshold): make room"
        )
    used = max(node["os"]["mem"]["used_percent"] for node in nodes.values())
    limit = int(float(known.get(f"{_PREFIX}native_memory_threshold", _BREAKER_PERCENT)))
    if limit < 100 and used >= limit:
        yield Finding(
            f"a node uses {used} % of its memory (the system's file cache counts), over the limit of {limit} %: "
            "models would not be deployed",
            (f"{_PREFIX}native_memory_threshold", "100"),
        )
    memory = min(node["os"]["mem"]["total_in_bytes"] for node in nodes.values())
    if memory < 2 * need * _FOUR_BITS:
        yield Finding(
            f"a node has {memory / 2**30:.1f} GB of memory; {need / 2**30:.2f} GB of models may take "
            f"{need * _FOUR_BITS / 2**30:.1f} GB once their weights are unpacked",
            blocks=False,
        )


def _settings(target: Side, needs: Needs, fresh: Sequence[SourceModel]) -> Iterator[Finding]:
    if not needs.models:
        return
    known = cluster_settings(target)
    if known.get(f"{_PREFIX}local_model.enabled", "true") == "false":
        yield Finding("local models are switched off there", (f"{_PREFIX}local_model.enabled", "true"))
    if not target.antiphon and known.get(f"{_PREFIX}only_run_on_ml_node", "true") == "true":
        roles = [row["node.roles"] for row in target.client.ask("GET", "/_cat/nodes?format=json&h=node.roles")]
        if not any("ml" in role.split(",") for role in roles):
            name = f"{_PREFIX}only_run_on_ml_node"
            yield Finding("models run on ML nodes only, and there is none", (name, "false"))
    if not fresh:
        return
    way = "local_file" if needs.url is None else "url"
    name = f"{_PREFIX}allow_registering_model_via_{way}"
    if known.get(name, "false") != "true":
        doing = "uploaded" if needs.url is None else "registered by URL"
        yield Finding(f"models may not be {doing} there", (name, "true"))
    pattern = known.get(f"{_PREFIX}trusted_url_regex")
    if needs.url is not None and pattern and not re.search(pattern, needs.url):
        yield Finding(f"{needs.url} does not match {_PREFIX}trusted_url_regex, which is {pattern}: change one of them")


def _lint(target: Side, model: SourceModel, inspect: Callable[[SourceModel], PackageInspection]) -> Iterator[Finding]:
    if target.antiphon:
        return
    seen = inspect(model)
    for refusal in seen.refusals:
        yield Finding(f"the package [{model.name}]: {refusal}")
    if seen.ir_version > _MOST_IR or seen.opset > _MOST_OPSET:
        yield Finding(
            f"the graph of [{model.name}] has IR version {seen.ir_version} and opset {seen.opset}; ONNX Runtime "
            f"{_RUNTIME} reads IR {_MOST_IR} and opset {_MOST_OPSET} at most: build it with `antiphon model build`",
        )


def cluster_settings(target: Side) -> dict[str, str]:
    """Return the settings in force there by flat name, lists as JSON."""
    answer: dict[str, Any] = target.client.ask("GET", "/_cluster/settings?include_defaults=true&flat_settings=true")
    merged: dict[str, Any] = {}
    for layer in ("defaults", "persistent", "transient"):
        merged |= answer.get(layer, {})
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in merged.items()}


def _bytes(text: str) -> int:
    found = re.fullmatch(r"(-?\d+(?:\.\d+)?)\s*([kmgt]?)b?", text.strip().lower())
    if found is None:
        return 0
    return int(float(found[1]) * 1024 ** " kmgt".index(found[2] or " "))

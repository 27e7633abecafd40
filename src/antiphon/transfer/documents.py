"""Documents from one server to another, with the vectors they hold; what is there already is not sent again."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from antiphon.errors import AntiphonError
from antiphon.remote import Patience, outcome_status, reason_of, segment, send_bulk
from antiphon.transfer.journal import Journal
from antiphon.transfer.side import Side

PAGE = 500
SAMPLE = 200
_KEEP = "5m"
_MAX_BYTES = 8 * 1024 * 1024
_SHOWN = 5
_FINAL = "index.final_pipeline"

Document = dict[str, Any]
"""A hit: ``_id``, ``_source``, maybe ``_routing``."""


@dataclass(slots=True)
class Copied:
    """What a copy did: documents read, those sent because they were missing or others, the ids of a sample."""

    read: int = 0
    sent: int = 0
    took_s: float = 0.0
    sample: list[tuple[str, str | None]] = field(default_factory=list)


def pages(side: Side, index: str, size: int = PAGE) -> Iterator[list[Document]]:
    """Yield all documents as they were at the first call, ``size`` at a time."""
    first = {"size": size, "sort": ["_doc"], "version": False}
    answer = side.client.ask("POST", f"/{segment(index)}/_search?scroll={_KEEP}", first)
    scroll_id = answer["_scroll_id"]
    try:
        while hits := answer["hits"]["hits"]:
            yield hits
            answer = side.client.ask("POST", "/_search/scroll", {"scroll": _KEEP, "scroll_id": scroll_id})
            scroll_id = answer["_scroll_id"]
    finally:
        side.client.send("DELETE", "/_search/scroll", {"scroll_id": [scroll_id]})


def count(side: Side, index: str) -> int:
    """Return how many documents can be found now."""
    side.client.ask("POST", f"/{segment(index)}/_refresh")
    return int(side.client.ask("GET", f"/{segment(index)}/_count")["count"])


def copy_documents(source: Side, target: Side, index: str, journal: Journal, *, fresh: bool) -> Copied:
    """Bring every document of ``index`` there; with ``fresh`` nothing is there yet, so nothing is compared first.

    Vectors go as they are: no pipeline runs. In a dry run the documents are compared, and none is sent.
    """
    total = count(source, index)
    copied, chance, began = Copied(), random.Random(total), time.monotonic()  # noqa: S311  a sample
    with _final_pipeline_off(target, index, journal):
        for page in pages(source, index):
            wanted = page if fresh else _differing(target, index, page)
            if wanted and not journal.dry_run:
                _send(target, index, wanted, journal)
            copied.read += len(page)
            copied.sent += len(wanted)
            _keep_some(copied, page, chance)
            journal.on_progress(f"  [{index}]", copied.read, total)
    copied.took_s = time.monotonic() - began
    return copied


def tell(copied: Copied, index: str, journal: Journal) -> None:
    """Tell what a copy did, or would do."""
    rate = f", {copied.sent / copied.took_s:,.0f}/s" if copied.sent and copied.took_s and not journal.dry_run else ""
    if copied.sent:
        journal.change(f"write {copied.sent:,} of {copied.read:,} documents to [{index}]{rate}")
    else:
        journal.note(f"all {copied.read:,} documents of [{index}] are there as they are here")


def check_documents(
    source: Side, target: Side, index: str, sample: Sequence[tuple[str, str | None]], journal: Journal
) -> None:
    """Compare the counts of both sides, and the sources of a sample; a difference fails."""
    here, there = count(source, index), count(target, index)
    if here != there:
        more = "; it has documents that are not here: delete them there, or the index" if there > here else ""
        journal.fail(f"[{index}] has {here:,} documents here and {there:,} there{more}")
    differing = [doc_id for doc_id, one, other in _sources(source, target, index, sample) if one != other]
    if differing:
        shown = ", ".join(differing[:_SHOWN])
        journal.fail(f"{len(differing)} of {len(sample)} documents of [{index}] differ there, such as {shown}")
    elif here == there:
        journal.note(f"{here:,} documents on both, a sample of {len(sample)} is the same")
    journal.facts.setdefault("documents", {})[index] = {"here": here, "there": there, "differing": len(differing)}


def sample_ids(side: Side, index: str, size: int = SAMPLE) -> list[tuple[str, str | None]]:
    """Return ids with routing of documents picked by chance, always the same as long as the index is."""
    body = {
        "size": size,
        "_source": False,
        "query": {"function_score": {"query": {"match_all": {}}, "random_score": {"seed": 7, "field": "_seq_no"}}},
    }
    hits = side.client.ask("POST", f"/{segment(index)}/_search", body)["hits"]["hits"]
    return [(hit["_id"], hit.get("_routing")) for hit in hits]


def _keep_some(copied: Copied, page: list[Document], chance: random.Random) -> None:
    """Keep a sample of everything read so far, each document with the same chance."""
    for place, hit in enumerate(page, copied.read - len(page)):
        if len(copied.sample) < SAMPLE:
            copied.sample.append((hit["_id"], hit.get("_routing")))
        elif (slot := chance.randint(0, place)) < SAMPLE:
            copied.sample[slot] = (hit["_id"], hit.get("_routing"))


def _sources(
    source: Side, target: Side, index: str, sample: Sequence[tuple[str, str | None]]
) -> Iterator[tuple[str, Any, Any]]:
    for start in range(0, len(sample), PAGE):
        part = sample[start : start + PAGE]
        here, there = _held(source, index, part), _held(target, index, part)
        yield from ((doc_id, here.get(doc_id), there.get(doc_id)) for doc_id, _ in part)


def _held(side: Side, index: str, ids: Sequence[tuple[str, str | None]]) -> dict[str, Any]:
    """Return id -> source of those that are there."""
    docs = [{"_id": doc_id} | ({} if routing is None else {"routing": routing}) for doc_id, routing in ids]
    found = side.client.ask("POST", f"/{segment(index)}/_mget", {"docs": docs})["docs"]
    return {doc["_id"]: doc.get("_source") for doc in found if doc.get("found")}


def _differing(target: Side, index: str, page: list[Document]) -> list[Document]:
    there = _held(target, index, [(hit["_id"], hit.get("_routing")) for hit in page])
    return [hit for hit in page if there.get(hit["_id"]) != hit["_source"]]


def _send(target: Side, index: str, hits: list[Document], journal: Journal) -> None:
    lines: list[Any] = []
    held = 0
    for hit in hits:
        action = {"_id": hit["_id"]} | ({"routing": hit["_routing"]} if "_routing" in hit else {})
        lines += [{"index": action}, hit["_source"]]
        held += len(json.dumps(hit["_source"]))
        if held > _MAX_BYTES:
            _bulk(target, index, lines, journal)
            lines, held = [], 0
    if lines:
        _bulk(target, index, lines, journal)


def _bulk(target: Side, index: str, lines: list[Any], journal: Journal) -> None:
    what = f"documents {lines[0]['index']['_id']} to {lines[-2]['index']['_id']} of [{index}]"
    outcomes, _ = send_bulk(
        target.client, f"/{segment(index)}/_bulk?pipeline=_none", lines, what, Patience(journal.wait)
    )
    bad = [outcome["index"] for outcome in outcomes if outcome_status(outcome) >= 300]
    if bad:
        first = bad[0]
        raise AntiphonError(
            f"{len(bad)} of {len(outcomes)} documents of [{index}] were refused there, the first is [{first['_id']}]: "
            f"{reason_of(first)}; run it again to go on"
        )


class _final_pipeline_off:  # noqa: N801  reads as a state where it is used
    """While documents are copied, an index that is there runs no final pipeline, which no request can switch off."""

    def __init__(self, target: Side, index: str, journal: Journal) -> None:
        self._target, self._path = target, f"/{segment(index)}/_settings"
        answer = None if journal.dry_run else target.client.find(f"{self._path}?flat_settings=true")
        settings = next(iter(answer.values()))["settings"] if answer else {}
        self._name = settings.get(_FINAL, "_none")

    def __enter__(self) -> None:
        if self._name != "_none":
            self._target.client.ask("PUT", self._path, {_FINAL: "_none"})

    def __exit__(self, *exc: object) -> None:
        if self._name != "_none":
            self._target.client.ask("PUT", self._path, {_FINAL: self._name})

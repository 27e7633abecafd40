"""Documents from one server to another, with the vectors they hold; what is there already is not sent again."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from antiphon.errors import AntiphonError, reason_of
from antiphon.remote import Patience, outcome_status, segment, send_bulk
from antiphon.transfer.alike import Alike
from antiphon.transfer.journal import Journal
from antiphon.transfer.side import Side

PAGE = 500
"""Documents of a page at most; large ones come in smaller pages."""
SAMPLE = 200
_PAGE_BYTES = 8 * 1024 * 1024
_MEASURED = 20
_MOST_REFUSED = 100
_KEEP = "5m"
_MAX_BYTES = 8 * 1024 * 1024
_SHOWN = 5
_FINAL = "index.final_pipeline"
_WINDOW = "index.max_result_window"
_BAD_REQUEST = 400

Document = dict[str, Any]
"""A hit: ``_id``, ``_source``, maybe ``_routing``."""


@dataclass(slots=True)
class Copied:
    """What a copy did: documents read, those written because they were missing or others, the ids of a sample.

    ``refused`` has a line for each document that the other side did not take.
    """

    read: int = 0
    sent: int = 0
    took_s: float = 0.0
    sample: list[tuple[str, str | None]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def page_size(side: Side, index: str) -> int:
    """Return how many documents go into one answer, so that it has about ``_PAGE_BYTES`` even if all are large.

    The largest of some documents picked by chance is taken for all.
    """
    window = most_hits(side, index)
    picked = _picked(min(_MEASURED, window), 5) | {"_source": True}
    hits = side.client.ask("POST", f"/{segment(index)}/_search", picked)["hits"]["hits"]
    largest = max((len(json.dumps(hit.get("_source"))) for hit in hits), default=1)
    return max(1, min(PAGE, window, _PAGE_BYTES // largest))


def most_hits(side: Side, index: str) -> int:
    """Return how many hits one search of the index may ask for."""
    answer = side.client.ask("GET", f"/{segment(index)}/_settings/{_WINDOW}?flat_settings=true")
    return min((int(body["settings"][_WINDOW]) for body in answer.values() if body["settings"]), default=10_000)


def pages(side: Side, index: str, size: int) -> Iterator[list[Document]]:
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


def copy_documents(source: Side, target: Side, index: str, alike: Alike, journal: Journal, *, fresh: bool) -> Copied:
    """Bring every document of ``index`` there; with ``fresh`` nothing is there yet, so nothing is compared first.

    Vectors go as they are: no pipeline runs. A document that is refused for what it holds keeps none of the others
    back. In a dry run the documents are compared, and none is sent.
    """
    total = count(source, index)
    copied, chance, began = Copied(), random.Random(total), time.monotonic()  # noqa: S311  a sample
    size = page_size(source, index)
    with _final_pipeline_off(target, index, journal):
        for page in pages(source, index, size):
            wanted = page if fresh else _differing(target, index, page, alike)
            refused = [] if journal.dry_run else _send(target, index, wanted, journal)
            copied.read += len(page)
            copied.sent += len(wanted) - len(refused)
            copied.refused += refused
            if len(copied.refused) > _MOST_REFUSED:
                break
            _keep_some(copied, page, chance)
            journal.on_progress(f"  [{index}]", copied.read, total)
    copied.took_s = time.monotonic() - began
    return copied


def tell(copied: Copied, index: str, target: Side, journal: Journal) -> None:
    """Tell what a copy did, or would do; documents that were refused fail."""
    rate = f", {copied.sent / copied.took_s:,.0f}/s" if copied.sent and copied.took_s and not journal.dry_run else ""
    if copied.sent:
        journal.change(f"write {copied.sent:,} of {copied.read:,} documents to [{index}]{rate}")
    elif not copied.refused:
        source = "there" if target.place == "here" else "here"
        journal.note(f"all {copied.read:,} documents of [{index}] are {target.place} as they are {source}")
    if copied.refused:
        more = f"; the copy ended after {copied.read:,}" if len(copied.refused) > _MOST_REFUSED else ""
        shown = "; ".join(copied.refused[:_SHOWN])
        journal.fail(f"{len(copied.refused)} documents of [{index}] were refused {target.place}{more}: {shown}")


def check_documents(
    source: Side, target: Side, index: str, sample: Sequence[tuple[str, str | None]], alike: Alike, journal: Journal
) -> None:
    """Compare the counts of both sides, and the sources of a sample; a difference fails."""
    one, other = count(source, index), count(target, index)
    if one != other:
        if other > one:
            why = f"; it has documents that are not {source.place}: delete them {target.place}, or the index"
        elif any(routing is not None for _, routing in sample):
            why = "; documents of one id and several routings are one document where there is one shard"
        else:
            why = "; `antiphon push` or `pull` brings what is missing, or what was written meanwhile"
        journal.fail(f"[{index}] has {one:,} documents {source.place} and {other:,} {target.place}{why}")
    differing = [doc_id for doc_id, mine, its in _sources(source, target, index, sample) if not alike(mine, its)]
    if differing:
        shown = ", ".join(differing[:_SHOWN])
        journal.fail(f"{len(differing)} of {len(sample)} documents of [{index}] differ {target.place}, such as {shown}")
    elif one == other and one == len(sample):
        journal.note(f"{one:,} documents on both, all are the same")
    elif one == other:
        journal.note(f"{one:,} documents on both, a sample of {len(sample)} is the same")
    counts = {source.place: one, target.place: other, "differing": len(differing)}
    journal.facts.setdefault("documents", {})[index] = counts


def sample_ids(side: Side, index: str, size: int = SAMPLE) -> list[tuple[str, str | None]]:
    """Return ids with routing of documents picked by chance, always the same as long as the index is."""
    picked = _picked(min(size, most_hits(side, index)), 7)
    hits = side.client.ask("POST", f"/{segment(index)}/_search", picked)["hits"]["hits"]
    return [(hit["_id"], hit.get("_routing")) for hit in hits]


def _picked(size: int, seed: int) -> dict[str, Any]:
    """Return a search for documents picked by chance, the same ones as long as the index is the same."""
    chance = {"query": {"match_all": {}}, "random_score": {"seed": seed, "field": "_seq_no"}}
    return {"size": size, "_source": False, "query": {"function_score": chance}}


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
    size = page_size(source, index)
    for start in range(0, len(sample), size):
        part = sample[start : start + size]
        here, there = _held(source, index, part), _held(target, index, part)
        yield from ((doc_id, here.get(doc_id), there.get(doc_id)) for doc_id, _ in part)


def _held(side: Side, index: str, ids: Sequence[tuple[str, str | None]]) -> dict[str, Any]:
    """Return id -> source of those that are there."""
    docs = [{"_id": doc_id} | ({} if routing is None else {"routing": routing}) for doc_id, routing in ids]
    found = side.client.ask("POST", f"/{segment(index)}/_mget", {"docs": docs})["docs"]
    return {doc["_id"]: doc.get("_source") for doc in found if doc.get("found")}


def _differing(target: Side, index: str, page: list[Document], alike: Alike) -> list[Document]:
    there = _held(target, index, [(hit["_id"], hit.get("_routing")) for hit in page])
    return [hit for hit in page if not alike(hit["_source"], there.get(hit["_id"]))]


def _send(target: Side, index: str, hits: list[Document], journal: Journal) -> list[str]:
    """Write documents; return a line for each that is refused for what it holds."""
    lines: list[Any] = []
    refused: list[str] = []
    held = 0
    for hit in hits:
        try:
            held += len(json.dumps(hit["_source"], allow_nan=False))
        except ValueError:
            refused.append(f"[{hit['_id']}] holds a number beyond 1.8e308, which is infinite to who reads it")
            continue
        action = {"_id": hit["_id"]} | ({"routing": hit["_routing"]} if "_routing" in hit else {})
        lines += [{"index": action}, hit["_source"]]
        if held > _MAX_BYTES:
            refused += _bulk(target, index, lines, journal)
            lines, held = [], 0
    return refused + (_bulk(target, index, lines, journal) if lines else [])


def _bulk(target: Side, index: str, lines: list[Any], journal: Journal) -> list[str]:
    what = f"documents {lines[0]['index']['_id']} to {lines[-2]['index']['_id']} of [{index}]"
    outcomes, _ = send_bulk(
        target.client, f"/{segment(index)}/_bulk?pipeline=_none", lines, what, Patience(journal.wait)
    )
    bad = [outcome["index"] for outcome in outcomes if outcome_status(outcome) >= 300]
    state = next((one for one in bad if one["status"] != _BAD_REQUEST), None)
    if state is not None:
        raise AntiphonError(
            f"{len(bad)} of {len(outcomes)} documents of [{index}] were refused {target.place}, one is "
            f"[{state['_id']}]: {reason_of(state)}; run it again to go on"
        )
    return [f"[{one['_id']}] {reason_of(one)}" for one in bad]


class _final_pipeline_off:  # noqa: N801  reads as a state where it is used
    """While documents are copied, an index that is there runs no final pipeline, which no request can switch off."""

    def __init__(self, target: Side, index: str, journal: Journal) -> None:
        self._journal = journal
        self._target, self._path = target, f"/{segment(index)}/_settings"
        answer = None if journal.dry_run else target.client.find(f"{self._path}?flat_settings=true")
        settings = next(iter(answer.values()))["settings"] if answer else {}
        self._name = settings.get(_FINAL, "_none")

    def __enter__(self) -> None:
        if self._name != "_none":
            self._journal.note(f"its final pipeline [{self._name}] is off while documents are copied")
            try:
                self._target.client.ask("PUT", self._path, {_FINAL: "_none"})
            except BaseException:  # told to end, it may be off already
                self.__exit__()
                raise

    def __exit__(self, *exc: object) -> None:
        if self._name != "_none":
            self._target.client.ask("PUT", self._path, {_FINAL: self._name})

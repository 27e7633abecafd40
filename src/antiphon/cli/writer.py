"""Writes documents into an index: what is unchanged is skipped, what an earlier run cut otherwise is removed."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from antiphon.cli.files import Item, content_hash
from antiphon.errors import IllegalArgument, reason_of
from antiphon.remote import Patience, RestClient, segment, send_bulk

OWN = "antiphon"
"""The object field that ingest keeps in each document: ``hash`` of its content; ``parent`` and ``chunk`` of a piece."""

_MAPPING = {
    "properties": {
        OWN: {
            "properties": {
                "hash": {"type": "keyword", "index": False},
                "parent": {"type": "keyword"},
                "chunk": {"type": "integer"},
            }
        }
    }
}
_MAX_BATCH_BYTES = 8 * 1024 * 1024
_PAGE = 10_000
_SHOWN_FAILURES = 5
_REMEMBERED = 1_000_000
_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(.))")


@dataclass(slots=True)
class Tally:
    """What happened to the documents so far; ``failures`` has the first few."""

    written: int = 0
    skipped: int = 0
    removed: int = 0
    failed: int = 0
    without_text: int = 0
    embedded: str = ""
    repeated: int = 0
    first_repeated: str = ""
    failures: list[str] = field(default_factory=list)
    notices: dict[str, int] = field(default_factory=dict)


class Writer:
    """Writes into one index, which must be there, and keeps the tally; ``patience`` is for a busy server.

    ``embedded``: the fields whose text is embedded; documents without any of them are counted.
    """

    def __init__(
        self, client: RestClient, index: str, embedded: Collection[str] = (), patience: Patience | None = None
    ) -> None:
        self.tally = Tally(embedded=" or ".join(f"[{name}]" for name in sorted(embedded)))
        self._embedded = [name.split(".") for name in embedded]
        self._patience = patience or Patience(time.sleep)
        self._client = client
        self._path = f"/{segment(index)}"
        self._seen: set[int] = set()
        self._failed_parents: set[str] = set()
        self._pieces_there = self._prepare(index)

    def write(self, items: list[Item]) -> None:
        """Write one batch: ask for the hashes that are there, send what differs, then remove what is left over."""
        for item in items:
            self._refuse_own_field(item)
        again = [item for item in items if item.chunk == 0 and self._is_repeated(item)]
        changed = self._changed({item.id: item for item in items})
        if changed:
            self._send(changed)
        if again:  # what this run wrote of them before may be more pieces than they have now
            self._pieces_there = True
            self._client.ask("POST", f"{self._path}/_refresh")
        whole = [item for item in items if item.pieces == 0 or item.chunk == item.pieces - 1]
        self._remove_left_over({item.parent or item.id: item.pieces for item in whole})

    def _prepare(self, index: str) -> bool:
        """Map the own field; return whether an earlier run wrote pieces."""
        for name, one in self._client.ask("GET", f"{self._path}/_mapping").items():
            if OWN not in one["mappings"].get("properties", {}):
                self._client.ask("PUT", f"/{segment(name)}/_mapping", _MAPPING)
            elif "hash" not in one["mappings"]["properties"][OWN].get("properties", {}):
                raise IllegalArgument(f"[{index}] has a field [{OWN}] of its own, where ingest keeps what it needs")
        self._client.ask("POST", f"{self._path}/_refresh")
        count = self._client.ask("POST", f"{self._path}/_count", {"query": {"exists": {"field": f"{OWN}.parent"}}})
        return bool(count["count"])

    def _refuse_own_field(self, item: Item) -> None:
        if OWN in item.source:
            raise IllegalArgument(f"{item.place} has a field [{OWN}], where ingest keeps what it needs: rename it")

    def _is_repeated(self, item: Item) -> bool:
        key = hash(item.parent or item.id)
        if key in self._seen:
            self.tally.repeated += 1
            self.tally.first_repeated = self.tally.first_repeated or f"{item.place} (id {item.parent or item.id})"
            return True
        if len(self._seen) < _REMEMBERED:
            self._seen.add(key)
        if self._embedded and not any(_has_text(item.source, path) for path in self._embedded):
            self.tally.without_text += 1
        return False

    def _changed(self, items: dict[str, Item]) -> list[tuple[Item, str]]:
        """Return the documents whose content is not what is there, with its hash."""
        there = self._hashes(items)
        changed = []
        for item in items.values():
            digest = content_hash(item.source)
            if there.get(item.id) == digest:
                self.tally.skipped += 1
            else:
                changed.append((item, digest))
        return changed

    def _hashes(self, ids: Iterable[str]) -> dict[str, str]:
        """Return id -> hash of those that ingest has written."""
        wanted = {"docs": [{"_id": id_, "_source": [f"{OWN}.hash"]} for id_ in ids]}
        if not wanted["docs"]:
            return {}
        found = self._client.ask("POST", f"{self._path}/_mget", wanted)["docs"]
        return {doc["_id"]: own["hash"] for doc in found if "hash" in (own := doc.get("_source", {}).get(OWN, {}))}

    def _send(self, changed: list[tuple[Item, str]]) -> None:
        lines: list[Any] = []
        for item, digest in changed:
            own: dict[str, Any] = {"hash": digest}
            if item.parent is not None:
                own |= {"parent": item.parent, "chunk": item.chunk}
            lines += [{"index": {"_id": item.id}}, {**item.source, OWN: own}]
        places = f"{changed[0][0].place} to {changed[-1][0].place}" if len(changed) > 1 else changed[0][0].place
        outcomes = self._bulk(lines, places)
        for (item, _), outcome in zip(changed, outcomes, strict=True):
            error = outcome["index"].get("error")
            if error is None:
                self.tally.written += 1
                continue
            self.tally.failed += 1
            self._failed_parents.add(item.parent or item.id)
            if len(self.tally.failures) < _SHOWN_FAILURES:
                self.tally.failures.append(f"{item.place} (id {item.id}): {reason_of({'error': error})}")

    def _bulk(self, lines: list[Any], places: str) -> list[Any]:
        """Send one bulk request, again while the server is too busy for it; return the outcomes."""
        outcomes, warnings = send_bulk(self._client, f"{self._path}/_bulk", lines, places, self._patience)
        for warning in warnings:
            text = _text_of(warning)
            self.tally.notices[text] = self.tally.notices.get(text, 0) + 1
        return outcomes

    def _remove_left_over(self, parents: dict[str, int]) -> None:
        """Remove what earlier runs wrote for these documents and this one did not, ``parents``: id -> pieces now."""
        parents = {id_: count for id_, count in parents.items() if id_ not in self._failed_parents}
        stale = list(self._hashes(id_ for id_, count in parents.items() if count))
        by_count: dict[int, list[str]] = defaultdict(list)
        for id_, count in parents.items():
            by_count[count].append(id_)
        while self._pieces_there:
            found = self._stale_pieces(by_count)
            self._delete(stale + found)
            if len(found) < _PAGE:
                return
            stale = []
            self._client.ask("POST", f"{self._path}/_refresh")
        self._delete(stale)

    def _stale_pieces(self, by_count: dict[int, list[str]]) -> list[str]:
        if not by_count:
            return []
        clauses = [
            {
                "bool": {
                    "filter": [{"terms": {f"{OWN}.parent": ids}}, {"range": {f"{OWN}.chunk": {"gte": count}}}],
                }
            }
            for count, ids in by_count.items()
        ]
        query = {"bool": {"filter": [{"bool": {"should": clauses}}]}}
        body = {"query": query, "size": _PAGE, "_source": False}
        hits = self._client.ask("POST", f"{self._path}/_search", body)["hits"]["hits"]
        return [hit["_id"] for hit in hits]

    def _delete(self, ids: list[str]) -> None:
        if not ids:
            return
        outcomes = self._bulk([{"delete": {"_id": id_}} for id_ in ids], f"{len(ids)} documents left over")
        self.tally.removed += sum(outcome["delete"].get("result") == "deleted" for outcome in outcomes)


def batches(items: Iterator[Item], size: int) -> Iterator[list[Item]]:
    """Yield the documents in lists of at most ``size``, of some 8 MB at most unless one alone is larger."""
    batch: list[Item] = []
    held = 0
    for item in items:
        weight = len(orjson.dumps(item.source))
        if batch and held + weight > _MAX_BATCH_BYTES:
            yield batch
            batch, held = [], 0
        batch.append(item)
        held += weight
        if len(batch) == size:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def _has_text(value: Any, path: list[str]) -> bool:
    if isinstance(value, list):
        return any(_has_text(item, path) for item in value)
    if path and isinstance(value, dict):
        return _has_text(value.get(path[0]), path[1:])
    return not path and bool(value)


def _text_of(warning: str) -> str:
    """Return the text within a Warning header, its escapes undone."""
    _, _, rest = warning.partition('"')
    text = rest.rpartition('"')[0] or warning
    return _ESCAPE.sub(lambda found: found[4] or chr(int(found[1] or found[2] or found[3], 16)), text)

"""``antiphon ingest``: files into an index, unchanged documents skipped."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from antiphon.cli.files import Item, Options, content_hash, find_files, read_items, total_bytes
from antiphon.cli.rest_client import DEFAULT_URL, RestClient, Url, ndjson, reason_of, segment
from antiphon.cli.terminal import say
from antiphon.errors import AntiphonError, IllegalArgument

HASH_FIELD = "content_hash"
"""Where the hash of a document's content is kept; written with it, and compared by the next run."""

_WORD = re.compile(r"\w+|[^\w\s]")
_SAID_EVERY_S = 5.0


@dataclass(slots=True)
class Tally:
    """What happened to the documents so far."""

    written: int = 0
    skipped: int = 0
    failed: int = 0
    first_failure: str = ""
    notices: list[str] = field(default_factory=list)


def ingest(
    index: Annotated[str, typer.Argument(help="The index.")],
    files: Annotated[list[str], typer.Argument(help="JSON lines, CSV, Markdown or text files, folders; - for stdin.")],
    text_field: Annotated[str, typer.Option(help="Where the text of a Markdown or text file goes.")] = "text",
    id_field: Annotated[
        str | None, typer.Option(help="The field that holds the id; else _id, id, or a hash of the content.")
    ] = None,
    chunk: Annotated[
        int | None, typer.Option("--chunk", min=16, help="Cut texts into documents of at most this many tokens.")
    ] = None,
    batch: Annotated[int, typer.Option("--batch", min=1, max=5000, help="Documents per request.")] = 200,
    url: Url = DEFAULT_URL,
) -> None:
    """Write files into an index. A second run skips what has not changed."""
    found = find_files(files)
    tally = Tally()
    with RestClient(url) as client:
        if client.find(f"/{segment(index)}") is None:
            raise IllegalArgument(f"there is no index [{index}] on {client.url}: `antiphon index create {index}`")
        items = read_items(found, files, Options(id_field, text_field))
        if chunk is not None:
            items = _chunks(items, text_field, chunk)
        start = time.monotonic()
        with _progress(total_bytes(found)) as show:
            for batch_items in _batches(items, batch):
                _write(client, index, batch_items, tally)
                show(batch_items[-1].read_bytes, tally)
        client.ask("POST", f"/{segment(index)}/_refresh")
    _report(tally, time.monotonic() - start)


def _write(client: RestClient, index: str, items: list[Item], tally: Tally) -> None:
    """Write one batch: ask for the hashes that are there, send what differs."""
    hashes = [content_hash(item.source) for item in items]
    wanted = {"docs": [{"_id": item.id, "_source": [HASH_FIELD]} for item in items]}
    there = client.ask("POST", f"/{segment(index)}/_mget", wanted)["docs"]
    changed = [
        (item, digest)
        for item, digest, known in zip(items, hashes, there, strict=True)
        if known.get("_source", {}).get(HASH_FIELD) != digest
    ]
    tally.skipped += len(items) - len(changed)
    if not changed:
        return
    lines: list[Any] = []
    for item, digest in changed:
        lines += [{"index": {"_id": item.id}}, {**item.source, HASH_FIELD: digest}]
    status, answer, warnings = client.send("POST", f"/{segment(index)}/_bulk", ndjson(lines))
    if status >= 300:
        raise AntiphonError(f"the bulk request was answered with {status}: {reason_of(answer)}")
    tally.notices += warnings
    for (item, _), outcome in zip(changed, answer["items"], strict=True):
        error = outcome["index"].get("error")
        if error is None:
            tally.written += 1
            continue
        tally.failed += 1
        tally.first_failure = tally.first_failure or f"{item.place} (id {item.id}): {reason_of({'error': error})}"


def _report(tally: Tally, took_s: float) -> None:
    rate = tally.written / took_s if took_s > 0 else 0.0
    say(f"{tally.written} documents written in {took_s:.1f} s ({rate:.0f}/s), {tally.skipped} unchanged")
    for notice in dict.fromkeys(_text_of(notice) for notice in tally.notices):
        say(f"note: {notice}")
    if tally.failed:
        raise AntiphonError(f"{tally.failed} documents were refused, the first: {tally.first_failure}")


def _text_of(warning: str) -> str:
    """Return the text within a Warning header."""
    _, _, rest = warning.partition('"')
    return rest.rpartition('"')[0] or warning


def _batches(items: Iterator[Item], size: int) -> Iterator[list[Item]]:
    while batch := list(islice(items, size)):
        yield batch


def _chunks(items: Iterable[Item], text_field: str, limit: int) -> Iterator[Item]:
    """Cut the text of each document into pieces of at most ``limit`` tokens, one document each.

    A token is a word or a mark of punctuation: a model's own tokens are shorter, by about a quarter in English.
    """
    for item in items:
        text = item.source.get(text_field)
        pieces = list(_pieces(text, limit)) if isinstance(text, str) else []
        if len(pieces) < 2:
            yield item
            continue
        for number, piece in enumerate(pieces):
            source = {**item.source, text_field: piece, "chunk": number, "parent": item.id}
            yield replace(item, id=f"{item.id}#{number}", source=source)


def _pieces(text: str, limit: int) -> Iterator[str]:
    """Cut at the last end of a paragraph or sentence in the second half of a piece, else between words."""
    words = [match.span() for match in _WORD.finditer(text)]
    first = 0
    while first < len(words):
        last = min(first + limit, len(words))
        end = len(text) if last == len(words) else words[last][0]
        start = words[first][0]
        if last < len(words):
            half = words[first + limit // 2][0]
            cut = max(text.rfind("\n\n", half, end), text.rfind(". ", half, end), text.rfind("。", half, end))
            if cut > half:
                end = cut + 1
        yield text[start:end].strip()
        while first < len(words) and words[first][0] < end:
            first += 1


@contextmanager
def _progress(total: int) -> Iterator[Any]:
    """A bar with rate and time left on a terminal, a line every few seconds elsewhere."""
    if not sys.stderr.isatty():
        said = [time.monotonic()]

        def say_now(read: int, tally: Tally) -> None:
            if time.monotonic() - said[0] >= _SAID_EVERY_S:
                said[0] = time.monotonic()
                done = f" ({100 * read // total} %)" if total else ""
                say(f"{tally.written} documents written, {tally.skipped} unchanged{done}")

        yield say_now
        return
    columns = (
        TextColumn("{task.fields[documents]} documents"),
        BarColumn(),
        TextColumn("{task.fields[rate]:.0f}/s"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    start = time.monotonic()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("", total=total or None, documents=0, rate=0.0)

        def show(read: int, tally: Tally) -> None:
            rate = tally.written / max(time.monotonic() - start, 1e-9)
            bars.update(task, completed=read, documents=tally.written + tally.skipped, rate=rate)

        yield show

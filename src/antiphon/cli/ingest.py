"""``antiphon ingest``: files into an index, unchanged documents skipped."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from antiphon.cli.chunks import in_pieces
from antiphon.cli.files import Options, find_files, read_items, total_bytes
from antiphon.cli.search import embedded_fields
from antiphon.cli.servers import Url, opened
from antiphon.cli.terminal import say
from antiphon.cli.writer import Tally, Writer, batches
from antiphon.errors import AntiphonError, IllegalArgument
from antiphon.remote import DEFAULT_URL, one_index, segment

_SAID_EVERY_S = 5.0
_NO_ROLE = "The embedding model chosen is asymmetric"
_INTERRUPTED = 130

Show = Callable[[int, Tally], None]


def ingest(
    index: Annotated[str, typer.Argument(help="The index.")],
    files: Annotated[
        list[str],
        typer.Argument(
            help="JSON lines, JSON, CSV, TSV, Markdown or text files, folders of them, whose links to other "
            "folders are not followed; - for JSON lines."
        ),
    ],
    text_field: Annotated[str, typer.Option(help="Where the text of a Markdown or text file goes.")] = "text",
    id_field: Annotated[
        str | None, typer.Option(help="The field that holds the id; else _id, id, or a hash of the content.")
    ] = None,
    chunk: Annotated[
        int | None, typer.Option("--chunk", min=16, help="Cut texts into documents of about this many tokens at most.")
    ] = None,
    batch: Annotated[int, typer.Option("--batch", min=1, max=5000, help="Documents per request.")] = 100,
    url: Url = DEFAULT_URL,
) -> None:
    """Write files into an index. A second run writes what has changed and skips the rest."""
    found = find_files(files)
    one_index(index)
    with opened(url) as client:
        if client.find(f"/{segment(index)}") is None:
            raise IllegalArgument(f"there is no index [{index}] on {client.url}: `antiphon index create {index}`")
        items = read_items(found, Options(id_field, text_field))
        if chunk is not None:
            items = in_pieces(items, text_field, chunk)
        writer = Writer(client, index, embedded_fields(client, index))
        start = time.monotonic()
        try:
            with _progress(total_bytes(found)) as show:
                for some in batches(items, batch):
                    writer.write(some)
                    show(some[-1].read_bytes, writer.tally)
            client.ask("POST", f"/{segment(index)}/_refresh")
        except KeyboardInterrupt:
            _report(writer.tally, time.monotonic() - start)
            say("stopped: the same command goes on from here")
            raise typer.Exit(_INTERRUPTED) from None
        except AntiphonError:
            _report(writer.tally, time.monotonic() - start)
            raise
    _report(writer.tally, time.monotonic() - start)
    if any(_NO_ROLE in failure for failure in writer.tally.failures):
        raise AntiphonError(
            "before OpenSearch 3.5 a cluster's pipelines cannot tell an asymmetric model that they embed passages: "
            "ingest through `antiphon serve --cluster`, or let the cluster embed through a server, `push --connect`"
        )
    if writer.tally.failed:
        raise AntiphonError(f"{writer.tally.failed} documents were refused; the same command tries them again")


def _report(tally: Tally, took_s: float) -> None:
    rate = tally.written / took_s if took_s > 0 else 0.0
    removed = f", {tally.removed} outdated ones removed" if tally.removed else ""
    say(f"{tally.written} documents written in {took_s:.1f} s ({rate:.0f}/s), {tally.skipped} unchanged{removed}")
    for notice, times in tally.notices.items():
        say(f"note: {notice}" if times == 1 else f"note, {times} times: {notice}")
    if tally.without_text:
        say(f"note: {tally.without_text} documents have no text in {tally.embedded}: no search by meaning finds them")
    if tally.repeated:
        say(
            f"note: {tally.repeated} documents have an id that came before, so that the last one stays; the first: "
            f"{tally.first_repeated}"
        )
    for failure in tally.failures:
        say(f"refused: {failure}")
    if tally.failed > len(tally.failures):
        say(f"refused: {tally.failed - len(tally.failures)} more")


@contextmanager
def _progress(total: int) -> Iterator[Show]:
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

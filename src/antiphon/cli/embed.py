"""``antiphon embed``: vectors without a server."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated

import numpy as np
import orjson
import typer

from antiphon.cli.terminal import path_option, say, steps
from antiphon.domain.deployment import Precision
from antiphon.domain.role import Role
from antiphon.errors import IllegalArgument

_SLICE = 2048
"""Texts embedded at once: bounds memory on endless input."""


def embed(
    model: Annotated[
        str, typer.Option("--model", "-m", help="A zip, folder, hub id or bundled:multilingual-e5-small.")
    ],
    role: Annotated[Role, typer.Option("--role", "-r", help="What the texts are.")],
    texts: Annotated[list[str] | None, typer.Argument(help="Texts; - reads one text per line from stdin.")] = None,
    output: Annotated[Path | None, path_option("--output", "-o", help="Write one float32 .npy array instead.")] = None,
    precision: Annotated[Precision, typer.Option(help="How numbers are computed.")] = Precision.AUTO,
    threads: Annotated[int, typer.Option(min=0, help="CPU threads, 0 for all.")] = 0,
) -> None:
    """Embed texts in one role and print a JSON line for each: {"text": ..., "embedding": [...]}."""
    import antiphon

    if not texts:
        raise IllegalArgument("no texts given: name them, or - to read one per line from stdin")
    with steps() as progress:
        embedder = antiphon.load(model, precision=precision, threads=threads, on_progress=progress)
    parts: list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]] = []
    doubled = truncated = lost = 0
    with embedder:
        for note in embedder.notes:
            say(f"note: {note}")
        for chunk in _slices(_read(texts)):
            prediction = embedder.predict(chunk, role)
            doubled += len(prediction.doubled)
            truncated += len(prediction.truncated)
            lost += prediction.lost_tokens
            if output is not None:
                parts.append(np.stack(prediction.rows))
                continue
            for text, row in zip(chunk, prediction.rows, strict=True):
                line = orjson.dumps({"text": text, "embedding": row}, option=orjson.OPT_SERIALIZE_NUMPY)
                typer.echo(line.decode())
        dimension = embedder.dimension
    if output is not None:
        _save(output, np.concatenate(parts) if parts else np.empty((0, dimension), np.float32))
    if doubled:
        say(f"warning: texts that already started with a role's prefix: {doubled}. Give the bare text")
    if truncated:
        say(f"warning: texts truncated: {truncated}, tokens lost: {lost}")


def _read(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        if text == "-":
            yield from _lines()
        else:
            yield text


def _lines() -> Iterator[str]:
    for number, line in enumerate(sys.stdin.buffer, 1):
        try:
            yield line.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise IllegalArgument(
                f"line {number} of stdin is not UTF-8: {error.reason} at byte {error.start}"
            ) from None


def _slices(texts: Iterator[str]) -> Iterator[list[str]]:
    while chunk := list(islice(texts, _SLICE)):
        yield chunk


def _save(path: Path, array: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> None:
    with path.open("wb") as file:
        np.save(file, array)
    say(f"{path}: float32 {list(array.shape)}")

"""How a bulk is cut: where an action must see what an earlier one wrote, or where enough bytes have come together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Step:
    """What matters of one action: its index and id (None: the id is not known yet), its bytes, and whether it
    ``reads`` the document that it changes."""

    index: str
    id: str | None
    size: int
    reads: bool


def parts(items: Iterable[Item], step_of: Callable[[Item], Step], most_bytes: int) -> Iterator[list[Item]]:
    """Yield the items in order, in parts of little more than ``most_bytes``.

    An item that reads begins a new part when an earlier item of the part writes its document; so does an item whose
    document an earlier one of the part reads.
    """
    part: list[Item] = []
    written: set[tuple[str, str]] = set()
    read: set[tuple[str, str]] = set()
    size = 0
    for item in items:
        step = step_of(item)
        key = (step.index, step.id or "")
        if part and ((step.reads and key in written) or key in read or size > most_bytes):
            yield part
            part, written, read, size = [], set(), set(), 0
        part.append(item)
        size += step.size
        if step.id is not None:
            written.add(key)
            if step.reads:
                read.add(key)
    if part:
        yield part

"""Reads CSV and TSV: one document per row, cells as texts, which the index's mapping turns into numbers and dates."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import chain
from typing import Any, BinaryIO

from antiphon.errors import IllegalArgument

_LONGEST_CELL = 2**31 - 1


def read_rows(name: str, content: BinaryIO) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (file:line, row without its empty cells). IllegalArgument names the line that cannot be read."""
    csv.field_size_limit(_LONGEST_CELL)
    text = io.TextIOWrapper(content, encoding="utf-8-sig", newline="")
    line = 1
    try:
        first = text.readline()
        rows = csv.reader(chain([first], iter(text.readline, "")), delimiter=_delimiter(name, first), strict=True)
        head = _head(name, next(rows, []))
        for row in rows:
            place, line = f"{name}:{line + 1}", rows.line_num
            if row:
                yield place, _document(place, head, row)
    except csv.Error as error:
        raise IllegalArgument(f"{name}:{line + 1} cannot be read as CSV: {error}") from None
    except UnicodeDecodeError as error:
        raise IllegalArgument(f"{name} is not UTF-8 somewhere after line {line}: {error.reason}") from None
    finally:
        text.detach()


def _document(place: str, head: list[str], row: list[str]) -> dict[str, Any]:
    if len(row) != len(head):
        raise IllegalArgument(f"{place} has {len(row)} columns, the header has {len(head)}")
    return {key: cell for key, cell in zip(head, row, strict=True) if cell != ""}


def _delimiter(name: str, first: str) -> str:
    """A tab in .tsv; in .csv the comma, or the semicolon where the header has no comma."""
    if name.lower().endswith(".tsv"):
        return "\t"
    return ";" if ";" in first and "," not in first else ","


def _head(name: str, head: list[str]) -> list[str]:
    names = [cell.strip() for cell in head]
    if not any(names):
        raise IllegalArgument(f"{name} has no header line")
    if "" in names:
        raise IllegalArgument(f"{name}:1 has no name for column {names.index('') + 1}")
    doubled = next((cell for number, cell in enumerate(names) if cell in names[:number]), None)
    if doubled is not None:
        raise IllegalArgument(f"{name}:1 has two columns named [{doubled}]")
    return names
